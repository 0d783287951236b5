// The sessions that a client can resume: what one connection brings, another presents.

#ifndef EKUBENCH_SRC_PEER_SESSION_POOL_H
#define EKUBENCH_SRC_PEER_SESSION_POOL_H

#include "ekubench/tls/endpoint.h"

#include <stddef.h>

// More than this many are not kept: the oldest goes.
#define EKB_SESSION_POOL_LEN 256

struct ekb_session_pool {
    struct ekb_tls_session *sessions[EKB_SESSION_POOL_LEN]; // A ring.
    size_t begin;
    size_t num;
};

// ekb_session_pool_put gives a session to the pool; NULL is legal.
void ekb_session_pool_put(struct ekb_session_pool *pool, struct ekb_tls_session *session);

// ekb_session_pool_take returns the oldest session, now the caller's; NULL if there is none.
struct ekb_tls_session *ekb_session_pool_take(struct ekb_session_pool *pool);

// ekb_session_pool_deinit releases what is in the pool.
void ekb_session_pool_deinit(struct ekb_session_pool *pool);

#endif
