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

static void add_trait(struct ekb_compare_side *side, const char *schema, const char *name,
                      json_t *value)
{
    struct ekb_compare_trait *trait = &side->traits[side->num_traits];
    char *text = json_is_string(value) ? strdup(json_string_value(value))
                                       : json_dumps(value, JSON_ENCODE_ANY | JSON_SORT_KEYS);
    if (text != NULL && side->num_traits < EKB_COMPARE_MAX_ROWS) {
        side->num_traits++;
        trait->schema = schema;
        (void)snprintf(trait->name, sizeof trait->name, "%s", name);
        (void)snprintf(trait->value, sizeof trait->value, "%s", text);
    }
    free(text);
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
static void add_shapes(struct ekb_compare_side *side, const char *schema, json_t *root)
{
    size_t index = 0;
    json_t *stage = NULL;
    json_array_foreach(at_path(root, "plan.stages"), index, stage)
    {
        char name[EKB_COMPARE_NAME_LEN];
        const char *stage_name = json_string_value(json_object_get(stage, "name"));
        (void)snprintf(name, sizeof name, "plan.stages.%s.in_flight",
                       stage_name != NULL ? stage_name : "");
        add_trait(side, schema, name, json_object_get(stage, "in_flight"));
    }
}

static void add_traits(struct ekb_compare_side *side, const char *schema, json_t *root)
{
    add_shapes(side, schema, root);
    for (size_t i = 0; i < sizeof traits / sizeof traits[0]; i++) {
        json_t *value = at_path(root, traits[i]);
        if (value != NULL) {
            add_trait(side, schema, traits[i], value);
        }
    }
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

static void add_value(struct ekb_compare_side *side, const struct ekb_compare_value *value)
{
    if (side->num_values < EKB_COMPARE_MAX_ROWS && !has_value(side, value->name)) {
        side->values[side->num_values++] = *value;
    }
}

// read_interval reads {"estimate": x, "ci95": [l, h], "n": n}; false if it is null.
static bool read_interval(struct ekb_estimate *out_estimate, json_t *value)
{
    json_t *interval = json_object_get(value, "ci95");
    json_t *estimate = json_object_get(value, "estimate");
    if (!json_is_number(estimate) || json_array_size(interval) != 2) {
        return false;
    }
    *out_estimate = (struct ekb_estimate){
        .estimate = json_number_value(estimate),
        .low = json_number_value(json_array_get(interval, 0)),
        .high = json_number_value(json_array_get(interval, 1)),
        .n = (size_t)json_integer_value(json_object_get(value, "n")),
    };
    return true;
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

static void add_arm(struct ekb_compare_side *side, json_t *arm)
{
    static const char *const keys[] = {"server_cpu_mean_ns", "client_cpu_mean_ns"};
    static const char *const labels[] = {"server CPU", "client CPU"};
    const char *name = json_string_value(json_object_get(arm, "name"));
    const char *stage = json_string_value(json_object_get(arm, "stage"));
    if (name == NULL || stage == NULL || strcmp(stage, EKB_STAGE_COST) != 0 || !is_compared(name)) {
        return;
    }
    for (size_t i = 0; i < 2; i++) {
        struct ekb_compare_value value = {.unit = "ns"};
        if (read_interval(&value.estimate, json_object_get(arm, keys[i]))) {
            (void)snprintf(value.name, sizeof value.name, "%s/%s %s", stage, name, labels[i]);
            add_value(side, &value);
        }
    }
}

// add_rate adds the time per handshake under load, the inverse of the rate, so that more is worse.
static void add_rate(struct ekb_compare_side *side, json_t *row)
{
    const char *stage = json_string_value(json_object_get(row, "stage"));
    json_t *interval = json_object_get(row, "ci95");
    const double rate = json_number_value(json_object_get(row, "accepted_per_s"));
    const double low = json_number_value(json_array_get(interval, 0));
    const double high = json_number_value(json_array_get(interval, 1));
    if (stage == NULL || strcmp(stage, EKB_STAGE_LOAD) != 0 ||
        json_is_string(json_object_get(row, "arm")) || low <= 0 || rate <= 0) {
        return;
    }
    const struct ekb_compare_value value = {
        .name = "load, time per handshake",
        .unit = "ns",
        .estimate = {.estimate = 1e9 / rate, .low = 1e9 / high, .high = 1e9 / low}};
    add_value(side, &value);
}

static void add_count(struct ekb_compare_side *side, json_t *row)
{
    const char *scenario = json_string_value(json_object_get(row, "scenario"));
    const char *part = json_string_value(json_object_get(row, "part"));
    const double count = json_number_value(json_object_get(row, "per_handshake"));
    struct ekb_compare_value value = {.exact = true, .estimate = {.estimate = count}};
    if (scenario == NULL || part == NULL || count <= 0) {
        return;
    }
    (void)snprintf(value.name, sizeof value.name, "instructions %s %s", scenario, part);
    add_value(side, &value);
}

static enum ekb_err take(struct ekb_compare_side *side, json_t *root, const char *path,
                         struct ekb_fail *reterr_fail)
{
    const char *schema = json_string_value(json_object_get(root, "schema"));
    size_t index = 0;
    json_t *item = NULL;
    if (schema != NULL && strcmp(schema, INSTRUCTIONS) == 0) {
        json_array_foreach(json_object_get(root, "instructions"), index, item)
        {
            add_count(side, item);
        }
        add_traits(side, INSTRUCTIONS, root);
        return EKB_OK;
    }
    if (schema == NULL || strcmp(schema, RESULT) != 0) {
        return ekb_fail_set(reterr_fail, EKB_PARSE, 0, "%s is no result of ekubench", path);
    }
    json_array_foreach(json_object_get(root, "arms"), index, item)
    {
        add_arm(side, item);
    }
    json_array_foreach(json_object_get(root, "throughput"), index, item)
    {
        add_rate(side, item);
    }
    side->clean =
        side->clean && json_is_true(json_object_get(json_object_get(root, "validity"), "clean"));
    add_traits(side, RESULT, root);
    return EKB_OK;
}

static enum ekb_err load_file(struct ekb_compare_side *side, const char *path,
                              struct ekb_fail *reterr_fail)
{
    uint8_t *data = NULL;
    size_t data_len = 0;
    json_error_t error;
    enum ekb_err err = ekb_file_read(&data, &data_len, path, MAX_RESULT_LEN, reterr_fail);
    if (err != EKB_OK) {
        return err;
    }
    json_t *root = json_loadb((const char *)data, data_len, 0, &error);
    free(data);
    if (root == NULL) {
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
                        : ekb_fail_set(reterr_fail, EKB_NOT_FOUND, 0,
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
        return ekb_fail_set(reterr_fail, EKB_NOT_FOUND, errno, "%s", directory);
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
