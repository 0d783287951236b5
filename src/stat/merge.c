#include "ekubench/stat/merge.h"

#include "stat/merge_internal.h"

#include <assert.h>
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

void merge_higher_u64(struct ekb_record_u64 *to, const struct ekb_record_u64 *from)
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
    to->build.boringssl_assembly_known =
        to->build.boringssl_assembly_known && from->build.boringssl_assembly_known &&
        to->build.boringssl_assembly == from->build.boringssl_assembly;
    to->build.boringssl_assembly =
        to->build.boringssl_assembly_known && to->build.boringssl_assembly;
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
                                enum merge_times times, struct ekb_fail *reterr_fail)
{
    const struct merge_place place = {"plan.stages", to->name, reterr_fail};
    const struct merge_sum sums[] = {
        {"num_slices", &to->num_slices, from->num_slices},
        {"num_slices_dropped", &to->num_slices_dropped, from->num_slices_dropped},
    };
    enum ekb_err err = EKB_OK;
    if (times == MERGE_APART) {
        err = merge_sums(sums, sizeof sums / sizeof sums[0], &place);
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
    if (err == EKB_OK) {
        err = merge_distribution(&to->open_loop.lag_ns, &from->open_loop.lag_ns, "lag_ns", &place);
    }
    return err == EKB_OK
               ? merge_distribution(&to->open_loop.dropped_wait_ns,
                                    &from->open_loop.dropped_wait_ns, "dropped_wait_ns", &place)
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

static enum ekb_err add_known(struct ekb_record_u64 *to, const struct ekb_record_u64 *from,
                              const char *name, const struct merge_place *place)
{
    const struct merge_sum sum = {name, &to->value, from->value};
    to->known = to->known && from->known;
    return merge_sums(&sum, 1, place);
}

// merge_memory adds what was there at the same time. Of runs apart it is the highest.
static enum ekb_err merge_memory(struct ekb_record_cpu *to, const struct ekb_record_cpu *from,
                                 enum merge_times times, const struct merge_place *place)
{
    if (times == MERGE_APART) {
        merge_higher_u64(&to->memory_base_bytes, &from->memory_base_bytes);
        merge_higher_u64(&to->memory_peak_bytes, &from->memory_peak_bytes);
        merge_higher_u64(&to->peak_connections, &from->peak_connections);
        merge_higher(&to->memory_per_connection_bytes, &from->memory_per_connection_bytes);
        return EKB_OK;
    }
    enum ekb_err err =
        add_known(&to->memory_base_bytes, &from->memory_base_bytes, "memory_base_bytes", place);
    if (err == EKB_OK) {
        err =
            add_known(&to->memory_peak_bytes, &from->memory_peak_bytes, "memory_peak_bytes", place);
    }
    if (err == EKB_OK) {
        err = add_known(&to->peak_connections, &from->peak_connections, "peak_connections", place);
    }
    to->memory_per_connection_bytes = (struct ekb_record_real){0};
    if (to->memory_base_bytes.known && to->memory_peak_bytes.known && to->peak_connections.known &&
        to->memory_peak_bytes.value >= to->memory_base_bytes.value) {
        to->memory_per_connection_bytes =
            ratio(to->memory_peak_bytes.value - to->memory_base_bytes.value, 1,
                  to->peak_connections.value);
    }
    return err;
}

// merge_cpu adds the times of the same stage. All are of measured parts, and so are their ratios.
static enum ekb_err merge_cpu(struct ekb_record_cpu *to, const struct ekb_record_cpu *from,
                              enum merge_times times, const struct merge_place *place)
{
    const struct merge_sum sums[] = {
        {"user_ns", &to->user_ns, from->user_ns},
        {"system_ns", &to->system_ns, from->system_ns},
        {"total_ns", &to->total_ns, from->total_ns},
        {"handshakes", &to->handshakes, from->handshakes},
        {"steps_ns", &to->steps_ns, from->steps_ns},
        {"window_ns", &to->window_ns, from->window_ns},
        {"ring_overflows", &to->ring_overflows, from->ring_overflows},
    };
    const enum ekb_err err = merge_sums(sums, sizeof sums / sizeof sums[0], place);
    merge_workers(&to->workers, from->workers, times);
    to->per_handshake_ns = ratio(to->total_ns, 1, to->handshakes);
    to->kernel_and_loop_ns = (struct ekb_record_real){0};
    if (to->total_ns >= to->steps_ns) {
        to->kernel_and_loop_ns = ratio(to->total_ns - to->steps_ns, 1, to->handshakes);
    }
    to->busy_percent = ratio(to->total_ns, 100.0, to->window_ns);
    keep_text(to->ring_setup, from->ring_setup);
    keep_text(to->cpu_list, from->cpu_list);
    return err == EKB_OK ? merge_memory(to, from, times, place) : err;
}

// The rows of a side, one for each stage.
struct side {
    const char *name;
    struct ekb_record_cpu *rows;
    size_t num_rows;
};

// merge_side adds a side's times, stage by stage; of stages that one of them lacks they stay.
static enum ekb_err merge_side(struct side to, struct side from, enum merge_times times,
                               struct ekb_fail *reterr_fail)
{
    enum ekb_err err = EKB_OK;
    for (size_t i = 0; i < to.num_rows && err == EKB_OK; i++) {
        const struct merge_place place = {to.name, to.rows[i].stage, reterr_fail};
        const struct ekb_record_cpu *other =
            ekb_record_find_cpu(from.rows, from.num_rows, to.rows[i].stage);
        err = other != NULL ? merge_cpu(&to.rows[i], other, times, &place) : EKB_OK;
    }
    return err;
}

static struct side server_of(const struct ekb_record *record)
{
    return (struct side){"cpu.server", record->server_cpu, record->num_server_cpu};
}

static struct side client_of(const struct ekb_record *record)
{
    return (struct side){"cpu.client", record->client_cpu, record->num_client_cpu};
}

static enum ekb_err merge_stages(struct ekb_record *to, const struct ekb_record *from,
                                 enum merge_times times, struct ekb_fail *reterr_fail)
{
    enum ekb_err err = EKB_OK;
    for (size_t i = 0; i < to->plan.num_stages && err == EKB_OK; i++) {
        err = merge_stage(&to->plan.stages[i], &from->plan.stages[i], times, reterr_fail);
    }
    if (err == EKB_OK) {
        err = merge_side(server_of(to), server_of(from), times, reterr_fail);
    }
    if (err == EKB_OK) {
        err = merge_side(client_of(to), client_of(from), times, reterr_fail);
    }
    return err;
}

// append_blocks appends another run's blocks, with quadruples of their own.
static enum ekb_err append_blocks(struct ekb_record *to, const struct ekb_record *from,
                                  struct ekb_fail *reterr_fail)
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
        const struct merge_place place = {"blocks", block->stage, reterr_fail};
        const struct merge_sum sum = {"quadruple", &block->quadruple, first};
        const enum ekb_err err = merge_sums(&sum, 1, &place);
        if (err != EKB_OK) {
            return err;
        }
    }
    return EKB_OK;
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
}

static enum ekb_err merge_floors(struct ekb_record *to, const struct ekb_record *from,
                                 struct ekb_fail *reterr_fail)
{
    const struct merge_place place = {"floors", "memory", reterr_fail};
    const enum ekb_err err = merge_distribution(
        &to->server_floor.memory_ns, &from->server_floor.memory_ns, "handshake_server", &place);
    to->floors_known = to->floors_known || from->floors_known;
    return err == EKB_OK
               ? merge_distribution(&to->client_floor.memory_ns, &from->client_floor.memory_ns,
                                    "handshake_client", &place)
               : err;
}

static enum ekb_err add_part(struct ekb_record *to, const struct ekb_record *from,
                             enum merge_times times, struct ekb_fail *reterr_fail)
{
    merge_build(to, from);
    merge_host(to, from);
    merge_workers(&to->plan.server_workers, from->plan.server_workers, times);
    merge_workers(&to->plan.client_workers, from->plan.client_workers, times);
    if (strcmp(to->plan.command, from->plan.command) != 0) {
        to->plan.command[0] = '\0'; // There is none that made it all.
    }
    merge_reasons(to, from);
    enum ekb_err err = merge_arms(to, from, reterr_fail);
    if (err == EKB_OK) {
        err = merge_stages(to, from, times, reterr_fail);
    }
    if (err == EKB_OK && times == MERGE_TOGETHER) {
        err = merge_rates(to, from, reterr_fail);
    }
    if (err == EKB_OK) {
        err = append_blocks(to, from, reterr_fail);
    }
    return err == EKB_OK ? merge_floors(to, from, reterr_fail) : err;
}

// describe says when all began, and how long it took.
static enum ekb_err describe(struct ekb_record *record, struct merge_list *list,
                             struct ekb_fail *reterr_fail)
{
    const uint64_t duration_ms = list->last_end_ms - list->first_start_ms;
    if (duration_ms > INT64_MAX / 1000000) {
        return ekb_fail_say(reterr_fail, EKB_TOO_BIG,
                            "they do not merge: duration_ns, from the first one's begin to the "
                            "last one's end, is more than a result can say");
    }
    EKB_RECORD_COPY(record->kind, "merge");
    EKB_RECORD_COPY(record->started_at, list->parts[list->first].started_at);
    record->duration_ns = duration_ms * 1000000;
    free(record->parts);
    record->parts = list->parts;
    record->num_parts = list->num;
    list->parts = NULL;
    return EKB_OK;
}

// merge_all makes the record, which is empty, of the copy of the first part.
static enum ekb_err merge_all(struct ekb_record *record, const struct ekb_merge_part *parts,
                              size_t num_parts, struct merge_list *list,
                              struct ekb_fail *reterr_fail)
{
    enum ekb_err err = copy(record, parts[0].record);
    for (size_t i = 1; i < num_parts && err == EKB_OK; i++) {
        err = add_part(record, parts[i].record, list->times, reterr_fail);
    }
    if (err != EKB_OK) {
        return err;
    }
    forget_slices(record);
    if (list->times == MERGE_APART) {
        merge_drop_rates(record);
    }
    merge_notes(record, parts, num_parts, list);
    return describe(record, list, reterr_fail);
}

enum ekb_err ekb_merge_records(struct ekb_record *out_record, const struct ekb_merge_part *parts,
                               size_t num_parts, struct ekb_fail *reterr_fail)
{
    struct merge_list list = {.num = 0};
    assert(num_parts > 0);
    *out_record = (struct ekb_record){.num_arms = 0};
    enum ekb_err err = merge_check_kinds(parts, num_parts, reterr_fail);
    if (err == EKB_OK) {
        err = merge_list_make(&list, parts, num_parts, reterr_fail);
    }
    if (err != EKB_OK) {
        return err;
    }
    err = merge_check(parts, num_parts, list.times, reterr_fail);
    if (err == EKB_OK) {
        err = merge_all(out_record, parts, num_parts, &list, reterr_fail);
    }
    merge_list_deinit(&list);
    if (err != EKB_OK) {
        ekb_record_deinit(out_record);
    }
    if (err == EKB_NOMEM) {
        return ekb_fail_set(reterr_fail, err, 0, "merged result");
    }
    return err;
}
