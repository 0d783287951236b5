#include "stat/json_writer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void ekb_json_fail(struct ekb_json_writer *writer, enum ekb_err err)
{
    if (writer->err == EKB_OK) {
        writer->err = err;
    }
}

void ekb_json_put(struct ekb_json_writer *writer, json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, value) != 0) {
        ekb_json_fail(writer, EKB_NOMEM);
    }
}

void ekb_json_append(struct ekb_json_writer *writer, json_t *array, json_t *value)
{
    if (json_array_append_new(array, value) != 0) {
        ekb_json_fail(writer, EKB_NOMEM);
    }
}

// JSON integers are signed 64 bits wide here. A wrapped number would be a wrong one.
json_t *ekb_json_u64(struct ekb_json_writer *writer, uint64_t value)
{
    if (value > INT64_MAX) {
        ekb_json_fail(writer, EKB_TOO_BIG);
        return json_null();
    }
    return json_integer((json_int_t)value);
}

json_t *ekb_json_u64_or_null(struct ekb_json_writer *writer, const struct ekb_record_u64 *value)
{
    return value->known ? ekb_json_u64(writer, value->value) : json_null();
}

// Of things that every machine has: 0 means that it could not be read.
json_t *ekb_json_positive_or_null(struct ekb_json_writer *writer, uint64_t value)
{
    return value > 0 ? ekb_json_u64(writer, value) : json_null();
}

json_t *ekb_json_real(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

json_t *ekb_json_real_or_null(const struct ekb_record_real *value)
{
    return value->known ? ekb_json_real(value->value) : json_null();
}

json_t *ekb_json_bool(bool value)
{
    return json_boolean(value);
}

// plain_copy returns a newly-allocated copy of `text` with "?" for every byte that is not ASCII.
static char *plain_copy(const char *text)
{
    char *copy = strdup(text);
    for (char *at = copy; at != NULL && *at != '\0'; at++) {
        if ((unsigned char)*at >= 0x80) {
            *at = '?';
        }
    }
    return copy;
}

// A text may come from outside (a CPU's name) or may have been cut within a character to fit its
// field; JSON must be UTF-8, and the library refuses what is not.
json_t *ekb_json_text(const char *text)
{
    json_t *value = json_string(text);
    if (value == NULL) {
        char *plain = plain_copy(text);
        value = plain == NULL ? NULL : json_string(plain);
        free(plain);
    }
    return value;
}

json_t *ekb_json_text_or_null(const char *text)
{
    return text[0] == '\0' ? json_null() : ekb_json_text(text);
}

json_t *ekb_json_counts(struct ekb_json_writer *writer, const struct ekb_record_count *items,
                        size_t num_items)
{
    json_t *object = json_object();
    for (size_t i = 0; i < num_items; i++) {
        char *key = plain_copy(items[i].name);
        if (key == NULL) {
            ekb_json_fail(writer, EKB_NOMEM);
            break;
        }
        ekb_json_put(writer, object, key, ekb_json_u64(writer, items[i].count));
        free(key);
    }
    return object;
}

json_t *ekb_json_texts(struct ekb_json_writer *writer, const char (*lines)[EKB_RECORD_LINE_LEN],
                       size_t num_lines)
{
    json_t *array = json_array();
    for (size_t i = 0; i < num_lines; i++) {
        ekb_json_append(writer, array, ekb_json_text(lines[i]));
    }
    return array;
}

json_t *ekb_json_ci95(struct ekb_json_writer *writer, const struct ekb_estimate *estimate)
{
    json_t *array = json_array();
    ekb_json_append(writer, array, ekb_json_real(estimate->low));
    ekb_json_append(writer, array, ekb_json_real(estimate->high));
    return array;
}

json_t *ekb_json_interval_or_null(struct ekb_json_writer *writer, bool known,
                                  const struct ekb_estimate *estimate)
{
    if (!known) {
        return json_null();
    }
    json_t *object = json_object();
    ekb_json_put(writer, object, "estimate", ekb_json_real(estimate->estimate));
    ekb_json_put(writer, object, "ci95", ekb_json_ci95(writer, estimate));
    ekb_json_put(writer, object, "n", ekb_json_u64(writer, estimate->n));
    return object;
}

// An empty distribution has no extremes and no mean; a single sample has no deviation.
json_t *ekb_json_summary(struct ekb_json_writer *writer, const struct ekb_record_summary *summary)
{
    const struct ekb_moments *moments = &summary->moments;
    const bool some = moments->count > 0;
    char squares[EKB_MOMENTS_TEXT_LEN];
    json_t *object = json_object();
    ekb_json_put(writer, object, "count", ekb_json_u64(writer, moments->count));
    ekb_json_put(writer, object, "sum", ekb_json_u64(writer, moments->sum));
    ekb_json_put(writer, object, "sum_squares",
                 json_string(ekb_moments_format_squares(squares, moments)));
    ekb_json_put(writer, object, "min", some ? ekb_json_u64(writer, moments->min) : json_null());
    ekb_json_put(writer, object, "mean",
                 some ? ekb_json_real(ekb_moments_mean(moments)) : json_null());
    ekb_json_put(writer, object, "stddev",
                 moments->count > 1 ? ekb_json_real(ekb_moments_stddev(moments)) : json_null());
    ekb_json_put(writer, object, "p50", ekb_json_u64_or_null(writer, &summary->p50));
    ekb_json_put(writer, object, "p90", ekb_json_u64_or_null(writer, &summary->p90));
    ekb_json_put(writer, object, "p99", ekb_json_u64_or_null(writer, &summary->p99));
    ekb_json_put(writer, object, "p999", ekb_json_u64_or_null(writer, &summary->p999));
    ekb_json_put(writer, object, "max", some ? ekb_json_u64(writer, moments->max) : json_null());
    ekb_json_put(writer, object, "hdr",
                 summary->hdr == NULL ? json_null() : ekb_json_text(summary->hdr));
    return object;
}

json_t *ekb_json_summary_or_null(struct ekb_json_writer *writer,
                                 const struct ekb_record_summary *summary)
{
    return summary->known ? ekb_json_summary(writer, summary) : json_null();
}
