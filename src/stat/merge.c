#include "ekubench/stat/merge.h"

#include "stat/merge_internal.h"

#include "ekubench/base/units.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// IMPLEMENTATION NOTES
//
// The first part is copied, the others are added to the copy, in their order: merging a merged
// result with another gives what merging all of them at once does.

// copy makes a copy by the file's form, which has all that a record has.
static enum ekb_err copy(struct ekb_record *out_record, const struct ekb_record *record)
{
    char *text = NULL;
    enum ekb_err err = ekb_record_to_json(&text, record);
    if (err == EKB_OK) {
        err = ekb_record_from_json(out_record, text, strlen(text), NULL);
    }
    free(text);
    return err;
}

// Parts.

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

// list_parts lists what the parts are made of, those of merged ones by themselves.
static enum ekb_err list_parts(struct ekb_record_part **out_list, size_t *out_num,
                               const struct ekb_merge_part *parts, size_t num_parts)
{
    size_t num = 0;
    for (size_t i = 0; i < num_parts; i++) {
        num += parts[i].record->num_parts > 0 ? parts[i].record->num_parts : 1;
    }
    struct ekb_record_part *list = calloc(num + 1, sizeof list[0]);
    if (list == NULL) {
        return EKB_NOMEM;
    }
    num = 0;
    for (size_t i = 0; i < num_parts; i++) {
        const struct ekb_record *record = parts[i].record;
        for (size_t j = 0; j < record->num_parts; j++) {
            list[num++] = record->parts[j];
        }
        if (record->num_parts == 0) {
            list[num++] = part_of(record);
        }
    }
    *out_list = list;
    *out_num = num;
    return EKB_OK;
}

// Time.

// start_of returns when something began, in milliseconds since 1970; 0 if it cannot be read.
static uint64_t start_of(const char *started_at)
{
    uint64_t ms = 0;
    return ekb_units_parse_instant(&ms, started_at) == EKB_OK ? ms : 0;
}

// Loads that begin within this time begin together.
#define MAX_SKEW_MS 100

// Of all parts, in milliseconds since 1970.
struct span {
    uint64_t first_start, last_start;
    uint64_t first_end, last_end;
};

static struct span span_of(const struct ekb_record_part *list, size_t num)
{
    struct span span = {.first_start = UINT64_MAX, .first_end = UINT64_MAX};
    for (size_t i = 0; i < num; i++) {
        const uint64_t start = start_of(list[i].started_at);
        const uint64_t end = start + list[i].duration_ns / 1000000;
        span.first_start = start < span.first_start ? start : span.first_start;
        span.last_start = start > span.last_start ? start : span.last_start;
        span.first_end = end < span.first_end ? end : span.first_end;
        span.last_end = end > span.last_end ? end : span.last_end;
    }
    return span;
}

// times_of tells whether all were under way at some moment, as generators of one load.
static enum merge_times times_of(const struct ekb_record_part *list, size_t num)
{
    const struct span span = span_of(list, num);
    return strcmp(list[0].kind, "load") == 0 && span.last_start < span.first_end ? MERGE_TOGETHER
                                                                                 : MERGE_APART;
}

// What was run where.

// keep_text forgets a text that is not the same in both.
static void keep_text(char *to, const char *from)
{
    if (strcmp(to, from) != 0) {
        to[0] = '\0';
    }
}

static void keep_u64(uint64_t *to, uint64_t from)
{
    *to = *to == from ? from : 0;
}

void merge_higher(struct ekb_record_real *to, const struct ekb_record_real *from)
{
    if (from->known && (!to->known || from->value > to->value)) {
        *to = *from;
    }
}

static void merge_build(struct ekb_record *to, const struct ekb_record *from)
{
    keep_text(to->build.version, from->build.version);
    keep_text(to->build.git, from->build.git);
    keep_text(to->build.compiler, from->build.compiler);
    keep_text(to->build.flags, from->build.flags);
    keep_text(to->build.build_type, from->build.build_type);
    keep_text(to->build.boringssl_revision, from->build.boringssl_revision);
    keep_text(to->build.liburing, from->build.liburing);
    keep_text(to->build.hdr_histogram, from->build.hdr_histogram);
    keep_text(to->build.jansson, from->build.jansson);
    keep_text(to->build.zlib, from->build.zlib);
    keep_text(to->build.criterion, from->build.criterion);
    keep_u64(&to->build.boringssl_api_version, from->build.boringssl_api_version);
    to->build.boringssl_assembly = to->build.boringssl_assembly && from->build.boringssl_assembly;
}

static void merge_host(struct ekb_record *to, const struct ekb_record *from)
{
    keep_text(to->host.kernel, from->host.kernel);
    keep_text(to->host.cpu_model, from->host.cpu_model);
    keep_text(to->host.clocksource, from->host.clocksource);
    keep_text(to->host.congestion_control, from->host.congestion_control);
    keep_text(to->host.port_range, from->host.port_range);
    keep_u64(&to->host.cpus, from->host.cpus);
    keep_u64(&to->host.memory_bytes, from->host.memory_bytes);
    keep_u64(&to->host.descriptors_limit, from->host.descriptors_limit);
    keep_u64(&to->host.somaxconn, from->host.somaxconn);
    to->host.virtual_machine_known = to->host.virtual_machine_known &&
                                     from->host.virtual_machine_known &&
                                     to->host.virtual_machine == from->host.virtual_machine;
    merge_higher(&to->host.steal_percent, &from->host.steal_percent);
}

// Stages.

static void add_network(struct ekb_record_stage *to, const struct ekb_record_stage *from)
{
    for (size_t i = 0; i < to->num_network; i++) {
        for (size_t j = 0; j < from->num_network; j++) {
            if (strcmp(to->network[i].name, from->network[j].name) == 0) {
                (void)merge_add(&to->network[i].count, from->network[j].count);
            }
        }
    }
}

static enum ekb_err merge_stage(struct ekb_record_stage *to, const struct ekb_record_stage *from,
                                enum merge_times times)
{
    if (times == MERGE_APART) {
        if (!merge_add(&to->num_slices, from->num_slices) ||
            !merge_add(&to->num_slices_dropped, from->num_slices_dropped)) {
            return EKB_TOO_BIG;
        }
    } else {
        to->num_slices = from->num_slices < to->num_slices ? from->num_slices : to->num_slices;
        to->num_slices_dropped = from->num_slices_dropped > to->num_slices_dropped
                                     ? from->num_slices_dropped
                                     : to->num_slices_dropped;
    }
    to->duration_ns = from->duration_ns < to->duration_ns ? from->duration_ns : to->duration_ns;
    to->ramp_ns = from->ramp_ns > to->ramp_ns ? from->ramp_ns : to->ramp_ns;
    to->warmup_ns = from->warmup_ns > to->warmup_ns ? from->warmup_ns : to->warmup_ns;
    keep_text(to->listening, from->listening);
    merge_higher(&to->steal_percent, &from->steal_percent);
    add_network(to, from);
    const enum ekb_err err = ekb_merge_summaries(&to->open_loop.lag_ns, &from->open_loop.lag_ns);
    return err == EKB_OK ? ekb_merge_summaries(&to->open_loop.dropped_wait_ns,
                                               &from->open_loop.dropped_wait_ns)
                         : err;
}

static void merge_workers(uint64_t *to, uint64_t from, enum merge_times times)
{
    if (times == MERGE_APART) {
        *to = from > *to ? from : *to;
    } else if (!merge_add(to, from)) {
        *to = INT64_MAX;
    }
}

static struct ekb_record_real ratio(uint64_t numerator, double factor, uint64_t denominator)
{
    return (struct ekb_record_real){
        .known = denominator > 0,
        .value = denominator > 0 ? factor * (double)numerator / (double)denominator : 0};
}

static bool add_known(struct ekb_record_u64 *to, const struct ekb_record_u64 *from)
{
    to->known = to->known && from->known;
    return merge_add(&to->value, from->value);
}

// merge_cpu adds the times of the same stage. All are of measured parts, and so are their ratios.
static enum ekb_err merge_cpu(struct ekb_record_cpu *to, const struct ekb_record_cpu *from,
                              enum merge_times times)
{
    const bool fits =
        merge_add(&to->user_ns, from->user_ns) && merge_add(&to->system_ns, from->system_ns) &&
        merge_add(&to->total_ns, from->total_ns) && merge_add(&to->handshakes, from->handshakes) &&
        merge_add(&to->steps_ns, from->steps_ns) && merge_add(&to->window_ns, from->window_ns) &&
        merge_add(&to->ring_overflows, from->ring_overflows) &&
        add_known(&to->memory_base_bytes, &from->memory_base_bytes) &&
        add_known(&to->memory_peak_bytes, &from->memory_peak_bytes) &&
        add_known(&to->peak_connections, &from->peak_connections);
    merge_workers(&to->workers, from->workers, times);
    to->per_handshake_ns = ratio(to->total_ns, 1, to->handshakes);
    to->kernel_and_loop_ns = (struct ekb_record_real){0};
    if (to->total_ns >= to->steps_ns) {
        to->kernel_and_loop_ns = ratio(to->total_ns - to->steps_ns, 1, to->handshakes);
    }
    to->busy_percent = ratio(to->total_ns, 100.0, to->window_ns);
    to->memory_per_connection_bytes = (struct ekb_record_real){0};
    if (to->memory_base_bytes.known && to->memory_peak_bytes.known && to->peak_connections.known &&
        to->memory_peak_bytes.value >= to->memory_base_bytes.value) {
        to->memory_per_connection_bytes =
            ratio(to->memory_peak_bytes.value - to->memory_base_bytes.value, 1,
                  to->peak_connections.value);
    }
    keep_text(to->ring_setup, from->ring_setup);
    keep_text(to->cpu_list, from->cpu_list);
    return fits ? EKB_OK : EKB_TOO_BIG;
}

// The rows of a side, one for each stage.
struct side {
    struct ekb_record_cpu *rows;
    size_t num_rows;
};

// merge_side adds a side's times, stage by stage; of stages that one of them lacks they stay.
static enum ekb_err merge_side(struct side to, struct side from, enum merge_times times)
{
    enum ekb_err err = EKB_OK;
    for (size_t i = 0; i < to.num_rows && err == EKB_OK; i++) {
        const struct ekb_record_cpu *other =
            ekb_record_find_cpu(from.rows, from.num_rows, to.rows[i].stage);
        err = other != NULL ? merge_cpu(&to.rows[i], other, times) : EKB_OK;
    }
    return err;
}

static struct side server_of(const struct ekb_record *record)
{
    return (struct side){record->server_cpu, record->num_server_cpu};
}

static struct side client_of(const struct ekb_record *record)
{
    return (struct side){record->client_cpu, record->num_client_cpu};
}

static enum ekb_err merge_stages(struct ekb_record *to, const struct ekb_record *from,
                                 enum merge_times times)
{
    enum ekb_err err = EKB_OK;
    for (size_t i = 0; i < to->plan.num_stages && err == EKB_OK; i++) {
        err = merge_stage(&to->plan.stages[i], &from->plan.stages[i], times);
    }
    if (err == EKB_OK) {
        err = merge_side(server_of(to), server_of(from), times);
    }
    if (err == EKB_OK) {
        err = merge_side(client_of(to), client_of(from), times);
    }
    return err;
}

// append_blocks appends another run's blocks, with quadruples of their own.
static enum ekb_err append_blocks(struct ekb_record *to, const struct ekb_record *from)
{
    uint64_t first = 0;
    if (from->num_blocks == 0) {
        return EKB_OK;
    }
    for (size_t i = 0; i < to->num_blocks; i++) {
        first = to->blocks[i].quadruple >= first ? to->blocks[i].quadruple + 1 : first;
    }
    struct ekb_record_block *blocks =
        realloc(to->blocks, (to->num_blocks + from->num_blocks) * sizeof blocks[0]);
    if (blocks == NULL) {
        return EKB_NOMEM;
    }
    to->blocks = blocks;
    for (size_t i = 0; i < from->num_blocks; i++) {
        struct ekb_record_block *block = &blocks[to->num_blocks++];
        *block = from->blocks[i];
        if (!merge_add(&block->quadruple, first)) {
            return EKB_TOO_BIG;
        }
    }
    return EKB_OK;
}

// Validity.

static bool has_line(const char (*lines)[EKB_RECORD_LINE_LEN], size_t num_lines, const char *text)
{
    for (size_t i = 0; i < num_lines; i++) {
        if (strcmp(lines[i], text) == 0) {
            return true;
        }
    }
    return false;
}

static void add_note(struct ekb_record *record, const char *text)
{
    if (!has_line(record->notes, record->num_notes, text)) {
        ekb_record_add_note(record, "%s", text);
    }
}

// merge_validity adds the reasons and notes that are not there yet.
static void merge_validity(struct ekb_record *to, const struct ekb_record *from)
{
    to->interrupted = to->interrupted || from->interrupted;
    for (size_t i = 0; i < from->num_reasons; i++) {
        if (!has_line(to->reasons, to->num_reasons, from->reasons[i])) {
            ekb_record_add_reason(to, "%s", from->reasons[i]);
        }
    }
    for (size_t i = 0; i < from->num_notes; i++) {
        add_note(to, from->notes[i]);
    }
}

// forget_slices forgets what rests on slices, which the parts do not have.
static void forget_slices(struct ekb_record *record)
{
    struct ekb_record_side_floor *const floors[] = {&record->server_floor, &record->client_floor};
    record->num_effects = 0;
    for (size_t i = 0; i < 2; i++) {
        floors[i]->interval_known = false;
        floors[i]->tcp_known = false;
        floors[i]->measured_known = false;
        floors[i]->tax_known = false;
        floors[i]->over_memory.known = false;
        floors[i]->steps_over_memory.known = false;
    }
    for (size_t i = 0; i < record->num_arms; i++) {
        record->arms[i].server_cpu_interval_known = false;
        record->arms[i].client_cpu_interval_known = false;
    }
    add_note(record, "merged: there are no effects and no intervals of means, which rest on slices "
                     "of time that results do not hold");
}

static enum ekb_err add_part(struct ekb_record *to, const struct ekb_record *from,
                             enum merge_times times)
{
    merge_build(to, from);
    merge_host(to, from);
    merge_workers(&to->plan.server_workers, from->plan.server_workers, times);
    merge_workers(&to->plan.client_workers, from->plan.client_workers, times);
    if (strcmp(to->plan.command, from->plan.command) != 0) {
        to->plan.command[0] = '\0'; // There is none that made it all.
    }
    merge_validity(to, from);
    enum ekb_err err = merge_arms(to, from);
    if (err == EKB_OK) {
        err = merge_stages(to, from, times);
    }
    if (err == EKB_OK && times == MERGE_TOGETHER) {
        err = merge_rates(to, from);
    }
    if (err == EKB_OK) {
        err = append_blocks(to, from);
    }
    if (err == EKB_OK) {
        err = ekb_merge_summaries(&to->server_floor.memory_ns, &from->server_floor.memory_ns);
    }
    return err == EKB_OK
               ? ekb_merge_summaries(&to->client_floor.memory_ns, &from->client_floor.memory_ns)
               : err;
}

// add_all makes the record of the copy of the first part.
static enum ekb_err add_all(struct ekb_record *record, const struct ekb_merge_part *parts,
                            size_t num_parts, enum merge_times times)
{
    enum ekb_err err = EKB_OK;
    for (size_t i = 1; i < num_parts && err == EKB_OK; i++) {
        err = add_part(record, parts[i].record, times);
    }
    if (err == EKB_OK) {
        forget_slices(record);
    }
    if (err == EKB_OK && times == MERGE_APART) {
        merge_drop_rates(record);
        add_note(record, "merged from runs at different times: there is no rate of all, and no "
                         "course in time");
    }
    return err;
}

// describe_parts says when the first part began, and whether they are of one time and machine.
static void describe_parts(struct ekb_record *record, const struct span *span,
                           enum merge_times times)
{
    const struct ekb_record_part *first = &record->parts[0];
    bool is_one = true;
    EKB_RECORD_COPY(record->started_at, first->started_at);
    for (size_t i = 1; i < record->num_parts; i++) {
        const struct ekb_record_part *part = &record->parts[i];
        if (start_of(part->started_at) < start_of(record->started_at)) {
            EKB_RECORD_COPY(record->started_at, part->started_at);
        }
        is_one = is_one && strcmp(part->cpu_model, first->cpu_model) == 0 &&
                 strcmp(part->kernel, first->kernel) == 0 &&
                 strcmp(part->version, first->version) == 0;
    }
    if (times == MERGE_TOGETHER && span->last_start - span->first_start > MAX_SKEW_MS) {
        add_note(record, "merged from loads that did not begin together: blocks and intervals are "
                         "counted from the begin of each");
    }
    if (!is_one) {
        add_note(record, "merged from machines or programs that differ: `parts` has each");
    }
}

enum ekb_err ekb_merge_records(struct ekb_record *out_record, const struct ekb_merge_part *parts,
                               size_t num_parts, struct ekb_fail *reterr_fail)
{
    struct ekb_record_part *list = NULL;
    size_t num = 0;
    assert(num_parts > 0);
    *out_record = (struct ekb_record){.num_arms = 0};
    enum ekb_err err = list_parts(&list, &num, parts, num_parts);
    const enum merge_times times = err == EKB_OK ? times_of(list, num) : MERGE_APART;
    if (err == EKB_OK) {
        err = merge_check(parts, num_parts, times, reterr_fail);
    }
    if (err == EKB_USAGE) {
        free(list);
        return err;
    }
    if (err == EKB_OK) {
        err = copy(out_record, parts[0].record);
    }
    if (err == EKB_OK) {
        err = add_all(out_record, parts, num_parts, times);
    }
    if (err != EKB_OK) {
        free(list);
        ekb_record_deinit(out_record);
        return ekb_fail_set(reterr_fail, err, 0, "merged result");
    }
    const struct span span = span_of(list, num);
    EKB_RECORD_COPY(out_record->kind, "merge");
    out_record->duration_ns = (span.last_end - span.first_start) * 1000000;
    free(out_record->parts);
    out_record->parts = list;
    out_record->num_parts = num;
    describe_parts(out_record, &span, times);
    return EKB_OK;
}
