// A trusted CA list in which several certificates have one name and key, as of a root that was
// renewed: the one that serves best is to be taken, wherever it stands and whatever the time.

#include "ekubench/pki/verify.h"
#include "support/fixtures.h"
#include "support/forge.h"

#include <criterion/criterion.h>
#include <openssl/base.h>
#include <openssl/evp.h>

#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#define DAY INT64_C(86400)
#define YEAR (365 * DAY)

// 2026-06-15.
#define NOON INT64_C(1781524800)

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

// A CA with two certificates, and a leaf of it.
struct renewed {
    struct ekb_chain *older;
    struct ekb_chain *newer;
    struct ekb_chain *leaf;
};

static struct ekb_chain *certificate(const struct forgery *forgery, EVP_PKEY *key,
                                     EVP_PKEY *issuer_key)
{
    struct forgery of = *forgery;
    of.issuer = "ca";
    return forge(&of, key, issuer_key);
}

static struct renewed renewed_of(const struct forgery *older, const struct forgery *newer)
{
    static const struct forgery leaf = {.subject = "leaf", .names = "DNS:leaf.example"};
    EVP_PKEY *ca_key = forge_key();
    EVP_PKEY *leaf_key = forge_key();
    const struct renewed renewed = {.older = certificate(older, ca_key, ca_key),
                                    .newer = certificate(newer, ca_key, ca_key),
                                    .leaf = certificate(&leaf, leaf_key, ca_key)};
    EVP_PKEY_free(leaf_key);
    EVP_PKEY_free(ca_key);
    return renewed;
}

static void renewed_deinit(struct renewed *renewed)
{
    ekb_chain_destroy(renewed->leaf);
    ekb_chain_destroy(renewed->newer);
    ekb_chain_destroy(renewed->older);
}

static struct ekb_verifier *verifier_of(const struct renewed *renewed, bool newer_first,
                                        const int64_t *at)
{
    struct ekb_verifier *verifier = NULL;
    struct ekb_chain *trust = ekb_chain_create();
    const struct ekb_verify_options options = {
        .trust = trust, .policy = ekb_policy_default(), .at = at};
    cr_assert_eq(ekb_chain_append(trust, newer_first ? renewed->newer : renewed->older, 0), EKB_OK);
    cr_assert_eq(ekb_chain_append(trust, newer_first ? renewed->older : renewed->newer, 0), EKB_OK);
    cr_assert_eq(ekb_verifier_create(&verifier, &options, NULL), EKB_OK);
    ekb_chain_destroy(trust);
    return verifier;
}

static struct ekb_verify_outcome check(const struct ekb_verifier *verifier,
                                       const struct renewed *renewed)
{
    struct ekb_verify_outcome outcome = {.err = EKB_ERR_COUNT};
    cr_assert_eq(ekb_verifier_check(verifier, renewed->leaf, &outcome, NULL), EKB_OK);
    return outcome;
}

// expect_either_way judges the leaf with the list in both orders.
static void expect_either_way(const char *name, const struct renewed *renewed, const int64_t *at,
                              enum ekb_err err, int depth)
{
    for (int newer_first = 0; newer_first <= 1; newer_first++) {
        struct ekb_verifier *verifier = verifier_of(renewed, newer_first == 1, at);

        const struct ekb_verify_outcome outcome = check(verifier, renewed);

        cr_expect_eq(outcome.err, err, "%s, newer first: %d: %s", name, newer_first,
                     ekb_err_name(outcome.err));
        cr_expect_eq(outcome.depth, depth, "%s, newer first: %d: depth %d", name, newer_first,
                     outcome.depth);
        ekb_verifier_destroy(verifier);
    }
}

Test(anchors, takes_the_certificate_that_is_valid_at_the_time)
{
    static const struct forgery older = {.subject = "ca",
                                         .basic_constraints = "CA:TRUE",
                                         .not_before = NOON - YEAR,
                                         .not_after = NOON + YEAR};
    static const struct forgery newer = {.subject = "ca",
                                         .basic_constraints = "CA:TRUE",
                                         .not_before = NOON + YEAR / 2,
                                         .not_after = NOON + 10 * YEAR};
    static const struct {
        const char *name;
        int64_t at;
        enum ekb_err err;
        int depth;
    } cases[] = {
        {"before both", NOON - 2 * YEAR, EKB_VERIFY_NOT_YET_VALID, 1},
        {"the older alone", NOON, EKB_OK, -1},
        {"the second before the newer", NOON + YEAR / 2 - 1, EKB_OK, -1},
        {"the newer's first second", NOON + YEAR / 2, EKB_OK, -1},
        {"the older's last second but one", NOON + YEAR - 1, EKB_OK, -1},
        {"the older's last second", NOON + YEAR, EKB_OK, -1},
        {"the newer alone", NOON + 2 * YEAR, EKB_OK, -1},
        {"after both", NOON + 11 * YEAR, EKB_VERIFY_EXPIRED, 1},
    };
    struct renewed renewed = renewed_of(&older, &newer);
    for (size_t i = 0; i < COUNT(cases); i++) {
        expect_either_way(cases[i].name, &renewed, &cases[i].at, cases[i].err, cases[i].depth);
    }
    renewed_deinit(&renewed);
}

// The older one ends in the second in which the newer begins.
Test(anchors, takes_the_other_certificate_when_its_time_has_come)
{
    const int64_t turn = (int64_t)time(NULL) + 2; // Enough for what comes before it.
    const struct forgery older = {.subject = "ca",
                                  .basic_constraints = "CA:TRUE",
                                  .not_before = turn - YEAR,
                                  .not_after = turn};
    const struct forgery newer = {.subject = "ca",
                                  .basic_constraints = "CA:TRUE",
                                  .not_before = turn,
                                  .not_after = turn + YEAR};
    static const struct timespec nap = {.tv_nsec = 20000000};
    struct renewed renewed = renewed_of(&older, &newer);
    struct ekb_verifier *verifiers[] = {verifier_of(&renewed, false, NULL),
                                        verifier_of(&renewed, true, NULL)};
    struct ekb_verify_outcome before[2];
    struct ekb_verify_outcome after[2];

    before[0] = check(verifiers[0], &renewed);
    before[1] = check(verifiers[1], &renewed);
    cr_assert_lt(time(NULL), turn, "this machine is too slow for the test");
    while (time(NULL) < turn) {
        (void)nanosleep(&nap, NULL);
    }
    after[0] = check(verifiers[0], &renewed);
    after[1] = check(verifiers[1], &renewed);

    for (int newer_first = 0; newer_first <= 1; newer_first++) {
        cr_expect_eq(before[newer_first].err, EKB_OK, "before, newer first: %d: %s", newer_first,
                     ekb_err_name(before[newer_first].err));
        cr_expect_eq(after[newer_first].err, EKB_OK, "after, newer first: %d: %s", newer_first,
                     ekb_err_name(after[newer_first].err));
        ekb_verifier_destroy(verifiers[newer_first]);
    }
    renewed_deinit(&renewed);
}

Test(anchors, takes_the_certificate_that_constrains_no_names)
{
    static const struct forgery constrained = {.subject = "ca",
                                               .basic_constraints = "CA:TRUE",
                                               .name_constraints = "permitted;DNS:other.example",
                                               .not_after = NOON + 10 * YEAR};
    static const struct forgery free = {
        .subject = "ca", .basic_constraints = "CA:TRUE", .not_after = NOON + YEAR};
    static const int64_t at = NOON;
    struct renewed renewed = renewed_of(&free, &constrained);

    expect_either_way("constrained, free", &renewed, &at, EKB_OK, -1);

    renewed_deinit(&renewed);
}

// What is valid but no CA is of less use than what is not valid and a CA: neither serves, but the
// reason is the plainer one.
Test(anchors, is_no_issuer_when_only_one_that_is_no_ca_is_valid)
{
    static const struct forgery expired = {
        .subject = "ca", .basic_constraints = "CA:TRUE", .not_after = NOON - DAY};
    static const struct forgery no_ca = {
        .subject = "ca", .basic_constraints = "CA:FALSE", .not_after = NOON + YEAR};
    static const int64_t at = NOON;
    struct renewed renewed = renewed_of(&expired, &no_ca);

    expect_either_way("expired, no CA", &renewed, &at, EKB_VERIFY_INVALID_CA, 1);

    renewed_deinit(&renewed);
}

// An intermediate that is trusted itself.
Test(anchors, takes_the_valid_intermediate_when_it_ends_the_chain)
{
    static const struct forgery older = {
        .subject = "middle", .basic_constraints = "CA:TRUE", .not_after = NOON + YEAR};
    static const struct forgery newer = {.subject = "middle",
                                         .basic_constraints = "CA:TRUE",
                                         .not_before = NOON + DAY,
                                         .not_after = NOON + 10 * YEAR};
    static const struct forgery leaf = {.subject = "leaf", .issuer = "middle"};
    static const int64_t at = NOON;
    EVP_PKEY *root_key = forge_key();
    EVP_PKEY *middle_key = forge_key();
    EVP_PKEY *leaf_key = forge_key();
    struct renewed renewed = {.older = certificate(&older, middle_key, root_key),
                              .newer = certificate(&newer, middle_key, root_key),
                              .leaf = forge(&leaf, leaf_key, middle_key)};
    for (int newer_first = 0; newer_first <= 1; newer_first++) {
        struct ekb_verify_outcome outcome;
        struct ekb_verifier *verifier = NULL;
        struct ekb_chain *trust = ekb_chain_create();
        cr_assert_eq(ekb_chain_append(trust, newer_first ? renewed.newer : renewed.older, 0),
                     EKB_OK);
        cr_assert_eq(ekb_chain_append(trust, newer_first ? renewed.older : renewed.newer, 0),
                     EKB_OK);
        const struct ekb_verify_options options = {
            .trust = trust, .policy = ekb_policy_default(), .anchor = EKB_ANCHOR_LISTED, .at = &at};
        cr_assert_eq(ekb_verifier_create(&verifier, &options, NULL), EKB_OK);

        outcome = check(verifier, &renewed);

        cr_expect_eq(outcome.err, EKB_OK, "newer first: %d: %s", newer_first,
                     ekb_err_name(outcome.err));
        ekb_verifier_destroy(verifier);
        ekb_chain_destroy(trust);
    }
    renewed_deinit(&renewed);
    EVP_PKEY_free(leaf_key);
    EVP_PKEY_free(middle_key);
    EVP_PKEY_free(root_key);
}
