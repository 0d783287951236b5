#include "cli/audit_forms.h"

#include "ekubench/base/units.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

static json_t *links_json(const struct ekb_audit_item *item)
{
    json_t *releases = json_object();
    for (int release = 0; release < EKB_RELEASE_NUM; release++) {
        const struct ekb_release_rules *rules = ekb_release_rules((enum ekb_release)release);
        json_t *modes = json_object();
        for (int mode = 0; mode < (rules->has_mode_switch ? 2 : 1); mode++) {
            json_t *links = json_object();
            for (int link = 0; link < EKB_LINK_NUM; link++) {
                const char *found = ekb_audit_link_name(item->links[release][mode][link]);
                (void)json_object_set_new(links, ekb_link_row((enum ekb_link)link)->name,
                                          json_string(found));
            }
            (void)json_object_set_new(modes, ekb_audit_switch_name(mode), links);
        }
        (void)json_object_set_new(releases, rules->name, modes);
    }
    return releases;
}

static json_t *gates_json(const struct ekb_audit_item *item)
{
    static const char *const names[] = {"server", "client"};
    json_t *gates = json_object();
    for (int side = 0; side < EKB_STORE_NUM_SIDES; side++) {
        char text[EKB_AUDIT_TEXT_LEN];
        const struct ekb_audit_gate *gate = &item->gates[side];
        (void)json_object_set_new(gates, names[side],
                                  gate->asked ? json_string(ekb_audit_gate_text(text, gate))
                                              : json_null());
    }
    return gates;
}

static json_t *dates_json(const struct ekb_audit_item *item, int64_t at)
{
    json_t *dates = json_array();
    for (int date = 0; date < EKB_AUDIT_NUM_DATES; date++) {
        if ((item->dates & 1U << date) != 0) {
            (void)json_array_append_new(
                dates, json_string(ekb_audit_date_text((enum ekb_audit_date)date, at)));
        }
    }
    return dates;
}

static json_t *reasons_json(const struct ekb_audit_item *item)
{
    unsigned faults[EKB_AUDIT_NUM_FAULTS];
    const size_t num = ekb_audit_reasons(faults, item);
    json_t *reasons = json_array();
    for (size_t i = 0; i < num; i++) {
        char text[EKB_AUDIT_TEXT_LEN];
        (void)json_array_append_new(reasons,
                                    json_string(ekb_audit_reason_text(text, item, faults[i])));
    }
    return reasons;
}

static json_t *upgrade_json(const struct ekb_audit_item *item)
{
    char text[EKB_AUDIT_TEXT_LEN];
    return item->is_alone ? json_string(ekb_audit_upgrade_text(text, item)) : json_null();
}

static json_t *copy_breaks_json(const struct ekb_audit_item *item)
{
    json_t *links = json_array();
    for (int link = 0; link < EKB_LINK_NUM; link++) {
        if ((item->copy_breaks & 1U << link) != 0) {
            (void)json_array_append_new(links,
                                        json_string(ekb_link_row((enum ekb_link)link)->name));
        }
    }
    return links;
}

// steps_json lists the letters of what can be done.
static json_t *steps_json(const struct ekb_audit_item *item)
{
    json_t *steps = json_array();
    for (int step = 0; step < 4; step++) {
        if ((item->steps & 1U << step) != 0) {
            (void)json_array_append_new(steps, json_stringn(&"ABCD"[step], 1));
        }
    }
    return steps;
}

static json_t *item_json(const struct ekb_audit_item *item, const struct ekb_audit_options *options)
{
    char usages[EKB_EKU_TEXT_LEN];
    char good_for[EKB_EKU_TEXT_LEN];
    char from[EKB_UNITS_TEXT_LEN];
    char until[EKB_UNITS_TEXT_LEN];
    char advice[EKB_AUDIT_TEXT_LEN];
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s?, s:s, s:s, s:s, s:s, s:I, s:s, s:s, s:b, s:o, s:o, s:s, "
        "s:o, s:s, s:o, s:b, s:o, s:o, s:o}",
        "source", item->source, "place", ekb_audit_place_name(item->place), "role",
        ekb_audit_roles_name(item->roles), "subject", item->certificate.subject, "issuer",
        item->certificate.issuer, "root", item->root[0] != '\0' ? item->root : NULL, "serial",
        item->certificate.serial, "usages", ekb_eku_format(usages, item->certificate.eku),
        "good_for", ekb_audit_good_for_text(good_for, item), "not_after",
        ekb_units_format_time(until, item->certificate.not_after), "days_left",
        (json_int_t)item->days_left, "ca", ekb_audit_pki_name(item->pki), "mtls",
        ekb_audit_mtls_name(item->mtls), "breaks", (int)item->breaks, "gate", gates_json(item),
        "dates", dates_json(item, options->at), "advice", ekb_audit_advice_text(advice, item),
        "steps", steps_json(item), "not_before",
        ekb_units_format_time(from, item->certificate.not_before), "reasons", reasons_json(item),
        "to_act", (int)item->to_act, "upgrade", upgrade_json(item), "upgrade_breaks",
        copy_breaks_json(item), "links", links_json(item));
}

// print_object prints one element of the list, which is made as it goes.
static void print_object(const struct ekb_audit_printer *printer, json_t *object)
{
    (void)fputs(printer->num > 0 ? ",\n" : "\n", stdout);
    if (object != NULL) {
        (void)json_dumpf(object, stdout, JSON_COMPACT);
    }
    json_decref(object);
}

void ekb_audit_json_item(const struct ekb_audit_printer *printer, const struct ekb_audit_item *item)
{
    print_object(printer, item_json(item, printer->options));
}

void ekb_audit_json_problem(const struct ekb_audit_printer *printer, const char *source,
                            const struct ekb_fail *problem, const char *text)
{
    print_object(printer, json_pack("{s:s, s:s, s:s}", "source", source, "code",
                                    ekb_err_name(problem->err), "problem", text));
}

void ekb_audit_json_begin(const struct ekb_audit_printer *printer)
{
    const struct ekb_audit_options *options = printer->options;
    char at[EKB_UNITS_TEXT_LEN];
    (void)printf("{\"release\": \"%s\", \"mode\": \"%s\", \"at\": \"%s\", \"items\": [",
                 ekb_release_rules(options->release)->name,
                 ekb_audit_switch_name(ekb_audit_column_of(options).mode),
                 ekb_units_format_time(at, options->at));
}

void ekb_audit_json_end(const struct ekb_audit_totals *totals)
{
    (void)printf("\n], \"totals\": {\"files\": %llu, \"certificates\": %llu, \"cas\": %llu, "
                 "\"unreadable\": %llu, \"without\": %llu, \"hidden\": %llu, \"breaking\": %llu, "
                 "\"to_act\": %llu}}\n",
                 (unsigned long long)totals->files, (unsigned long long)totals->certificates,
                 (unsigned long long)totals->cas, (unsigned long long)totals->unreadable,
                 (unsigned long long)totals->without, (unsigned long long)totals->hidden,
                 (unsigned long long)totals->breaking, (unsigned long long)totals->to_act);
}
