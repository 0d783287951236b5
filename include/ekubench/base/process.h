// Other programs, run without a shell.

#ifndef EKUBENCH_BASE_PROCESS_H
#define EKUBENCH_BASE_PROCESS_H

#include "ekubench/base/err.h"

#include <signal.h>
#include <stdint.h>
#include <sys/types.h>

// ekb_process_start starts the program `words[0]` (looked for in PATH if there is no slash in it)
// with the arguments `words`, up to a NULL, and the environment `variables` (NULL: this process's
// own). It has no input, its output goes to /dev/null, and it leads a process group of its own: no
// key of the terminal reaches it. It is told to end (SIGTERM) when the thread that has started it
// ends before it. The caller waits for it. EKB_NOT_FOUND, EKB_SYSTEM.
EKB_NODISCARD enum ekb_err ekb_process_start(pid_t *out_pid, const char *const *words,
                                             char *const *variables, struct ekb_fail *reterr_fail);

// ekb_process_wait waits for a program of ekb_process_start to end and stores its status, that of
// waitpid. When `*stop` is set (`stop` may be NULL), or after `limit_ns`, its process group is told
// to end, and is killed if the program still runs EKB_PROCESS_GRACE_NS later. EKB_STOPPED;
// EKB_DEADLINE if the time was up; both after the program has ended, its status stored.
#define EKB_PROCESS_GRACE_NS (UINT64_C(3) * 1000 * 1000 * 1000)
EKB_NODISCARD enum ekb_err ekb_process_wait(int *out_status, pid_t pid, uint64_t limit_ns,
                                            const volatile sig_atomic_t *stop);

// ekb_process_filter runs a program of ekb_process_start that reads all of `input_text` as its
// input, and stores what it has written to its output, newly allocated; free it with `free`. It has
// `limit_ns` to end, and is killed when it writes more than EKB_PROCESS_MAX_OUTPUT bytes, or when
// this process ends before it. EKB_NOT_FOUND if there is no such program, EKB_DEADLINE,
// EKB_TOO_BIG, EKB_NOMEM; EKB_SYSTEM, also if its exit status is not 0.
#define EKB_PROCESS_MAX_OUTPUT (64U << 20)
EKB_NODISCARD enum ekb_err ekb_process_filter(char **out_text, const char *const *words,
                                              char *const *variables, const char *input_text,
                                              uint64_t limit_ns, struct ekb_fail *reterr_fail);

#endif
