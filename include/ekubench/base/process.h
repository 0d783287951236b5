// Other programs, run without a shell.

#ifndef EKUBENCH_BASE_PROCESS_H
#define EKUBENCH_BASE_PROCESS_H

#include "ekubench/base/err.h"

#include <sys/types.h>

// ekb_process_start starts the program `words[0]` (looked for in PATH if there is no slash in it)
// with the arguments `words`, up to a NULL, and the environment `variables` (NULL: this process's
// own). Its output goes to /dev/null. The caller waits for it. EKB_NOT_FOUND, EKB_SYSTEM.
EKB_NODISCARD enum ekb_err ekb_process_start(pid_t *out_pid, const char *const *words,
                                             char *const *variables, struct ekb_fail *reterr_fail);

#endif
