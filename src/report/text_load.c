#include "report/text_internal.h"

#include "ekubench/base/units.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

static const char *write_percentile(char out_text[32], struct ekb_record_u64 value)
{
    (void)snprintf(out_text, 32, value.known ? "%.1f" : "-", (double)value.value / text_ms.divisor);
    return out_text;
}

static void write_rate(char out_text[32], double rate)
{
    if (isnan(rate)) {
        (void)snprintf(out_text, 32, "-");
    } else {
        (void)snprintf(out_text, 32, "%.0f", rate);
    }
}

// block_rate returns the mean over an arm's undisturbed blocks of the rate that Little's law gives
// each, the inverse of its wall time per handshake. What was accepted in them says the same with
// more noise: thousands in flight come to their verdicts in waves. NaN without such a block.
static double block_rate(const struct ekb_record *record, const struct ekb_record_arm *arm)
{
    double sum = 0;
    double num = 0;
    for (size_t i = 0; i < record->num_blocks; i++) {
        const struct ekb_record_block *block = &record->blocks[i];
        if (strcmp(block->stage, arm->stage) == 0 && strcmp(block->arm, arm->name) == 0 &&
            !block->disturbed && block->wall_ns.known && block->wall_ns.value > 0) {
            sum += 1e9 / block->wall_ns.value;
            num++;
        }
    }
    return num > 0 ? sum / num : (double)NAN;
}

double text_rate_of(const struct ekb_record *record, const struct ekb_record_arm *arm)
{
    if (strcmp(arm->expect, "accept") != 0) { // Rates are of those accepted.
        return (double)NAN;
    }
    for (size_t i = 0; i < record->num_throughput; i++) {
        if (strcmp(record->throughput[i].stage, arm->stage) == 0 &&
            strcmp(record->throughput[i].arm, arm->name) == 0) {
            return record->throughput[i].accepted_per_s;
        }
    }
    return record->num_parts == 0 ? block_rate(record, arm) : (double)NAN;
}

static void write_latency_head(FILE *out, const char *title)
{
    (void)fprintf(out, "\n%-16s %10s %9s %7s %9s %8s %8s %8s %8s %8s\n", title, "accepted",
                  "rejected", "failed", "per s", "p50", "p90", "p99", "p99.9", "max");
}

static void write_latency_row(FILE *out, const struct ekb_record *record,
                              const struct ekb_record_arm *arm)
{
    char p50[32];
    char p90[32];
    char p99[32];
    char p999[32];
    char rate_text[32];
    write_rate(rate_text, text_rate_of(record, arm));
    (void)fprintf(out, "%-16s %10llu %9llu %7llu %9s", arm->name,
                  (unsigned long long)arm->client.accepted,
                  (unsigned long long)arm->client.rejected, (unsigned long long)arm->client.failed,
                  rate_text);
    if (!arm->latency_ns.known) {
        (void)fprintf(out, " %8s %8s %8s %8s %8s\n", "-", "-", "-", "-", "-");
        return;
    }
    (void)fprintf(out, " %8s %8s %8s %8s %8.1f\n", write_percentile(p50, arm->latency_ns.p50),
                  write_percentile(p90, arm->latency_ns.p90),
                  write_percentile(p99, arm->latency_ns.p99),
                  write_percentile(p999, arm->latency_ns.p999),
                  (double)arm->latency_ns.moments.max / text_ms.divisor);
}

// write_total_rate writes the rate of all arms of a stage, with its interval over the blocks if
// there are enough of them.
static const char *write_total_rate(char out_text[64], const struct ekb_record *record,
                                    const char *stage)
{
    (void)snprintf(out_text, 64, "-");
    for (size_t i = 0; i < record->num_throughput; i++) {
        const struct ekb_record_throughput *row = &record->throughput[i];
        if (row->arm[0] != '\0' || strcmp(row->stage, stage) != 0) {
            continue;
        }
        if (row->interval_known) {
            (void)snprintf(out_text, 64, "%.0f [%.0f, %.0f]", row->accepted_per_s,
                           row->interval.low, row->interval.high);
        } else {
            write_rate(out_text, row->accepted_per_s);
        }
    }
    return out_text;
}

// Of fewer connections the memory of each is not said.
#define LEAST_CONNECTIONS 100

void text_say_side(struct report_answer *answer, const char *name, const struct ekb_record_cpu *cpu)
{
    char memory[EKB_UNITS_TEXT_LEN];
    char spent[EKB_UNITS_TEXT_LEN];
    char workers[32] = "";
    char connection[64] = "";
    if (cpu == NULL || !cpu->per_handshake_ns.known || !cpu->busy_percent.known) {
        return;
    }
    if (cpu->workers > 1) {
        (void)snprintf(workers, sizeof workers, "%llu workers, ", (unsigned long long)cpu->workers);
    }
    // Of few connections, what the process needs besides would be shared among them.
    const bool are_few =
        cpu->peak_connections.known && cpu->peak_connections.value < LEAST_CONNECTIONS;
    if (cpu->memory_per_connection_bytes.known && !are_few) {
        (void)snprintf(connection, sizeof connection, "; %s a connection",
                       ekb_units_format_bytes(memory, cpu->memory_per_connection_bytes.value));
    }
    report_say(answer, "%s: %s%.0f %% of CPU %s busy, %s per handshake, kernel included%s", name,
               workers, cpu->busy_percent.value, cpu->cpu_list,
               ekb_units_format_ns(spent, cpu->per_handshake_ns.value), connection);
}

static void write_side(FILE *out, const char *name, const struct ekb_record_cpu *cpu)
{
    struct report_answer said = {.num_sentences = 0};
    text_say_side(&said, name, cpu);
    text_write_said(out, &said);
}

static void write_load_rows(FILE *out, const struct ekb_record *record,
                            const struct ekb_record_stage *stage)
{
    write_latency_head(out, "EKU checking");
    for (size_t i = 0; i < record->num_arms; i++) {
        if (strcmp(record->arms[i].stage, stage->name) == 0) {
            write_latency_row(out, record, &record->arms[i]);
        }
    }
    write_side(out, "server",
               ekb_record_find_cpu(record->server_cpu, record->num_server_cpu, stage->name));
    write_side(out, "client",
               ekb_record_find_cpu(record->client_cpu, record->num_client_cpu, stage->name));
    if (stage->listening[0] != '\0') {
        (void)fprintf(out, "listening sockets: %s\n", stage->listening);
    }
}

void text_write_load(FILE *out, const struct ekb_record *record)
{
    const struct ekb_record_stage *stage = text_find_stage(record, EKB_STAGE_LOAD);
    char in_flight[EKB_UNITS_TEXT_LEN];
    char rate[64];
    if (stage == NULL) {
        return;
    }
    text_rule(out, "Under load");
    if (record->num_blocks == 0) {
        text_wrapped(out,
                     "Closed loop, %s connections in flight at all times: %s handshakes/s "
                     "accepted. Latency in ms from the start of the connection to the server's "
                     "confirmation; in a closed loop it is mostly waiting for the %s others. "
                     "Counts are of the whole stage; rates and latencies are without the warm-up.",
                     ekb_units_format_count(in_flight, stage->in_flight),
                     write_total_rate(rate, record, stage->name), in_flight);
        write_load_rows(out, record, stage);
        return;
    }
    text_wrapped(out,
                 "Closed loop, %s connections in flight at all times, one EKU mode at a time: %s "
                 "handshakes/s accepted. Latency in ms from the start of the connection to the "
                 "server's confirmation; in a closed loop it is mostly waiting for the %s others. "
                 "Counts are of the whole stage; rates and latencies are without the warm-up and "
                 "the changes of mode. The rate of a mode is the number in flight over the mean "
                 "latency, by block.",
                 ekb_units_format_count(in_flight, stage->in_flight),
                 write_total_rate(rate, record, stage->name), in_flight);
    write_load_rows(out, record, stage);
}

static void write_floor_row(FILE *out, const char *name, const struct ekb_record_side_floor *floor)
{
    char memory[64] = "-";
    char tcp[64] = "-";
    char measured[64] = "-";
    char tax[64] = "-";
    if (floor->interval_known) {
        (void)text_interval(memory, &floor->interval, text_us);
    }
    if (floor->tcp_known) {
        (void)text_interval(tcp, &floor->tcp, text_us);
    }
    if (floor->measured_known) {
        (void)text_interval(measured, &floor->measured, text_us);
    }
    if (floor->tax_known) {
        (void)text_interval(tax, &floor->tax_percent, text_plain);
    }
    (void)fprintf(out, "%-8s  %-22s  %-20s  %-22s  %s\n", name, memory, tcp, measured, tax);
}

static bool is_known(const struct ekb_record_side_floor *floor)
{
    return floor->interval_known || floor->tcp_known || floor->measured_known || floor->tax_known;
}

// all_are_accepted is true if every client of a stage is.
static bool all_are_accepted(const struct ekb_record *record, const char *stage)
{
    bool all = true;
    for (size_t i = 0; i < record->num_arms; i++) {
        const struct ekb_record_arm *arm = &record->arms[i];
        all = all && (strcmp(arm->stage, stage) != 0 || strcmp(arm->expect, "accept") == 0);
    }
    return all;
}

void text_say_levels(struct report_answer *answer, const struct ekb_record *record)
{
    const struct ekb_record_arm *arm = text_find_cost_arm(record, "on", 1);
    const struct ekb_record_stage *cost = text_find_stage(record, EKB_STAGE_COST);
    const struct ekb_record_stage *floor = text_find_stage(record, EKB_STAGE_FLOOR);
    const struct ekb_record_stage *load = text_find_stage(record, EKB_STAGE_LOAD);
    const struct ekb_record_cpu *loaded =
        ekb_record_find_cpu(record->server_cpu, record->num_server_cpu, EKB_STAGE_LOAD);
    char in_flight[EKB_UNITS_TEXT_LEN];
    char under_load[96] = "";
    if (arm == NULL || !arm->server_cpu_interval_known || cost == NULL || floor == NULL ||
        !record->server_floor.measured_known) {
        return;
    }
    if (load != NULL && loaded != NULL && loaded->per_handshake_ns.known &&
        all_are_accepted(record, EKB_STAGE_LOAD)) {
        (void)snprintf(under_load, sizeof under_load, ", and %.0f us with %s (under load)",
                       loaded->per_handshake_ns.value / 1e3,
                       ekb_units_format_count(in_flight, load->in_flight));
    }
    report_say(answer,
               "The same accepted client costs the server %.0f us in TLS and our own code with "
               "%llu in flight (the tables of costs); with the kernel's part, %.0f us with %llu in "
               "flight (here)%s. Levels differ from stage to stage, for what they include and "
               "because machines drift: differences are taken within one stage only.",
               arm->server_cpu_interval.estimate / 1e3, (unsigned long long)cost->in_flight,
               record->server_floor.measured.estimate / 1e3, (unsigned long long)floor->in_flight,
               under_load);
}

void text_write_floors(FILE *out, const struct ekb_record *record)
{
    if (!record->floors_known || !record->server_floor.memory_ns.known) {
        return;
    }
    const struct ekb_record_stage *stage = text_find_stage(record, EKB_STAGE_FLOOR);
    text_rule(out, "Floors: how much of it is this tool?");
    if (!is_known(&record->server_floor) && !is_known(&record->client_floor)) {
        text_not_measured(out, record, EKB_STAGE_FLOOR);
        return;
    }
    text_wrapped(
        out,
        "EKU on, depth 1, %llu in flight, all CPU time of the process and of the kernel for it; in "
        "turn with it the same handshake in memory, and a TCP connection that exchanges as many "
        "bytes. Engine tax: what is measured beyond the sum of these two, taken turn by turn: "
        "it is not exactly that of the columns.",
        stage != NULL ? (unsigned long long)stage->in_flight : 0);
    (void)fprintf(out, "\n%-8s  %-22s  %-20s  %-22s  %s\n", "us", "in memory", "bare TCP",
                  "measured", "engine tax, %");
    write_floor_row(out, "server", &record->server_floor);
    write_floor_row(out, "client", &record->client_floor);
    struct report_answer said = {.num_sentences = 0};
    text_say_levels(&said, record);
    text_write_said(out, &said);
}

void text_say_shape(struct report_answer *answer, const struct ekb_record_stage *stage)
{
    const struct ekb_record_open_loop *loop = &stage->open_loop;
    char planned[32];
    char offered[32] = "-";
    if (!loop->known) {
        report_say(answer, "Closed loop, %llu in flight.", (unsigned long long)stage->in_flight);
        return;
    }
    if (isfinite(loop->offered_per_s)) {
        (void)snprintf(offered, sizeof offered, "%.0f/s", loop->offered_per_s);
    }
    report_say(answer,
               "Open loop, %s arrivals: %s/s planned, %s offered, at most %llu in flight. "
               "Latency is from the planned start; uncorrected it is from the actual one, as a "
               "client that falls behind its schedule would report it.",
               loop->arrivals, text_real(planned, 0, loop->planned_per_s), offered,
               (unsigned long long)stage->in_flight);
}

static void write_shape(FILE *out, const struct ekb_record_stage *stage)
{
    struct report_answer said = {.num_sentences = 0};
    text_say_shape(&said, stage);
    text_write_said(out, &said);
}

static void write_steps(FILE *out, const char *name, bool known, const struct ekb_estimate *cpu)
{
    char text[64];
    if (known) {
        (void)fprintf(out, "%s: %s us of CPU per handshake in TLS and in our own code\n", name,
                      text_interval(text, cpu, text_us));
    }
}

void text_write_only_arm(FILE *out, const struct ekb_record *record)
{
    const struct ekb_record_arm *arm = text_find_only_arm(record);
    const struct ekb_record_stage *stage = text_find_stage(record, EKB_STAGE_COST);
    if (arm == NULL || stage == NULL) {
        return;
    }
    text_rule(out, "What does a handshake cost?");
    write_shape(out, stage);
    write_latency_head(out, "latency in ms");
    write_latency_row(out, record, arm);
    write_steps(out, "server", arm->server_cpu_interval_known, &arm->server_cpu_interval);
    write_steps(out, "client", arm->client_cpu_interval_known, &arm->client_cpu_interval);
    write_side(out, "server",
               ekb_record_find_cpu(record->server_cpu, record->num_server_cpu, stage->name));
    write_side(out, "client",
               ekb_record_find_cpu(record->client_cpu, record->num_client_cpu, stage->name));
}

static void write_distribution_row(FILE *out, const char *name,
                                   const struct ekb_record_summary *summary)
{
    char text[4][32];
    if (!summary->known) {
        return;
    }
    (void)fprintf(out, "%-49s %7s %8s %8s %8s %8.1f\n", name,
                  write_percentile(text[0], summary->p50), write_percentile(text[1], summary->p90),
                  write_percentile(text[2], summary->p99), write_percentile(text[3], summary->p999),
                  (double)summary->moments.max / text_ms.divisor);
}

const char *text_confirm_meaning(const char *confirm)
{
    static const struct {
        const char *confirm;
        const char *meaning;
    } rows[] = {
        {"first", "the server's first byte, ticket or close was read (TLS 1.2: its Finished)"},
        {"byte", "the server's first byte was read"},
        {"ticket", "the server's first ticket was read"},
        {"close", "the server closed in order"},
        {"http", "the server's answer to a request does not refuse the client"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(rows[i].confirm, confirm) == 0) {
            return rows[i].meaning;
        }
    }
    return "the client's own handshake ended (in TLS 1.3 the server may still reject)";
}

// text_say_negotiated says what was chosen of what was offered, and what clients present.
void text_say_negotiated(struct report_answer *answer, const struct ekb_record *record)
{
    const struct ekb_record_arm *arm = &record->arms[0];
    report_say(answer, "Target %s, %s client, accepted means: %s.", record->plan.target,
               text_find_stage(record, arm->stage) != NULL
                   ? text_find_stage(record, arm->stage)->client
                   : "unknown",
               text_confirm_meaning(record->plan.confirm));
    if (record->plan.group[0] != '\0' && record->plan.server_signature[0] != '\0') {
        report_say(answer, "Negotiated: group %s, the server signs with %s.", record->plan.group,
                   record->plan.server_signature);
    } else if (record->plan.group[0] != '\0') {
        report_say(answer, "Negotiated: group %s.", record->plan.group);
    }
    if (arm->identities > 1) {
        report_say(answer, "Clients present %llu identities, picked by %s.",
                   (unsigned long long)arm->identities, arm->pick);
    }
}

void text_write_foreign_load(FILE *out, const struct ekb_record *record)
{
    if (strcmp(ekb_record_base_kind(record), "load") != 0 || record->num_arms == 0) {
        return;
    }
    const struct ekb_record_stage *stage = text_find_stage(record, record->arms[0].stage);
    if (stage == NULL) {
        return;
    }
    struct report_answer said = {.num_sentences = 0};
    text_say_negotiated(&said, record);
    text_say_shape(&said, stage);
    if (stage->warmup_ns > 0) {
        report_say(&said,
                   "Counts are of the whole run; rates and latencies are without the warm-up.");
    }
    text_write_said(out, &said);
    write_latency_head(out, "latency in ms");
    for (size_t i = 0; i < record->num_arms; i++) {
        write_latency_row(out, record, &record->arms[i]);
        write_distribution_row(out, "  uncorrected", &record->arms[i].uncorrected_latency_ns);
    }
    write_distribution_row(out, "  the client's lag", &stage->open_loop.lag_ns);
    write_distribution_row(out, "  what was dropped would have waited",
                           &stage->open_loop.dropped_wait_ns);
    write_side(
        out, "client",
        ekb_record_find_cpu(record->client_cpu, record->num_client_cpu, record->arms[0].stage));
    text_write_series(out, record, stage);
}
