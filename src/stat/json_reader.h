// The values of the result file, read back: the other side of stat/json_writer. A reader keeps the
// first error, with the place where it is, so that only the top looks; after one all values are
// zero. Nothing in a file is trusted.
//
// A key that is not there is as good as `null`, which is what it would say: results of older
// versions have fewer keys. Keys that are not asked for are of later ones.

#ifndef EKUBENCH_SRC_STAT_JSON_READER_H
#define EKUBENCH_SRC_STAT_JSON_READER_H

#include "ekubench/stat/record.h"

#include <jansson.h>

struct ekb_json_reader {
    enum ekb_err err;
    struct ekb_fail *fail;
    struct ekb_hist *hist; // For looking at histograms: ekb_hist_size() bytes.
};

// A place in the file. Its parents outlive it.
struct ekb_json_at {
    struct ekb_json_reader *reader;
    const struct ekb_json_at *parent; // NULL: the whole file.
    const char *key;                  // Of an element of an array: NULL,
    size_t index;                     // and this.
    json_t *value;                    // NULL if there is nothing, or `null`.
};

// ekb_json_refuse notes that what is at `at`, or under its `key` unless that is NULL, is not what
// is `wanted`.
void ekb_json_refuse(const struct ekb_json_at *at, const char *key, const char *wanted);

// ekb_json_object and ekb_json_array return the object or array under `key`, ekb_json_element the
// object that is an element of an array. What is of another type is refused, and is nothing;
// ekb_json_element refuses `null` too.
struct ekb_json_at ekb_json_object(const struct ekb_json_at *at, const char *key);
struct ekb_json_at ekb_json_array(const struct ekb_json_at *at, const char *key);
struct ekb_json_at ekb_json_element(const struct ekb_json_at *array, size_t index);

// ekb_json_items returns `item_len` zeroed bytes for each element, newly allocated, and their
// number; NULL and 0 if there are none, or after an error.
void *ekb_json_items(const struct ekb_json_at *array, size_t *out_num_items, size_t item_len);

// These read the value under `key`. A text that is unknown is "", a number 0, a real NaN; control
// characters become "?". A text that is too long for `field` is refused.
#define EKB_JSON_READ_TEXT(at, key, field) ekb_json_read_text((at), (key), (field), sizeof(field))
void ekb_json_read_text(const struct ekb_json_at *at, const char *key, char *out_text,
                        size_t text_len);
uint64_t ekb_json_read_u64(const struct ekb_json_at *at, const char *key);
struct ekb_record_u64 ekb_json_read_known_u64(const struct ekb_json_at *at, const char *key);
double ekb_json_read_real(const struct ekb_json_at *at, const char *key);
struct ekb_record_real ekb_json_read_known_real(const struct ekb_json_at *at, const char *key);
bool ekb_json_read_bool(const struct ekb_json_at *at, const char *key);
bool ekb_json_read_known_bool(const struct ekb_json_at *at, const char *key, bool *out_value);

// ekb_json_read_ci95 reads [low, high]; false if either of them is unknown. ekb_json_read_interval
// reads an estimate with it; false, and all of it zero, if any of the three is unknown.
bool ekb_json_read_ci95(const struct ekb_json_at *at, const char *key,
                        struct ekb_estimate *out_estimate);
bool ekb_json_read_interval(const struct ekb_json_at *at, const char *key,
                            struct ekb_estimate *out_estimate);
void ekb_json_read_summary(const struct ekb_json_at *at, const char *key,
                           struct ekb_record_summary *out_summary);
// ekb_json_read_counts stores at most `max` counts in `items`.
size_t ekb_json_read_counts(const struct ekb_json_at *at, const char *key,
                            struct ekb_record_count *items, size_t max);
void ekb_json_read_grown_counts(const struct ekb_json_at *at, const char *key,
                                struct ekb_record_counts *out_counts);
size_t ekb_json_read_lines(const struct ekb_json_at *at, const char *key,
                           char (*lines)[EKB_RECORD_LINE_LEN], size_t max);

// ekb_json_read_capacity is in capacity_read.c.
void ekb_json_read_capacity(const struct ekb_json_at *at, struct ekb_record_capacity *out_capacity);

#endif
