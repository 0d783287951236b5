// A deployment: nodes, their stores, and the links between them, as data (docs/domain.md section
// 11).
//
// It is read from an INI file (docs/deployments.md describes it); the built-in ones are such texts
// too (lab/scenario). Pure: nothing is made here.

#ifndef EKUBENCH_LAB_DEPLOYMENT_H
#define EKUBENCH_LAB_DEPLOYMENT_H

#include "ekubench/base/err.h"
#include "ekubench/pki/key.h"
#include "ekubench/store/link.h"
#include "ekubench/store/release.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EKB_DEPLOYMENT_NAME_LEN 48
#define EKB_DEPLOYMENT_MAX_CAS 8
#define EKB_DEPLOYMENT_MAX_NODES 16
#define EKB_DEPLOYMENT_MAX_LINKS 32
#define EKB_DEPLOYMENT_MAX_EXPECTATIONS 64

// Where an identity comes from.
enum ekb_origin {
    EKB_ORIGIN_NONE,
    EKB_ORIGIN_CA,          // A certificate of one of the deployment's CAs, past the gate.
    EKB_ORIGIN_SELF_SIGNED, // Its own; no gate would take it for a CA's.
    EKB_ORIGIN_COPY,        // Client: uploaded with the server's, past the client gate.
    EKB_ORIGIN_UPGRADE,     // Client: what the upgrade to two stores makes of the server's.
};

struct ekb_deployment_identity {
    enum ekb_origin origin;
    size_t ca;    // EKB_ORIGIN_CA: which.
    unsigned eku; // EKB_EKU_*
    unsigned depth;
    enum ekb_key_type key_type;
};

struct ekb_deployment_node {
    char name[EKB_DEPLOYMENT_NAME_LEN];
    char host[EKB_NAME_LEN]; // In its certificates; not in them if `unnamed`.
    bool unnamed;            // Its certificates have another name.
    struct ekb_release_node rules;
    bool has_mode;    // The mode is its own, not the deployment's,
    bool has_release; // and so is the release, which must be the same.
    bool has_minted;  // Something is said of certificates or trust that are to be made.
    struct ekb_deployment_identity server;
    struct ekb_deployment_identity second; // A second server certificate, of a far end.
    struct ekb_deployment_identity client;
    char store[1024];     // A store that there is, and that nothing is written to; "": made.
    bool keeps_no_client; // That store is to have no client certificate: it is not upgraded.
    bool says_upgrade;    // Something is said of that.
    bool says_cluster_verify;
    uint32_t trusts; // Bit i: CA i.
    unsigned line;   // Of its section.
};

struct ekb_deployment_link {
    char name[EKB_DEPLOYMENT_NAME_LEN]; // Of the section; what is expected is said of it.
    enum ekb_link kind;
    size_t initiator; // Nodes.
    size_t responder;
    char address[EKB_NAME_LEN]; // By what the initiator knows the responder; "": its host.
    uint16_t port;
    unsigned line; // Of its section.
};

// What is expected of a link, or of MRA.
enum ekb_expected {
    EKB_EXPECTED_UNKNOWN, // Nothing is said: what the rules foretell.
    EKB_EXPECTED_ACTIVE,
    EKB_EXPECTED_FAILED,
};

struct ekb_deployment_expectation {
    char what[EKB_DEPLOYMENT_NAME_LEN]; // A link's name, or "mra".
    enum ekb_expected expected;
    char reason[64]; // A stable code (ekb_err_name) or an alert's name, if one is named; "".
    bool has_depth; // The position, 0 = leaf, of the certificate that was refused is between these:
    unsigned min_depth;
    unsigned max_depth;
    bool asks;         // The responder asks for the initiator's certificate, and gets an answer.
    char log[128];     // The end that refuses the other logs a line with this in it; "".
    char details[192]; // All that is said after the status, as it is said.
    // In which runs: of one release, of one mode; all if not set.
    bool has_release;
    enum ekb_release release;
    bool has_mode;
    enum ekb_eku_mode mode;
    unsigned line;         // Its own,
    unsigned section_line; // and its section's.
};

struct ekb_deployment {
    char name[EKB_DEPLOYMENT_NAME_LEN];
    char title[128];
    enum ekb_release releases[EKB_RELEASE_NUM]; // It is run once under each,
    size_t num_releases;
    bool has_release;           // They are said.
    enum ekb_eku_mode modes[2]; // and with each EKU checking mode, where there is that switch.
    size_t num_modes;
    char cas[EKB_DEPLOYMENT_MAX_CAS][EKB_DEPLOYMENT_NAME_LEN];
    size_t num_cas;
    struct ekb_deployment_node nodes[EKB_DEPLOYMENT_MAX_NODES];
    size_t num_nodes;
    struct ekb_deployment_link links[EKB_DEPLOYMENT_MAX_LINKS];
    size_t num_links;
    struct ekb_deployment_expectation expectations[EKB_DEPLOYMENT_MAX_EXPECTATIONS];
    size_t num_expectations;
};

// The links of which MRA is made: it works if and only if all of them do.
#define EKB_DEPLOYMENT_NUM_MRA 4
extern const enum ekb_link ekb_deployment_mra[EKB_DEPLOYMENT_NUM_MRA];

// ekb_deployment_read reads the INI file `path`, and takes the paths of stores in it as relative to
// its directory; ekb_deployment_parse reads `text`, which is called
// `name` in messages. EKB_PARSE, with the line and what is wanted there; EKB_USAGE for what makes
// no deployment (C and E of different releases, a link between nodes that it is not for); errors of
// ekb_file_read.
EKB_NODISCARD enum ekb_err ekb_deployment_read(struct ekb_deployment *out_deployment,
                                               const char *path, struct ekb_fail *reterr_fail);
EKB_NODISCARD enum ekb_err ekb_deployment_parse(struct ekb_deployment *out_deployment,
                                                const char *text, const char *name,
                                                struct ekb_fail *reterr_fail);

// ekb_deployment_open reads the built-in deployment called `name_or_path` (lab/scenario), or else
// the file of that path: one with a slash in it, or ".ini". A file that names no deployment has its
// own name for one, with '_' for what may not be in a name. EKB_USAGE if there is no such built-in
// one; errors of ekb_deployment_read.
EKB_NODISCARD enum ekb_err ekb_deployment_open(struct ekb_deployment *out_deployment,
                                               const char *name_or_path,
                                               struct ekb_fail *reterr_fail);

// ekb_deployment_check_release returns EKB_USAGE, and why, if C or E is said to run another release
// than `release`: they must run the same.
EKB_NODISCARD enum ekb_err ekb_deployment_check_release(const struct ekb_deployment *deployment,
                                                        enum ekb_release release,
                                                        struct ekb_fail *reterr_fail);

// ekb_deployment_expect returns what is expected of `what` under that release and mode; NULL:
// nothing is said. What is said without a release is about those of the deployment. Of several that
// fit, it is the narrowest, wherever it stands: of a release and a mode, of a release, of a mode.
const struct ekb_deployment_expectation *
ekb_deployment_expect(const struct ekb_deployment *deployment, const char *what,
                      enum ekb_release release, enum ekb_eku_mode mode);

// ekb_deployment_is_about is true if `expectation`, of `deployment`, is about runs under that
// release and mode.
bool ekb_deployment_is_about(const struct ekb_deployment *deployment,
                             const struct ekb_deployment_expectation *expectation,
                             enum ekb_release release, enum ekb_eku_mode mode);

// ekb_deployment_is_minted is true if a certificate of its own is made for the identity.
bool ekb_deployment_is_minted(const struct ekb_deployment_identity *identity);

#endif
