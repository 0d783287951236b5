#include "ekubench/lab/doctor.h"

#include "ekubench/base/clock.h"
#include "ekubench/base/err.h"
#include "ekubench/base/units.h"
#include "ekubench/io/loop.h"
#include "ekubench/io/net.h"
#include "ekubench/lab/host.h"
#include "ekubench/lab/plan.h"
#include "ekubench/lab/preflight.h"
#include "ekubench/lab/stage.h"
#include "ekubench/peer/worker.h"
#include "lab/staging.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

// What the default load (2,000 in flight) needs, with room: connections, and ports for one source
// address.
#define WANTED_DESCRIPTORS 8192
// What the load stage of the built-in plans opens: room for twice its connections.
#define NEEDED_DESCRIPTORS (2 * EKB_PLAN_DEFAULT_IN_FLIGHT + 384)
#define WANTED_PORTS 8000
#define WANTED_BACKLOG 4096
#define WANTED_MEMORY (UINT64_C(1) << 30)
#define MANY_IN_FLIGHT 20000
#define WATCH_NS EKB_NS_PER_S
#define NOTABLE_STEAL_PERCENT 1.0
#define BAD_STEAL_PERCENT 5.0
#define BAD_WORK_PERCENT 5.0

struct examination {
    struct ekb_doctor_finding *findings;
    size_t num_findings;
    struct ekb_record record; // Only its host and build blocks.
};

static void find(struct examination *exam, const char *check, enum ekb_doctor_level level,
                 const char *advice, const char *format, ...) EKB_PRINTF(5, 6);

static void find(struct examination *exam, const char *check, enum ekb_doctor_level level,
                 const char *advice, const char *format, ...)
{
    EKB_CHECK(exam->num_findings < EKB_DOCTOR_MAX_FINDINGS);
    struct ekb_doctor_finding *finding = &exam->findings[exam->num_findings++];
    va_list args;
    *finding = (struct ekb_doctor_finding){.check = check, .level = level};
    va_start(args, format);
    (void)vsnprintf(finding->found, sizeof finding->found, format, args);
    va_end(args);
    if (level != EKB_DOCTOR_OK) {
        (void)snprintf(finding->advice, sizeof finding->advice, "%s", advice);
    }
}

static void examine_ring(struct examination *exam)
{
    const struct ekb_loop_options options = {.num_submissions = 4096, .num_completions = 16384};
    struct ekb_loop *loop = NULL;
    struct ekb_fail fail;
    if (ekb_loop_create(&loop, &options, &fail) != EKB_OK) {
        find(exam, "io_uring", EKB_DOCTOR_FAIL, fail.detail, "refused: %s",
             strerror(fail.sys_errno));
        return;
    }
    const char *setup = ekb_loop_setup_text(loop);
    const bool best = strncmp(setup, "single-issuer", 13) == 0;
    find(exam, "io_uring", best ? EKB_DOCTOR_OK : EKB_DOCTOR_NOTE, "Linux 6.1 or newer does better",
         "%s", setup);
    ekb_loop_destroy(loop);
}

static void examine_cpus(struct examination *exam)
{
    const int count = ekb_worker_cpus(NULL, 0);
    find(exam, "CPUs", count >= 2 ? EKB_DOCTOR_OK : EKB_DOCTOR_FAIL,
         "client and server need a CPU each; give this machine or container two", "%d usable: %s",
         count, exam->record.host.cpu_model);
}

// The columns of /proc/stat, as far as they matter; after them comes steal.
enum {
    COLUMN_IDLE = 3,
    COLUMN_IOWAIT = 4,
    NUM_COLUMNS = 7
};

// read_first_line is true if `path` has a first line and it begins with `begin`.
static bool read_first_line(char *out_line, size_t line_len, const char *path, const char *begin)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    const char *read_line = fgets(out_line, (int)line_len, file);
    (void)fclose(file);
    return read_line != NULL && strncmp(out_line, begin, strlen(begin)) == 0;
}

// read_cpu_ticks reads what all CPUs together did since boot; false if it cannot.
static bool read_cpu_ticks(struct ekb_doctor_reading *reading)
{
    char line[512];
    if (!read_first_line(line, sizeof line, "/proc/stat", "cpu ")) {
        return false;
    }
    char *position = line + strlen("cpu ");
    for (int column = 0; column < NUM_COLUMNS; column++) {
        const uint64_t ticks = strtoull(position, &position, 10);
        const bool busy = column != COLUMN_IDLE && column != COLUMN_IOWAIT;
        reading->total_ticks += ticks;
        reading->busy_ticks += busy ? ticks : 0;
    }
    return true;
}

// read_waiting reads for how long some process has waited for a CPU; false if it cannot.
static bool read_waiting(struct ekb_doctor_reading *reading)
{
    char line[256];
    const bool found = read_first_line(line, sizeof line, "/proc/pressure/cpu", "some ");
    const char *total = found ? strstr(line, "total=") : NULL;
    if (total == NULL) {
        return false;
    }
    reading->waiting_us = strtoull(total + strlen("total="), NULL, 10);
    return true;
}

static void read_work(struct ekb_doctor_reading *out_reading)
{
    struct timespec own;
    *out_reading = (struct ekb_doctor_reading){0};
    EKB_CHECK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &own) == 0);
    out_reading->known = read_cpu_ticks(out_reading);
    out_reading->waiting_known = read_waiting(out_reading);
    out_reading->own_ns = (uint64_t)own.tv_sec * EKB_NS_PER_S + (uint64_t)own.tv_nsec;
    out_reading->at_ns = ekb_clock_now_ns();
}

// grown returns by how much a counter grew; those of CPUs are known to go back by a tick at times.
static double grown(uint64_t before, uint64_t after)
{
    return after > before ? (double)(after - before) : 0;
}

// busy_percent returns the share of all CPUs that was busy with anything but this process.
static double busy_percent(const struct ekb_doctor_reading *before,
                           const struct ekb_doctor_reading *after, uint64_t ns_per_tick)
{
    const double total = grown(before->total_ticks, after->total_ticks);
    const double own = grown(before->own_ns, after->own_ns) / (double)ns_per_tick;
    const double others = grown(before->busy_ticks, after->busy_ticks) - own;
    return others > 0 ? 100.0 * others / total : 0;
}

// waiting_percent returns for what share of the time some process waited for a CPU.
static double waiting_percent(const struct ekb_doctor_reading *before,
                              const struct ekb_doctor_reading *after)
{
    return 100.0 * grown(before->waiting_us, after->waiting_us) * (double)EKB_NS_PER_US /
           grown(before->at_ns, after->at_ns);
}

void ekb_doctor_judge_other_work(struct ekb_doctor_finding *out_finding,
                                 const struct ekb_doctor_reading *before,
                                 const struct ekb_doctor_reading *after, uint64_t ns_per_tick)
{
    struct examination exam = {.findings = out_finding};
    if (!before->known || !after->known || after->total_ticks <= before->total_ticks ||
        after->at_ns <= before->at_ns) {
        find(&exam, "other work", EKB_DOCTOR_NOTE,
             "/proc/stat cannot be read; what else takes the CPUs goes unnoticed", "unknown");
        return;
    }
    const bool waiting_known = before->waiting_known && after->waiting_known;
    const double busy = busy_percent(before, after, ns_per_tick);
    const double waiting = waiting_known ? waiting_percent(before, after) : 0;
    char waited[80] = "";
    if (waiting_known) {
        (void)snprintf(waited, sizeof waited, "; for %.1f %% of it something waited for one",
                       waiting);
    }
    const bool much = busy > BAD_WORK_PERCENT || waiting > BAD_WORK_PERCENT;
    find(&exam, "other work", much ? EKB_DOCTOR_WARN : EKB_DOCTOR_OK,
         "stop what else runs here (top shows it), or wait until it has ended: what it disturbs is "
         "left out, and too much of that makes a run invalid",
         "%.1f %% of the CPUs in the last second%s", busy, waited);
}

// What is watched for a while: it takes a reading at either end of it.
struct watch {
    bool ticks_known;
    struct ekb_host_ticks ticks[2];
    struct ekb_doctor_reading work[2];
};

static void watch_machine(struct watch *out_watch)
{
    const struct timespec time = {.tv_sec = (time_t)(WATCH_NS / EKB_NS_PER_S)};
    *out_watch = (struct watch){0};
    const bool begun = ekb_host_read_ticks(&out_watch->ticks[0]);
    read_work(&out_watch->work[0]);
    const bool slept = nanosleep(&time, NULL) == 0;
    read_work(&out_watch->work[1]);
    out_watch->ticks_known = begun && slept && ekb_host_read_ticks(&out_watch->ticks[1]);
}

static void examine_steal(struct examination *exam, const struct watch *watch)
{
    if (!watch->ticks_known) {
        find(exam, "steal", EKB_DOCTOR_NOTE,
             "/proc/stat cannot be read; a noisy host goes unnoticed", "unknown");
        return;
    }
    const double now = ekb_host_steal_percent(&watch->ticks[0], &watch->ticks[1]);
    const struct ekb_host_ticks boot = {0};
    const double since_boot = ekb_host_steal_percent(&boot, &watch->ticks[1]);
    enum ekb_doctor_level level = EKB_DOCTOR_OK;
    if (now > BAD_STEAL_PERCENT) {
        level = EKB_DOCTOR_WARN;
    } else if (now > NOTABLE_STEAL_PERCENT || since_boot > NOTABLE_STEAL_PERCENT) {
        level = EKB_DOCTOR_NOTE;
    }
    find(exam, "steal", level,
         "the host is shared and takes time away: arms are interleaved against it, longer plans "
         "help",
         "%.1f %% in the last second, %.1f %% since boot", now, since_boot);
}

static void examine_other_work(struct examination *exam, const struct watch *watch)
{
    const long ticks_per_s = sysconf(_SC_CLK_TCK);
    EKB_CHECK(ticks_per_s > 0);
    EKB_CHECK(exam->num_findings < EKB_DOCTOR_MAX_FINDINGS);
    ekb_doctor_judge_other_work(&exam->findings[exam->num_findings++], &watch->work[0],
                                &watch->work[1], EKB_NS_PER_S / (uint64_t)ticks_per_s);
}

static void examine_descriptors(struct examination *exam)
{
    struct rlimit limit;
    EKB_CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    enum ekb_doctor_level level = EKB_DOCTOR_OK;
    if (limit.rlim_max < NEEDED_DESCRIPTORS) {
        level = EKB_DOCTOR_FAIL;
    } else if (limit.rlim_max < WANTED_DESCRIPTORS) {
        level = EKB_DOCTOR_WARN;
    }
    find(exam, "open files", level,
         "raise the hard limit (ulimit -Hn), or load with fewer connections in flight",
         "%llu now, up to %llu allowed", (unsigned long long)limit.rlim_cur,
         (unsigned long long)limit.rlim_max);
}

static void examine_ports(struct examination *exam)
{
    uint32_t low = 0;
    uint32_t high = 0;
    if (!ekb_net_port_range(&low, &high)) {
        find(exam, "ports", EKB_DOCTOR_NOTE, "the range of ephemeral ports cannot be read",
             "unknown");
        return;
    }
    find(exam, "ports", high - low >= WANTED_PORTS ? EKB_DOCTOR_OK : EKB_DOCTOR_WARN,
         "widen net.ipv4.ip_local_port_range", "%u to %u: %u for each server address", low, high,
         high - low + 1);
}

static void examine_backlog(struct examination *exam)
{
    const uint64_t backlog = exam->record.host.somaxconn;
    find(exam, "accept queue", backlog >= WANTED_BACKLOG ? EKB_DOCTOR_OK : EKB_DOCTOR_WARN,
         "raise net.core.somaxconn: bursts of connections will be dropped and look like seconds of "
         "latency",
         "net.core.somaxconn = %llu", (unsigned long long)backlog);
}

// examine_conntrack looks whether connection tracking, which a load of connections fills, is
// loaded.
static void examine_conntrack(struct examination *exam)
{
    unsigned long long count = 0;
    unsigned long long max = 0;
    FILE *count_file = fopen("/proc/sys/net/netfilter/nf_conntrack_count", "re");
    FILE *max_file = fopen("/proc/sys/net/netfilter/nf_conntrack_max", "re");
    char line[64];
    if (count_file != NULL && fgets(line, sizeof line, count_file) != NULL) {
        count = strtoull(line, NULL, 10);
    }
    if (max_file != NULL && fgets(line, sizeof line, max_file) != NULL) {
        max = strtoull(line, NULL, 10);
    }
    if (count_file != NULL) {
        (void)fclose(count_file);
    }
    if (max_file != NULL) {
        (void)fclose(max_file);
    }
    if (max == 0) {
        find(exam, "conntrack", EKB_DOCTOR_OK, "", "not loaded");
        return;
    }
    find(exam, "conntrack", count * 2 < max ? EKB_DOCTOR_OK : EKB_DOCTOR_WARN,
         "raise net.netfilter.nf_conntrack_max or exempt loopback: new connections are dropped "
         "when it is full",
         "%llu of %llu entries used", count, max);
}

// examine_many makes the checks that precede a run with 20,000 in flight, with as many workers of
// either side as it takes.
static void examine_many(struct examination *exam)
{
    static const char *const checks[EKB_PREFLIGHT_NUM_CHECKS] = {
        "20k: open files", "20k: ports", "20k: accept queue", "20k: conntrack"};
    struct ekb_preflight_finding found[EKB_PREFLIGHT_NUM_CHECKS];
    struct ekb_preflight_limits limits;
    ekb_preflight_read_limits(&limits);
    for (uint32_t count = 1; count <= EKB_STAGE_MAX_WORKERS; count++) {
        const struct ekb_plan_settings settings = {
            .in_flight = MANY_IN_FLIGHT, .server_workers = count, .client_workers = count};
        struct ekb_plan plan;
        EKB_CHECK(ekb_plan_builtin(&plan, EKB_PLAN_LOAD, &settings) == EKB_OK);
        const struct ekb_preflight_load load = ekb_staging_needs(&plan.stages[0]);
        ekb_preflight_check(found, &load, &limits);
        if (found[0].level == EKB_PREFLIGHT_OK) {
            break;
        }
    }
    for (size_t i = 0; i < EKB_PREFLIGHT_NUM_CHECKS; i++) {
        find(exam, checks[i], found[i].level == EKB_PREFLIGHT_OK ? EKB_DOCTOR_OK : EKB_DOCTOR_NOTE,
             found[i].advice, "%s", found[i].found);
    }
}

static void examine_clock(struct examination *exam)
{
    const char *source = exam->record.host.clocksource;
    const bool fast = strcmp(source, "tsc") == 0 || strcmp(source, "kvm-clock") == 0 ||
                      strcmp(source, "arch_sys_counter") == 0 ||
                      strcmp(source, "hyperv_clocksource") == 0;
    enum {
        READS = 10000
    };
    const uint64_t begin_ns = ekb_clock_now_ns();
    for (int i = 0; i < READS; i++) {
        (void)ekb_clock_now_ns();
    }
    const double cost_ns = (double)(ekb_clock_now_ns() - begin_ns) / READS;
    find(exam, "clock", fast && cost_ns < 200 ? EKB_DOCTOR_OK : EKB_DOCTOR_WARN,
         "reading the clock is slow here (a system call each time) and adds to every step",
         "%s, %.0f ns a read", source[0] != '\0' ? source : "unknown", cost_ns);
}

static void examine_counters(struct examination *exam)
{
    struct perf_event_attr attributes = {.type = PERF_TYPE_HARDWARE,
                                         .size = sizeof attributes,
                                         .config = PERF_COUNT_HW_INSTRUCTIONS,
                                         .exclude_kernel = 1,
                                         .exclude_hv = 1};
    const long fd = syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0UL);
    if (fd >= 0) {
        (void)close((int)fd);
        find(exam, "CPU counters", EKB_DOCTOR_OK, "", "available");
    } else {
        find(exam, "CPU counters", EKB_DOCTOR_NOTE, "nothing here depends on them",
             "not available (%s)", strerror(errno));
    }
}

static void examine_congestion(struct examination *exam)
{
    const char *control = exam->record.host.congestion_control;
    find(exam, "congestion control", strcmp(control, "bbr") == 0 ? EKB_DOCTOR_NOTE : EKB_DOCTOR_OK,
         "bbr paces what it sends; on loopback the effect is small", "%s",
         control[0] != '\0' ? control : "unknown");
}

static void examine_memory(struct examination *exam)
{
    char text[EKB_UNITS_TEXT_LEN];
    const uint64_t bytes = exam->record.host.memory_bytes;
    find(exam, "memory", bytes >= WANTED_MEMORY ? EKB_DOCTOR_OK : EKB_DOCTOR_WARN,
         "load with fewer connections in flight", "%s",
         ekb_units_format_bytes(text, (double)bytes));
}

static void examine_library(struct examination *exam)
{
    const bool assembly = exam->record.build.boringssl_assembly;
    find(exam, "BoringSSL", assembly ? EKB_DOCTOR_OK : EKB_DOCTOR_WARN,
         "built without assembly: P-256 is several times slower than it should be",
         "%.12s, API %llu, %s assembly", exam->record.build.boringssl_revision,
         (unsigned long long)exam->record.build.boringssl_api_version,
         assembly ? "with" : "without");
}

size_t ekb_doctor_examine(struct ekb_doctor_finding out_findings[EKB_DOCTOR_MAX_FINDINGS])
{
    struct examination exam = {.findings = out_findings};
    struct watch watch;
    ekb_host_describe(&exam.record);
    examine_ring(&exam);
    examine_cpus(&exam);
    watch_machine(&watch);
    examine_steal(&exam, &watch);
    examine_other_work(&exam, &watch);
    examine_descriptors(&exam);
    examine_ports(&exam);
    examine_backlog(&exam);
    examine_conntrack(&exam);
    examine_many(&exam);
    examine_clock(&exam);
    examine_counters(&exam);
    examine_congestion(&exam);
    examine_memory(&exam);
    examine_library(&exam);
    return exam.num_findings;
}

enum ekb_doctor_level ekb_doctor_worst(const struct ekb_doctor_finding *findings,
                                       size_t num_findings)
{
    enum ekb_doctor_level worst = EKB_DOCTOR_OK;
    for (size_t i = 0; i < num_findings; i++) {
        worst = findings[i].level > worst ? findings[i].level : worst;
    }
    return worst;
}

const char *ekb_doctor_level_name(enum ekb_doctor_level level)
{
    static const char *const names[] = {"ok", "note", "warn", "fail"};
    return names[level];
}
