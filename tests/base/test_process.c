#include "ekubench/base/process.h"

#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>
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
