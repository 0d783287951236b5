// seccomp_exec EPERM|ENOSYS PROGRAM [ARGUMENT...]: runs PROGRAM where io_uring is refused with that
// error, as containers and sandboxes refuse it. Exit status 77 if no filter can be installed.

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int install(unsigned refusal)
{
    // The three calls have adjacent numbers, the same on every architecture.
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, SYS_io_uring_setup, 0, 2),
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, SYS_io_uring_register, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | refusal),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {.len = sizeof filter / sizeof filter[0], .filter = filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return -1;
    }
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

int main(int argc, char **argv)
{
    if (argc < 3 || (strcmp(argv[1], "EPERM") != 0 && strcmp(argv[1], "ENOSYS") != 0)) {
        (void)fprintf(stderr, "usage: seccomp_exec EPERM|ENOSYS PROGRAM [ARGUMENT...]\n");
        return 2;
    }
    if (install(strcmp(argv[1], "EPERM") == 0 ? EPERM : ENOSYS) != 0) {
        perror("seccomp_exec: seccomp");
        return 77;
    }
    (void)execv(argv[2], argv + 2);
    perror("seccomp_exec: execv");
    return 127;
}
