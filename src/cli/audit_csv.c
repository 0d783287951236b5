#include "cli/audit_forms.h"

#include "ekubench/base/units.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

// Enough for every field but names.
#define TEXT_LEN 1024

// One row: an item, or a problem.
struct row {
    const struct ekb_audit_printer *printer;
    const struct ekb_audit_item *item; // NULL: none.
    const char *source;
    const char *problem; // "": none.
};

// Fields. Each returns its text, in `out_text` or elsewhere, of a row with an item.

typedef const char *field(char out_text[TEXT_LEN], const struct row *row);

static const char *place(char out_text[TEXT_LEN], const struct row *row)
{
    (void)out_text;
    return ekb_audit_place_name(row->item->place);
}

static const char *role(char out_text[TEXT_LEN], const struct row *row)
{
    (void)out_text;
    return ekb_audit_roles_name(row->item->roles);
}

static const char *subject(char out_text[TEXT_LEN], const struct row *row)
{
    (void)out_text;
    return row->item->certificate.subject;
}

static const char *issuer(char out_text[TEXT_LEN], const struct row *row)
{
    (void)out_text;
    return row->item->certificate.issuer;
}

static const char *root(char out_text[TEXT_LEN], const struct row *row)
{
    (void)out_text;
    return row->item->root;
}

static const char *serial(char out_text[TEXT_LEN], const struct row *row)
{
    (void)out_text;
    return row->item->certificate.serial;
}

static const char *usages(char out_text[TEXT_LEN], const struct row *row)
{
    return ekb_eku_format(out_text, row->item->certificate.eku);
}

static const char *good_for(char out_text[TEXT_LEN], const struct row *row)
{
    return ekb_audit_good_for_text(out_text, row->item);
}

static const char *not_after(char out_text[TEXT_LEN], const struct row *row)
{
    return ekb_units_format_time(out_text, row->item->certificate.not_after);
}

static const char *ca(char out_text[TEXT_LEN], const struct row *row)
{
    (void)out_text;
    return ekb_audit_pki_name(row->item->pki);
}

static const char *mtls(char out_text[TEXT_LEN], const struct row *row)
{
    (void)out_text;
    return ekb_audit_mtls_name(row->item->mtls);
}

static const char *days_left(char out_text[TEXT_LEN], const struct row *row)
{
    (void)snprintf(out_text, TEXT_LEN, "%lld", (long long)row->item->days_left);
    return out_text;
}

static const char *links(char out_text[TEXT_LEN], const struct row *row, enum ekb_audit_link found)
{
    const struct ekb_audit_column column = ekb_audit_column_of(row->printer->options);
    return ekb_audit_links_text(out_text, ekb_audit_links(row->item, column, found), " ");
}

static const char *works(char out_text[TEXT_LEN], const struct row *row)
{
    return links(out_text, row, EKB_AUDIT_WORKS);
}

static const char *breaks(char out_text[TEXT_LEN], const struct row *row)
{
    return links(out_text, row, EKB_AUDIT_BREAKS);
}

static const char *advice(char out_text[TEXT_LEN], const struct row *row)
{
    return ekb_audit_advice_text(out_text, row->item);
}

static const char *gate_of(char out_text[TEXT_LEN], const struct row *row, enum ekb_store_side side)
{
    const struct ekb_audit_gate *gate = &row->item->gates[side];
    return gate->asked ? ekb_audit_gate_text(out_text, gate) : "";
}

static const char *server_gate(char out_text[TEXT_LEN], const struct row *row)
{
    return gate_of(out_text, row, EKB_STORE_SERVER);
}

static const char *client_gate(char out_text[TEXT_LEN], const struct row *row)
{
    return gate_of(out_text, row, EKB_STORE_CLIENT);
}

static const char *dates(char out_text[TEXT_LEN], const struct row *row)
{
    out_text[0] = '\0';
    for (int date = 0; date < EKB_AUDIT_NUM_DATES; date++) {
        const size_t len = strlen(out_text);
        if ((row->item->dates & 1U << date) != 0) {
            (void)snprintf(
                out_text + len, TEXT_LEN - len, "%s%s", len > 0 ? "; " : "",
                ekb_audit_date_text((enum ekb_audit_date)date, row->printer->options->at));
        }
    }
    return out_text;
}

// unused lists the releases that have no store for it.
static const char *unused(char out_text[TEXT_LEN], const struct row *row)
{
    out_text[0] = '\0';
    for (int release = 0; release < EKB_RELEASE_NUM; release++) {
        const struct ekb_audit_column column = {(enum ekb_release)release, 0};
        const size_t len = strlen(out_text);
        if (ekb_audit_links(row->item, column, EKB_AUDIT_UNUSED) != 0) {
            (void)snprintf(out_text + len, TEXT_LEN - len, "%s%s", len > 0 ? " " : "",
                           ekb_release_rules(column.release)->name);
        }
    }
    return out_text;
}

static const char *not_before(char out_text[TEXT_LEN], const struct row *row)
{
    return ekb_units_format_time(out_text, row->item->certificate.not_before);
}

static const char *reasons(char out_text[TEXT_LEN], const struct row *row)
{
    unsigned faults[EKB_AUDIT_NUM_FAULTS];
    const size_t num = ekb_audit_reasons(faults, row->item);
    out_text[0] = '\0';
    for (size_t i = 0; i < num; i++) {
        char reason[EKB_AUDIT_TEXT_LEN];
        const size_t len = strlen(out_text);
        (void)snprintf(out_text + len, TEXT_LEN - len, "%s%s", i > 0 ? "; " : "",
                       ekb_audit_reason_text(reason, row->item, faults[i]));
    }
    return out_text;
}

static const char *upgrade(char out_text[TEXT_LEN], const struct row *row)
{
    return row->item->is_alone ? ekb_audit_upgrade_text(out_text, row->item) : "";
}

static const char *to_act(char out_text[TEXT_LEN], const struct row *row)
{
    (void)out_text;
    return row->item->to_act ? "yes" : "no";
}

// Those before the columns of all releases, in their order; `source` stands before and `problem`
// behind all of them.
static const struct {
    const char *name;
    field *text;
} fields[] = {
    {"place", place},
    {"role", role},
    {"subject", subject},
    {"issuer", issuer},
    {"root", root},
    {"serial", serial},
    {"usages", usages},
    {"not_after", not_after},
    {"ca", ca},
    {"mtls", mtls},
    {"days_left", days_left},
    {"works", works},
    {"breaks", breaks},
    {"advice", advice},
    {"good_for", good_for},
    {"gate_server", server_gate},
    {"gate_client", client_gate},
    {"dates", dates},
    {"unused_under", unused},
    {"not_before", not_before},
    {"reasons", reasons},
    {"to_act", to_act},
    {"upgrade", upgrade},
};

#define NUM_FIELDS (sizeof fields / sizeof fields[0])

// Rows.

static void print_field(const char *text, const char *end)
{
    (void)putchar('"');
    for (; *text != '\0'; text++) {
        (void)fputs(*text == '"' ? "\"\"" : (const char[]){*text, '\0'}, stdout);
    }
    (void)printf("\"%s", end);
}

// print_name prints the name of a column of links: "works_x15_5_off".
static void print_name(const char *found, struct ekb_audit_column column)
{
    (void)printf("%s_", found);
    for (const char *c = ekb_release_rules(column.release)->name; *c != '\0'; c++) {
        (void)putchar(*c == '.' ? '_' : tolower((unsigned char)*c));
    }
    (void)printf("_%s,", ekb_audit_switch_name(column.mode));
}

static void print_row(const struct row *row)
{
    struct ekb_audit_column columns[EKB_AUDIT_MAX_COLUMNS];
    const size_t num = ekb_audit_columns(columns);
    char text[TEXT_LEN];
    print_field(row->source, ",");
    for (size_t i = 0; i < NUM_FIELDS; i++) {
        print_field(row->item != NULL ? fields[i].text(text, row) : "", ",");
    }
    for (size_t i = 0; i < 2 * num; i++) {
        const enum ekb_audit_link found = i % 2 == 0 ? EKB_AUDIT_WORKS : EKB_AUDIT_BREAKS;
        const unsigned set =
            row->item != NULL ? ekb_audit_links(row->item, columns[i / 2], found) : 0;
        print_field(ekb_audit_links_text(text, set, " "), ",");
    }
    print_field(row->problem, "\r\n");
}

void ekb_audit_csv_begin(void)
{
    struct ekb_audit_column columns[EKB_AUDIT_MAX_COLUMNS];
    const size_t num = ekb_audit_columns(columns);
    (void)printf("source,");
    for (size_t i = 0; i < NUM_FIELDS; i++) {
        (void)printf("%s,", fields[i].name);
    }
    for (size_t i = 0; i < num; i++) {
        print_name("works", columns[i]);
        print_name("breaks", columns[i]);
    }
    (void)printf("problem\r\n");
}

void ekb_audit_csv_item(const struct ekb_audit_printer *printer, const struct ekb_audit_item *item)
{
    const struct row row = {
        .printer = printer, .item = item, .source = item->source, .problem = ""};
    print_row(&row);
}

void ekb_audit_csv_problem(const char *source, const char *text)
{
    const struct row row = {.source = source, .problem = text};
    print_row(&row);
}
