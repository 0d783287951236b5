// Plans: what a measurement does, as data.
//
// A plan has stages, a stage has arms; an arm is a listener's policy and a client's chain. Pure: a
// plan is made from its name and a few settings, and holds everything that is needed to run it
// again.

#ifndef EKUBENCH_LAB_PLAN_H
#define EKUBENCH_LAB_PLAN_H

#include "ekubench/base/clock.h"
#include "ekubench/base/err.h"
#include "ekubench/peer/client.h"
#include "ekubench/peer/pin.h"
#include "ekubench/peer/server.h"
#include "ekubench/pki/client_fault.h"
#include "ekubench/pki/key.h"
#include "ekubench/pki/policy.h"
#include "ekubench/stat/words.h"
#include "ekubench/tls/config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EKB_PLAN_MAX_ARMS 32
#define EKB_PLAN_MAX_STAGES 4
#define EKB_PLAN_NAME_LEN 32

// The names of the built-in stages and of the arms that the analysis refers to.
#define EKB_PLAN_STAGE_COST EKB_STAGE_COST
#define EKB_PLAN_STAGE_FLOOR EKB_STAGE_FLOOR
#define EKB_PLAN_STAGE_LOAD EKB_STAGE_LOAD

// What an arm has in the place of minted identities: the stores of two nodes that are there, and
// how the one who connects goes about it (lab/workload). All is borrowed.
struct ekb_plan_link {
    const char *server_store;
    const char *second_store; // With another server certificate; NULL: none.
    const char *client_store; // NULL: no certificate is presented,
    bool presents_server;     // or that of its server's side is.
    const char *trust_store;  // Whom the client trusts.
    struct ekb_policy policy; // What it verifies of the server.
    // Of the client; what the plan says goes before it.
    struct ekb_tls_preferences preferences;
    const char *sni;            // Or NULL.
    enum ekb_key_type key_type; // Of what the client presents.
};

struct ekb_plan_arm {
    char name[EKB_PLAN_NAME_LEN];
    struct ekb_policy policy;
    unsigned depth;              // Certificates above the leaf of the client's chain.
    unsigned client_eku;         // EKB_EKU_* of the client's leaf.
    enum ekb_client_fault fault; // Of the client's certificate, where it is minted.
    unsigned server_depth;       // Certificates above the leaf of the server's chain.
    const char *store; // Where both sides' identities are from, borrowed; NULL: they are minted,
    const struct ekb_plan_link *link; // unless this says it. Borrowed.
    uint64_t inject_ns; // CPU time that the server wastes in each handshake: a known effect.
    bool probe;         // Timers inside of verification.
    bool bare_tcp;      // No TLS: the bytes of arm 0's handshake. The last arm of a floor stage.
    bool tickets;       // The server gives tickets, and the client keeps them,
    bool resumes; // for this arm, whose connections resume: of the stage's first with tickets.
    enum ekb_expect expect;
};

// A contrast of a stage's own, beside those that are known by the names of arms (lab/effects).
struct ekb_plan_contrast {
    const char *question; // One of stat/words.
    char treated[EKB_PLAN_NAME_LEN];
    char control[EKB_PLAN_NAME_LEN];
};

struct ekb_plan_stage {
    char name[EKB_PLAN_NAME_LEN];
    uint32_t in_flight;
    double
        rate_per_s;   // Open loop: Poisson arrivals, at most `in_flight` under way; 0: closed loop.
    uint64_t ramp_ns; // Closed loop: until as many are under way; part of the warm-up.
    uint32_t server_workers; // 0 counts as 1, here and in the next.
    uint32_t client_workers;
    enum ekb_listening listening;
    struct ekb_pin pin; // Of all workers, the server's first.
    uint64_t slice_ns;
    uint32_t num_warmup; // Slices.
    uint32_t num_slices; // Warm-up included.
    uint32_t floor_every;
    bool tcp_floor;
    uint32_t block_slices; // 0: no blocks (peer/timeline). A stage of blocks has the arms A, its
                           // twin, B.
    uint32_t washout_slices;
    enum ekb_client_kind client;
    struct ekb_plan_arm arms[EKB_PLAN_MAX_ARMS];
    size_t num_arms;
    struct ekb_plan_contrast contrasts[EKB_PLAN_MAX_ARMS];
    size_t num_contrasts;
};

struct ekb_plan {
    char name[EKB_PLAN_NAME_LEN];
    // The deployment whose links are the arms, and under which release; NULL: there is none.
    // Borrowed.
    const char *scenario;
    const char *release;
    uint64_t seed;
    enum ekb_tls_version version;
    struct ekb_tls_preferences preferences; // Of both sides; borrowed.
    enum ekb_key_type key_type;
    uint64_t deadline_ns;
    uint64_t resolve_ns; // The difference in server CPU that the cost stage shall find, if there is
                         // a pilot.
    struct ekb_plan_stage stages[EKB_PLAN_MAX_STAGES];
    size_t num_stages;
};

// What a user may change of a built-in plan. Zeroes mean the plan's own.
struct ekb_plan_settings {
    uint64_t seed;           // Below 2^63.
    uint32_t in_flight;      // Of the load stage, as the next four.
    uint32_t server_workers; // Up to EKB_STAGE_MAX_WORKERS, as the next.
    uint32_t client_workers;
    enum ekb_listening listening;
    struct ekb_pin pin;
    enum ekb_tls_version version; // EKB_TLS_1_2 or EKB_TLS_1_3, if `version_set`.
    bool version_set;
    // Of both sides; borrowed. Groups and TLS 1.2 suites, in at most EKB_LISTENER_LIST_LEN - 1
    // characters each.
    struct ekb_tls_preferences preferences;
    enum ekb_key_type key_type; // Of all certificates, if `key_type_set`.
    bool key_type_set;
    // Of the one arm of the plans "compare" and "load" only.
    enum ekb_eku_mode eku; // If `eku_set`.
    bool eku_set;
    unsigned depth; // Up to EKB_MINT_MAX_DEPTH.
};

// The depths of chains in the cost stage. Arms are called "on-d1", "off-d2", ...: EKU mode and
// depth of the client's chain; "server-d2", ...: depth of the server's chain.
#define EKB_PLAN_NUM_DEPTHS 4
extern const unsigned ekb_plan_depths[EKB_PLAN_NUM_DEPTHS];
#define EKB_PLAN_SERVER_DEPTH_ARM "server-d%u"
#define EKB_PLAN_TCP_ARM "tcp"
#define EKB_PLAN_TWIN "-again"        // Ends the name of the arm that is another one a second time.
#define EKB_PLAN_PROBE_ARM "timed-d2" // As on-d2, with timers.
#define EKB_PLAN_TICKETS_ARM EKB_ARM_TICKETS
#define EKB_PLAN_RESUMED_ARM EKB_ARM_RESUMED

// The names in the certificates of a run.
#define EKB_PLAN_SERVER_NAME "server.ekubench.test"
#define EKB_PLAN_CLIENT_NAME "client.ekubench.test"

#define EKB_PLAN_COMPARE "compare"
#define EKB_PLAN_REJECTS "rejects"
#define EKB_PLAN_LOAD "load"
#define EKB_PLAN_DEFAULT_SEED 1
#define EKB_PLAN_DEFAULT_IN_FLIGHT 2000

// ekb_plan_builtin makes the plan called `name`: "quick" (at most 45 s in all), "standard" (at
// most 120 s), "rejects" (20 s: clients of every kind that is rejected, beside accepted ones),
// "compare" (3 s: one arm, to be run again and again), or "load" (one arm under load, for as long
// as so many in flight want, 6 s or more). The load settings are for the load stage, or, in the
// plans of one stage, for that. EKB_NOT_FOUND if there is no such plan, EKB_USAGE if the settings
// have what only another one knows.
EKB_NODISCARD enum ekb_err ekb_plan_builtin(struct ekb_plan *out_plan, const char *name,
                                            const struct ekb_plan_settings *settings);

// ekb_plan_self_test makes the plan of the self-test (at most 50 s): the same arm twice, and with
// 1, 5 and 20 us of wasted CPU time.
#define EKB_PLAN_NUM_INJECTED 3
extern const uint64_t ekb_plan_injected_ns[EKB_PLAN_NUM_INJECTED];
#define EKB_PLAN_INJECTED_ARM "inject-%lluus"
void ekb_plan_self_test(struct ekb_plan *out_plan, uint64_t seed);

// ekb_plan_stores makes the plan that compares two dual stores, each a server's and a client's
// (45 s): `base` twice, and `other`. The paths are borrowed.
void ekb_plan_stores(struct ekb_plan *out_plan, const char *base, const char *other, uint64_t seed);

// ekb_plan_duration_ns returns how long the stages run, without setting up and tearing down.
uint64_t ekb_plan_duration_ns(const struct ekb_plan *plan);

// ekb_plan_stretch has the stages of `plan` measure longer, all but the pilot, in proportion, so
// that it takes `duration_ns` or a little less: turns and quadruples stay whole. EKB_USAGE, and the
// plan as it was: that is less than it takes, or more than EKB_PLAN_MAX_NS (its estimates would
// take as long as it does).
#define EKB_PLAN_MAX_NS (UINT64_C(30) * 60 * 1000000000)
EKB_NODISCARD enum ekb_err ekb_plan_stretch(struct ekb_plan *plan, uint64_t duration_ns);

// ekb_plan_stage_index returns the index of the stage called `name`, or -1; ekb_plan_arm_index that
// of an arm of `stage`.
int ekb_plan_stage_index(const struct ekb_plan *plan, const char *name);
int ekb_plan_arm_index(const struct ekb_plan_stage *stage, const char *name);

#endif
