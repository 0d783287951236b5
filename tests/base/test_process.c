#include "ekubench/base/process.h"

#include "ekubench/base/clock.h"

#include <criterion/criterion.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

TestSuite(process, .timeout = 20);

static int status_of(const char *const *words, char *const *variables)
{
    pid_t pid = 0;
    int status = -1;
    struct ekb_fail fail = {0};
    cr_assert_eq(ekb_process_start(&pid, words, variables, &fail), EKB_OK, "%s", fail.detail);
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

Test(process, gets_its_arguments_as_they_are)
{
    static const char *const words[] = {
        "sh", "-c", "test $# = 2 && test \"$1\" = 'a b' && test -z \"$2\"", "sh", "a b", "", NULL};
    cr_expect_eq(status_of(words, NULL), 0);
}

Test(process, gets_the_environment_that_it_is_given)
{
    static const char *const words[] = {
        "sh", "-c", "test \"$COLOUR\" = red && test -z \"$EKB_TEST_OWN\"", NULL};
    static const char *const inherits[] = {"sh", "-c", "test \"$EKB_TEST_OWN\" = 1", NULL};
    static char colour[] = "COLOUR=red";
    char *const variables[] = {colour, NULL};
    cr_assert_eq(setenv("EKB_TEST_OWN", "1", 1), 0);
    cr_expect_eq(status_of(words, variables), 0);
    cr_expect_eq(status_of(inherits, NULL), 0);
}

// What it prints is nobody's: standard output of this process may be a table.
Test(process, prints_nowhere)
{
    static const char *const words[] = {
        "sh", "-c",
        "test \"$(readlink /proc/$$/fd/1) $(readlink /proc/$$/fd/2)\" = '/dev/null /dev/null'",
        NULL};
    cr_expect_eq(status_of(words, NULL), 0);
}

// Nor has it any input, and no key of the terminal reaches it.
Test(process, is_apart_from_the_terminal)
{
    static const char *const words[] = {"sh", "-c",
                                        "test \"$(readlink /proc/$$/fd/0)\" = /dev/null && "
                                        "read -r _ _ _ _ group _ </proc/$$/stat && "
                                        "test \"$group\" = $$",
                                        NULL};
    cr_expect_eq(status_of(words, NULL), 0);
}

static pid_t start(const char *script)
{
    const char *const words[] = {"sh", "-c", script, NULL};
    pid_t pid = 0;
    cr_assert_eq(ekb_process_start(&pid, words, NULL, NULL), EKB_OK);
    return pid;
}

// A process group is gone when nothing is left of it but what nobody has reaped yet.
static bool group_is_gone(pid_t group)
{
    char command[128];
    (void)snprintf(command, sizeof command, "! ps -o stat= -g %d | grep -qv '^Z'", (int)group);
    for (int i = 0; i < 100; i++) {
        if (kill(-group, 0) != 0 || system(command) == 0) {
            return true;
        }
        (void)usleep(50000);
    }
    return false;
}

Test(process, is_waited_for)
{
    volatile sig_atomic_t stop = 0;
    int status = -1;
    cr_expect_eq(ekb_process_wait(&status, start("exit 3"), 20 * EKB_NS_PER_S, &stop), EKB_OK);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 3);
}

Test(process, is_ended_with_all_it_started)
{
    volatile sig_atomic_t stop = 1;
    int status = -1;
    const pid_t pid = start("sleep 1000 & sleep 1000");
    cr_expect_eq(ekb_process_wait(&status, pid, 20 * EKB_NS_PER_S, &stop), EKB_STOPPED);
    cr_expect(WIFSIGNALED(status));
    cr_expect(group_is_gone(pid));
}

Test(process, is_killed_if_it_does_not_end_when_its_time_is_up)
{
    int status = -1;
    const pid_t pid = start("trap '' TERM; while :; do sleep 1000; done");
    cr_expect_eq(ekb_process_wait(&status, pid, 200 * EKB_NS_PER_MS, NULL), EKB_DEADLINE);
    cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    cr_expect(group_is_gone(pid));
}

Test(process, is_not_found_when_there_is_no_such_program)
{
    static const char *const absent[] = {"ekubench-no-such-program", NULL};
    static const char *const absent_path[] = {"/nonexistent/program", NULL};
    static const char *const not_executable[] = {"/etc/passwd", NULL};
    pid_t pid = 0;
    struct ekb_fail fail = {0};
    cr_expect_eq(ekb_process_start(&pid, absent, NULL, &fail), EKB_NOT_FOUND);
    cr_expect_str_eq(fail.detail, "ekubench-no-such-program");
    cr_expect_eq(ekb_process_start(&pid, absent_path, NULL, &fail), EKB_NOT_FOUND);
    cr_expect_eq(ekb_process_start(&pid, not_executable, NULL, &fail), EKB_SYSTEM);
}

// Filters.

static enum ekb_err filter(char **out_text, const char *script, const char *input)
{
    const char *const words[] = {"sh", "-c", script, NULL};
    struct ekb_fail fail = {0};
    return ekb_process_filter(out_text, words, NULL, input, 10 * EKB_NS_PER_S, &fail);
}

Test(process, filters_a_text)
{
    char *text = NULL;

    cr_assert_eq(filter(&text, "tr a-z A-Z", "one\ntwo"), EKB_OK);

    cr_expect_str_eq(text, "ONE\nTWO");
    free(text);
}

// More than a pipe holds, both ways.
Test(process, filters_more_than_a_pipe_holds)
{
    const size_t len = 1 << 20;
    char *input = malloc(len + 1);
    char *text = NULL;
    cr_assert_not_null(input);
    memset(input, 'x', len);
    input[len] = '\0';

    cr_assert_eq(filter(&text, "cat; cat", input), EKB_OK);

    cr_expect_str_eq(text, input);
    free(text);
    free(input);
}

Test(process, says_what_became_of_a_filter)
{
    static const char *const missing[] = {"ekubench-no-such-program", NULL};
    static const char *const slow[] = {"sleep", "30", NULL};
    char *text = NULL;

    cr_expect_eq(filter(&text, "cat; exit 3", "x"), EKB_SYSTEM);
    cr_expect_eq(ekb_process_filter(&text, missing, NULL, "", EKB_NS_PER_S, NULL), EKB_NOT_FOUND);
    cr_expect_eq(ekb_process_filter(&text, slow, NULL, "", EKB_NS_PER_MS, NULL), EKB_DEADLINE);
    cr_expect_null(text);
}

Test(process, kills_a_filter_that_does_not_stop_writing)
{
    static const char *const words[] = {"cat", "/dev/zero", NULL};
    struct ekb_fail fail = {0};
    char *text = NULL;
    (void)signal(SIGXFSZ, SIG_IGN); // As the program does, which must not be inherited.

    const enum ekb_err err =
        ekb_process_filter(&text, words, NULL, "", UINT64_C(15000000000), &fail);

    cr_expect_eq(err, EKB_TOO_BIG, "%s", ekb_err_name(err));
    cr_expect_not_null(strstr(fail.detail, "cat has written more than 64 MiB"), "%s", fail.detail);
    cr_expect_null(text);
}

// Nobody else waits for a filter that hangs.
Test(process, takes_its_filter_with_it_when_it_is_killed)
{
    static const char *const words[] = {"sh", "-c", "echo $$ >&3; exec sleep 60", NULL};
    static const int signals[] = {SIGTERM, SIGKILL};
    cr_assert_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        char number[32] = "";
        int status = 0;
        int ends[2];
        cr_assert_eq(pipe(ends), 0);
        const pid_t child = fork();
        if (child == 0) {
            char *text = NULL;
            (void)dup2(ends[1], 3);
            _exit((int)ekb_process_filter(&text, words, NULL, "", UINT64_C(60000000000), NULL));
        }
        cr_assert_gt(read(ends[0], number, sizeof number - 1), 0);
        const pid_t filter = (pid_t)strtol(number, NULL, 10);
        cr_assert_gt(filter, 1);

        cr_assert_eq(kill(child, signals[i]), 0);

        cr_assert_eq(waitpid(child, &status, 0), child);
        cr_assert_eq(waitpid(filter, &status, 0), filter);
        cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "%d", status);
        (void)close(ends[0]);
        (void)close(ends[1]);
    }
}

// Then the files of a filter have the numbers of standard input and output.
Test(process, filters_when_there_is_no_standard_input)
{
    static const char *const words[] = {"cat", NULL};
    char *text = NULL;
    const int input = dup(STDIN_FILENO);
    (void)close(STDIN_FILENO);

    const enum ekb_err err =
        ekb_process_filter(&text, words, NULL, "abc", UINT64_C(15000000000), NULL);

    (void)dup2(input, STDIN_FILENO);
    cr_assert_eq(err, EKB_OK, "%s", ekb_err_name(err));
    cr_expect_str_eq(text, "abc");
    free(text);
}
