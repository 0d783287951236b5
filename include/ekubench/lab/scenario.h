// Scenarios: a deployment, made and run. Its servers are started as dual-store servers on loopback,
// its links are connections with the client stores, and what comes of each is put beside what is
// expected.

#ifndef EKUBENCH_LAB_SCENARIO_H
#define EKUBENCH_LAB_SCENARIO_H

#include "ekubench/base/err.h"
#include "ekubench/lab/deployment.h"
#include "ekubench/lab/outbound.h"
#include "ekubench/peer/event.h"
#include "ekubench/store/link.h"
#include "ekubench/tls/config.h"
#include "ekubench/tls/trace.h"

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

// The built-in ones: docs/domain.md section 11, row by row.
#define EKB_NUM_SCENARIOS_BUILTIN 12
struct ekb_scenario_builtin {
    const char *name;
    const char *text; // As in a file of a deployment.
};
extern const struct ekb_scenario_builtin ekb_scenario_builtins[EKB_NUM_SCENARIOS_BUILTIN];

// ekb_scenario_builtin_find returns the built-in called `name`, or NULL.
const struct ekb_scenario_builtin *ekb_scenario_builtin_find(const char *name);

// One end of a link: what it presented, and what the other end verified of it.
struct ekb_scenario_end {
    bool presented;
    char serial[64]; // As the other end saw it.
    char subject[128];
    // Which of its node's stores holds a certificate of that serial: "server", "client", "both",
    // "second", or "" if none does.
    char store[8];
    enum ekb_store_side role; // Of which store it has to be, and
    bool has_one;             // whether that store has one.
    struct ekb_link_demand demand;
};

struct ekb_scenario_link {
    const struct ekb_deployment_link *link; // Of the deployment, which must outlive this.
    struct ekb_scenario_end initiator;
    struct ekb_scenario_end responder;
    bool active;
    enum ekb_err err;               // Why it failed: of the end that ended it.
    bool by_initiator;              // Which one.
    int alert;                      // That was sent; -1: none.
    char event[EKB_EVENT_TEXT_LEN]; // The responder's line of the event log; "": none.
    struct ekb_tls_trace trace;     // Of the initiator.
    bool asks;                      // The responder has asked for a certificate, in its turn.
    // Position, 0 = leaf, of the certificate that was refused; -1: none was, or it is not known.
    int verify_depth;
    // What the initiator logs of a server that it has refused, where it logs that: a line or two.
    char outbound[EKB_OUTBOUND_LOG_LEN];
    enum ekb_expected expected;
    bool is_foretold; // Nothing was said of it: the rules say so.
    // Else what was said; of the deployment.
    const struct ekb_deployment_expectation *said;
    bool has_roles; // Each end presented what is in the store of its role, by the serial number.
    bool matches;   // All of that, and what is expected.
};

// What is known of MRA: it works if the UC zone and the SSH tunnel are active, the SIP SERVICE
// check passes and the traffic server can be reached; unknown if the deployment has not all of
// these.
enum ekb_scenario_mra {
    EKB_MRA_UNKNOWN,
    EKB_MRA_WORKS,
    EKB_MRA_FAILS,
};

struct ekb_scenario_run {
    enum ekb_release release;
    enum ekb_eku_mode mode;
    enum ekb_tls_version version;
    struct ekb_scenario_link links[EKB_DEPLOYMENT_MAX_LINKS];
    size_t num_links;
    struct ekb_fail refusals[EKB_DEPLOYMENT_MAX_NODES][EKB_STORE_NUM_SIDES]; // ekb_site_refusal
    bool upgraded[EKB_DEPLOYMENT_MAX_NODES];                                 // ekb_site_is_upgraded
    enum ekb_scenario_mra mra;
    enum ekb_expected
        expected_mra;     // As it is said, or as it follows from what the links are to be.
    bool mra_is_foretold; // Nothing was said of it.
    bool mra_matches;
    bool matches; // All of it.
};

// How it is run.
struct ekb_scenario_terms {
    enum ekb_release release;
    enum ekb_eku_mode mode;
    enum ekb_tls_version version;
    const char *directory;             // Where its stores are kept; NULL: nowhere.
    const volatile sig_atomic_t *stop; // Set to end between two links; or NULL.
};

// ekb_scenario_run makes the deployment, runs its links one after another and fills `*out_run`.
// What fails as it may is no error. EKB_NOT_FOUND if somebody's own store has no trusted CA list
// and needs one. Errors of ekb_site_create, ekb_server_open and
// ekb_worker_spawn; EKB_WORKER_DIED, EKB_NO_IO_URING; EKB_STOPPED.
EKB_NODISCARD enum ekb_err ekb_scenario_run(struct ekb_scenario_run *out_run,
                                            const struct ekb_deployment *deployment,
                                            const struct ekb_scenario_terms *terms,
                                            struct ekb_fail *reterr_fail);

#endif
