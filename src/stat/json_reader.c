#include "stat/json_reader.h"

#include "ekubench/base/utf8.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// write_place writes where `at` is, "arms[3].latency_ns", as far as there is room.
static void write_place(char *out_text, size_t text_len, const struct ekb_json_at *at)
{
    if (at->parent == NULL) {
        return;
    }
    write_place(out_text, text_len, at->parent);
    const size_t len = strlen(out_text);
    if (at->key != NULL) {
        (void)snprintf(out_text + len, text_len - len, "%s%s", len > 0 ? "." : "", at->key);
    } else {
        (void)snprintf(out_text + len, text_len - len, "[%zu]", at->index);
    }
}

void ekb_json_refuse(const struct ekb_json_at *at, const char *key, const char *wanted)
{
    struct ekb_json_reader *reader = at->reader;
    const struct ekb_json_at child = {.reader = reader, .parent = at, .key = key};
    char place[128] = "";
    if (reader->err != EKB_OK) {
        return;
    }
    write_place(place, sizeof place, key != NULL ? &child : at);
    reader->err = ekb_fail_say(reader->fail, EKB_PARSE, "%s: %s is wanted",
                               place[0] != '\0' ? place : "the result", wanted);
}

static void run_out(const struct ekb_json_at *at)
{
    if (at->reader->err == EKB_OK) {
        at->reader->err = ekb_fail_set(at->reader->fail, EKB_NOMEM, 0, "result");
    }
}

// value_of returns what is under `key`, NULL if it is unknown, or an error has been found.
static json_t *value_of(const struct ekb_json_at *at, const char *key)
{
    json_t *value = at->reader->err == EKB_OK ? json_object_get(at->value, key) : NULL;
    return json_is_null(value) ? NULL : value;
}

struct ekb_json_at ekb_json_object(const struct ekb_json_at *at, const char *key)
{
    struct ekb_json_at child = {
        .reader = at->reader, .parent = at, .key = key, .value = value_of(at, key)};
    if (child.value != NULL && !json_is_object(child.value)) {
        ekb_json_refuse(at, key, "an object");
        child.value = NULL;
    }
    return child;
}

struct ekb_json_at ekb_json_array(const struct ekb_json_at *at, const char *key)
{
    struct ekb_json_at child = {
        .reader = at->reader, .parent = at, .key = key, .value = value_of(at, key)};
    if (child.value != NULL && !json_is_array(child.value)) {
        ekb_json_refuse(at, key, "an array");
        child.value = NULL;
    }
    return child;
}

struct ekb_json_at ekb_json_element(const struct ekb_json_at *array, size_t index)
{
    struct ekb_json_at child = {.reader = array->reader,
                                .parent = array,
                                .index = index,
                                .value = json_array_get(array->value, index)};
    if (!json_is_object(child.value)) {
        ekb_json_refuse(&child, NULL, "an object");
        child.value = NULL;
    }
    return child;
}

void *ekb_json_items(const struct ekb_json_at *array, size_t *out_num_items, size_t item_len)
{
    const size_t num_items = array->reader->err == EKB_OK ? json_array_size(array->value) : 0;
    void *items = num_items > 0 ? calloc(num_items, item_len) : NULL;
    *out_num_items = items != NULL ? num_items : 0;
    if (items == NULL && num_items > 0) {
        run_out(array);
    }
    return items;
}

// store_text stores a text that is not too long, and cleans it.
static bool store_text(char *out_text, size_t text_len, const char *text)
{
    const int len = snprintf(out_text, text_len, "%s", text);
    ekb_utf8_clean(out_text); // What is read is printed.
    return len >= 0 && (size_t)len < text_len;
}

void ekb_json_read_text(const struct ekb_json_at *at, const char *key, char *out_text,
                        size_t text_len)
{
    const json_t *value = value_of(at, key);
    out_text[0] = '\0';
    if (value == NULL) {
        return;
    }
    if (!json_is_string(value) || !store_text(out_text, text_len, json_string_value(value))) {
        char wanted[64];
        (void)snprintf(wanted, sizeof wanted, "a text of at most %zu bytes", text_len - 1);
        ekb_json_refuse(at, key, wanted);
    }
}

struct ekb_record_u64 ekb_json_read_known_u64(const struct ekb_json_at *at, const char *key)
{
    const json_t *value = value_of(at, key);
    if (value == NULL) {
        return (struct ekb_record_u64){0};
    }
    if (!json_is_integer(value) || json_integer_value(value) < 0) {
        ekb_json_refuse(at, key, "a whole number from 0 on");
        return (struct ekb_record_u64){0};
    }
    return (struct ekb_record_u64){.known = true, .value = (uint64_t)json_integer_value(value)};
}

uint64_t ekb_json_read_u64(const struct ekb_json_at *at, const char *key)
{
    return ekb_json_read_known_u64(at, key).value;
}

struct ekb_record_real ekb_json_read_known_real(const struct ekb_json_at *at, const char *key)
{
    const json_t *value = value_of(at, key);
    if (value == NULL) {
        return (struct ekb_record_real){0};
    }
    if (!json_is_number(value)) {
        ekb_json_refuse(at, key, "a number");
        return (struct ekb_record_real){0};
    }
    return (struct ekb_record_real){.known = true, .value = json_number_value(value)};
}

double ekb_json_read_real(const struct ekb_json_at *at, const char *key)
{
    const struct ekb_record_real real = ekb_json_read_known_real(at, key);
    return real.known ? real.value : (double)NAN;
}

bool ekb_json_read_known_bool(const struct ekb_json_at *at, const char *key, bool *out_value)
{
    const json_t *value = value_of(at, key);
    *out_value = json_is_true(value);
    if (value != NULL && !json_is_boolean(value)) {
        ekb_json_refuse(at, key, "true or false");
    }
    return value != NULL;
}

bool ekb_json_read_bool(const struct ekb_json_at *at, const char *key)
{
    bool value = false;
    (void)ekb_json_read_known_bool(at, key, &value);
    return value;
}

// read_bound reads an end of an interval.
static double read_bound(const struct ekb_json_at *array, size_t index)
{
    const json_t *value = json_array_get(array->value, index);
    if (json_is_null(value)) {
        return (double)NAN;
    }
    if (!json_is_number(value)) {
        ekb_json_refuse(array, NULL, "an array of two numbers");
        return (double)NAN;
    }
    return json_number_value(value);
}

bool ekb_json_read_ci95(const struct ekb_json_at *at, const char *key,
                        struct ekb_estimate *out_estimate)
{
    const struct ekb_json_at array = ekb_json_array(at, key);
    out_estimate->low = (double)NAN;
    out_estimate->high = (double)NAN;
    if (array.value == NULL) {
        return false;
    }
    if (json_array_size(array.value) != 2) {
        ekb_json_refuse(at, key, "an array of two numbers");
        return false;
    }
    out_estimate->low = read_bound(&array, 0);
    out_estimate->high = read_bound(&array, 1);
    return isfinite(out_estimate->low) && isfinite(out_estimate->high);
}

bool ekb_json_read_interval(const struct ekb_json_at *at, const char *key,
                            struct ekb_estimate *out_estimate)
{
    const struct ekb_json_at object = ekb_json_object(at, key);
    *out_estimate = (struct ekb_estimate){0};
    if (object.value == NULL) {
        return false;
    }
    struct ekb_estimate estimate = {.estimate = ekb_json_read_real(&object, "estimate"),
                                    .n = ekb_json_read_u64(&object, "n")};
    if (!ekb_json_read_ci95(&object, "ci95", &estimate) || !isfinite(estimate.estimate)) {
        return false;
    }
    *out_estimate = estimate;
    return true;
}

static void read_squares(const struct ekb_json_at *at, struct ekb_moments *moments)
{
    const json_t *value = value_of(at, "sum_squares");
    if (value == NULL) {
        const double stddev = ekb_json_read_real(at, "stddev");
        ekb_moments_guess_squares(moments, isfinite(stddev) ? stddev : 0);
    } else if (!json_is_string(value) ||
               !ekb_moments_parse_squares(moments, json_string_value(value))) {
        ekb_json_refuse(at, "sum_squares", "a text of digits");
    }
}

// read_hdr reads a histogram, and refuses one that is none or that has counted other samples.
static char *read_hdr(const struct ekb_json_at *at, uint64_t count)
{
    const json_t *value = value_of(at, "hdr");
    if (value == NULL) {
        return NULL;
    }
    const enum ekb_err err = json_is_string(value)
                                 ? ekb_hist_decode(at->reader->hist, json_string_value(value))
                                 : EKB_PARSE;
    if (err == EKB_NOMEM) {
        run_out(at);
    } else if (err != EKB_OK) {
        ekb_json_refuse(at, "hdr", "an HdrHistogram (V2, compressed, base64) from 1 ns to 60 s");
    } else if (ekb_hist_count(at->reader->hist) != count) {
        ekb_json_refuse(at, "hdr", "a histogram of as many samples as `count` says");
    }
    char *text = at->reader->err == EKB_OK ? strdup(json_string_value(value)) : NULL;
    if (text == NULL) {
        run_out(at);
    }
    return text;
}

void ekb_json_read_summary(const struct ekb_json_at *at, const char *key,
                           struct ekb_record_summary *out_summary)
{
    const struct ekb_json_at object = ekb_json_object(at, key);
    *out_summary = (struct ekb_record_summary){.known = object.value != NULL};
    if (object.value == NULL) {
        return;
    }
    struct ekb_moments *moments = &out_summary->moments;
    moments->count = ekb_json_read_u64(&object, "count");
    moments->sum = ekb_json_read_u64(&object, "sum");
    moments->min = ekb_json_read_u64(&object, "min");
    moments->max = ekb_json_read_u64(&object, "max");
    read_squares(&object, moments);
    if (at->reader->err == EKB_OK && !ekb_moments_is_possible(moments)) {
        ekb_json_refuse(at, key, "a count, sum, minimum and maximum that belong together");
    }
    out_summary->p50 = ekb_json_read_known_u64(&object, "p50");
    out_summary->p90 = ekb_json_read_known_u64(&object, "p90");
    out_summary->p99 = ekb_json_read_known_u64(&object, "p99");
    out_summary->p999 = ekb_json_read_known_u64(&object, "p999");
    out_summary->hdr = read_hdr(&object, moments->count);
}

// read_count reads one count by name.
static void read_count(const struct ekb_json_at *object, const char *name,
                       struct ekb_record_count *out_count)
{
    if (!store_text(out_count->name, sizeof out_count->name, name) || name[0] == '\0') {
        ekb_json_refuse(object, NULL, "a name of at most 47 bytes for each count");
    }
    out_count->count = ekb_json_read_u64(object, name);
}

size_t ekb_json_read_counts(const struct ekb_json_at *at, const char *key,
                            struct ekb_record_count *items, size_t max)
{
    const struct ekb_json_at object = ekb_json_object(at, key);
    size_t num = 0;
    if (json_object_size(object.value) > max) {
        ekb_json_refuse(at, key, "fewer counts");
        return 0;
    }
    for (void *i = json_object_iter(object.value); i != NULL;
         i = json_object_iter_next(object.value, i)) {
        read_count(&object, json_object_iter_key(i), &items[num++]);
    }
    return num;
}

void ekb_json_read_grown_counts(const struct ekb_json_at *at, const char *key,
                                struct ekb_record_counts *out_counts)
{
    const struct ekb_json_at object = ekb_json_object(at, key);
    const size_t num = json_object_size(object.value);
    if (num == 0) {
        return;
    }
    out_counts->items = calloc(num, sizeof out_counts->items[0]);
    if (out_counts->items == NULL) {
        run_out(at);
        return;
    }
    out_counts->num_items = ekb_json_read_counts(at, key, out_counts->items, num);
}

size_t ekb_json_read_lines(const struct ekb_json_at *at, const char *key,
                           char (*lines)[EKB_RECORD_LINE_LEN], size_t max)
{
    const struct ekb_json_at array = ekb_json_array(at, key);
    const size_t num = json_array_size(array.value);
    for (size_t i = 0; i < num; i++) {
        const json_t *value = json_array_get(array.value, i);
        if (i >= max || !json_is_string(value) ||
            !store_text(lines[i], EKB_RECORD_LINE_LEN, json_string_value(value))) {
            ekb_json_refuse(at, key, "a list of at most 24 texts of at most 319 bytes");
            return 0;
        }
    }
    return num;
}
