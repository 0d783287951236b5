#include "cli/store.h"

#include "cli/listeners.h"

#include "ekubench/base/clock.h"
#include "ekubench/base/file.h"
#include "ekubench/store/diag.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CAPTURE_PREFIX "eth0_diagnostic_logging_tcpdump00"

// The listeners, as settings.
struct settings {
    struct ekb_listeners_file listeners;
    struct ekb_diag_item items[EKB_LISTENERS_MAX];
    char names[EKB_LISTENERS_MAX][32];
};

static enum ekb_err read_settings(struct settings *settings, const char *path,
                                  struct ekb_fail *reterr_fail)
{
    const enum ekb_err err = ekb_listeners_read(&settings->listeners, path, reterr_fail);
    for (size_t i = 0; i < settings->listeners.num_words; i++) {
        (void)snprintf(settings->names[i], sizeof settings->names[i], "listener.%zu", i + 1);
        settings->items[i] = (struct ekb_diag_item){.name = settings->names[i],
                                                    .value = settings->listeners.words[i]};
    }
    return err;
}

// ends_within is true if the process ended by itself before its time was over.
static bool ends_within(pid_t pid, int *out_status, unsigned seconds)
{
    const uint64_t until_ns = ekb_clock_now_ns() + seconds * EKB_NS_PER_S;
    const struct timespec pause = {.tv_nsec = 50 * (long)EKB_NS_PER_MS};
    while (ekb_clock_now_ns() < until_ns) {
        if (waitpid(pid, out_status, WNOHANG) == pid) {
            return true;
        }
        (void)nanosleep(&pause, NULL);
    }
    return false;
}

// capture has tcpdump write packets into `file` for a while.
static int capture(const char *file, unsigned seconds)
{
    // -U: what was captured is in the file at once. posix_spawn does not change its arguments.
    char *const words[] = {(char *)(uintptr_t) "tcpdump",
                           (char *)(uintptr_t) "-U",
                           (char *)(uintptr_t) "-i",
                           (char *)(uintptr_t) "any",
                           (char *)(uintptr_t) "-w",
                           (char *)(uintptr_t)file,
                           NULL};
    pid_t pid = 0;
    int status = 0;
    const int reason = posix_spawnp(&pid, words[0], NULL, NULL, words, environ);
    if (reason != 0) {
        ekb_cli_say("no packets were captured: tcpdump: %s", strerror(reason));
        return EKB_EXIT_ENVIRONMENT;
    }
    if (!ends_within(pid, &status, seconds)) {
        (void)kill(pid, SIGINT);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
        }
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        ekb_cli_say("no packets were captured: tcpdump may not, or failed");
        (void)unlink(file);
        return EKB_EXIT_ENVIRONMENT;
    }
    return EKB_EXIT_OK;
}

static int capture_into(const char *directory, const struct ekb_diag_options *options,
                        unsigned seconds)
{
    char name[EKB_DIAG_NAME_LEN];
    char *file =
        ekb_file_join(directory, ekb_diag_file_name(name, options, CAPTURE_PREFIX, "pcap"));
    if (file == NULL) {
        ekb_cli_say("out of memory");
        return EKB_EXIT_ENVIRONMENT;
    }
    const int status = capture(file, seconds);
    free(file);
    return status;
}

int ekb_store_write_diag(const struct ekb_store_diag *wish)
{
    char host[256] = "";
    struct settings settings = {.listeners = {.num_words = 0}};
    struct ekb_fail fail = {0};
    int status = EKB_EXIT_OK;
    if (gethostname(host, sizeof host - 1) != 0 || host[0] == '\0') {
        (void)snprintf(host, sizeof host, "localhost");
    }
    enum ekb_err err =
        wish->listeners != NULL ? read_settings(&settings, wish->listeners, &fail) : EKB_OK;
    const struct ekb_diag_options options = {.host = host,
                                             .now = (int64_t)time(NULL),
                                             .event_log = wish->event_log,
                                             .settings = settings.items,
                                             .num_settings = settings.listeners.num_words,
                                             .on_fault = ekb_store_warn};
    if (err == EKB_OK) {
        err = ekb_diag_write(wish->output, wish->store, &options, &fail);
    }
    if (err != EKB_OK) {
        status = ekb_cli_fail(&fail);
    } else if (wish->capture_s > 0) {
        status = capture_into(wish->output, &options, wish->capture_s);
    }
    ekb_listeners_deinit(&settings.listeners);
    return status;
}
