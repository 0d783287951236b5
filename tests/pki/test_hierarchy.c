#include "ekubench/pki/hierarchy.h"

#include "support/fixtures.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

static struct ekb_hierarchy *make(enum ekb_key_type key_type)
{
    struct ekb_hierarchy *hierarchy = NULL;
    cr_assert(
        eq(int,
           ekb_hierarchy_create(&hierarchy, key_type, FIXTURE_NOT_BEFORE, FIXTURE_NOT_AFTER, NULL),
           EKB_OK));
    return hierarchy;
}

Test(hierarchy, chain_has_leaf_and_intermediates_without_root_at_every_depth)
{
    struct ekb_hierarchy *hierarchy = make(EKB_KEY_P256);
    const struct ekb_mint_leaf spec = {.common_name = "leaf", .eku = EKB_EKU_CLIENT_AUTH};

    // Downwards and back: the same intermediates serve all depths.
    const unsigned depths[] = {3, 1, EKB_MINT_MAX_DEPTH, 2};
    for (size_t i = 0; i < sizeof depths / sizeof depths[0]; i++) {
        struct ekb_chain *chain = NULL;
        struct ekb_key *key = NULL;

        const enum ekb_err err =
            ekb_hierarchy_issue(&chain, &key, hierarchy, depths[i], &spec, NULL);

        cr_assert(eq(int, err, EKB_OK));
        cr_expect(eq(sz, ekb_chain_len(chain), depths[i]));
        cr_expect(ekb_chain_matches_key(chain, key));
        ekb_chain_destroy(chain);
        ekb_key_destroy(key);
    }
    ekb_hierarchy_destroy(hierarchy);
}

Test(hierarchy, key_type_is_the_hierarchys_whatever_the_leaf_asks_for)
{
    struct ekb_hierarchy *hierarchy = make(EKB_KEY_P384);
    struct ekb_chain *chain = NULL;
    struct ekb_key *key = NULL;
    const struct ekb_mint_leaf spec = {.common_name = "leaf", .key_type = EKB_KEY_ED25519};

    cr_assert(eq(int, ekb_hierarchy_issue(&chain, &key, hierarchy, 1, &spec, NULL), EKB_OK));

    cr_expect(eq(int, ekb_key_type_of(key), EKB_KEY_P384));
    ekb_chain_destroy(chain);
    ekb_key_destroy(key);
    ekb_hierarchy_destroy(hierarchy);
}

Test(hierarchy, refuses_depth_out_of_range)
{
    struct ekb_hierarchy *hierarchy = make(EKB_KEY_P256);
    struct ekb_chain *chain = NULL;
    struct ekb_key *key = NULL;
    const struct ekb_mint_leaf spec = {.common_name = "leaf"};
    struct ekb_fail fail = {0};

    const enum ekb_err none = ekb_hierarchy_issue(&chain, &key, hierarchy, 0, &spec, &fail);
    const enum ekb_err more =
        ekb_hierarchy_issue(&chain, &key, hierarchy, EKB_MINT_MAX_DEPTH + 1, &spec, &fail);

    cr_expect(eq(int, none, EKB_USAGE));
    cr_expect(eq(int, more, EKB_USAGE));
    cr_expect(zero(ptr, chain));
    ekb_hierarchy_destroy(hierarchy);
}

Test(hierarchy, refuses_reversed_validity)
{
    struct ekb_hierarchy *hierarchy = NULL;
    struct ekb_fail fail = {0};

    const enum ekb_err err = ekb_hierarchy_create(&hierarchy, EKB_KEY_P256, FIXTURE_NOT_AFTER,
                                                  FIXTURE_NOT_BEFORE, &fail);

    cr_expect(eq(int, err, EKB_USAGE));
    cr_expect(zero(ptr, hierarchy));
}
