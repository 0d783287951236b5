#include "ekubench/base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <unistd.h>

enum ekb_err ekb_process_start(pid_t *out_pid, const char *const *words, char *const *variables,
                               struct ekb_fail *reterr_fail)
{
    posix_spawn_file_actions_t actions;
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    (void)posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    // posix_spawn does not change its arguments.
    const int reason =
        posix_spawnp(out_pid, words[0], &actions, NULL, (char *const *)(uintptr_t)words,
                     variables != NULL ? variables : environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    if (reason == 0) {
        return EKB_OK;
    }
    return ekb_fail_set(reterr_fail, reason == ENOENT ? EKB_NOT_FOUND : EKB_SYSTEM, reason, "%s",
                        words[0]);
}
