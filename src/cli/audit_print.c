#include "cli/audit_print.h"

#include "cli/audit_forms.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

// What the forms share.

const char *ekb_audit_roles_name(unsigned roles)
{
    return roles == (EKB_AUDIT_SERVER | EKB_AUDIT_CLIENT) ? "both"
           : roles == EKB_AUDIT_SERVER                    ? "server"
           : roles == EKB_AUDIT_CLIENT                    ? "client"
                                                          : "?";
}

const char *ekb_audit_place_name(enum ekb_audit_place place)
{
    return place == EKB_AUDIT_STORE ? "store" : place == EKB_AUDIT_LIVE ? "server" : "file";
}

const char *ekb_audit_good_for_text(char out_text[EKB_EKU_TEXT_LEN],
                                    const struct ekb_audit_item *item)
{
    return item->good_for != 0 ? ekb_eku_format(out_text, item->good_for) : "nothing";
}

size_t ekb_audit_columns(struct ekb_audit_column out_columns[EKB_AUDIT_MAX_COLUMNS])
{
    size_t num = 0;
    for (int release = 0; release < EKB_RELEASE_NUM; release++) {
        const bool has_switch = ekb_release_rules((enum ekb_release)release)->has_mode_switch;
        for (int mode = 0; mode < (has_switch ? 2 : 1); mode++) {
            out_columns[num++] = (struct ekb_audit_column){(enum ekb_release)release, mode};
        }
    }
    return num;
}

const char *ekb_audit_switch_name(int mode)
{
    return ekb_eku_mode_name(mode == 0 ? EKB_EKU_ON : EKB_EKU_OFF);
}

struct ekb_audit_column ekb_audit_column_of(const struct ekb_audit_options *options)
{
    const bool has_switch = ekb_release_rules(options->release)->has_mode_switch;
    return (struct ekb_audit_column){options->release,
                                     has_switch && options->mode == EKB_EKU_OFF ? 1 : 0};
}

unsigned ekb_audit_links(const struct ekb_audit_item *item, struct ekb_audit_column column,
                         enum ekb_audit_link found)
{
    unsigned links = 0;
    for (int link = 0; link < EKB_LINK_NUM; link++) {
        links |= item->links[column.release][column.mode][link] == found ? 1U << link : 0U;
    }
    return links;
}

size_t ekb_audit_reasons(unsigned out_faults[EKB_AUDIT_NUM_FAULTS],
                         const struct ekb_audit_item *item)
{
    size_t num = 0;
    for (unsigned fault = 0; fault < EKB_AUDIT_NUM_FAULTS; fault++) {
        const bool is_told = ((EKB_FAULT_GATE | EKB_FAULT_COPY) & 1U << fault) != 0;
        if ((item->faults & 1U << fault) != 0 && !is_told) {
            out_faults[num++] = 1U << fault;
        }
    }
    return num;
}

// Printing.

void ekb_audit_print_begin(const struct ekb_audit_printer *printer)
{
    if (printer->form == EKB_AUDIT_TEXT) {
        ekb_audit_text_begin(printer);
    } else if (printer->form == EKB_AUDIT_JSON) {
        ekb_audit_json_begin(printer);
    } else {
        ekb_audit_csv_begin();
    }
}

// clean writes what is no printable ASCII as \\xHH: names of files are anybody's, and go to
// terminals and into JSON.
#define CLEAN_LEN 2048
static const char *clean(char out_text[CLEAN_LEN], const char *text)
{
    size_t len = 0;
    for (; *text != '\0' && len + 5 < CLEAN_LEN; text++) {
        const unsigned char byte = (unsigned char)*text;
        if (byte >= ' ' && byte < 0x7f) {
            out_text[len++] = *text;
        } else {
            len += (size_t)snprintf(out_text + len, CLEAN_LEN - len, "\\x%02x", byte);
        }
    }
    out_text[len] = '\0';
    return out_text;
}

static void print_item(const struct ekb_audit_printer *printer, const struct ekb_audit_item *item)
{
    if (printer->form == EKB_AUDIT_TEXT) {
        ekb_audit_text_item(printer, item);
    } else if (printer->form == EKB_AUDIT_JSON) {
        ekb_audit_json_item(printer, item);
    } else {
        ekb_audit_csv_item(printer, item);
    }
}

static void print_problem(const struct ekb_audit_printer *printer, const char *source,
                          const struct ekb_fail *problem)
{
    char raw[512];
    char text[CLEAN_LEN];
    ekb_fail_text(raw, sizeof raw, problem);
    if (problem->err == EKB_NEED_PASSWORD) {
        const size_t len = strlen(raw);
        (void)snprintf(raw + len, sizeof raw - len, " (see --password-file)");
    }
    (void)clean(text, raw);
    if (printer->form == EKB_AUDIT_TEXT) {
        (void)printf("     -  cannot be read: %s\n", text);
    } else if (printer->form == EKB_AUDIT_JSON) {
        ekb_audit_json_problem(printer, source, problem, text);
    } else {
        ekb_audit_csv_problem(source, text);
    }
}

void ekb_audit_print(void *context, const struct ekb_audit_item *item, const char *source,
                     const struct ekb_fail *problem)
{
    struct ekb_audit_printer *printer = context;
    char cleaned[CLEAN_LEN];
    (void)clean(cleaned, source);
    if (item != NULL) {
        struct ekb_audit_item copy = *item;
        copy.source = cleaned;
        print_item(printer, &copy);
    } else {
        print_problem(printer, cleaned, problem);
    }
    printer->num++;
}

void ekb_audit_print_end(const struct ekb_audit_printer *printer,
                         const struct ekb_audit_totals *totals)
{
    if (printer->form == EKB_AUDIT_TEXT) {
        ekb_audit_text_end(printer, totals);
    } else if (printer->form == EKB_AUDIT_JSON) {
        ekb_audit_json_end(totals);
    }
}
