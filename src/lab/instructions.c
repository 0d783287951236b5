#include "ekubench/lab/instructions.h"

#include "ekubench/base/clock.h"
#include "ekubench/base/file.h"
#include "ekubench/base/process.h"
#include "ekubench/lab/plan.h"
#include "ekubench/lab/stores.h"
#include "ekubench/peer/ends.h"
#include "ekubench/peer/memory.h"
#include "ekubench/peer/worker.h"
#include "ekubench_build.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

const struct ekb_count_scenario ekb_count_scenarios[EKB_NUM_COUNT_SCENARIOS] = {
    {"tls1.3-one-way", EKB_TLS_1_3, EKB_EKU_NONE, EKB_VERIFY_ONE_WAY, 1},
    {"tls1.3-none-d1", EKB_TLS_1_3, EKB_EKU_NONE, EKB_VERIFY_FULL, 1},
    {"tls1.3-off-d1", EKB_TLS_1_3, EKB_EKU_OFF, EKB_VERIFY_FULL, 1},
    {"tls1.3-on-d1", EKB_TLS_1_3, EKB_EKU_ON, EKB_VERIFY_FULL, 1},
    {"tls1.3-on-d2", EKB_TLS_1_3, EKB_EKU_ON, EKB_VERIFY_FULL, 2},
    {"tls1.3-on-d3", EKB_TLS_1_3, EKB_EKU_ON, EKB_VERIFY_FULL, 3},
    {"tls1.2-on-d1", EKB_TLS_1_2, EKB_EKU_ON, EKB_VERIFY_FULL, 1},
};

// The functions between whose entry and return is counted (peer/memory, pki/verify).
static const struct {
    const char *name;
    const char *function;
} parts[EKB_COUNT_NUM_PARTS] = {
    [EKB_COUNT_CLIENT] = {"client", "ekb_memory_run_client"},
    [EKB_COUNT_SERVER] = {"server", "ekb_memory_run_server"},
    [EKB_COUNT_VERIFY] = {"verify", "ekb_verifier_run"},
};

// The library that takes chance out of the counted process (src/frozen): beside the program as it
// is built, and in the library directory as it is installed.
#define FROZEN_LIBRARY "libekubench-frozen.so"
#define FROZEN_INSTALLED "../" EKB_BUILD_LIBDIR "/ekubench/" FROZEN_LIBRARY

// What BoringSSL may not use, for counts to be the same everywhere: of the first word FMA, MOVBE,
// AVX, RDRAND and the mark of an Intel processor; of the second all (AVX2, BMI, ADX, SHA, AVX-512).
// The format is that of OPENSSL_ia32cap.
#define FROZEN_FEATURES "OPENSSL_ia32cap=~0x5040100040000000:~0xffffffffffffffff"

const struct ekb_count_scenario *ekb_count_scenario_find(const char *name)
{
    for (size_t i = 0; i < EKB_NUM_COUNT_SCENARIOS; i++) {
        if (strcmp(ekb_count_scenarios[i].name, name) == 0) {
            return &ekb_count_scenarios[i];
        }
    }
    return NULL;
}

const char *ekb_count_part_name(enum ekb_count_part part)
{
    EKB_CHECK(part < EKB_COUNT_NUM_PARTS);
    return parts[part].name;
}

enum ekb_err ekb_count_part_parse(enum ekb_count_part *out_part, const char *text)
{
    for (unsigned part = 0; part < EKB_COUNT_NUM_PARTS; part++) {
        if (strcmp(parts[part].name, text) == 0) {
            *out_part = (enum ekb_count_part)part;
            return EKB_OK;
        }
    }
    return EKB_USAGE;
}

// The counted process.

static enum ekb_err make_handshakes(const struct ekb_tls_config *client,
                                    const struct ekb_tls_config *server, uint64_t num_handshakes)
{
    const struct ekb_clock clock = ekb_clock_monotonic();
    struct ekb_memory_pair *pair = NULL;
    enum ekb_err err = ekb_memory_pair_create(&pair);
    for (uint64_t i = 0; i < num_handshakes && err == EKB_OK; i++) {
        struct ekb_memory_outcome outcome;
        ekb_memory_handshake(pair, &outcome, client, server, &clock);
        err = outcome.server_err != EKB_OK ? outcome.server_err : outcome.client_err;
    }
    ekb_memory_pair_destroy(pair);
    return err;
}

static enum ekb_err make_ends(struct ekb_tls_config **out_client,
                              struct ekb_tls_config **out_server,
                              const struct ekb_count_scenario *scenario, enum ekb_count_part part,
                              struct ekb_fail *reterr_fail)
{
    struct ekb_stores *stores = NULL;
    struct ekb_plan plan = {
        .version = scenario->version, .key_type = EKB_KEY_P256, .num_stages = 1};
    struct ekb_plan_arm *arm = &plan.stages[0].arms[0];
    *arm = (struct ekb_plan_arm){.policy = ekb_policy_default(),
                                 .depth = scenario->depth,
                                 .client_eku = EKB_EKU_SERVER_AUTH | EKB_EKU_CLIENT_AUTH,
                                 .server_depth = 1,
                                 .expect = EKB_EXPECT_ACCEPT};
    arm->policy.eku = scenario->eku;
    arm->policy.verify = scenario->verify;
    arm->policy.crl = EKB_CRL_OFF;
    plan.stages[0].num_arms = 1;
    enum ekb_err err = ekb_stores_create(&stores, &plan, reterr_fail);
    if (err != EKB_OK) {
        return err;
    }
    const struct ekb_ends_spec spec = {.server_store = ekb_stores_server(stores, arm),
                                       .client_store = ekb_stores_client(stores, arm),
                                       .version = scenario->version,
                                       .policy = arm->policy,
                                       // Its verification of the server is not what is counted.
                                       .cheap_client = part == EKB_COUNT_VERIFY};
    err = ekb_ends_make_client(out_client, &spec, reterr_fail);
    if (err == EKB_OK) {
        err = ekb_ends_make_server(out_server, &spec, reterr_fail);
    }
    ekb_stores_destroy(stores);
    return err;
}

enum ekb_err ekb_count_scenario_run(const struct ekb_count_scenario *scenario,
                                    enum ekb_count_part part, uint64_t num_handshakes,
                                    struct ekb_fail *reterr_fail)
{
    struct ekb_tls_config *client = NULL;
    struct ekb_tls_config *server = NULL;
    enum ekb_err err = make_ends(&client, &server, scenario, part, reterr_fail);
    if (err == EKB_OK) {
        err = make_handshakes(client, server, num_handshakes);
        if (err != EKB_OK) {
            (void)ekb_fail_set(reterr_fail, err, 0, "%s", scenario->name);
        }
    }
    ekb_tls_config_destroy(server);
    ekb_tls_config_destroy(client);
    return err;
}

// The counting one.

#define MAX_RUNNING 8
#define LOOK_EVERY_NS (20 * EKB_NS_PER_MS)

// One run of the binary under callgrind.
struct count {
    pid_t pid; // 0: none.
    size_t scenario;
    enum ekb_count_part part;
    char *file;
};

struct counting {
    const char *binary;
    struct ekb_instructions *counts;
    char *directory; // Of the counted processes too: one that is killed leaves files.
    char *temporary; // TMPDIR=`directory`.
    char *preload;   // LD_PRELOAD=..., or NULL: counts will have some noise.
    struct count running[MAX_RUNNING];
    size_t max_running;
    size_t num_started; // Of EKB_NUM_COUNT_SCENARIOS * EKB_COUNT_NUM_PARTS.
    const volatile sig_atomic_t *stop;
};

// find_preload returns the setting that preloads the frozen library, or NULL if there is none.
static char *find_preload(void)
{
    static const char *const places[] = {FROZEN_LIBRARY, FROZEN_INSTALLED};
    char self[PATH_MAX];
    char *setting = NULL;
    const ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    self[len > 0 ? len : 0] = '\0';
    char *name = strrchr(self, '/');
    if (name == NULL) {
        return NULL;
    }
    name[1] = '\0';
    for (size_t i = 0; i < sizeof places / sizeof places[0] && setting == NULL; i++) {
        char path[PATH_MAX + 256];
        (void)snprintf(path, sizeof path, "%s%s", self, places[i]);
        if (access(path, R_OK) == 0 && asprintf(&setting, "LD_PRELOAD=%s", path) < 0) {
            setting = NULL;
        }
    }
    return setting;
}

// is_set is true if one of the first `num` variables has the same name as `setting`.
static bool is_set(char *const *variables, size_t num, const char *setting)
{
    const size_t len = strcspn(setting, "=") + 1;
    for (size_t i = 0; i < num; i++) {
        if (strncmp(variables[i], setting, len) == 0) {
            return true;
        }
    }
    return false;
}

// counted_environment returns the process's own with what is the counted one's in its place: what
// freezes it, and where its temporary files go. Free it.
static char **counted_environment(const struct counting *counting)
{
    size_t num = 0;
    EKB_CHECK(counting->temporary != NULL);
    while (environ[num] != NULL) {
        num++;
    }
    char **variables = calloc(num + 4, sizeof(char *));
    if (variables == NULL) {
        return NULL;
    }
    variables[0] = (char *)(uintptr_t)FROZEN_FEATURES;
    variables[1] = counting->temporary;
    variables[2] = counting->preload;
    const size_t num_ours = counting->preload != NULL ? 3 : 2;
    size_t num_variables = num_ours;
    for (size_t i = 0; i < num; i++) {
        // Of two with one name some programs take the first and some the last.
        if (!is_set(variables, num_ours, environ[i])) {
            variables[num_variables++] = environ[i];
        }
    }
    return variables;
}

static enum ekb_err spawn(struct count *count, const struct counting *counting, char **variables,
                          struct ekb_fail *reterr_fail)
{
    char toggle[96];
    char out[PATH_MAX + 64];
    char handshakes[32];
    (void)snprintf(toggle, sizeof toggle, "--toggle-collect=%s", parts[count->part].function);
    (void)snprintf(out, sizeof out, "--callgrind-out-file=%s", count->file);
    (void)snprintf(handshakes, sizeof handshakes, "%llu",
                   (unsigned long long)counting->counts->num_handshakes);
    const char *const words[] = {"valgrind",
                                 "--tool=callgrind",
                                 "--quiet",
                                 "--vgdb=no",
                                 out,
                                 toggle,
                                 counting->binary,
                                 "instructions",
                                 "--run",
                                 ekb_count_scenarios[count->scenario].name,
                                 "--handshakes",
                                 handshakes,
                                 "--part",
                                 parts[count->part].name,
                                 NULL};
    return ekb_process_start(&count->pid, words, variables, reterr_fail);
}

static enum ekb_err start_next(struct counting *counting, struct count *count,
                               struct ekb_fail *reterr_fail)
{
    char **variables = counted_environment(counting);
    count->scenario = counting->num_started / EKB_COUNT_NUM_PARTS;
    count->part = (enum ekb_count_part)(counting->num_started % EKB_COUNT_NUM_PARTS);
    counting->num_started++;
    if (variables == NULL ||
        asprintf(&count->file, "%s/%zu.out", counting->directory, counting->num_started) < 0) {
        count->file = NULL;
        free(variables);
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "instructions");
    }
    const enum ekb_err err = spawn(count, counting, variables, reterr_fail);
    free(variables);
    if (err != EKB_OK) {
        count->pid = 0;
    }
    return err;
}

// read_total reads the count out of callgrind's file.
static enum ekb_err read_total(uint64_t *out_total, const char *file, struct ekb_fail *reterr_fail)
{
    uint8_t *data = NULL;
    size_t data_len = 0;
    const enum ekb_err err = ekb_file_read(&data, &data_len, file, 64u << 20, reterr_fail);
    if (err != EKB_OK) {
        return err;
    }
    const char *line = strstr((const char *)data, "\ntotals: ");
    *out_total = line != NULL ? strtoull(line + strlen("\ntotals: "), NULL, 10) : 0;
    free(data);
    return line != NULL ? EKB_OK : ekb_fail_set(reterr_fail, EKB_PARSE, 0, "%s", file);
}

static enum ekb_err take_count(const struct counting *counting, const struct count *count,
                               int status, struct ekb_fail *reterr_fail)
{
    uint64_t total = 0;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        return ekb_fail_set(reterr_fail, EKB_UNSUPPORTED, 0, "%s cannot be run under valgrind (%s)",
                            counting->binary, ekb_count_scenarios[count->scenario].name);
    }
    const enum ekb_err err = read_total(&total, count->file, reterr_fail);
    if (err == EKB_OK && total == 0 && count->part != EKB_COUNT_VERIFY) {
        return ekb_fail_set(reterr_fail, EKB_UNSUPPORTED, 0,
                            "%s: the functions that are counted never run in it (%s)",
                            counting->binary, ekb_count_scenarios[count->scenario].name);
    }
    counting->counts->counts[count->scenario][count->part] =
        (double)total / (double)counting->counts->num_handshakes;
    return err;
}

static void forget(struct count *count)
{
    free(count->file);
    *count = (struct count){.pid = 0};
}

// look takes what has ended and starts what is next.
static enum ekb_err look(struct counting *counting, struct ekb_fail *reterr_fail)
{
    enum ekb_err err = EKB_OK;
    for (size_t i = 0; i < counting->max_running && err == EKB_OK; i++) {
        struct count *count = &counting->running[i];
        int status = 0;
        if (count->pid != 0 && waitpid(count->pid, &status, WNOHANG) == count->pid) {
            count->pid = 0;
            err = take_count(counting, count, status, reterr_fail);
            forget(count);
        }
        if (err == EKB_OK && count->pid == 0 &&
            counting->num_started < (size_t)EKB_NUM_COUNT_SCENARIOS * EKB_COUNT_NUM_PARTS) {
            err = start_next(counting, count, reterr_fail);
        }
    }
    return err;
}

static bool is_running(const struct counting *counting)
{
    for (size_t i = 0; i < counting->max_running; i++) {
        if (counting->running[i].pid != 0) {
            return true;
        }
    }
    return false;
}

static void end_all(struct counting *counting)
{
    for (size_t i = 0; i < counting->max_running; i++) {
        struct count *count = &counting->running[i];
        if (count->pid != 0) {
            (void)kill(count->pid, SIGKILL);
            (void)waitpid(count->pid, NULL, 0);
        }
        forget(count);
    }
}

static enum ekb_err make_directory(struct counting *counting, struct ekb_fail *reterr_fail)
{
    const enum ekb_err err = ekb_file_make_temporary(&counting->directory, reterr_fail);
    if (err == EKB_OK && asprintf(&counting->temporary, "TMPDIR=%s", counting->directory) < 0) {
        counting->temporary = NULL;
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "instructions");
    }
    return err;
}

enum ekb_err ekb_instructions_count(struct ekb_instructions *out_counts, const char *binary,
                                    uint64_t num_handshakes, const volatile sig_atomic_t *stop,
                                    struct ekb_fail *reterr_fail)
{
    int cpus[MAX_RUNNING];
    const int num_cpus = ekb_worker_cpus(cpus, MAX_RUNNING);
    const struct timespec pause = {.tv_nsec = (long)LOOK_EVERY_NS};
    struct counting counting = {.binary = binary, .counts = out_counts, .stop = stop};
    *out_counts = (struct ekb_instructions){.num_handshakes = num_handshakes};
    counting.max_running = num_cpus < 1             ? 1
                           : num_cpus > MAX_RUNNING ? MAX_RUNNING
                                                    : (size_t)num_cpus;
    enum ekb_err err = make_directory(&counting, reterr_fail);
    if (err == EKB_OK) {
        counting.preload = find_preload();
        out_counts->is_frozen = counting.preload != NULL;
        err = look(&counting, reterr_fail);
    }
    while (err == EKB_OK && is_running(&counting)) {
        (void)nanosleep(&pause, NULL);
        err = stop != NULL && *stop != 0
                  ? ekb_fail_set(reterr_fail, EKB_STOPPED, 0, "counting instructions")
                  : look(&counting, reterr_fail);
    }
    end_all(&counting);
    free(counting.preload);
    if (counting.directory != NULL) {
        ekb_file_remove_tree(counting.directory);
    }
    free(counting.temporary);
    free(counting.directory);
    return err;
}
