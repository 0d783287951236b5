#include "cli/suggest.h"

#include <criterion/criterion.h>

#include <string.h>

TestSuite(suggest, .timeout = 10);

static size_t distance(const char *a, const char *b)
{
    return ekb_cli_distance(a, strlen(a), b, strlen(b));
}

Test(suggest, counts_what_must_be_changed)
{
    cr_expect_eq(distance("plan", "plan"), 0u);
    cr_expect_eq(distance("plna", "plan"), 1u, "two letters changed places");
    cr_expect_eq(distance("pan", "plan"), 1u);
    cr_expect_eq(distance("plaan", "plan"), 1u);
    cr_expect_eq(distance("plum", "plan"), 2u);
    cr_expect_eq(distance("kitten", "sitting"), 3u);
    cr_expect_eq(distance("", "plan"), 4u);
    cr_expect_eq(distance("plan", ""), 4u);
    cr_expect_eq(distance("a-word-that-is-longer-than-anything-known", "plan"), 41u);
}

static const char *suggest(const char *word)
{
    static const char *const candidates[] = {"in-flight", "scenario", "seed", "server-workers"};
    struct ekb_cli_suggestion suggestion = {.word = word, .len = strlen(word)};
    for (size_t i = 0; i < sizeof candidates / sizeof candidates[0]; i++) {
        ekb_cli_suggest(&suggestion, candidates[i]);
    }
    return suggestion.best;
}

Test(suggest, takes_the_nearest_that_is_near_enough)
{
    cr_expect_str_eq(suggest("in-fligth"), "in-flight");
    cr_expect_str_eq(suggest("inflight"), "in-flight");
    cr_expect_str_eq(suggest("sead"), "seed");
    cr_expect_str_eq(suggest("server-worker"), "server-workers");
    cr_expect_str_eq(suggest("serv"), "server-workers", "the rest was left out");
    cr_expect_null(suggest("x"));
    cr_expect_null(suggest("s"), "too many begin so");
    cr_expect_null(suggest("password"));
}

Test(suggest, looks_at_no_more_of_the_word_than_it_is_told)
{
    struct ekb_cli_suggestion suggestion = {.word = "sead=17", .len = 4};
    ekb_cli_suggest(&suggestion, "seed");
    cr_expect_str_eq(suggestion.best, "seed");
}
