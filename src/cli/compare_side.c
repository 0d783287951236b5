#include "cli/compare.h"

#include "ekubench/base/file.h"
#include "ekubench/stat/words.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_RESULT_LEN (64u << 20)

// No number of nanoseconds or instructions is larger.
#define MAX_NUMBER 1e18

// The files that are read.
#define INSTRUCTIONS "ekubench.instructions/1"
#define RESULT "ekubench.result/1"

// What must be the same in both results; the path of keys in the file.
static const char *const traits[] = {
    "plan.name",    "plan.tls",         "plan.key",        "plan.cipher", "plan.groups",
    "plan.confirm", "host.cpu_model",   "host.cpus",       "host.kernel", "build.compiler",
    "build.flags",  "build.build_type", "build.boringssl", "handshakes",  "frozen",
};

// Whose times are compared, of all arms of a measurement.
static const char *const arms[] = {"one-way", "none-d1", "on-d1", "on-d3", "on-d5", "reject-d1"};

void ekb_compare_clean(char *text)
{
    for (char *at = text; *at != '\0'; at++) {
        // U+0080 to U+009F are control characters too.
        const bool is_c1 = (unsigned char)at[0] == 0xc2 && (unsigned char)at[1] >= 0x80 &&
                           (unsigned char)at[1] <= 0x9f;
        if ((unsigned char)*at < ' ' || *at == 0x7f || *at == '|') {
            *at = '?';
        } else if (is_c1) {
            at[0] = '?';
            at[1] = '?';
        }
    }
    json_t *string = json_string(text);
    for (char *at = text; string == NULL && *at != '\0'; at++) {
        if ((unsigned char)*at >= 0x80) {
            *at = '?';
        }
    }
    json_decref(string);
}

// set_name stores the formatted name, cleaned. EKB_PARSE if it is too long.
static enum ekb_err set_name(char out_name[EKB_COMPARE_NAME_LEN], const char *path,
                             struct ekb_fail *reterr_fail, const char *format, ...)
    EKB_PRINTF(4, 5);
static enum ekb_err set_name(char out_name[EKB_COMPARE_NAME_LEN], const char *path,
                             struct ekb_fail *reterr_fail, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const int len = vsnprintf(out_name, EKB_COMPARE_NAME_LEN, format, args);
    va_end(args);
    ekb_compare_clean(out_name);
    return len >= 0 && len < EKB_COMPARE_NAME_LEN
               ? EKB_OK
               : ekb_fail_say(reterr_fail, EKB_PARSE, "%s: the name \"%s...\" is too long", path,
                              out_name);
}

static enum ekb_err set_trait(struct ekb_compare_trait *trait, const char *name, const char *value,
                              const char *path, struct ekb_fail *reterr_fail)
{
    const int len = snprintf(trait->value, sizeof trait->value, "%s", value);
    ekb_compare_clean(trait->value);
    if (len < 0 || (size_t)len >= sizeof trait->value) {
        return ekb_fail_say(reterr_fail, EKB_PARSE, "%s: the value of %s is too long", path, name);
    }
    return set_name(trait->name, path, reterr_fail, "%s", name);
}

static enum ekb_err add_trait(struct ekb_compare_side *side, const char *schema, const char *name,
                              json_t *value, const char *path, struct ekb_fail *reterr_fail)
{
    struct ekb_compare_trait *trait = &side->traits[side->num_traits];
    if (side->num_traits == EKB_COMPARE_MAX_ROWS) {
        return ekb_fail_say(reterr_fail, EKB_TOO_BIG, "%s has more stages than can be compared",
                            path);
    }
    char *text = json_is_string(value) ? strdup(json_string_value(value))
                                       : json_dumps(value, JSON_ENCODE_ANY | JSON_SORT_KEYS);
    if (text == NULL) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "%s", path);
    }
    side->num_traits++;
    trait->schema = schema;
    const enum ekb_err err = set_trait(trait, name, text, path, reterr_fail);
    free(text);
    return err;
}

static json_t *at_path(json_t *root, const char *path)
{
    char keys[EKB_COMPARE_NAME_LEN];
    char *rest = NULL;
    json_t *value = root;
    (void)snprintf(keys, sizeof keys, "%s", path);
    for (char *key = strtok_r(keys, ".", &rest); key != NULL && value != NULL;
         key = strtok_r(NULL, ".", &rest)) {
        value = json_object_get(value, key);
    }
    return value;
}

// add_shapes adds what each stage did: how many were in flight.
static enum ekb_err add_shapes(struct ekb_compare_side *side, const char *schema, json_t *root,
                               const char *path, struct ekb_fail *reterr_fail)
{
    enum ekb_err err = EKB_OK;
    size_t index = 0;
    json_t *stage = NULL;
    json_array_foreach(at_path(root, "plan.stages"), index, stage)
    {
        char name[EKB_COMPARE_NAME_LEN];
        const char *stage_name = json_string_value(json_object_get(stage, "name"));
        json_t *in_flight = json_object_get(stage, "in_flight");
        err = set_name(name, path, reterr_fail, "plan.stages.%s.in_flight",
                       stage_name != NULL ? stage_name : "");
        if (err == EKB_OK && in_flight != NULL) {
            err = add_trait(side, schema, name, in_flight, path, reterr_fail);
        }
        if (err != EKB_OK) {
            break;
        }
    }
    return err;
}

static enum ekb_err add_traits(struct ekb_compare_side *side, const char *schema, json_t *root,
                               const char *path, struct ekb_fail *reterr_fail)
{
    enum ekb_err err = add_shapes(side, schema, root, path, reterr_fail);
    for (size_t i = 0; i < sizeof traits / sizeof traits[0] && err == EKB_OK; i++) {
        json_t *value = at_path(root, traits[i]);
        if (value != NULL) {
            err = add_trait(side, schema, traits[i], value, path, reterr_fail);
        }
    }
    return err;
}

static bool has_value(const struct ekb_compare_side *side, const char *name)
{
    for (size_t i = 0; i < side->num_values; i++) {
        if (strcmp(side->values[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static enum ekb_err add_value(struct ekb_compare_side *side, const struct ekb_compare_value *value,
                              const char *path, struct ekb_fail *reterr_fail)
{
    if (has_value(side, value->name)) {
        return ekb_fail_say(reterr_fail, EKB_PARSE, "%s: \"%s\" comes twice", path, value->name);
    }
    if (side->num_values == EKB_COMPARE_MAX_ROWS) {
        return ekb_fail_say(reterr_fail, EKB_TOO_BIG, "%s has more than %d numbers to compare",
                            path, EKB_COMPARE_MAX_ROWS);
    }
    side->values[side->num_values++] = *value;
    return EKB_OK;
}

static bool is_null(json_t *value)
{
    return value == NULL || json_is_null(value);
}

// read_interval reads an estimate and its [low, high]. EKB_NOT_FOUND if they are not known,
// EKB_PARSE if they cannot be.
static enum ekb_err read_interval(struct ekb_estimate *out_estimate, json_t *estimate,
                                  json_t *interval)
{
    json_t *low = json_array_get(interval, 0);
    json_t *high = json_array_get(interval, 1);
    if (is_null(estimate) || is_null(interval) ||
        (json_array_size(interval) == 2 && json_is_null(low) && json_is_null(high))) {
        return EKB_NOT_FOUND;
    }
    *out_estimate = (struct ekb_estimate){.estimate = json_number_value(estimate),
                                          .low = json_number_value(low),
                                          .high = json_number_value(high)};
    // What is no number is 0 here. Written so that what is not finite does not pass.
    return json_array_size(interval) == 2 && out_estimate->low > 0 &&
                   out_estimate->low <= out_estimate->estimate &&
                   out_estimate->estimate <= out_estimate->high && out_estimate->high <= MAX_NUMBER
               ? EKB_OK
               : EKB_PARSE;
}

static enum ekb_err refuse_interval(const char *name, const char *path,
                                    struct ekb_fail *reterr_fail)
{
    return ekb_fail_say(
        reterr_fail, EKB_PARSE,
        "%s: \"%s\" has an interval that does not hold its estimate, or numbers that "
        "cannot be",
        path, name);
}

static bool is_compared(const char *arm)
{
    for (size_t i = 0; i < sizeof arms / sizeof arms[0]; i++) {
        if (strcmp(arms[i], arm) == 0) {
            return true;
        }
    }
    return false;
}

static enum ekb_err add_arm(struct ekb_compare_side *side, json_t *arm, const char *path,
                            struct ekb_fail *reterr_fail)
{
    static const char *const keys[] = {"server_cpu_mean_ns", "client_cpu_mean_ns"};
    static const char *const labels[] = {"server CPU", "client CPU"};
    const char *name = json_string_value(json_object_get(arm, "name"));
    const char *stage = json_string_value(json_object_get(arm, "stage"));
    enum ekb_err err = EKB_OK;
    if (name == NULL || stage == NULL || strcmp(stage, EKB_STAGE_COST) != 0 || !is_compared(name)) {
        return EKB_OK;
    }
    for (size_t i = 0; i < 2 && err == EKB_OK; i++) {
        struct ekb_compare_value value = {.unit = "ns"};
        json_t *mean = json_object_get(arm, keys[i]);
        (void)snprintf(value.name, sizeof value.name, "%s/%s %s", stage, name, labels[i]);
        err = is_null(mean) ? EKB_NOT_FOUND
                            : read_interval(&value.estimate, json_object_get(mean, "estimate"),
                                            json_object_get(mean, "ci95"));
        value.estimate.n = (size_t)json_integer_value(json_object_get(mean, "n"));
        if (err == EKB_PARSE) {
            return refuse_interval(value.name, path, reterr_fail);
        }
        err = err == EKB_OK ? add_value(side, &value, path, reterr_fail) : EKB_OK;
    }
    return err;
}

// add_rate adds the time per handshake under load, the inverse of the rate, so that more is worse.
static enum ekb_err add_rate(struct ekb_compare_side *side, json_t *row, const char *path,
                             struct ekb_fail *reterr_fail)
{
    struct ekb_compare_value value = {.name = "load, time per handshake", .unit = "ns"};
    struct ekb_estimate rate;
    const char *stage = json_string_value(json_object_get(row, "stage"));
    if (stage == NULL || strcmp(stage, EKB_STAGE_LOAD) != 0 ||
        json_is_string(json_object_get(row, "arm"))) {
        return EKB_OK;
    }
    const enum ekb_err err =
        read_interval(&rate, json_object_get(row, "accepted_per_s"), json_object_get(row, "ci95"));
    if (err != EKB_OK) {
        return err == EKB_NOT_FOUND ? EKB_OK : refuse_interval(value.name, path, reterr_fail);
    }
    value.estimate = (struct ekb_estimate){
        .estimate = 1e9 / rate.estimate, .low = 1e9 / rate.high, .high = 1e9 / rate.low};
    return add_value(side, &value, path, reterr_fail);
}

static enum ekb_err add_count(struct ekb_compare_side *side, json_t *row, const char *path,
                              struct ekb_fail *reterr_fail)
{
    struct ekb_compare_value value = {.exact = true};
    const char *scenario = json_string_value(json_object_get(row, "scenario"));
    const char *part = json_string_value(json_object_get(row, "part"));
    json_t *count = json_object_get(row, "per_handshake");
    const double number = json_number_value(count);
    if (scenario == NULL || part == NULL) {
        return ekb_fail_say(reterr_fail, EKB_PARSE, "%s: a count has no scenario or no part", path);
    }
    const enum ekb_err err =
        set_name(value.name, path, reterr_fail, "instructions %s %s", scenario, part);
    if (err != EKB_OK) {
        return err;
    }
    if (!json_is_number(count) || !(number >= 0 && number <= MAX_NUMBER)) {
        return ekb_fail_say(reterr_fail, EKB_PARSE,
                            "%s: per_handshake of \"%s\" is no number of instructions", path,
                            value.name);
    }
    value.estimate.estimate = number;
    return add_value(side, &value, path, reterr_fail);
}

typedef enum ekb_err add_item(struct ekb_compare_side *side, json_t *item, const char *path,
                              struct ekb_fail *reterr_fail);

static enum ekb_err add_all(struct ekb_compare_side *side, json_t *items, add_item *add,
                            const char *path, struct ekb_fail *reterr_fail)
{
    enum ekb_err err = EKB_OK;
    for (size_t i = 0; i < json_array_size(items) && err == EKB_OK; i++) {
        err = add(side, json_array_get(items, i), path, reterr_fail);
    }
    return err;
}

static enum ekb_err take_result(struct ekb_compare_side *side, json_t *root, const char *path,
                                struct ekb_fail *reterr_fail)
{
    enum ekb_err err = add_all(side, json_object_get(root, "arms"), add_arm, path, reterr_fail);
    if (err == EKB_OK) {
        err = add_all(side, json_object_get(root, "throughput"), add_rate, path, reterr_fail);
    }
    side->clean =
        side->clean && json_is_true(json_object_get(json_object_get(root, "validity"), "clean"));
    return err;
}

static enum ekb_err take(struct ekb_compare_side *side, json_t *root, const char *path,
                         struct ekb_fail *reterr_fail)
{
    const char *schema = json_string_value(json_object_get(root, "schema"));
    enum ekb_err err = EKB_OK;
    if (schema != NULL && strcmp(schema, INSTRUCTIONS) == 0) {
        schema = INSTRUCTIONS;
        err = add_all(side, json_object_get(root, "instructions"), add_count, path, reterr_fail);
    } else if (schema != NULL && strcmp(schema, RESULT) == 0) {
        schema = RESULT;
        err = take_result(side, root, path, reterr_fail);
    } else {
        return ekb_fail_set(reterr_fail, EKB_PARSE, 0, "%s is no result of ekubench", path);
    }
    // A side is of two files at most.
    EKB_CHECK(side->num_schemas < sizeof side->schemas / sizeof side->schemas[0]);
    side->schemas[side->num_schemas++] = schema;
    return err == EKB_OK ? add_traits(side, schema, root, path, reterr_fail) : err;
}

static enum ekb_err load_file(struct ekb_compare_side *side, const char *path,
                              struct ekb_fail *reterr_fail)
{
    uint8_t *data = NULL;
    size_t data_len = 0;
    json_error_t error;
    enum ekb_err err = ekb_file_read(&data, &data_len, path, MAX_RESULT_LEN, reterr_fail);
    if (err == EKB_NOT_FOUND) {
        return ekb_fail_say(reterr_fail, EKB_NOT_FOUND, "%s cannot be found", path);
    }
    if (err != EKB_OK) {
        return err;
    }
    json_t *root = json_loadb((const char *)data, data_len, 0, &error);
    free(data);
    if (root == NULL) {
        ekb_compare_clean(error.text);
        return ekb_fail_set(reterr_fail, EKB_PARSE, 0, "%s, line %d: %s", path, error.line,
                            error.text);
    }
    err = take(side, root, path, reterr_fail);
    json_decref(root);
    return err;
}

static bool is_directory(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

enum ekb_err ekb_compare_load(struct ekb_compare_side *out_side, const char *path,
                              struct ekb_fail *reterr_fail)
{
    static const char *const names[] = {"result.json", "instructions.json"};
    size_t num_read = 0;
    memset(out_side, 0, sizeof *out_side);
    out_side->clean = true;
    (void)snprintf(out_side->label, sizeof out_side->label, "%s", path);
    ekb_compare_clean(out_side->label);
    if (!is_directory(path)) {
        return load_file(out_side, path, reterr_fail);
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char file[4096];
        (void)snprintf(file, sizeof file, "%s/%s", path, names[i]);
        struct stat status;
        if (stat(file, &status) != 0) {
            continue;
        }
        const enum ekb_err err = load_file(out_side, file, reterr_fail);
        if (err != EKB_OK) {
            return err;
        }
        num_read++;
    }
    return num_read > 0 ? EKB_OK
                        : ekb_fail_say(reterr_fail, EKB_NOT_FOUND,
                                       "%s has neither result.json nor instructions.json", path);
}

// History.

static int is_json(const struct dirent *entry)
{
    const size_t len = strlen(entry->d_name);
    return len > 5 && strcmp(entry->d_name + len - 5, ".json") == 0;
}

static enum ekb_err read_history(double *values, size_t *num_values, struct dirent **entries,
                                 int num_entries, const char *directory, const char *name,
                                 struct ekb_fail *reterr_fail)
{
    struct ekb_compare_side *side = calloc(1, sizeof *side);
    enum ekb_err err = side != NULL ? EKB_OK : ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "history");
    for (int i = 0; side != NULL && i < num_entries && err == EKB_OK; i++) {
        char file[4096];
        (void)snprintf(file, sizeof file, "%s/%s", directory, entries[i]->d_name);
        err = ekb_compare_load(side, file, reterr_fail);
        for (size_t j = 0; j < side->num_values && err == EKB_OK; j++) {
            if (strcmp(side->values[j].name, name) == 0) {
                values[(*num_values)++] = side->values[j].estimate.estimate;
            }
        }
    }
    free(side);
    return err;
}

enum ekb_err ekb_compare_history(double **out_values, size_t *out_num_values, const char *directory,
                                 const char *name, struct ekb_fail *reterr_fail)
{
    struct dirent **entries = NULL;
    size_t num_values = 0;
    const int num_entries = scandir(directory, &entries, is_json, alphasort);
    if (num_entries < 0) {
        return ekb_fail_say(reterr_fail, EKB_NOT_FOUND, "%s cannot be read: %s", directory,
                            strerror(errno));
    }
    double *values = calloc((size_t)num_entries + 1, sizeof values[0]);
    const enum ekb_err err =
        values != NULL
            ? read_history(values, &num_values, entries, num_entries, directory, name, reterr_fail)
            : ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "history");
    for (int i = 0; i < num_entries; i++) {
        free(entries[i]);
    }
    free(entries);
    if (err != EKB_OK) {
        free(values);
        return err;
    }
    *out_values = values;
    *out_num_values = num_values;
    return EKB_OK;
}
