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
    static const char *const checks[] = {"io_uring",     "CPUs",  "steal",  "open files", "ports",
                                         "accept queue", "clock", "memory", "BoringSSL"};

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
