#include "cli/store.h"

#include "ekubench/base/file.h"
#include "ekubench/store/diag.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_LISTENERS 64
#define MAX_FILE_LEN (64u << 10)
#define CAPTURE_PREFIX "eth0_diagnostic_logging_tcpdump00"

// Settings that were read from the file of listeners.
struct settings {
    struct ekb_diag_item items[MAX_LISTENERS];
    char names[MAX_LISTENERS][32];
    size_t num_items;
    char *text; // What the values point into.
};

static enum ekb_err read_listeners(struct settings *settings, const char *path,
                                   struct ekb_fail *reterr_fail)
{
    uint8_t *text = NULL;
    size_t text_len = 0;
    char *rest = NULL;
    const enum ekb_err err = ekb_file_read(&text, &text_len, path, MAX_FILE_LEN, reterr_fail);
    if (err != EKB_OK) {
        return err;
    }
    settings->text = (char *)text;
    for (char *line = strtok_r(settings->text, "\r\n", &rest);
         line != NULL && settings->num_items < MAX_LISTENERS;
         line = strtok_r(NULL, "\r\n", &rest)) {
        char *end = NULL;
        line[strcspn(line, "#")] = '\0';
        const char *word = strtok_r(line, " \t", &end);
        if (word != NULL) {
            char *name = settings->names[settings->num_items];
            (void)snprintf(name, sizeof settings->names[0], "listener.%zu",
                           settings->num_items + 1);
            settings->items[settings->num_items++] =
                (struct ekb_diag_item){.name = name, .value = word};
        }
    }
    return EKB_OK;
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
    const struct timespec begin = {.tv_sec = (time_t)seconds};
    (void)nanosleep(&begin, NULL);
    (void)kill(pid, SIGINT);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
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
    struct settings settings = {.num_items = 0};
    struct ekb_fail fail = {0};
    int status = EKB_EXIT_OK;
    if (gethostname(host, sizeof host - 1) != 0 || host[0] == '\0') {
        (void)snprintf(host, sizeof host, "localhost");
    }
    enum ekb_err err =
        wish->listeners != NULL ? read_listeners(&settings, wish->listeners, &fail) : EKB_OK;
    const struct ekb_diag_options options = {.host = host,
                                             .now = (int64_t)time(NULL),
                                             .event_log = wish->event_log,
                                             .settings = settings.items,
                                             .num_settings = settings.num_items};
    if (err == EKB_OK) {
        err = ekb_diag_write(wish->output, wish->store, &options, &fail);
    }
    if (err != EKB_OK) {
        status = ekb_cli_fail(&fail);
    } else if (wish->capture_s > 0) {
        status = capture_into(wish->output, &options, wish->capture_s);
    }
    free(settings.text);
    return status;
}
