// What a client draws for each connection: its arm, the identity that it presents, and the session
// that it offers to resume.

#ifndef EKUBENCH_SRC_PEER_CLIENT_CHOICE_H
#define EKUBENCH_SRC_PEER_CLIENT_CHOICE_H

#include "ekubench/base/err.h"
#include "ekubench/base/rng.h"
#include "ekubench/peer/client.h"
#include "ekubench/peer/pick.h"
#include "ekubench/peer/sequence.h"
#include "peer/engine.h"
#include "peer/session_pool.h"

#include <stdbool.h>
#include <stdint.h>

struct ekb_client_choice {
    const struct ekb_client_options *options;
    struct ekb_sequence sequence; // Of the arms with TLS, which come first.
    uint16_t num_tls_arms;
    bool by_share; // Arms are drawn by their shares, with
    struct ekb_rng shares;
    struct ekb_session_pool *pools; // By arm: what its connections have brought.
    struct ekb_pick **picks;        // By arm: which identity is next; NULL: there is no choice.
};

// ekb_client_choice_init prepares the choices of a client whose arms have these configurations;
// ekb_client_choice_deinit releases them and is safe on zeroed ones. EKB_NOMEM.
EKB_NODISCARD enum ekb_err ekb_client_choice_init(struct ekb_client_choice *choice,
                                                  const struct ekb_client_options *options,
                                                  struct ekb_tls_config *const *configs);
void ekb_client_choice_deinit(struct ekb_client_choice *choice);

// ekb_client_choice_arm draws an arm with TLS.
uint16_t ekb_client_choice_arm(struct ekb_client_choice *choice);

// ekb_client_choice_session takes a session for a connection of arm `*arm`, now the caller's; NULL
// if the arm does not resume. If it does and there is none, `*arm` becomes the arm that brings
// them.
struct ekb_tls_session *ekb_client_choice_session(struct ekb_client_choice *choice, uint16_t *arm);

// ekb_client_choice_identity picks what a connection of `arm` presents.
size_t ekb_client_choice_identity(struct ekb_client_choice *choice, uint16_t arm);

// ekb_client_choice_over keeps the session that a connection which is over has brought, or the one
// that it was resumed from if that may be offered again.
void ekb_client_choice_over(struct ekb_client_choice *choice, struct ekb_conn *conn);

#endif
