#include "stat/merge_internal.h"

#include "ekubench/base/units.h"

#include <stdlib.h>
#include <string.h>

// Loads are of one time if they began within this share of the shortest one's measured time: then
// nearly all of what each measured was measured while all ran.
#define MAX_SKEW_SHARE 10

static struct ekb_record_part part_of(const struct ekb_record *record)
{
    struct ekb_record_part part = {.duration_ns = record->duration_ns,
                                   .seed = record->plan.seed,
                                   .client_workers = record->plan.client_workers,
                                   .clean = ekb_record_is_clean(record),
                                   .cpus = record->host.cpus,
                                   .memory_bytes = record->host.memory_bytes};
    EKB_RECORD_COPY(part.kind, record->kind);
    EKB_RECORD_COPY(part.started_at, record->started_at);
    EKB_RECORD_COPY(part.version, record->build.version);
    EKB_RECORD_COPY(part.git, record->build.git);
    EKB_RECORD_COPY(part.kernel, record->host.kernel);
    EKB_RECORD_COPY(part.cpu_model, record->host.cpu_model);
    for (size_t i = 0; i < record->num_arms; i++) {
        part.started += record->arms[i].client.started;
    }
    return part;
}

static void add(struct merge_list *list, const char *label, const struct ekb_record_part *part)
{
    list->labels[list->num] = label;
    list->parts[list->num++] = *part;
}

static enum ekb_err fill(struct merge_list *list, const struct ekb_merge_part *parts,
                         size_t num_parts)
{
    size_t num = 0;
    for (size_t i = 0; i < num_parts; i++) {
        num += parts[i].record->num_parts > 0 ? parts[i].record->num_parts : 1;
    }
    list->parts = calloc(num + 1, sizeof list->parts[0]);
    list->labels = calloc(num + 1, sizeof list->labels[0]);
    if (list->parts == NULL || list->labels == NULL) {
        return EKB_NOMEM;
    }
    for (size_t i = 0; i < num_parts; i++) {
        const struct ekb_record *record = parts[i].record;
        const struct ekb_record_part own = part_of(record);
        for (size_t j = 0; j < record->num_parts; j++) {
            add(list, parts[i].label, &record->parts[j]);
        }
        if (record->num_parts == 0) {
            add(list, parts[i].label, &own);
        }
    }
    return EKB_OK;
}

// Time.

// find_span finds when they ran. It returns how many can be read, from the first: all of them, or
// the position of one that does not say when it began.
static size_t find_span(struct merge_list *list)
{
    list->first_start_ms = UINT64_MAX;
    for (size_t i = 0; i < list->num; i++) {
        const struct ekb_record_part *part = &list->parts[i];
        uint64_t start = 0;
        if (ekb_units_parse_instant(&start, part->started_at) != EKB_OK) {
            return i;
        }
        const uint64_t end = start + part->duration_ns / 1000000;
        list->first = start < list->first_start_ms ? i : list->first;
        list->first_start_ms = start < list->first_start_ms ? start : list->first_start_ms;
        list->last_start_ms = start > list->last_start_ms ? start : list->last_start_ms;
        list->last_end_ms = end > list->last_end_ms ? end : list->last_end_ms;
    }
    return list->num;
}

static enum ekb_err refuse_timeless(const struct merge_list *list, size_t position,
                                    struct ekb_fail *reterr_fail)
{
    char label[200];
    return ekb_fail_set(reterr_fail, EKB_USAGE, 0,
                        "they do not merge: %s does not say when it began (its started_at is "
                        "\"%s\")",
                        merge_shorten(label, sizeof label, list->labels[position]),
                        list->parts[position].started_at);
}

static uint64_t measured_of(const struct ekb_record *record)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < record->plan.num_stages; i++) {
        sum += record->plan.stages[i].duration_ns;
    }
    return sum;
}

// times_of tells whether all were under way together, of which each measured `measured_ns` at
// least.
static enum merge_times times_of(const struct merge_list *list, uint64_t measured_ns)
{
    uint64_t shortest_ns = measured_ns;
    for (size_t i = 0; i < list->num; i++) {
        const struct ekb_record_part *part = &list->parts[i];
        shortest_ns = part->duration_ns < shortest_ns ? part->duration_ns : shortest_ns;
        if (strcmp(part->kind, "load") != 0) {
            return MERGE_APART;
        }
    }
    const uint64_t skew_ms = list->last_start_ms - list->first_start_ms;
    return shortest_ns > 0 && skew_ms <= shortest_ns / 1000000 / MAX_SKEW_SHARE ? MERGE_TOGETHER
                                                                                : MERGE_APART;
}

// Refusals.

static bool is_same_run(const struct ekb_record_part *a, const struct ekb_record_part *b)
{
    return strcmp(a->started_at, b->started_at) == 0 && a->duration_ns == b->duration_ns &&
           a->seed == b->seed && a->started == b->started &&
           a->client_workers == b->client_workers && a->cpus == b->cpus &&
           a->memory_bytes == b->memory_bytes && strcmp(a->kernel, b->kernel) == 0 &&
           strcmp(a->cpu_model, b->cpu_model) == 0 && strcmp(a->git, b->git) == 0;
}

static enum ekb_err refuse_twice(const struct merge_list *list, struct ekb_fail *reterr_fail)
{
    for (size_t i = 0; i < list->num; i++) {
        for (size_t j = 0; j < i; j++) {
            if (is_same_run(&list->parts[i], &list->parts[j])) {
                char labels[2][150];
                return ekb_fail_set(reterr_fail, EKB_USAGE, 0,
                                    "they do not merge: %s and %s have the same run, that of %s "
                                    "with seed %llu; it would count twice",
                                    merge_shorten(labels[0], sizeof labels[0], list->labels[j]),
                                    merge_shorten(labels[1], sizeof labels[1], list->labels[i]),
                                    list->parts[i].started_at,
                                    (unsigned long long)list->parts[i].seed);
            }
        }
    }
    return EKB_OK;
}

// refuse_mixed refuses a part that is itself merged from loads of one time, of which the rates are
// added already, if not all are of that time: all at once they would merge in another way.
static enum ekb_err refuse_mixed(const struct ekb_merge_part *parts, size_t num_parts,
                                 struct ekb_fail *reterr_fail)
{
    for (size_t i = 0; i < num_parts; i++) {
        const struct ekb_record *record = parts[i].record;
        struct merge_list list = {.parts = record->parts, .num = record->num_parts};
        char label[200];
        if (record->num_parts > 1 && find_span(&list) == list.num &&
            times_of(&list, measured_of(record)) == MERGE_TOGETHER) {
            return ekb_fail_set(reterr_fail, EKB_USAGE, 0,
                                "they do not merge: %s is merged from loads at one time, and the "
                                "others are not of that time; merge its parts themselves",
                                merge_shorten(label, sizeof label, parts[i].label));
        }
    }
    return EKB_OK;
}

enum ekb_err merge_list_make(struct merge_list *out_list, const struct ekb_merge_part *parts,
                             size_t num_parts, struct ekb_fail *reterr_fail)
{
    struct merge_list list = {.num = 0};
    uint64_t measured_ns = UINT64_MAX;
    enum ekb_err err = fill(&list, parts, num_parts);
    if (err != EKB_OK) {
        (void)ekb_fail_set(reterr_fail, err, 0, "merged result");
        merge_list_deinit(&list);
        return err;
    }
    const size_t num_readable = find_span(&list);
    if (num_readable < list.num) {
        err = refuse_timeless(&list, num_readable, reterr_fail);
    }
    if (err == EKB_OK) {
        err = refuse_twice(&list, reterr_fail);
    }
    for (size_t i = 0; i < num_parts; i++) {
        const uint64_t its_ns = measured_of(parts[i].record);
        measured_ns = its_ns < measured_ns ? its_ns : measured_ns;
    }
    if (err == EKB_OK) {
        list.times = times_of(&list, measured_ns);
    }
    if (err == EKB_OK && list.times == MERGE_APART) {
        err = refuse_mixed(parts, num_parts, reterr_fail);
    }
    if (err != EKB_OK) {
        merge_list_deinit(&list);
        return err;
    }
    *out_list = list;
    return EKB_OK;
}

void merge_list_deinit(struct merge_list *list)
{
    free(list->parts);
    free(list->labels);
}
