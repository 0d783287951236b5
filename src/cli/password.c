#include "cli/password.h"

#include "ekubench/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static const int ending_signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
#define NUM_ENDING (sizeof ending_signals / sizeof ending_signals[0])

static volatile sig_atomic_t caught;

static void remember(int number)
{
    caught = number;
}

// read_line reads a line from the terminal, which hands out whole ones. The signals are blocked but
// for the wait itself, so that none gets lost between a look at `caught` and a read.
static enum ekb_err read_line(char out_line[EKB_PASSWORD_LEN], int terminal, const sigset_t *mask)
{
    struct pollfd waits = {.fd = terminal, .events = POLLIN};
    ssize_t len = -1;
    if (ppoll(&waits, 1, NULL, mask) > 0) {
        len = read(terminal, out_line, EKB_PASSWORD_LEN - 1);
    }
    out_line[len > 0 ? len : 0] = '\0';
    char *end = strchr(out_line, '\n');
    if (end == NULL) {
        return len == EKB_PASSWORD_LEN - 1 ? EKB_TOO_BIG : EKB_NEED_PASSWORD;
    }
    *end = '\0';
    return EKB_OK;
}

// ask_unseen turns the echo off for one line. `caught` is the signal that came meanwhile, or 0.
static enum ekb_err ask_unseen(char out_password[EKB_PASSWORD_LEN], int terminal, const char *of)
{
    struct termios usual;
    struct sigaction before[NUM_ENDING];
    const struct sigaction note = {.sa_handler = remember};
    sigset_t blocked;
    sigset_t mask;
    if (tcgetattr(terminal, &usual) != 0) {
        return EKB_NEED_PASSWORD;
    }
    (void)sigemptyset(&blocked);
    caught = 0;
    for (size_t i = 0; i < NUM_ENDING; i++) {
        (void)sigaddset(&blocked, ending_signals[i]);
    }
    (void)sigprocmask(SIG_BLOCK, &blocked, &mask);
    for (size_t i = 0; i < NUM_ENDING; i++) {
        (void)sigaction(ending_signals[i], &note, &before[i]);
    }

    struct termios silent = usual;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    (void)tcsetattr(terminal, TCSAFLUSH, &silent);
    (void)dprintf(terminal, "Password of %s: ", of);
    const enum ekb_err err = read_line(out_password, terminal, &mask);
    (void)tcsetattr(terminal, TCSAFLUSH, &usual);
    (void)dprintf(terminal, "\n");

    for (size_t i = 0; i < NUM_ENDING; i++) {
        (void)sigaction(ending_signals[i], &before[i], NULL);
    }
    (void)sigprocmask(SIG_SETMASK, &mask, NULL);
    return err;
}

static enum ekb_err ask(char out_password[EKB_PASSWORD_LEN], const char *of,
                        struct ekb_fail *reterr_fail)
{
    const int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC);
    if (terminal < 0) {
        return ekb_fail_set(reterr_fail, EKB_NEED_PASSWORD, 0,
                            "%s, and there is no terminal to ask on (--password-file)", of);
    }
    const enum ekb_err err = ask_unseen(out_password, terminal, of);
    (void)close(terminal);
    if (caught != 0) {
        (void)raise(caught); // Whatever it does to this process, it does now.
    }
    if (err == EKB_TOO_BIG) {
        return ekb_fail_set(reterr_fail, err, 0, "the password of %s", of);
    }
    return err == EKB_OK ? EKB_OK : ekb_fail_set(reterr_fail, err, 0, "%s", of);
}

enum ekb_err ekb_password_read(char out_password[EKB_PASSWORD_LEN], const char *of,
                               const char *file, struct ekb_fail *reterr_fail)
{
    uint8_t *text = NULL;
    size_t text_len = 0;
    out_password[0] = '\0';
    if (file == NULL) {
        return ask(out_password, of, reterr_fail);
    }
    const enum ekb_err err =
        ekb_file_read(&text, &text_len, file, EKB_PASSWORD_LEN - 1, reterr_fail);
    if (err == EKB_OK) {
        (void)snprintf(out_password, EKB_PASSWORD_LEN, "%.*s",
                       (int)strcspn((const char *)text, "\r\n"), (const char *)text);
        ekb_file_free_secret(text, text_len);
    }
    return err;
}
