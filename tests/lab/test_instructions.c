#include "ekubench/lab/instructions.h"

#include "support/fixtures.h"

#include <criterion/criterion.h>

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NUM_HANDSHAKES 5

// Temporary files go into a directory of their own, so that what is left can be seen.
static struct fixture_dir temporary;

static void set_up(void)
{
    fixture_dir_init(&temporary);
    cr_assert_eq(setenv("TMPDIR", temporary.path, 1), 0);
}

static void tear_down(void)
{
    fixture_dir_deinit(&temporary);
}

TestSuite(instructions, .init = set_up, .fini = tear_down, .timeout = 60);

static void expect_nothing_left(const char *name)
{
    DIR *dir = opendir(temporary.path);
    cr_assert_not_null(dir);
    for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        cr_expect(strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0,
                  "%s: left in TMPDIR: %s", name, entry->d_name);
    }
    (void)closedir(dir);
}

// Scenarios and parts.

Test(instructions, finds_a_scenario_when_it_is_one)
{
    for (size_t i = 0; i < EKB_NUM_COUNT_SCENARIOS; i++) {
        const struct ekb_count_scenario *found =
            ekb_count_scenario_find(ekb_count_scenarios[i].name);

        cr_expect_eq(found, &ekb_count_scenarios[i], "%s", ekb_count_scenarios[i].name);
    }
}

Test(instructions, finds_no_scenario_when_it_is_none)
{
    static const char *const names[] = {"",       "tls1.3",        "tls1.3-on-d4", "TLS1.3-on-d1",
                                        "on-d1",  "tls1.3-on-d1 ", "tls1.3-on-d",  "tls1.2-off-d1",
                                        "one-way"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        cr_expect_null(ekb_count_scenario_find(names[i]), "\"%s\"", names[i]);
    }
}

Test(instructions, has_the_scenarios_that_answer_what_the_check_costs)
{
    static const struct ekb_count_scenario wanted[] = {
        {"tls1.3-one-way", EKB_TLS_1_3, EKB_EKU_NONE, EKB_VERIFY_ONE_WAY, 1},
        {"tls1.3-none-d1", EKB_TLS_1_3, EKB_EKU_NONE, EKB_VERIFY_FULL, 1},
        {"tls1.3-off-d1", EKB_TLS_1_3, EKB_EKU_OFF, EKB_VERIFY_FULL, 1},
        {"tls1.3-on-d1", EKB_TLS_1_3, EKB_EKU_ON, EKB_VERIFY_FULL, 1},
        {"tls1.3-on-d3", EKB_TLS_1_3, EKB_EKU_ON, EKB_VERIFY_FULL, 3},
        {"tls1.2-on-d1", EKB_TLS_1_2, EKB_EKU_ON, EKB_VERIFY_FULL, 1},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        const struct ekb_count_scenario *found = ekb_count_scenario_find(wanted[i].name);

        cr_assert_not_null(found, "%s", wanted[i].name);
        cr_expect_eq(found->version, wanted[i].version, "%s", wanted[i].name);
        cr_expect_eq(found->eku, wanted[i].eku, "%s", wanted[i].name);
        cr_expect_eq(found->verify, wanted[i].verify, "%s", wanted[i].name);
        cr_expect_eq(found->depth, wanted[i].depth, "%s", wanted[i].name);
    }
}

static const char *const part_names[EKB_COUNT_NUM_PARTS] = {"client", "server", "verify"};

Test(instructions, reads_a_part_when_it_is_one)
{
    for (unsigned part = 0; part < EKB_COUNT_NUM_PARTS; part++) {
        enum ekb_count_part parsed = EKB_COUNT_NUM_PARTS;

        cr_expect_str_eq(ekb_count_part_name((enum ekb_count_part)part), part_names[part]);
        cr_expect_eq(ekb_count_part_parse(&parsed, part_names[part]), EKB_OK);
        cr_expect_eq((unsigned)parsed, part, "%s", part_names[part]);
    }
}

Test(instructions, refuses_a_part_when_it_is_none)
{
    static const char *const texts[] = {"", "Client", "clients", "serve", "verify ", "0"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        enum ekb_count_part parsed = EKB_COUNT_NUM_PARTS;

        cr_expect_eq(ekb_count_part_parse(&parsed, texts[i]), EKB_USAGE, "\"%s\"", texts[i]);
        cr_expect_eq(parsed, EKB_COUNT_NUM_PARTS, "\"%s\": the output was changed", texts[i]);
    }
}

Test(instructions, makes_the_handshake_of_each_scenario_when_run)
{
    for (size_t i = 0; i < EKB_NUM_COUNT_SCENARIOS; i++) {
        for (unsigned part = 0; part < EKB_COUNT_NUM_PARTS; part++) {
            struct ekb_fail fail = {0};

            const enum ekb_err err = ekb_count_scenario_run(&ekb_count_scenarios[i],
                                                            (enum ekb_count_part)part, 1, &fail);

            cr_expect_eq(err, EKB_OK, "%s, %s: %s: %s", ekb_count_scenarios[i].name,
                         part_names[part], ekb_err_name(err), fail.detail);
        }
    }
    expect_nothing_left("scenarios");
}

Test(instructions, says_why_when_a_scenario_cannot_be_run)
{
    struct ekb_fail fail = {0};
    cr_assert_eq(setenv("TMPDIR", "/nonexistent", 1), 0);

    const enum ekb_err err =
        ekb_count_scenario_run(&ekb_count_scenarios[0], EKB_COUNT_CLIENT, 1, &fail);

    cr_expect_eq(err, EKB_SYSTEM, "%s", ekb_err_name(err));
    cr_expect_eq(fail.err, err);
    cr_expect_neq(fail.detail[0], '\0');
}

// Counting, with a program in the place of valgrind.

static struct fixture_dir programs;

static void set_up_counting(void)
{
    fixture_dir_init(&programs);
    set_up();
}

static void tear_down_counting(void)
{
    fixture_dir_deinit(&programs);
    tear_down();
}

TestSuite(counting, .init = set_up_counting, .fini = tear_down_counting, .timeout = 60);

// What every one of them knows of its arguments.
#define PROLOGUE                                                                                   \
    "#!/bin/sh\n"                                                                                  \
    "PATH=/usr/bin:/bin\n"                                                                         \
    "while [ $# -gt 0 ]; do\n"                                                                     \
    "    case $1 in\n"                                                                             \
    "    --callgrind-out-file=*) out=${1#*=} ;;\n"                                                 \
    "    --toggle-collect=*) toggle=${1#*=} ;;\n"                                                  \
    "    --run) scenario=$2 ;;\n"                                                                  \
    "    --part) part=$2 ;;\n"                                                                     \
    "    --handshakes) handshakes=$2 ;;\n"                                                         \
    "    esac\n"                                                                                   \
    "    shift\n"                                                                                  \
    "done\n"

// A handshake takes 1,000 instructions of a client, 2,000 of a server, and verification 300.5 for
// each letter of the scenario's name; nothing is verified in one-way TLS.
#define COUNT                                                                                      \
    "case $scenario.$part.$toggle in\n"                                                            \
    "*.client.ekb_memory_run_client) count=$((1000 * handshakes)) ;;\n"                            \
    "*.server.ekb_memory_run_server) count=$((2000 * handshakes)) ;;\n"                            \
    "*one-way.verify.ekb_verifier_run) count=0 ;;\n"                                               \
    "*.verify.ekb_verifier_run) count=$((3005 * ${#scenario} * handshakes / 10)) ;;\n"             \
    "*) exit 1 ;;\n"                                                                               \
    "esac\n"

#define WRITE "printf 'events: Ir\\nsummary: 1\\n\\n\\ntotals: %s\\n' \"$count\" >\"$out\"\n"

// fake_valgrind makes the program that is found as valgrind, and the only one.
static void fake_valgrind(const char *script)
{
    char path[512];
    fixture_write(fixture_dir_file(path, &programs, "valgrind"), script, strlen(script), 0755);
    // Whatever the mask of the test.
    cr_assert_eq(chmod(path, 0755), 0);
    cr_assert_eq(setenv("PATH", programs.path, 1), 0);
}

static enum ekb_err count(struct ekb_instructions *out_counts, const volatile sig_atomic_t *stop,
                          struct ekb_fail *reterr_fail)
{
    return ekb_instructions_count(out_counts, "/some/ekubench", NUM_HANDSHAKES, stop, reterr_fail);
}

static void expect_counts(const struct ekb_instructions *counts)
{
    for (size_t i = 0; i < EKB_NUM_COUNT_SCENARIOS; i++) {
        const double *of = counts->counts[i];
        const char *name = ekb_count_scenarios[i].name;
        const double verify =
            ekb_count_scenarios[i].verify == EKB_VERIFY_ONE_WAY ? 0 : 300.5 * (double)strlen(name);
        cr_expect_float_eq(of[EKB_COUNT_CLIENT], 1000, 0.2, "%s: %f", name, of[EKB_COUNT_CLIENT]);
        cr_expect_float_eq(of[EKB_COUNT_SERVER], 2000, 0.2, "%s: %f", name, of[EKB_COUNT_SERVER]);
        cr_expect_float_eq(of[EKB_COUNT_VERIFY], verify, 0.2, "%s: %f", name, of[EKB_COUNT_VERIFY]);
    }
}

Test(counting, gives_the_count_of_each_scenario_and_part_per_handshake)
{
    struct ekb_instructions counts;
    struct ekb_fail fail = {0};
    fake_valgrind(PROLOGUE COUNT WRITE);

    const enum ekb_err err = count(&counts, NULL, &fail);

    cr_assert_eq(err, EKB_OK, "%s: %s", ekb_err_name(err), fail.detail);
    cr_expect_eq(counts.num_handshakes, (uint64_t)NUM_HANDSHAKES);
    // The library is not beside the test.
    cr_expect(!counts.is_frozen);
    expect_counts(&counts);
    expect_nothing_left("counts");
}

// The process under valgrind leaves files of its own in TMPDIR, and valgrind does, when killed.
Test(counting, leaves_nothing_when_the_counted_process_does)
{
    struct ekb_instructions counts;
    struct ekb_fail fail = {0};
    fake_valgrind(PROLOGUE COUNT WRITE "mkdir \"$TMPDIR/ekubench-$$\"\n"
                                       "echo secret >\"$TMPDIR/ekubench-$$/key.pem\"\n"
                                       "mkfifo \"$TMPDIR/vgdb-pipe-$$\"\n");

    const enum ekb_err err = count(&counts, NULL, &fail);

    cr_assert_eq(err, EKB_OK, "%s: %s", ekb_err_name(err), fail.detail);
    expect_nothing_left("files");
}

Test(counting, works_when_the_temporary_directory_has_a_long_name)
{
    char path[512];
    struct ekb_instructions counts;
    struct ekb_fail fail = {0};
    fake_valgrind(PROLOGUE COUNT WRITE);
    (void)snprintf(path, sizeof path, "%s/%0100d", temporary.path, 0);
    cr_assert_eq(mkdir(path, 0700), 0);
    cr_assert_eq(setenv("TMPDIR", path, 1), 0);

    const enum ekb_err err = count(&counts, NULL, &fail);

    cr_assert_eq(err, EKB_OK, "%s: %s", ekb_err_name(err), fail.detail);
    expect_counts(&counts);
    cr_expect_eq(rmdir(path), 0, "left in TMPDIR");
}

// Programs differ in which of two variables of one name they take.
Test(counting, freezes_the_processor_whatever_the_environment_says)
{
    struct ekb_instructions counts;
    struct ekb_fail fail = {0};
    cr_assert_eq(setenv("OPENSSL_ia32cap", "0", 1), 0);
    fake_valgrind(PROLOGUE COUNT WRITE
                  "case $OPENSSL_ia32cap in '~0x'*:'~0x'*) ;; *) exit 1 ;; esac\n"
                  "[ \"$(env | grep -c ^OPENSSL_ia32cap=)\" = 1 ]\n"
                  "[ \"$(tr '\\0' '\\n' </proc/$$/environ | "
                  "grep -c ^OPENSSL_ia32cap=)\" = 1 ]\n");

    const enum ekb_err err = count(&counts, NULL, &fail);

    cr_expect_eq(err, EKB_OK, "%s: %s", ekb_err_name(err), fail.detail);
}

// Failures.

static const struct {
    const char *name;
    const char *script;
    enum ekb_err err;
    const char *detail_part;
} failures[] = {
    {"the binary fails", PROLOGUE COUNT WRITE "exit 1\n", EKB_UNSUPPORTED, "/some/ekubench"},
    {"the binary is killed", PROLOGUE COUNT WRITE "kill -KILL $$\n", EKB_UNSUPPORTED,
     "/some/ekubench"},
    {"the binary is no ekubench", PROLOGUE "count=0\n" WRITE, EKB_UNSUPPORTED, "/some/ekubench"},
    {"the binary has no server", PROLOGUE COUNT "[ \"$part\" != server ] || count=0\n" WRITE,
     EKB_UNSUPPORTED, "/some/ekubench"},
    {"the last one fails", PROLOGUE COUNT WRITE "[ \"$scenario.$part\" != tls1.2-on-d1.verify ]\n",
     EKB_UNSUPPORTED, "tls1.2-on-d1"},
    {"there is no total", PROLOGUE "echo events: Ir >\"$out\"\n", EKB_PARSE, ".out"},
    {"the output is empty", PROLOGUE ": >\"$out\"\n", EKB_PARSE, ".out"},
    {"there is no output", PROLOGUE, EKB_NOT_FOUND, ".out"},
};

Test(counting, says_why_when_it_fails)
{
    for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
        struct ekb_instructions counts;
        struct ekb_fail fail = {0};
        fake_valgrind(failures[i].script);

        const enum ekb_err err = count(&counts, NULL, &fail);

        cr_expect_eq(err, failures[i].err, "%s: %s", failures[i].name, ekb_err_name(err));
        cr_expect_eq(fail.err, err, "%s", failures[i].name);
        cr_expect_not_null(strstr(fail.detail, failures[i].detail_part), "%s: %s", failures[i].name,
                           fail.detail);
        expect_nothing_left(failures[i].name);
    }
}

Test(counting, says_so_when_valgrind_is_not_installed)
{
    struct ekb_instructions counts;
    struct ekb_fail fail = {0};
    cr_assert_eq(setenv("PATH", programs.path, 1), 0);

    const enum ekb_err err = count(&counts, NULL, &fail);

    cr_expect_eq(err, EKB_NOT_FOUND, "%s", ekb_err_name(err));
    cr_expect_not_null(strstr(fail.detail, "valgrind"), "%s", fail.detail);
    expect_nothing_left("no valgrind");
}

Test(counting, says_so_when_there_is_no_place_for_temporary_files)
{
    struct ekb_instructions counts;
    struct ekb_fail fail = {0};
    fake_valgrind(PROLOGUE COUNT WRITE);
    cr_assert_eq(setenv("TMPDIR", "/nonexistent", 1), 0);

    const enum ekb_err err = count(&counts, NULL, &fail);

    cr_expect_eq(err, EKB_SYSTEM, "%s", ekb_err_name(err));
    cr_expect_not_null(strstr(fail.detail, "/nonexistent"), "%s", fail.detail);
}

// A process that is not counted would go on for minutes.
Test(counting, ends_what_it_began_when_stopped_and_when_one_fails)
{
    static const volatile sig_atomic_t stop = 1;
    static const struct {
        const volatile sig_atomic_t *stop;
        const char *script;
        enum ekb_err err;
    } cases[] = {
        {&stop, PROLOGUE "echo $$ >\"${0%/*}/pid\"\nexec sleep 100\n", EKB_STOPPED},
        // The client's does not end before the server's has begun, and that fails.
        {NULL,
         PROLOGUE "case $part in\n"
                  "client) echo $$ >\"${0%/*}/pid\"; exec sleep 100 ;;\n"
                  "*) exit 1 ;;\n"
                  "esac\n",
         EKB_UNSUPPORTED},
    };
    const long num_cpus = sysconf(_SC_NPROCESSORS_ONLN);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char path[512];
        struct ekb_instructions counts;
        struct ekb_fail fail = {0};
        if (cases[i].stop == NULL && num_cpus < 2) {
            cr_skip("one at a time is too few");
        }
        (void)unlink(fixture_dir_file(path, &programs, "pid"));
        fake_valgrind(cases[i].script);

        const enum ekb_err err = count(&counts, cases[i].stop, &fail);

        cr_expect_eq(err, cases[i].err, "%zu: %s", i, ekb_err_name(err));
        cr_expect_eq(fail.err, err, "%zu", i);
        expect_nothing_left("stopped");
        // It may not have come so far as to say who it is.
        if (access(path, R_OK) == 0) {
            size_t len = 0;
            char *text = fixture_read(path, &len);
            const pid_t pid = (pid_t)strtol(text, NULL, 10);
            cr_expect(pid <= 0 || (kill(pid, 0) == -1 && errno == ESRCH), "%zu: %d goes on", i,
                      (int)pid);
            free(text);
        }
    }
}
