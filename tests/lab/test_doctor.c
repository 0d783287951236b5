#include "ekubench/lab/doctor.h"

#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

static struct ekb_doctor_finding findings[EKB_DOCTOR_MAX_FINDINGS];

static const struct ekb_doctor_finding *find(size_t num_findings, const char *check)
{
    for (size_t i = 0; i < num_findings; i++) {
        if (strcmp(findings[i].check, check) == 0) {
            return &findings[i];
        }
    }
    return NULL;
}

TestSuite(doctor, .timeout = 60);

Test(doctor, looks_at_everything_that_decides)
{
    static const char *const checks[] = {"io_uring",
                                         "CPUs",
                                         "steal",
                                         "other work",
                                         "open files",
                                         "ports",
                                         "accept queue",
                                         "clock",
                                         "memory",
                                         "BoringSSL",
                                         "20k: open files",
                                         "20k: ports",
                                         "20k: accept queue",
                                         "20k: conntrack"};

    const size_t num_findings = ekb_doctor_examine(findings);

    cr_expect_leq(num_findings, EKB_DOCTOR_MAX_FINDINGS);
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        cr_expect_not_null(find(num_findings, checks[i]), "no finding about %s", checks[i]);
    }
}

Test(doctor, says_what_it_found_and_what_to_do)
{
    const size_t num_findings = ekb_doctor_examine(findings);

    for (size_t i = 0; i < num_findings; i++) {
        const struct ekb_doctor_finding *finding = &findings[i];
        cr_expect_neq(finding->found[0], '\0', "%s: nothing found", finding->check);
        cr_expect_eq(finding->advice[0] == '\0', finding->level == EKB_DOCTOR_OK, "%s (%s): \"%s\"",
                     finding->check, ekb_doctor_level_name(finding->level), finding->advice);
        cr_expect_null(strchr(finding->found, '\n'), "%s", finding->check);
        cr_expect_null(strchr(finding->advice, '\n'), "%s", finding->check);
    }
}

Test(doctor, has_one_finding_for_each_check)
{
    const size_t num_findings = ekb_doctor_examine(findings);

    for (size_t i = 0; i < num_findings; i++) {
        cr_expect_eq(find(num_findings, findings[i].check), &findings[i], "%s is there twice",
                     findings[i].check);
    }
}

static void expect_files(rlim_t limit, enum ekb_doctor_level level)
{
    const struct rlimit few = {.rlim_cur = limit, .rlim_max = limit};
    char number[32];
    (void)snprintf(number, sizeof number, "%llu", (unsigned long long)limit);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &few), 0);

    const size_t num_findings = ekb_doctor_examine(findings);

    const struct ekb_doctor_finding *finding = find(num_findings, "open files");
    cr_assert_not_null(finding);
    cr_expect_eq(finding->level, level, "%s", ekb_doctor_level_name(finding->level));
    cr_expect(strstr(finding->found, number) != NULL, "%s", finding->found);
}

// 4384 are what 2,000 in flight need.
Test(doctor, warns_when_few_files_may_be_open)
{
    expect_files(5000, EKB_DOCTOR_WARN);
}

Test(doctor, fails_when_fewer_files_may_be_open_than_measuring_needs)
{
    expect_files(4383, EKB_DOCTOR_FAIL);
}

Test(doctor, fails_when_the_ring_cannot_be_made)
{
    // A ring is a descriptor too, and there is none left.
    struct rlimit usual;
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &usual), 0);
    const struct rlimit none = {.rlim_cur = 3, .rlim_max = usual.rlim_max};
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);

    const size_t num_findings = ekb_doctor_examine(findings);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &usual), 0);

    const struct ekb_doctor_finding *finding = find(num_findings, "io_uring");
    cr_assert_not_null(finding);
    cr_expect_eq(finding->level, EKB_DOCTOR_FAIL, "%s", ekb_doctor_level_name(finding->level));
    cr_expect_eq(ekb_doctor_worst(findings, num_findings), EKB_DOCTOR_FAIL);
}

// A second of two CPUs of 100 ticks each; this process itself was busy for 200 ms, 20 ticks.
#define NS_PER_TICK 10000000
static const struct ekb_doctor_reading before = {.known = true,
                                                 .total_ticks = 5000,
                                                 .busy_ticks = 1000,
                                                 .own_ns = 70000000,
                                                 .waiting_known = true,
                                                 .waiting_us = 300000,
                                                 .at_ns = 123};
static const struct ekb_doctor_reading quiet = {.known = true,
                                                .total_ticks = 5200,
                                                .busy_ticks = 1020,
                                                .own_ns = 270000000,
                                                .waiting_known = true,
                                                .waiting_us = 300000,
                                                .at_ns = 1000000123};

static void expect_work(const struct ekb_doctor_reading *after, enum ekb_doctor_level level,
                        const char *found)
{
    struct ekb_doctor_finding finding;

    ekb_doctor_judge_other_work(&finding, &before, after, NS_PER_TICK);

    cr_expect_str_eq(finding.check, "other work");
    cr_expect_eq(finding.level, level, "%s: %s", found, ekb_doctor_level_name(finding.level));
    cr_expect_str_eq(finding.found, found);
    cr_expect_eq(finding.advice[0] == '\0', level == EKB_DOCTOR_OK, "%s", finding.advice);
}

Test(doctor, does_not_take_itself_for_other_work)
{
    expect_work(&quiet, EKB_DOCTOR_OK,
                "0.0 % of the CPUs in the last second; for 0.0 % of it something waited for one");
}

Test(doctor, warns_when_others_take_more_than_a_twentieth_of_the_cpus)
{
    struct ekb_doctor_reading after = quiet;

    after.busy_ticks += 10;
    expect_work(&after, EKB_DOCTOR_OK,
                "5.0 % of the CPUs in the last second; for 0.0 % of it something waited for one");
    after.busy_ticks += 1;
    expect_work(&after, EKB_DOCTOR_WARN,
                "5.5 % of the CPUs in the last second; for 0.0 % of it something waited for one");
}

Test(doctor, warns_when_processes_wait_for_a_cpu)
{
    struct ekb_doctor_reading after = quiet;

    after.waiting_us += 49000;
    expect_work(&after, EKB_DOCTOR_OK,
                "0.0 % of the CPUs in the last second; for 4.9 % of it something waited for one");
    after.waiting_us += 2000;
    expect_work(&after, EKB_DOCTOR_WARN,
                "0.0 % of the CPUs in the last second; for 5.1 % of it something waited for one");
}

Test(doctor, judges_other_work_without_the_kernels_account_of_waiting)
{
    struct ekb_doctor_reading after = quiet;
    after.busy_ticks += 100;
    after.waiting_known = false;
    after.waiting_us = 900000;

    expect_work(&after, EKB_DOCTOR_WARN, "50.0 % of the CPUs in the last second");
}

Test(doctor, does_not_judge_other_work_when_it_could_not_look)
{
    const struct ekb_doctor_reading blind = {0};

    expect_work(&blind, EKB_DOCTOR_NOTE, "unknown");
    expect_work(&before, EKB_DOCTOR_NOTE, "unknown");
}

Test(doctor, takes_the_worst_of_all)
{
    struct ekb_doctor_finding made[3] = {
        {.level = EKB_DOCTOR_NOTE}, {.level = EKB_DOCTOR_OK}, {.level = EKB_DOCTOR_OK}};

    const enum ekb_doctor_level none = ekb_doctor_worst(made, 0);
    const enum ekb_doctor_level note = ekb_doctor_worst(made, 3);
    made[1].level = EKB_DOCTOR_FAIL;
    made[2].level = EKB_DOCTOR_WARN;
    const enum ekb_doctor_level fail = ekb_doctor_worst(made, 3);

    cr_expect_eq(none, EKB_DOCTOR_OK);
    cr_expect_eq(note, EKB_DOCTOR_NOTE);
    cr_expect_eq(fail, EKB_DOCTOR_FAIL);
}

Test(doctor, names_its_levels)
{
    cr_expect_str_eq(ekb_doctor_level_name(EKB_DOCTOR_OK), "ok");
    cr_expect_str_eq(ekb_doctor_level_name(EKB_DOCTOR_NOTE), "note");
    cr_expect_str_eq(ekb_doctor_level_name(EKB_DOCTOR_WARN), "warn");
    cr_expect_str_eq(ekb_doctor_level_name(EKB_DOCTOR_FAIL), "fail");
}
