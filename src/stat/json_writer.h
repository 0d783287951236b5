// The values of the result file, as the JSON library's objects. A writer keeps the first error (the
// library answers with NULL when out of memory, and accepts NULL), so that only the top looks.

#ifndef EKUBENCH_SRC_STAT_JSON_WRITER_H
#define EKUBENCH_SRC_STAT_JSON_WRITER_H

#include "ekubench/stat/record.h"

#include <jansson.h>

struct ekb_json_writer {
    enum ekb_err err;
};

// ekb_json_fail notes an error; ekb_json_put and ekb_json_append take `value` over.
void ekb_json_fail(struct ekb_json_writer *writer, enum ekb_err err);
void ekb_json_put(struct ekb_json_writer *writer, json_t *object, const char *key, json_t *value);
void ekb_json_append(struct ekb_json_writer *writer, json_t *array, json_t *value);
json_t *ekb_json_u64(struct ekb_json_writer *writer, uint64_t value);
json_t *ekb_json_u64_or_null(struct ekb_json_writer *writer, const struct ekb_record_u64 *value);
json_t *ekb_json_positive_or_null(struct ekb_json_writer *writer, uint64_t value);
json_t *ekb_json_real(double value);
json_t *ekb_json_real_or_null(const struct ekb_record_real *value);
json_t *ekb_json_bool(bool value);
json_t *ekb_json_text(const char *text);
json_t *ekb_json_text_or_null(const char *text);
json_t *ekb_json_counts(struct ekb_json_writer *writer, const struct ekb_record_count *items,
                        size_t num_items);
json_t *ekb_json_texts(struct ekb_json_writer *writer, const char (*lines)[EKB_RECORD_LINE_LEN],
                       size_t num_lines);
json_t *ekb_json_ci95(struct ekb_json_writer *writer, const struct ekb_estimate *estimate);
json_t *ekb_json_interval_or_null(struct ekb_json_writer *writer, bool known,
                                  const struct ekb_estimate *estimate);
json_t *ekb_json_summary(struct ekb_json_writer *writer, const struct ekb_record_summary *summary);
json_t *ekb_json_summary_or_null(struct ekb_json_writer *writer,
                                 const struct ekb_record_summary *summary);

// ekb_json_series is in series_json.c, ekb_json_capacity_or_null in capacity_json.c.
json_t *ekb_json_series(struct ekb_json_writer *writer, const struct ekb_record *record);
json_t *ekb_json_capacity_or_null(struct ekb_json_writer *writer,
                                  const struct ekb_record_capacity *capacity);

#endif
