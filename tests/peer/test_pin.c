#include "ekubench/peer/pin.h"

#include "ekubench/peer/worker.h"

#include <criterion/criterion.h>

#include <string.h>

#define MAX_NAMED 6

Test(pin, reads_what_is_meant)
{
    static const struct {
        const char *text;
        enum ekb_pin_mode mode;
        size_t num_cpus;
        int cpus[MAX_NAMED];
    } cases[] = {
        {"auto", EKB_PIN_AUTO, 0, {0}},
        {"off", EKB_PIN_OFF, 0, {0}},
        {"0", EKB_PIN_LIST, 1, {0}},
        {"3,1", EKB_PIN_LIST, 2, {3, 1}},
        {"0,2-5", EKB_PIN_LIST, 5, {0, 2, 3, 4, 5}},
        {"7-7", EKB_PIN_LIST, 1, {7}},
        {"0,0,1,1", EKB_PIN_LIST, 4, {0, 0, 1, 1}},
        {"1023", EKB_PIN_LIST, 1, {1023}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ekb_pin pin = {.num_cpus = 99};

        cr_assert_eq(ekb_pin_parse(&pin, cases[i].text, NULL), EKB_OK, "%s", cases[i].text);

        cr_expect_eq(pin.mode, cases[i].mode, "%s", cases[i].text);
        cr_assert_eq(pin.num_cpus, cases[i].num_cpus, "%s: %zu", cases[i].text, pin.num_cpus);
        for (size_t j = 0; j < pin.num_cpus; j++) {
            cr_expect_eq(pin.cpus[j], cases[i].cpus[j], "%s, %zu: %d", cases[i].text, j,
                         pin.cpus[j]);
        }
    }
}

Test(pin, refuses_what_is_no_list)
{
    static const char *const texts[] = {"",     ",",      "0,",  ",0",  "0,,1", "a",    "0x1",
                                        "1k",   "-1",     "1-",  "5-2", "0 1",  "0;1",  "1024",
                                        "0-64", "auto,0", "OFF", "1.5", "+1",   "00001"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct ekb_pin pin = {.mode = EKB_PIN_OFF};
        struct ekb_fail fail = {0};

        const enum ekb_err err = ekb_pin_parse(&pin, texts[i], &fail);

        cr_expect_eq(err, EKB_USAGE, "\"%s\"", texts[i]);
        cr_expect(strstr(fail.detail, texts[i]) != NULL, "\"%s\": %s", texts[i], fail.detail);
        cr_expect_eq(pin.mode, EKB_PIN_OFF, "\"%s\" has changed something", texts[i]);
    }
}

// Of four CPUs this process may use two.
static const int allowed[] = {1, 3};
#define NUM_CONFIGURED 4

static enum ekb_err check(const char *text, struct ekb_fail *reterr_fail)
{
    struct ekb_pin pin;
    cr_assert_eq(ekb_pin_parse(&pin, text, NULL), EKB_OK);
    return ekb_pin_check_among(&pin, allowed, 2, NUM_CONFIGURED, reterr_fail);
}

Test(pin, takes_cpus_that_may_be_used)
{
    static const char *const texts[] = {"auto", "off", "1", "3,1", "3,3,3"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        cr_expect_eq(check(texts[i], NULL), EKB_OK, "%s", texts[i]);
    }
}

Test(pin, says_that_a_cpu_may_not_be_used)
{
    struct ekb_fail fail = {0};

    cr_expect_eq(check("1,2", &fail), EKB_USAGE);

    cr_expect(strstr(fail.detail, "CPU 2") != NULL, "%s", fail.detail);
    cr_expect(strstr(fail.detail, "may use") != NULL, "%s", fail.detail);
}

Test(pin, says_that_a_cpu_does_not_exist)
{
    struct ekb_fail fail = {0};

    cr_expect_eq(check("1,4", &fail), EKB_USAGE);

    cr_expect(strstr(fail.detail, "no CPU 4") != NULL, "%s", fail.detail);
    cr_expect(strstr(fail.detail, "last one is 3") != NULL, "%s", fail.detail);
}

Test(pin, knows_the_cpus_of_this_machine)
{
    struct ekb_pin pin = {.mode = EKB_PIN_LIST, .num_cpus = 1};
    cr_assert_geq(ekb_worker_cpus(pin.cpus, 1), 1);

    cr_expect_eq(ekb_pin_check(&pin, NULL), EKB_OK);
    pin.cpus[0] = 1023;
    cr_expect_eq(ekb_pin_check(&pin, NULL), EKB_USAGE);
}

static enum ekb_err choose(int *out_cpus, size_t num_workers, const char *text, size_t num_spared,
                           struct ekb_fail *reterr_fail)
{
    struct ekb_pin pin;
    cr_assert_eq(ekb_pin_parse(&pin, text, NULL), EKB_OK);
    return ekb_pin_choose(out_cpus, num_workers, &pin, allowed, 2, num_spared, reterr_fail);
}

Test(pin, gives_each_worker_a_cpu_when_there_are_as_many)
{
    int cpus[2] = {-2, -2};

    cr_assert_eq(choose(cpus, 2, "auto", 0, NULL), EKB_OK);

    cr_expect_eq(cpus[0], 1);
    cr_expect_eq(cpus[1], 3);
}

Test(pin, leaves_the_first_cpus_to_others)
{
    int cpus[1] = {-2};

    cr_assert_eq(choose(cpus, 1, "auto", 1, NULL), EKB_OK);

    cr_expect_eq(cpus[0], 3);
}

Test(pin, leaves_workers_to_the_scheduler_when_there_are_too_few_cpus)
{
    int cpus[3] = {-2, -2, -2};

    cr_assert_eq(choose(cpus, 2, "auto", 1, NULL), EKB_OK);
    cr_expect_eq(cpus[0], EKB_WORKER_UNPINNED);
    cr_expect_eq(cpus[1], EKB_WORKER_UNPINNED);

    cr_assert_eq(choose(cpus, 3, "auto", 0, NULL), EKB_OK);
    cr_expect_eq(cpus[2], EKB_WORKER_UNPINNED);
}

Test(pin, leaves_workers_to_the_scheduler_when_it_is_off)
{
    int cpus[2] = {-2, -2};

    cr_assert_eq(choose(cpus, 2, "off", 0, NULL), EKB_OK);

    cr_expect_eq(cpus[0], EKB_WORKER_UNPINNED);
    cr_expect_eq(cpus[1], EKB_WORKER_UNPINNED);
}

Test(pin, takes_a_list_in_its_order)
{
    int cpus[3] = {-2, -2, -2};

    cr_assert_eq(choose(cpus, 3, "3,3,1,1", 1, NULL), EKB_OK);

    cr_expect_eq(cpus[0], 3);
    cr_expect_eq(cpus[1], 3);
    cr_expect_eq(cpus[2], 1);
}

Test(pin, refuses_a_list_that_is_too_short)
{
    int cpus[3] = {-2, -2, -2};
    struct ekb_fail fail = {0};

    cr_expect_eq(choose(cpus, 3, "1,3", 0, &fail), EKB_USAGE);

    cr_expect(strstr(fail.detail, "2 CPUs") != NULL, "%s", fail.detail);
    cr_expect(strstr(fail.detail, "3 workers") != NULL, "%s", fail.detail);
    cr_expect_eq(cpus[0], -2);
}
