#include "ekubench/peer/pin.h"

#include "ekubench/peer/worker.h"

#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// What a worker can be pinned to.
#define MAX_CPU (CPU_SETSIZE - 1)

// parse_cpu reads the number in `text[0..text_len)`.
static bool parse_cpu(uint64_t *out_cpu, const char *text, size_t text_len)
{
    // Four digits are enough, and what follows is none.
    if (text_len == 0 || text_len > 4 || strspn(text, "0123456789") < text_len) {
        return false;
    }
    *out_cpu = strtoul(text, NULL, 10);
    return *out_cpu <= (uint64_t)MAX_CPU;
}

// parse_range reads "3" or "2-5" in `text[0..text_len)`.
static bool parse_range(uint64_t *out_first, uint64_t *out_last, const char *text, size_t text_len)
{
    const char *dash = memchr(text, '-', text_len);
    if (dash == NULL) {
        const bool is_number = parse_cpu(out_first, text, text_len);
        *out_last = *out_first;
        return is_number;
    }
    const size_t first_len = (size_t)(dash - text);
    return parse_cpu(out_first, text, first_len) &&
           parse_cpu(out_last, dash + 1, text_len - first_len - 1) && *out_first <= *out_last;
}

enum ekb_err ekb_pin_parse(struct ekb_pin *out_pin, const char *text, struct ekb_fail *reterr_fail)
{
    struct ekb_pin pin = {.mode = EKB_PIN_LIST};
    if (strcmp(text, "auto") == 0 || strcmp(text, "off") == 0) {
        *out_pin = (struct ekb_pin){.mode = text[0] == 'a' ? EKB_PIN_AUTO : EKB_PIN_OFF};
        return EKB_OK;
    }
    const char *range = text;
    for (;;) {
        const size_t range_len = strcspn(range, ",");
        uint64_t first = 0;
        uint64_t last = 0;
        if (!parse_range(&first, &last, range, range_len)) {
            return ekb_fail_set(reterr_fail, EKB_USAGE, 0,
                                "\"%s\": auto, off or a list of CPUs such as 0,2-5 is wanted",
                                text);
        }
        if (last - first >= EKB_PIN_MAX_CPUS - pin.num_cpus) {
            return ekb_fail_set(reterr_fail, EKB_USAGE, 0, "\"%s\": at most %d CPUs", text,
                                EKB_PIN_MAX_CPUS);
        }
        for (uint64_t cpu = first; cpu <= last; cpu++) {
            pin.cpus[pin.num_cpus++] = (int)cpu;
        }
        if (range[range_len] == '\0') {
            break;
        }
        range += range_len + 1;
    }
    *out_pin = pin;
    return EKB_OK;
}

static bool is_among(int cpu, const int *allowed, size_t num_allowed)
{
    for (size_t i = 0; i < num_allowed; i++) {
        if (allowed[i] == cpu) {
            return true;
        }
    }
    return false;
}

enum ekb_err ekb_pin_check_among(const struct ekb_pin *pin, const int *allowed, size_t num_allowed,
                                 int num_configured, struct ekb_fail *reterr_fail)
{
    for (size_t i = 0; i < pin->num_cpus; i++) {
        const int cpu = pin->cpus[i];
        if (is_among(cpu, allowed, num_allowed)) {
            continue;
        }
        if (cpu >= num_configured) {
            return ekb_fail_set(reterr_fail, EKB_USAGE, 0,
                                "there is no CPU %d here, the last one is %d", cpu,
                                num_configured - 1);
        }
        return ekb_fail_set(reterr_fail, EKB_USAGE, 0,
                            "CPU %d is not one of those that this process may use (taskset and "
                            "control groups say which)",
                            cpu);
    }
    return EKB_OK;
}

enum ekb_err ekb_pin_check(const struct ekb_pin *pin, struct ekb_fail *reterr_fail)
{
    int allowed[MAX_CPU + 1];
    const int num_allowed = ekb_worker_cpus(allowed, MAX_CPU + 1);
    return ekb_pin_check_among(pin, allowed, (size_t)num_allowed,
                               (int)sysconf(_SC_NPROCESSORS_CONF), reterr_fail);
}

enum ekb_err ekb_pin_choose(int *out_cpus, size_t num_workers, const struct ekb_pin *pin,
                            const int *allowed, size_t num_allowed, size_t num_spared,
                            struct ekb_fail *reterr_fail)
{
    const bool listed = pin->mode == EKB_PIN_LIST;
    const bool enough = pin->mode == EKB_PIN_AUTO && num_allowed >= num_spared + num_workers;
    if (listed && pin->num_cpus < num_workers) {
        return ekb_fail_set(reterr_fail, EKB_USAGE, 0,
                            "%zu CPU%s named for %zu workers; name one for each (the same one "
                            "again, if they shall share it)",
                            pin->num_cpus, pin->num_cpus == 1 ? " is" : "s are", num_workers);
    }
    for (size_t i = 0; i < num_workers; i++) {
        out_cpus[i] = EKB_WORKER_UNPINNED;
        if (listed) {
            out_cpus[i] = pin->cpus[i];
        } else if (enough) {
            out_cpus[i] = allowed[num_spared + i];
        }
    }
    return EKB_OK;
}
