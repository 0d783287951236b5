#include "ekubench/lab/host.h"

#include "ekubench/tls/config.h"
#include "ekubench_build.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

bool ekb_host_read_ticks(struct ekb_host_ticks *out_ticks)
{
    char line[512];
    FILE *file = fopen("/proc/stat", "re");
    if (file == NULL) {
        return false;
    }
    const char *read_line = fgets(line, sizeof line, file);
    (void)fclose(file);
    if (read_line == NULL || strncmp(line, "cpu ", 4) != 0) {
        return false;
    }
    // user nice system idle iowait irq softirq steal; guest time is part of user time already.
    char *position = line + 4;
    struct ekb_host_ticks ticks = {0};
    for (int field = 0; field < 8; field++) {
        const uint64_t value = strtoull(position, &position, 10);
        ticks.total += value;
        ticks.steal = value;
    }
    *out_ticks = ticks;
    return true;
}

double ekb_host_steal_percent(const struct ekb_host_ticks *before,
                              const struct ekb_host_ticks *after)
{
    const uint64_t total = after->total - before->total;
    return total == 0 ? 0.0 : 100.0 * (double)(after->steal - before->steal) / (double)total;
}

// read_line reads the first line of `path` into `out_text`, without the line's end.
static void read_line(char *out_text, size_t text_len, const char *path)
{
    FILE *file = fopen(path, "re");
    out_text[0] = '\0';
    if (file != NULL) {
        if (fgets(out_text, (int)text_len, file) == NULL) {
            out_text[0] = '\0';
        }
        (void)fclose(file);
    }
    out_text[strcspn(out_text, "\n")] = '\0';
    for (char *c = out_text; *c != '\0'; c++) {
        if (*c == '\t') {
            *c = ' ';
        }
    }
}

// read_cpu reads the model's name and whether the CPU says that it is virtual.
static void read_cpu(struct ekb_record *record)
{
    char line[4096];
    FILE *file = fopen("/proc/cpuinfo", "re");
    if (file == NULL) {
        return;
    }
    while (fgets(line, sizeof line, file) != NULL) {
        const char *value = strchr(line, ':');
        if (value == NULL) {
            continue;
        }
        value += strspn(value, ": \t");
        if (strncmp(line, "model name", 10) == 0 && record->host.cpu_model[0] == '\0') {
            (void)snprintf(record->host.cpu_model, sizeof record->host.cpu_model, "%.*s",
                           (int)strcspn(value, "\n"), value);
        } else if (strncmp(line, "flags", 5) == 0) {
            record->host.virtual_machine_known = true;
            record->host.virtual_machine = strstr(value, " hypervisor") != NULL;
            break;
        }
    }
    (void)fclose(file);
}

uint64_t ekb_host_read_number(const char *path)
{
    char text[64];
    read_line(text, sizeof text, path);
    return strtoull(text, NULL, 10);
}

static void describe_build(struct ekb_record *record)
{
    EKB_RECORD_COPY(record->build.version, EKB_BUILD_VERSION);
    EKB_RECORD_COPY(record->build.git, EKB_BUILD_GIT);
    EKB_RECORD_COPY(record->build.compiler, EKB_BUILD_COMPILER);
    EKB_RECORD_COPY(record->build.flags, EKB_BUILD_FLAGS);
    EKB_RECORD_COPY(record->build.build_type, EKB_BUILD_TYPE);
    EKB_RECORD_COPY(record->build.boringssl_revision, EKB_BUILD_BORINGSSL_REVISION);
    EKB_RECORD_COPY(record->build.liburing, EKB_BUILD_LIBURING_VERSION);
    EKB_RECORD_COPY(record->build.hdr_histogram, EKB_BUILD_HDR_VERSION);
    EKB_RECORD_COPY(record->build.jansson, EKB_BUILD_JANSSON_VERSION);
    EKB_RECORD_COPY(record->build.zlib, EKB_BUILD_ZLIB_VERSION);
    EKB_RECORD_COPY(record->build.criterion, EKB_BUILD_CRITERION_VERSION);
    record->build.boringssl_api_version = ekb_tls_library_api();
    record->build.boringssl_assembly_known = true;
    record->build.boringssl_assembly = strcmp(EKB_BUILD_BORINGSSL_ASM, "1") == 0;
}

void ekb_host_describe(struct ekb_record *record)
{
    struct utsname name;
    struct rlimit descriptors;
    describe_build(record);
    if (uname(&name) == 0) {
        (void)snprintf(record->host.kernel, sizeof record->host.kernel, "%.20s %.64s", name.sysname,
                       name.release);
    }
    read_cpu(record);
    read_line(record->host.clocksource, sizeof record->host.clocksource,
              "/sys/devices/system/clocksource/clocksource0/current_clocksource");
    read_line(record->host.congestion_control, sizeof record->host.congestion_control,
              "/proc/sys/net/ipv4/tcp_congestion_control");
    read_line(record->host.port_range, sizeof record->host.port_range,
              "/proc/sys/net/ipv4/ip_local_port_range");
    record->host.somaxconn = ekb_host_read_number("/proc/sys/net/core/somaxconn");
    record->host.cpus = (uint64_t)sysconf(_SC_NPROCESSORS_ONLN);
    record->host.memory_bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    if (getrlimit(RLIMIT_NOFILE, &descriptors) == 0) {
        record->host.descriptors_limit = descriptors.rlim_max;
    }
}
