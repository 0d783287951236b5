// With a leak checker these tests say also that nothing is lost.

#include "peer/session_pool.h"

#include <criterion/criterion.h>
#include <openssl/ssl.h>

#include <stddef.h>

static SSL_CTX *context;

static void set_up(void)
{
    context = SSL_CTX_new(TLS_method());
    cr_assert_not_null(context);
}

static void tear_down(void)
{
    SSL_CTX_free(context);
}

TestSuite(session_pool, .init = set_up, .fini = tear_down);

static struct ekb_tls_session *make_session(void)
{
    SSL_SESSION *session = SSL_SESSION_new(context);
    cr_assert_not_null(session);
    return (struct ekb_tls_session *)session;
}

// expect_taken takes the oldest one, which should be `wanted`.
static void expect_taken(struct ekb_session_pool *pool, const struct ekb_tls_session *wanted,
                         size_t index)
{
    struct ekb_tls_session *taken = ekb_session_pool_take(pool);
    cr_expect_eq(taken, wanted, "%zu", index);
    ekb_tls_session_destroy(taken);
}

Test(session_pool, has_nothing_when_it_is_zeroed)
{
    struct ekb_session_pool pool = {.num = 0};

    cr_expect_null(ekb_session_pool_take(&pool));
    ekb_session_pool_deinit(&pool);
}

Test(session_pool, ignores_null)
{
    struct ekb_session_pool pool = {.num = 0};

    ekb_session_pool_put(&pool, NULL);

    cr_expect_eq(pool.num, 0);
    cr_expect_null(ekb_session_pool_take(&pool));
}

Test(session_pool, gives_the_oldest_first)
{
    struct ekb_session_pool pool = {.num = 0};
    struct ekb_tls_session *sessions[3];
    for (size_t i = 0; i < 3; i++) {
        sessions[i] = make_session();
        ekb_session_pool_put(&pool, sessions[i]);
    }

    for (size_t i = 0; i < 3; i++) {
        expect_taken(&pool, sessions[i], i);
    }
    cr_expect_null(ekb_session_pool_take(&pool));
    ekb_session_pool_deinit(&pool);
}

Test(session_pool, lets_the_oldest_go_when_it_is_full)
{
    enum {
        NUM = EKB_SESSION_POOL_LEN + 3
    };
    struct ekb_session_pool pool = {.num = 0};
    struct ekb_tls_session *sessions[NUM];
    for (size_t i = 0; i < NUM; i++) {
        sessions[i] = make_session();
        ekb_session_pool_put(&pool, sessions[i]);
        cr_assert_eq(pool.num, i < EKB_SESSION_POOL_LEN ? i + 1 : EKB_SESSION_POOL_LEN);
    }

    for (size_t i = 3; i < NUM; i++) {
        expect_taken(&pool, sessions[i], i);
    }
    cr_expect_null(ekb_session_pool_take(&pool));
    ekb_session_pool_deinit(&pool);
}

// Wherever in its ring it begins.
Test(session_pool, keeps_the_order_when_it_is_used_for_long)
{
    struct ekb_session_pool pool = {.num = 0};
    struct ekb_tls_session *expected[2 * EKB_SESSION_POOL_LEN + 7];
    const size_t num = sizeof expected / sizeof expected[0];
    size_t taken = 0;
    for (size_t i = 0; i < num; i++) {
        expected[i] = make_session();
        ekb_session_pool_put(&pool, expected[i]);
        if (i + 1 - taken > EKB_SESSION_POOL_LEN) {
            taken++; // It went.
        }
        if (i % 3 == 0) {
            expect_taken(&pool, expected[taken], taken);
            taken++;
        }
    }

    for (; taken < num; taken++) {
        expect_taken(&pool, expected[taken], taken);
    }
    cr_expect_eq(pool.num, 0);
    ekb_session_pool_deinit(&pool);
}

Test(session_pool, releases_what_it_has)
{
    struct ekb_session_pool pool = {.num = 0};
    for (size_t i = 0; i < 5; i++) {
        ekb_session_pool_put(&pool, make_session());
    }

    ekb_session_pool_deinit(&pool);

    cr_expect_eq(pool.num, 0);
    cr_expect_null(ekb_session_pool_take(&pool));
}
