#include "ekubench/report/distribution.h"

#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct ekb_record record;

static void tear_down(void)
{
    ekb_record_deinit(&record);
}

TestSuite(distribution, .fini = tear_down);

// add_arm adds an arm with latencies of 1 ms.
static struct ekb_record_arm *add_arm(const char *name)
{
    struct ekb_moments moments = {0};
    void *memory = aligned_alloc(16, (ekb_hist_size() + 15) / 16 * 16);
    record.arms = realloc(record.arms, (record.num_arms + 1) * sizeof record.arms[0]);
    cr_assert(memory != NULL && record.arms != NULL);
    struct ekb_record_arm *arm = &record.arms[record.num_arms++];
    struct ekb_hist *hist = ekb_hist_init(memory);
    *arm = (struct ekb_record_arm){.depth = 1};
    (void)snprintf(arm->stage, sizeof arm->stage, "cost");
    (void)snprintf(arm->name, sizeof arm->name, "%s", name);
    ekb_moments_add(&moments, 1000000);
    ekb_hist_record(hist, 1000000);
    cr_assert_eq(ekb_record_summarize(&arm->latency_ns, &moments, hist), EKB_OK);
    arm->verify_ns.known = true; // Without a histogram.
    free(memory);
    return arm;
}

Test(distribution, comes_one_after_the_other)
{
    struct ekb_report_distribution distribution = {.arm = NULL};
    add_arm("on");
    add_arm("off");

    cr_assert(ekb_report_distribution_next(&record, &distribution));
    cr_expect_str_eq(distribution.arm->name, "on");
    cr_expect_str_eq(distribution.metric, "latency_ns");
    cr_assert(ekb_report_distribution_next(&record, &distribution));
    cr_expect_str_eq(distribution.arm->name, "off");
    cr_expect_not(ekb_report_distribution_next(&record, &distribution));
}

Test(distribution, is_that_of_the_only_arm_when_none_is_named)
{
    struct ekb_report_distribution found;
    add_arm("on");

    cr_assert_eq(
        ekb_report_distribution_find(&found, &record, &(struct ekb_report_choice){0}, NULL),
        EKB_OK);

    struct ekb_hist *hist = ekb_report_distribution_open(found.summary);
    cr_assert_not_null(hist);
    cr_expect_eq(ekb_hist_count(hist), 1);
    free(hist);
}

Test(distribution, is_refused_when_it_is_not_clear_or_not_there)
{
    struct ekb_report_distribution found;
    struct ekb_fail fail = {0};

    cr_expect_eq(
        ekb_report_distribution_find(&found, &record, &(struct ekb_report_choice){0}, &fail),
        EKB_USAGE);
    add_arm("on");
    add_arm("off");
    cr_expect_eq(
        ekb_report_distribution_find(&found, &record, &(struct ekb_report_choice){0}, &fail),
        EKB_USAGE);
    cr_expect_not_null(strstr(fail.detail, "2 arms"));
    cr_expect_eq(ekb_report_distribution_find(&found, &record,
                                              &(struct ekb_report_choice){"on", NULL}, &fail),
                 EKB_USAGE);
    cr_expect_eq(ekb_report_distribution_find(
                     &found, &record, &(struct ekb_report_choice){"cost/on", "verify_ns"}, &fail),
                 EKB_USAGE);
    cr_expect_eq(ekb_report_distribution_find(&found, &record,
                                              &(struct ekb_report_choice){"cost/off", NULL}, &fail),
                 EKB_OK);
    cr_expect_str_eq(found.arm->name, "off");
}

// names_are tells whether the distributions of the record have these names, in this order.
static void names_are(const char *const *wanted, size_t num_wanted)
{
    struct ekb_report_distribution distribution = {.arm = NULL};
    char name[EKB_REPORT_DISTRIBUTION_NAME_LEN];
    size_t num = 0;
    while (ekb_report_distribution_next(&record, &distribution)) {
        (void)ekb_report_distribution_name(name, &record, &distribution);
        cr_assert_lt(num, num_wanted, "%s", name);
        cr_expect_str_eq(name, wanted[num], "%s, not %s", name, wanted[num]);
        num++;
    }
    cr_expect_eq(num, num_wanted);
}

Test(distribution, has_a_name_of_its_own_that_is_a_file_and_a_tag)
{
    static const char *const wanted[] = {"cost.x_y.latency_ns", "cost.x_y~2.latency_ns",
                                         "cost.x_y~3.latency_ns", "cost.x_y_2.latency_ns",
                                         "_cost.on.latency_ns"};
    add_arm("x_y");
    add_arm("x y");
    add_arm("x/y");
    add_arm("x,y~2");
    EKB_RECORD_COPY(add_arm("on")->stage, ".cost");

    names_are(wanted, sizeof wanted / sizeof wanted[0]);
}

Test(distribution, comes_once_of_two_arms_with_one_name)
{
    static const char *const wanted[] = {"cost.on.latency_ns"};
    add_arm("on");
    add_arm("on");

    names_are(wanted, 1);
}
