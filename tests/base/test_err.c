#include "ekubench/base/err.h"

#include <criterion/criterion.h>

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

// The table.

Test(err, is_zero_when_ok)
{
    cr_assert_eq((int)EKB_OK, 0);
    cr_assert_str_eq(ekb_err_name(EKB_OK), "ok");
}

Test(err, has_a_name_of_lower_case_words_when_in_the_table)
{
    for (int err = 0; err < EKB_ERR_COUNT; err++) {
        const char *name = ekb_err_name((enum ekb_err)err);

        cr_expect_neq(name[0], '\0', "code %d has no name", err);
        cr_expect_eq(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_"), strlen(name), "%s",
                     name);
    }
}

Test(err, has_a_name_of_its_own_when_in_the_table)
{
    for (int a = 0; a < EKB_ERR_COUNT; a++) {
        for (int b = a + 1; b < EKB_ERR_COUNT; b++) {
            cr_expect_str_neq(ekb_err_name((enum ekb_err)a), ekb_err_name((enum ekb_err)b),
                              "codes %d and %d", a, b);
        }
    }
}

Test(err, has_a_sentence_without_capital_and_full_stop_when_in_the_table)
{
    for (int err = 0; err < EKB_ERR_COUNT; err++) {
        const char *sentence = ekb_err_sentence((enum ekb_err)err);
        const size_t len = strlen(sentence);

        cr_assert_gt(len, 3u, "code %d: \"%s\"", err, sentence);
        // An acronym ("IP address ...") is no capital.
        cr_expect(!isupper((unsigned char)sentence[0]) || isupper((unsigned char)sentence[1]), "%s",
                  sentence);
        cr_expect_neq(sentence[len - 1], '.', "%s", sentence);
    }
}

// The names are keys in published results; renaming one breaks them.
Test(err, keeps_its_name_when_published)
{
    static const struct {
        enum ekb_err err;
        const char *name;
    } cases[] = {
        {EKB_USAGE, "usage"},
        {EKB_NOMEM, "out_of_memory"},
        {EKB_NO_IO_URING, "no_io_uring"},
        {EKB_ADDRESS_IN_USE, "address_in_use"},
        {EKB_CONNECT_REFUSED, "connect_refused"},
        {EKB_PEER_RESET, "peer_reset"},
        {EKB_DEADLINE, "deadline"},
        {EKB_SERVER_FULL, "server_full"},
        {EKB_TLS_ALERT, "tls_alert"},
        {EKB_TLS_NOT_TLS, "tls_not_tls"},
        {EKB_TLS_VERSION, "tls_version"},
        {EKB_TLS_NO_COMMON, "tls_no_common_parameters"},
        {EKB_TLS_NO_CERTIFICATE, "tls_no_certificate"},
        {EKB_VERIFY_EXPIRED, "verify_expired"},
        {EKB_VERIFY_NO_LOCAL_ISSUER, "verify_no_local_issuer"},
        {EKB_VERIFY_PURPOSE, "verify_purpose"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_expect_str_eq(ekb_err_name(cases[i].err), cases[i].name, "%s, not %s",
                         ekb_err_name(cases[i].err), cases[i].name);
    }
}

Test(err, is_unknown_when_outside_the_table)
{
    cr_expect_str_eq(ekb_err_name(EKB_ERR_COUNT), "unknown");
    cr_expect_str_eq(ekb_err_sentence(EKB_ERR_COUNT), "unknown error");
    cr_expect_str_eq(ekb_err_name((enum ekb_err) - 1), "unknown");
}

// Failures.

Test(err, returns_the_code_when_no_detail_is_wanted)
{
    cr_assert_eq(ekb_fail_set(NULL, EKB_PARSE, 0, "%s", "x"), EKB_PARSE);
}

Test(err, keeps_code_reason_and_detail_when_set)
{
    struct ekb_fail fail = {0};

    const enum ekb_err err = ekb_fail_set(&fail, EKB_SYSTEM, EIO, "%s:%d", "file", 7);

    cr_expect_eq(err, EKB_SYSTEM, "%s", ekb_err_name(err));
    cr_expect_eq(fail.err, EKB_SYSTEM, "%s", ekb_err_name(fail.err));
    cr_expect_eq(fail.sys_errno, EIO, "%d", fail.sys_errno);
    cr_expect_str_eq(fail.detail, "file:7", "%s", fail.detail);
}

Test(err, knows_no_alert_and_no_depth_when_set)
{
    struct ekb_fail fail = {.verify_result = 26, .verify_depth = 3, .alert = 43};

    (void)ekb_fail_set(&fail, EKB_PARSE, 0, "x");

    cr_expect_eq(fail.verify_result, 0, "%d", fail.verify_result);
    cr_expect_eq(fail.verify_depth, -1, "%d", fail.verify_depth);
    cr_expect_eq(fail.alert, -1, "%d", fail.alert);
}

Test(err, cuts_the_detail_when_it_is_too_long)
{
    char text[1000];
    struct ekb_fail fail = {0};
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';

    (void)ekb_fail_set(&fail, EKB_PARSE, 0, "%s", text);

    cr_assert_eq(strnlen(fail.detail, sizeof fail.detail), sizeof fail.detail - 1);
}

Test(err, says_detail_sentence_and_reason_when_turned_into_text)
{
    static const struct {
        const char *name;
        enum ekb_err err;
        int sys_errno;
        const char *detail;
        const char *text;
    } cases[] = {
        {"all", EKB_PERMISSION, EACCES, "a.pem", "a.pem: permission denied"},
        {"another reason", EKB_PERMISSION, EROFS, "a.pem",
         "a.pem: permission denied (Read-only file system)"},
        {"what is asked for", EKB_USAGE, 0, "--cn NAME is wanted", "--cn NAME is wanted"},
        {"nothing about it", EKB_USAGE, 0, "", "the request is malformed"},
        {"no reason", EKB_PARSE, 0, "a.pem", "a.pem: the input cannot be parsed"},
        {"no detail", EKB_NOMEM, ENOMEM, "", "out of memory (Cannot allocate memory)"},
        {"a file that is not there", EKB_NOT_FOUND, ENOENT, "x.ini", "x.ini: cannot be found"},
        {"something else that is not there", EKB_NOT_FOUND, 0, "a key",
         "a key: something that is needed is missing"},
        {"neither", EKB_STOPPED, 0, "", "stopped on request"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[256];
        struct ekb_fail fail;
        (void)ekb_fail_set(&fail, cases[i].err, cases[i].sys_errno, "%s", cases[i].detail);

        ekb_fail_text(text, sizeof text, &fail);

        cr_expect_str_eq(text, cases[i].text, "%s: %s", cases[i].name, text);
    }
}

Test(err, adds_nothing_to_a_whole_sentence)
{
    char text[256];
    struct ekb_fail fail;

    const enum ekb_err err = ekb_fail_say(&fail, EKB_NOT_FOUND, "There is no %s", "request");
    ekb_fail_text(text, sizeof text, &fail);

    cr_expect_eq(err, EKB_NOT_FOUND, "%s", ekb_err_name(err));
    cr_expect_str_eq(text, "There is no request", "%s", text);
    cr_expect_eq(ekb_fail_say(NULL, EKB_PARSE, "x"), EKB_PARSE);
}

Test(err, terminates_the_text_when_it_does_not_fit)
{
    char text[8] = "@@@@@@@";
    struct ekb_fail fail;
    (void)ekb_fail_set(&fail, EKB_PARSE, 0, "a long detail");

    ekb_fail_text(text, 6, &fail);

    cr_expect_str_eq(text, "a lon", "%s", text);
    cr_expect_eq(text[6], '@', "it wrote beyond the end");
}

// Checks.

// run_check runs EKB_CHECK in a child, stores what that prints, and returns its wait status.
static int run_check(char *out_text, size_t text_len, int holds)
{
    int ends[2];
    int status = 0;
    cr_assert_eq(pipe(ends), 0);
    (void)fflush(NULL);
    const pid_t pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0) {
        (void)dup2(ends[1], STDERR_FILENO);
        EKB_CHECK(holds == 1);
        _exit(3);
    }
    (void)close(ends[1]);
    size_t len = 0;
    ssize_t count;
    while ((count = read(ends[0], out_text + len, text_len - 1 - len)) > 0) {
        len += (size_t)count;
    }
    out_text[len] = '\0';
    (void)close(ends[0]);
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    return status;
}

Test(err, goes_on_when_a_check_holds)
{
    char text[512];

    const int status = run_check(text, sizeof text, 1);

    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 3, "status %d: %s", status, text);
    cr_assert_str_empty(text, "%s", text);
}

Test(err, aborts_and_names_the_condition_when_a_check_fails)
{
    char text[512];

    const int status = run_check(text, sizeof text, 0);

    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "status %d", status);
    cr_assert_not_null(strstr(text, "holds == 1"), "%s", text);
    cr_assert_not_null(strstr(text, "test_err.c"), "%s", text);
}

Test(err, evaluates_the_condition_once_when_checking)
{
    int count = 0;

    EKB_CHECK(++count > 0);

    cr_assert_eq(count, 1, "%d", count);
}

// Details go into JSON, which must be UTF-8.
Test(err, cuts_a_long_detail_between_characters)
{
    struct ekb_fail fail;
    char text[sizeof fail.detail + 1];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    memcpy(text + sizeof fail.detail - 2, "\xc3\xbc", 2);

    (void)ekb_fail_set(&fail, EKB_PARSE, 0, "%s", text);

    cr_expect_eq(strlen(fail.detail), sizeof fail.detail - 2, "%zu", strlen(fail.detail));
}
