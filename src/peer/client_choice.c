#include "peer/client_choice.h"

#include "ekubench/peer/timeline.h"

#include <stdlib.h>

static uint16_t count_tls_arms(const struct ekb_client_options *options)
{
    uint16_t count = 0;
    while (count < options->num_arms && options->arms[count].flights == NULL) {
        count++;
    }
    EKB_CHECK(count > 0);
    EKB_CHECK(options->timeline->block_slices == 0 || count == EKB_QUADRUPLE_NUM_ARMS);
    return count;
}

enum ekb_err ekb_client_choice_init(struct ekb_client_choice *choice,
                                    const struct ekb_client_options *options,
                                    struct ekb_tls_config *const *configs)
{
    const struct ekb_pace_share alone = {0, 1};
    const struct ekb_pace_share *share = options->share.count > 0 ? &options->share : &alone;
    *choice =
        (struct ekb_client_choice){.options = options, .num_tls_arms = count_tls_arms(options)};
    ekb_sequence_init(&choice->sequence, choice->num_tls_arms, options->seed);
    ekb_rng_init(&choice->shares, ~options->seed);
    choice->pools = calloc(options->num_arms, sizeof choice->pools[0]);
    choice->picks = calloc(options->num_arms, sizeof(struct ekb_pick *));
    enum ekb_err err = choice->pools != NULL && choice->picks != NULL ? EKB_OK : EKB_NOMEM;
    for (size_t i = 0; i < choice->num_tls_arms && err == EKB_OK; i++) {
        const size_t num_identities = ekb_tls_config_num_identities(configs[i]);
        choice->by_share = choice->by_share || options->arms[i].share > 0;
        if (num_identities > 0) {
            err = ekb_pick_create(&choice->picks[i], &options->arms[i].pick, num_identities, share,
                                  options->seed + i);
        }
    }
    return err;
}

void ekb_client_choice_deinit(struct ekb_client_choice *choice)
{
    for (size_t i = 0; i < choice->num_tls_arms; i++) {
        if (choice->pools != NULL) {
            ekb_session_pool_deinit(&choice->pools[i]);
        }
        if (choice->picks != NULL) {
            ekb_pick_destroy(choice->picks[i]);
        }
    }
    free(choice->pools);
    free(choice->picks);
    *choice = (struct ekb_client_choice){.options = NULL};
}

// draw_by_share draws an arm by the shares; what rounding leaves over falls to the last that has
// one.
static uint16_t draw_by_share(struct ekb_client_choice *choice)
{
    double left = ekb_rng_uniform(&choice->shares);
    uint16_t arm = 0;
    for (uint16_t i = 0; i < choice->num_tls_arms && left >= 0; i++) {
        left -= choice->options->arms[i].share;
        arm = choice->options->arms[i].share > 0 ? i : arm;
    }
    return arm;
}

uint16_t ekb_client_choice_arm(struct ekb_client_choice *choice)
{
    return choice->by_share ? draw_by_share(choice) : ekb_sequence_next(&choice->sequence);
}

struct ekb_tls_session *ekb_client_choice_session(struct ekb_client_choice *choice, uint16_t *arm)
{
    const struct ekb_client_arm *drawn = &choice->options->arms[*arm];
    if (!drawn->resumes) {
        return NULL;
    }
    struct ekb_tls_session *session = ekb_session_pool_take(&choice->pools[drawn->session_arm]);
    *arm = session != NULL ? *arm : drawn->session_arm;
    return session;
}

size_t ekb_client_choice_identity(struct ekb_client_choice *choice, uint16_t arm)
{
    struct ekb_pick *pick = choice->picks[arm];
    return pick != NULL ? ekb_pick_next(pick) : 0;
}

void ekb_client_choice_over(struct ekb_client_choice *choice, struct ekb_conn *conn)
{
    const struct ekb_client_arm *arm = &choice->options->arms[conn->arm];
    struct ekb_session_pool *pool = &choice->pools[arm->resumes ? arm->session_arm : conn->arm];
    struct ekb_tls_session *const brought = ekb_endpoint_take_session(conn->endpoint);
    if (conn->outcome != EKB_OUTCOME_ACCEPTED || !(arm->keeps_sessions || arm->resumes)) {
        ekb_tls_session_destroy(brought);
    } else {
        ekb_session_pool_put(pool, brought);
    }
    if (conn->session != NULL && conn->resumed && brought == NULL &&
        !ekb_tls_session_is_single_use(conn->session)) {
        ekb_session_pool_put(pool, conn->session);
    } else {
        ekb_tls_session_destroy(conn->session);
    }
    conn->session = NULL;
}
