#include "report/text_internal.h"

#include <stdbool.h>

#define MAX_ROWS 20

// changes is true if the rate of the open loop is not the same all the measured time.
static bool changes(const struct ekb_record_stage *stage)
{
    const struct ekb_record_open_loop *loop = &stage->open_loop;
    uint64_t end_ns = 0;
    double least = 0;
    double most = 0;
    bool some = false;
    for (size_t i = 0; i < loop->num_stretches; i++) {
        const struct ekb_record_stretch *stretch = &loop->stretches[i];
        end_ns += stretch->duration_ns;
        if (end_ns <= stage->warmup_ns) {
            continue;
        }
        const double rates[] = {stretch->begin_per_s, stretch->end_per_s};
        for (size_t j = 0; j < 2; j++) {
            least = !some || rates[j] < least ? rates[j] : least;
            most = !some || rates[j] > most ? rates[j] : most;
            some = true;
        }
    }
    return least < most;
}

static void take_higher(struct ekb_record_u64 *highest, struct ekb_record_u64 value)
{
    if (value.known && (!highest->known || value.value > highest->value)) {
        *highest = value;
    }
}

// mean_steal returns that over the time of `count` intervals in which it is known.
static struct ekb_record_real mean_steal(const struct ekb_record_interval *intervals, size_t count)
{
    double sum = 0;
    double known_ns = 0;
    for (size_t i = 0; i < count; i++) {
        if (intervals[i].steal_percent.known) {
            sum += intervals[i].steal_percent.value * (double)intervals[i].duration_ns;
            known_ns += (double)intervals[i].duration_ns;
        }
    }
    return (struct ekb_record_real){known_ns > 0, known_ns > 0 ? sum / known_ns : 0};
}

// sum_up makes one interval of `count`. Percentiles of parts say nothing of the whole but how high
// they came. Steal is the mean.
static struct ekb_record_interval sum_up(const struct ekb_record_interval *intervals, size_t count)
{
    struct ekb_record_interval sum = intervals[0];
    for (size_t i = 1; i < count; i++) {
        sum.duration_ns += intervals[i].duration_ns;
        sum.started += intervals[i].started;
        sum.accepted += intervals[i].accepted;
        sum.rejected += intervals[i].rejected;
        sum.failed += intervals[i].failed;
        sum.dropped += intervals[i].dropped;
        sum.in_flight = intervals[i].in_flight;
        take_higher(&sum.p50_ns, intervals[i].p50_ns);
        take_higher(&sum.p99_ns, intervals[i].p99_ns);
        take_higher(&sum.max_ns, intervals[i].max_ns);
    }
    sum.steal_percent = mean_steal(intervals, count);
    return sum;
}

static const char *write_ms(char out_text[32], struct ekb_record_u64 value)
{
    (void)snprintf(out_text, 32, value.known ? "%.1f" : "-", (double)value.value / text_ms.divisor);
    return out_text;
}

static void write_row(FILE *out, const struct ekb_record_interval *row)
{
    char p50[32];
    char p99[32];
    char max[32];
    const double seconds = (double)row->duration_ns / 1e9;
    (void)fprintf(out, "%8.0f %8.0f %10.0f %8llu %8llu %8llu %9llu %8s %8s %8s",
                  (double)row->start_ns / 1e9, (double)(row->started + row->dropped) / seconds,
                  (double)row->accepted / seconds, (unsigned long long)row->rejected,
                  (unsigned long long)row->failed, (unsigned long long)row->dropped,
                  (unsigned long long)row->in_flight, write_ms(p50, row->p50_ns),
                  write_ms(p99, row->p99_ns), write_ms(max, row->max_ns));
}

static void write_steal(FILE *out, struct ekb_record_real percent)
{
    char text[32];
    (void)snprintf(text, sizeof text, percent.known ? "%.1f" : "-", percent.value);
    (void)fprintf(out, " %7s", text);
}

// is_remainder is true for what ended just after the time was over: too short for a row.
static bool is_remainder(const struct ekb_record_series *series, size_t index)
{
    const struct ekb_record_interval *interval = &series->intervals[index];
    return interval->started + interval->dropped == 0 &&
           interval->duration_ns < series->interval_ns / 2;
}

bool text_is_steal_known(const struct ekb_record_series *series)
{
    bool known = false;
    for (size_t i = 0; i < series->num_intervals; i++) {
        known = known || series->intervals[i].steal_percent.known;
    }
    return known;
}

void text_write_series(FILE *out, const struct ekb_record *record,
                       const struct ekb_record_stage *stage)
{
    const struct ekb_record_series *series = ekb_record_find_series(record, stage->name);
    size_t num_rows = series != NULL ? series->num_intervals : 0;
    if (!changes(stage) || num_rows < 2) {
        return;
    }
    num_rows -= is_remainder(series, num_rows - 1) ? 1 : 0;
    const bool with_steal = text_is_steal_known(series);
    const size_t per_row = (num_rows + MAX_ROWS - 1) / MAX_ROWS;
    (void)fputc('\n', out);
    text_wrapped(
        out,
        "Over time, from the start of the warm-up, of %.0f s; everything when it happened: "
        "due is started or dropped, latency in ms is of what ended then%s.",
        (double)stage->warmup_ns / 1e9,
        per_row > 1 ? ", percentiles the highest of the intervals in a row" : "");
    (void)fprintf(out, "%8s %8s %10s %8s %8s %8s %9s %8s %8s %8s%s\n", "from s", "due/s",
                  "accepted/s", "rejected", "failed", "dropped", "in flight", "p50", "p99", "max",
                  with_steal ? " steal %" : "");
    for (size_t i = 0; i < num_rows; i += per_row) {
        const struct ekb_record_interval row =
            sum_up(&series->intervals[i], num_rows - i < per_row ? num_rows - i : per_row);
        write_row(out, &row);
        if (with_steal) {
            write_steal(out, row.steal_percent);
        }
        (void)fputc('\n', out);
    }
}
