#include "peer/session_pool.h"

void ekb_session_pool_put(struct ekb_session_pool *pool, struct ekb_tls_session *session)
{
    if (session == NULL) {
        return;
    }
    if (pool->num == EKB_SESSION_POOL_LEN) {
        ekb_tls_session_destroy(ekb_session_pool_take(pool));
    }
    pool->sessions[(pool->begin + pool->num) % EKB_SESSION_POOL_LEN] = session;
    pool->num++;
}

struct ekb_tls_session *ekb_session_pool_take(struct ekb_session_pool *pool)
{
    if (pool->num == 0) {
        return NULL;
    }
    struct ekb_tls_session *session = pool->sessions[pool->begin];
    pool->begin = (pool->begin + 1) % EKB_SESSION_POOL_LEN;
    pool->num--;
    return session;
}

void ekb_session_pool_deinit(struct ekb_session_pool *pool)
{
    while (pool->num > 0) {
        ekb_tls_session_destroy(ekb_session_pool_take(pool));
    }
}
