// CSV (RFC 4180): a row for each arm and each block. docs/formats.md has the columns.

#include "report/escape.h"
#include "report/format_internal.h"
#include "report/text_internal.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

// A row begins with where it belongs; the file has a column more if there are several results.
struct csv {
    FILE *out;
    const char *label; // NULL: there is one result.
    const struct ekb_record *record;
};

static const char *const columns[] = {
    "kind",
    "stage",
    "arm",
    "row",
    "block",
    "quadruple",
    "disturbed",
    "eku",
    "verify",
    "depth",
    "key",
    "tls",
    "expect",
    "started",
    "accepted",
    "rejected",
    "failed",
    "unfinished",
    "dropped",
    "accepted_per_s",
    "latency_p50_ns",
    "latency_p90_ns",
    "latency_p99_ns",
    "latency_p999_ns",
    "latency_max_ns",
    "wall_ns",
    "server_cpu_ns",
    "verify_ns",
    "client_cpu_ns",
    "steal_percent",
    "wait_percent",
};

static void put_text(const struct csv *csv, const char *text)
{
    (void)fputc(',', csv->out);
    report_csv_text(csv->out, text);
}

static void put_u64(const struct csv *csv, uint64_t value)
{
    (void)fprintf(csv->out, ",%llu", (unsigned long long)value);
}

// What is unknown is empty.
static void put_known(const struct csv *csv, struct ekb_record_u64 value)
{
    if (value.known) {
        put_u64(csv, value.value);
    } else {
        (void)fputc(',', csv->out);
    }
}

static void put_real(const struct csv *csv, double value)
{
    (void)fputc(',', csv->out);
    if (isfinite(value)) {
        (void)fprintf(csv->out, "%.15g", value + 0.0);
    }
}

static void put_known_real(const struct csv *csv, struct ekb_record_real value)
{
    put_real(csv, value.known ? value.value : (double)NAN);
}

static void put_blank(const struct csv *csv, size_t num)
{
    for (size_t i = 0; i < num; i++) {
        (void)fputc(',', csv->out);
    }
}

static void put_mean(const struct csv *csv, const struct ekb_record_summary *summary)
{
    put_real(csv, summary->known && summary->moments.count > 0 ? ekb_moments_mean(&summary->moments)
                                                               : (double)NAN);
}

static void begin_row(const struct csv *csv, const char *stage, const char *arm, const char *row)
{
    if (csv->label != NULL) {
        report_csv_text(csv->out, csv->label);
        (void)fputc(',', csv->out);
    }
    report_csv_text(csv->out, csv->record->kind);
    put_text(csv, stage);
    put_text(csv, arm);
    put_text(csv, row);
}

static void end_row(const struct csv *csv)
{
    (void)fputs("\r\n", csv->out);
}

// put_treatments writes what an arm is; NULL: it is all arms together.
static void put_treatments(const struct csv *csv, const struct ekb_record_arm *arm)
{
    if (arm == NULL) {
        put_blank(csv, 6);
        return;
    }
    put_text(csv, arm->eku);
    put_text(csv, arm->verify);
    put_u64(csv, arm->depth);
    put_text(csv, arm->key);
    put_text(csv, arm->tls);
    put_text(csv, arm->expect);
}

static void write_arm(const struct csv *csv, const struct ekb_record_arm *arm)
{
    const struct ekb_record_summary *latency = &arm->latency_ns;
    const struct ekb_record_u64 max = {.known = latency->known && latency->moments.count > 0,
                                       .value = latency->moments.max};
    begin_row(csv, arm->stage, arm->name, "arm");
    put_blank(csv, 3);
    put_treatments(csv, arm);
    put_u64(csv, arm->client.started);
    put_u64(csv, arm->client.accepted);
    put_u64(csv, arm->client.rejected);
    put_u64(csv, arm->client.failed);
    put_u64(csv, arm->client.unfinished);
    put_u64(csv, arm->dropped);
    put_real(csv, text_rate_of(csv->record, arm));
    put_known(csv, latency->p50);
    put_known(csv, latency->p90);
    put_known(csv, latency->p99);
    put_known(csv, latency->p999);
    put_known(csv, max);
    put_blank(csv, 1);
    put_mean(csv, &arm->server_cpu_ns);
    put_mean(csv, &arm->verify_ns);
    put_mean(csv, &arm->client_cpu_ns);
    put_blank(csv, 2);
    end_row(csv);
}

static void write_block(const struct csv *csv, const struct ekb_record_block *block, size_t number)
{
    begin_row(csv, block->stage, block->arm, "block");
    put_u64(csv, number);
    put_u64(csv, block->quadruple);
    put_text(csv, block->disturbed ? "true" : "false");
    put_treatments(csv, ekb_record_find_arm(csv->record, block->stage, block->arm));
    put_blank(csv, 1);
    put_u64(csv, block->accepted);
    put_blank(csv, 4);
    put_real(csv, block->accepted_per_s);
    put_blank(csv, 2);
    put_known(csv, block->p99_ns);
    put_blank(csv, 2);
    put_known_real(csv, block->wall_ns);
    put_known_real(csv, block->server_cpu_ns);
    put_blank(csv, 1);
    put_known_real(csv, block->client_cpu_ns);
    put_real(csv, block->steal_percent);
    put_real(csv, block->wait_percent);
    end_row(csv);
}

// write_count writes a block of which only the accepted handshakes are known.
static void write_count(const struct csv *csv, const struct ekb_record_throughput *row,
                        size_t index)
{
    begin_row(csv, row->stage, row->arm, "block");
    put_u64(csv, index + 1);
    put_blank(csv, 2);
    put_treatments(csv, ekb_record_find_arm(csv->record, row->stage, row->arm));
    put_blank(csv, 1);
    put_u64(csv, row->blocks[index]);
    put_blank(csv, 4);
    put_real(csv, row->block_ns > 0 ? (double)row->blocks[index] * 1e9 / (double)row->block_ns
                                    : (double)NAN);
    put_blank(csv, 11);
    end_row(csv);
}

// has_blocks is true if more is known of the stage's blocks than how many they accepted.
static bool has_blocks(const struct ekb_record *record, const char *stage)
{
    for (size_t i = 0; i < record->num_blocks; i++) {
        if (strcmp(record->blocks[i].stage, stage) == 0) {
            return true;
        }
    }
    return false;
}

static void write_result(const struct csv *csv)
{
    const struct ekb_record *record = csv->record;
    for (size_t i = 0; i < record->num_arms; i++) {
        write_arm(csv, &record->arms[i]);
    }
    for (size_t i = 0; i < record->num_blocks; i++) {
        write_block(csv, &record->blocks[i], i + 1);
    }
    for (size_t i = 0; i < record->num_throughput; i++) {
        const struct ekb_record_throughput *row = &record->throughput[i];
        const size_t num_blocks = has_blocks(record, row->stage) ? 0 : row->num_blocks;
        for (size_t j = 0; j < num_blocks; j++) {
            write_count(csv, row, j);
        }
    }
}

enum ekb_err report_write_csv(FILE *out, const struct ekb_report_set *set,
                              struct ekb_fail *reterr_fail)
{
    (void)reterr_fail;
    if (set->num_results > 1) {
        (void)fputs("result,", out);
    }
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        (void)fprintf(out, "%s%s", i > 0 ? "," : "", columns[i]);
    }
    (void)fputs("\r\n", out);
    for (size_t i = 0; i < set->num_results; i++) {
        const struct csv csv = {.out = out,
                                .label = set->num_results > 1 ? set->results[i].label : NULL,
                                .record = set->results[i].record};
        write_result(&csv);
    }
    return EKB_OK;
}
