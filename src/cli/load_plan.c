#include "cli/load_plan.h"

#include "cli/cli.h"

#include "ekubench/base/units.h"

#include <stdio.h>

static void print_stretch(const struct ekb_pace_stretch *stretch)
{
    char duration[EKB_UNITS_TEXT_LEN];
    (void)ekb_units_format_ns(duration, (double)stretch->duration_ns);
    if (stretch->begin_per_s < stretch->end_per_s || stretch->begin_per_s > stretch->end_per_s) {
        (void)printf(";   %s from %g/s to %g/s\n", duration, stretch->begin_per_s,
                     stretch->end_per_s);
    } else {
        (void)printf(";   %s at %g/s\n", duration, stretch->end_per_s);
    }
}

// print_load prints how long the load is, and how much of it there is when.
static void print_load(const struct ekb_load_settings *settings)
{
    char warmup[EKB_UNITS_TEXT_LEN];
    char duration[EKB_UNITS_TEXT_LEN];
    (void)ekb_units_format_ns(warmup, (double)settings->warmup_ns);
    (void)ekb_units_format_ns(duration, (double)settings->duration_ns);
    (void)printf("\n; What it does: %s of warm-up, %s measured; ", warmup, duration);
    if (settings->num_stretches == 0) {
        (void)printf("closed loop, %u in flight.\n", (unsigned)settings->in_flight);
        return;
    }
    (void)printf("open loop, %s arrivals, at most %u in flight:\n",
                 ekb_arrivals_kind_name(settings->arrivals), (unsigned)settings->in_flight);
    for (size_t i = 0; i < settings->num_stretches; i++) {
        print_stretch(&settings->stretches[i]);
    }
}

int ekb_cli_print_load_plan(struct ekb_cli_words *words, const struct ekb_load_settings *settings)
{
    char in_flight[EKB_UNITS_TEXT_LEN];
    struct ekb_fail fail;
    (void)snprintf(in_flight, sizeof in_flight, "%u", (unsigned)settings->in_flight);
    ekb_cli_words_set(words, "in-flight", in_flight);
    if (ekb_cli_words_get(words, "steps") != NULL) {
        ekb_cli_words_set(words, "duration", NULL); // It is theirs.
    }
    if (ekb_cli_words_get(words, "count") != NULL) {
        ekb_cli_words_set(words, "warmup", NULL); // There is none.
    }
    if (ekb_cli_words_print(words, &fail) != EKB_OK) {
        return ekb_cli_fail(&fail);
    }
    print_load(settings);
    return EKB_EXIT_OK;
}
