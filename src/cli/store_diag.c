#include "cli/store.h"

#include "cli/listeners.h"

#include "ekubench/base/clock.h"
#include "ekubench/base/file.h"
#include "ekubench/peer/listen.h"
#include "ekubench/pki/policy.h"
#include "ekubench/store/diag.h"
#include "ekubench/tls/config.h"

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

#define ITEMS_A_LISTENER 10
#define MAX_ITEMS ((size_t)EKB_LISTENERS_MAX * ITEMS_A_LISTENER)

// The listeners, as settings: each with all its terms, those that were not named too.
struct settings {
    struct ekb_diag_item items[MAX_ITEMS];
    size_t num_items;
    char names[MAX_ITEMS][48];
    char values[MAX_ITEMS][EKB_NAME_LEN];
};

static void add_item(struct settings *settings, const char *prefix, const char *name,
                     const char *value)
{
    const size_t i = settings->num_items;
    EKB_CHECK(i < MAX_ITEMS);
    (void)snprintf(settings->names[i], sizeof settings->names[i], "%s.%s", prefix, name);
    (void)snprintf(settings->values[i], sizeof settings->values[i], "%s", value);
    settings->items[i] =
        (struct ekb_diag_item){.name = settings->names[i], .value = settings->values[i]};
    settings->num_items++;
}

static void add_listener(struct settings *settings, const char *prefix,
                         const struct ekb_listener *listener)
{
    const struct ekb_policy *policy = &listener->policy;
    char depth[16];
    (void)snprintf(depth, sizeof depth, "%u", policy->max_depth);
    add_item(settings, prefix, "eku_mode", ekb_eku_mode_name(policy->eku));
    add_item(settings, prefix, "eku_absent", ekb_eku_absent_name(policy->eku_absent));
    add_item(settings, prefix, "verify", ekb_verify_level_name(policy->verify));
    add_item(settings, prefix, "tls", ekb_tls_version_name(listener->version));
    add_item(settings, prefix, "depth", depth);
    add_item(settings, prefix, "crl", ekb_crl_mode_name(policy->crl));
    add_item(settings, prefix, "resume", listener->resumption == EKB_TLS_RESUME_ON ? "on" : "off");
    add_item(settings, prefix, "name",
             policy->name.kind != EKB_NAME_NONE ? policy->name.text : "any");
}

static enum ekb_err add_word(struct settings *settings, size_t number, const char *word,
                             struct ekb_fail *reterr_fail)
{
    struct ekb_listener listener;
    char address[EKB_ADDRESS_TEXT_LEN];
    char prefix[32];
    const enum ekb_err err = ekb_listener_parse(&listener, word, reterr_fail);
    if (err == EKB_OK) {
        (void)snprintf(prefix, sizeof prefix, "listener.%zu", number);
        add_item(settings, prefix, "address", ekb_address_format(address, &listener.address));
        add_listener(settings, prefix, &listener);
    }
    return err;
}

// fill_settings takes the listeners of the command line, then those of the file; of neither, what a
// listener is that names nothing but its address.
static enum ekb_err fill_settings(struct settings *settings, const struct ekb_store_diag *wish,
                                  struct ekb_fail *reterr_fail)
{
    struct ekb_listeners_file file = {.num_words = 0};
    const size_t num_own = wish->listen->len;
    enum ekb_err err =
        wish->listeners != NULL ? ekb_listeners_read(&file, wish->listeners, reterr_fail) : EKB_OK;
    if (err == EKB_OK && num_own + file.num_words > EKB_LISTENERS_MAX) {
        err = ekb_fail_set(reterr_fail, EKB_USAGE, 0, "at most %d listeners", EKB_LISTENERS_MAX);
    }
    for (size_t i = 0; err == EKB_OK && i < num_own + file.num_words; i++) {
        err = add_word(settings, i + 1,
                       i < num_own ? wish->listen->items[i] : file.words[i - num_own], reterr_fail);
    }
    if (err == EKB_OK && settings->num_items == 0) {
        const struct ekb_listener listener = {.policy = ekb_policy_default(),
                                              .version = EKB_TLS_ANY};
        add_listener(settings, "listener.default", &listener);
    }
    ekb_listeners_deinit(&file);
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
    struct ekb_fail fail = {0};
    int status = EKB_EXIT_OK;
    if (gethostname(host, sizeof host - 1) != 0 || host[0] == '\0') {
        (void)snprintf(host, sizeof host, "localhost");
    }
    struct settings *settings = calloc(1, sizeof *settings);
    enum ekb_err err = settings != NULL ? fill_settings(settings, wish, &fail)
                                        : ekb_fail_set(&fail, EKB_NOMEM, 0, "diagnostics");
    const struct ekb_diag_options options = {.host = host,
                                             .now = (int64_t)time(NULL),
                                             .event_log = wish->event_log,
                                             .settings = settings != NULL ? settings->items : NULL,
                                             .num_settings =
                                                 settings != NULL ? settings->num_items : 0,
                                             .on_fault = ekb_store_warn};
    if (err == EKB_OK) {
        err = ekb_diag_write(wish->output, wish->store, &options, &fail);
    }
    if (err != EKB_OK) {
        status = ekb_cli_fail(&fail);
    } else if (wish->capture_s > 0) {
        status = capture_into(wish->output, &options, wish->capture_s);
    }
    free(settings);
    return status;
}
