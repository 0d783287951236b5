#include "cli/audit_forms.h"

#include "ekubench/base/units.h"
#include "ekubench/base/utf8.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define WIDTH 100
#define INDENT 8
#define MARGIN 18  // Of what follows a label.
#define SUBJECT 38 // Of the subject.
#define LETTERS (EKB_STEP_ROOT | EKB_STEP_RENEW | EKB_STEP_PRIVATE | EKB_STEP_UPGRADE)

// print_line prints "label: text", in as many lines as that takes.
static void print_line(const char *label, const char *text)
{
    size_t at = MARGIN;
    (void)printf("%*s%-*s", INDENT, "", MARGIN - INDENT, label);
    while (*text != '\0') {
        const size_t len = strcspn(text, " ");
        if (at > MARGIN && at + 1 + len > WIDTH) {
            (void)printf("\n%*s", MARGIN, "");
            at = MARGIN;
        }
        (void)printf("%s%.*s", at > MARGIN ? " " : "", (int)len, text);
        at += len + (at > MARGIN ? 1 : 0);
        text += len + strspn(text + len, " ");
    }
    (void)putchar('\n');
}

// print_cut prints the rest of a line, `width` columns at most.
static void print_cut(const char *text, int width)
{
    const bool is_cut = strlen(text) > (size_t)width;
    const size_t len = ekb_utf8_cut(text, (size_t)(is_cut ? width - 3 : width));
    (void)printf("%.*s%s\n", (int)len, text, is_cut ? "..." : "");
}

static void print_name(const char *label, const char *name)
{
    (void)printf("%*s%-*s", INDENT, "", MARGIN - INDENT, label);
    print_cut(name, WIDTH - MARGIN);
}

// print_links prints the links of a set, if there are any.
static void print_links(const char *label, unsigned links)
{
    char text[EKB_AUDIT_LINKS_LEN];
    if (links != 0) {
        print_line(label, ekb_audit_links_text(text, links, ", "));
    }
}

// differs is true if something breaks in one of the columns, or is not used, that does not in the
// other.
static bool differs(const struct ekb_audit_item *item, struct ekb_audit_column a,
                    struct ekb_audit_column b)
{
    return ekb_audit_links(item, a, EKB_AUDIT_BREAKS) !=
               ekb_audit_links(item, b, EKB_AUDIT_BREAKS) ||
           ekb_audit_links(item, a, EKB_AUDIT_UNUSED) != ekb_audit_links(item, b, EKB_AUDIT_UNUSED);
}

// end_of returns the last release that a row covers: "X15.3" of "X14.2 to X15.3".
static const char *end_of(enum ekb_release release)
{
    const struct ekb_release_rules *rules = ekb_release_rules(release);
    const char *to = strstr(rules->covers, " to ");
    return to != NULL ? to + strlen(" to ") : rules->name;
}

// print_others prints what the columns from `first` to `last`, in which the same is found, say.
static void print_others(const struct ekb_audit_item *item, struct ekb_audit_column first,
                         struct ekb_audit_column last)
{
    char links[EKB_AUDIT_LINKS_LEN];
    char text[EKB_AUDIT_LINKS_LEN + 128];
    const char *from = ekb_release_rules(first.release)->name;
    const char *to = strcmp(from, end_of(last.release)) != 0 ? end_of(last.release) : "";
    const bool is_one_mode =
        ekb_release_rules(first.release)->has_mode_switch && first.mode == last.mode;
    const unsigned breaks = ekb_audit_links(item, first, EKB_AUDIT_BREAKS);
    const char *verb = item->roles != 0 ? "breaks" : "would break";
    if (ekb_audit_links(item, first, EKB_AUDIT_UNUSED) != 0) {
        verb = "is not used (one store, the server's)";
    } else if (breaks == 0) {
        verb = "breaks nothing";
    }
    (void)snprintf(text, sizeof text, "under %s%s%s%s%s: %s%s%s", from, to[0] != '\0' ? " to " : "",
                   to, is_one_mode ? ", EKU mode " : "",
                   is_one_mode ? ekb_audit_switch_name(first.mode) : "", verb,
                   breaks != 0 ? " " : "", ekb_audit_links_text(links, breaks, ", "));
    print_line("also:", text);
}

// print_differences prints what other releases and the other mode make of it, where that is not the
// same. Columns in a row of which the same is to be said make one line.
static void print_differences(const struct ekb_audit_item *item,
                              const struct ekb_audit_options *options)
{
    struct ekb_audit_column columns[EKB_AUDIT_MAX_COLUMNS];
    const size_t num = ekb_audit_columns(columns);
    size_t next = 0;
    for (size_t i = 0; i < num; i = next) {
        const bool has_switch = ekb_release_rules(columns[i].release)->has_mode_switch;
        next = i + 1;
        while (next < num && !differs(item, columns[i], columns[next]) &&
               ekb_release_rules(columns[next].release)->has_mode_switch == has_switch) {
            next++;
        }
        if (differs(item, columns[i], ekb_audit_column_of(options))) {
            print_others(item, columns[i], columns[next - 1]);
        }
    }
}

// print_gates prints which store would not let it in.
static void print_gates(const struct ekb_audit_item *item, enum ekb_release release)
{
    static const char *const sides[] = {" (server store)", " (client store)"};
    const bool has_two = ekb_release_rules(release)->two_stores;
    char reason[EKB_AUDIT_TEXT_LEN];
    char text[EKB_AUDIT_TEXT_LEN + 32];
    for (int side = 0; side < EKB_STORE_NUM_SIDES; side++) {
        const struct ekb_audit_gate *gate = &item->gates[side];
        if (gate->asked && gate->refusal.err != EKB_OK) {
            (void)snprintf(text, sizeof text, "%s%s", ekb_audit_gate_text(reason, gate),
                           has_two ? sides[side] : "");
            print_line("gate:", text);
        }
    }
}

// print_reasons prints what is wrong with it by itself.
static void print_reasons(const struct ekb_audit_item *item)
{
    unsigned faults[EKB_AUDIT_NUM_FAULTS];
    const size_t num = ekb_audit_reasons(faults, item);
    for (size_t i = 0; i < num; i++) {
        char text[EKB_AUDIT_TEXT_LEN];
        print_line("reason:", ekb_audit_reason_text(text, item, faults[i]));
    }
}

// print_dates prints the dates that change something for it, but for what is a reason already.
static void print_dates(const struct ekb_audit_item *item, int64_t at)
{
    for (int date = 0; date < EKB_AUDIT_NUM_DATES; date++) {
        const bool is_reason = date == EKB_DATE_CHROME && (item->faults & EKB_FAULT_CHROME) != 0;
        if ((item->dates & 1U << date) != 0 && !is_reason) {
            print_line("date:", ekb_audit_date_text((enum ekb_audit_date)date, at));
        }
    }
}

static void print_identity(const struct ekb_audit_item *item)
{
    char from[EKB_UNITS_TEXT_LEN];
    const bool is_early = (item->faults & EKB_FAULT_NOT_YET) != 0;
    char usages[EKB_EKU_TEXT_LEN];
    char good_for[EKB_EKU_TEXT_LEN];
    char until[EKB_UNITS_TEXT_LEN];
    char text[256];
    const unsigned both = EKB_EKU_SERVER_AUTH | EKB_EKU_CLIENT_AUTH;
    const bool is_less = item->certificate.eku != EKB_EKU_ABSENT
                             ? item->good_for != (item->certificate.eku & both)
                             : item->good_for != both;
    (void)printf("%*s%-*s%s\n", INDENT, "", MARGIN - INDENT, "where:", item->source);
    print_name("issuer:", item->certificate.issuer);
    print_name("root:", item->root[0] != '\0' ? item->root : "not known");
    (void)snprintf(text, sizeof text, "%s, %s%s%suntil %s", item->certificate.serial,
                   is_early ? "from " : "",
                   is_early ? ekb_units_format_time(from, item->certificate.not_before) : "",
                   is_early ? " " : "", ekb_units_format_time(until, item->certificate.not_after));
    print_line("serial:", text);
    (void)snprintf(text, sizeof text, "%s%s%s", ekb_eku_format(usages, item->certificate.eku),
                   is_less ? ", below its intermediates good for " : "",
                   is_less ? ekb_audit_good_for_text(good_for, item) : "");
    print_line("usages:", text);
}

void ekb_audit_text_item(const struct ekb_audit_printer *printer, const struct ekb_audit_item *item)
{
    char text[EKB_AUDIT_TEXT_LEN];
    const struct ekb_audit_options *options = printer->options;
    const struct ekb_audit_column column = ekb_audit_column_of(options);
    (void)printf("%6lld  %-6s  %-7s  %-11s  ", (long long)item->days_left,
                 ekb_audit_roles_name(item->roles), ekb_audit_mtls_name(item->mtls),
                 ekb_audit_pki_name(item->pki));
    print_cut(item->certificate.subject, WIDTH - SUBJECT);
    print_identity(item);
    print_links("works:", ekb_audit_links(item, column, EKB_AUDIT_WORKS));
    print_links(item->breaks ? "BREAKS:" : "breaks?",
                ekb_audit_links(item, column, EKB_AUDIT_BREAKS));
    print_reasons(item);
    if (ekb_audit_links(item, column, EKB_AUDIT_UNUSED) != 0) {
        print_line("unused:", "this release has one store, the server's");
    }
    print_differences(item, options);
    if (item->is_alone) {
        print_line("upgrade:", ekb_audit_upgrade_text(text, item));
    }
    print_gates(item, options->release);
    print_dates(item, options->at);
    print_line("advice:", ekb_audit_advice_text(text, item));
}

void ekb_audit_text_begin(const struct ekb_audit_printer *printer)
{
    const struct ekb_audit_options *options = printer->options;
    const struct ekb_release_rules *rules = ekb_release_rules(options->release);
    char at[EKB_UNITS_TEXT_LEN];
    (void)printf("By the rules of %s, EKU mode %s, as of %s\n", rules->covers,
                 rules->has_mode_switch ? ekb_eku_mode_name(options->mode) : "on (no switch)",
                 ekb_units_format_time(at, options->at));
    (void)printf("works: if the other end trusts the root; names are not looked at\n");
    (void)printf("%6s  %-6s  %-7s  %-11s  %s\n", "days", "role", "mTLS", "CA", "subject");
}

// print_steps explains the steps that some advice named.
static void print_steps(const struct ekb_audit_options *options, unsigned steps)
{
    const bool is_late = options->at >= ekb_audit_date_time(EKB_DATE_CLIENT_AUTH);
    const bool has_switch = options->release >= EKB_RELEASE_X15_4;
    const char *const texts[] = {
        "A  have it issued under another root, which still gives both usages",
        is_late ? "B  stop its automatic renewal: since 2026-05 its successor has no clientAuth"
                : "B  renew it before 2026-05 (of Let's Encrypt: before 2026-02-11), and stop its "
                  "automatic\n     renewal",
        "C  take one of a private CA (for C; not for E, whose far ends do not know that CA)",
        has_switch ? "D  upgrade: X15.5 has two stores"
                   : "D  upgrade: X15.4 takes server certificates without clientAuth, X15.5 has "
                     "two stores",
    };
    (void)printf("What can be done, of a public certificate that a TLS client uses:\n");
    for (unsigned i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if ((steps & 1U << i) != 0) {
            (void)printf("  %s\n", texts[i]);
        }
    }
    (void)printf("2026-02-11 Let's Encrypt's classic profile drops clientAuth; 2026-03-15 public "
                 "certificates\n"
                 "live 200 days at most; 2026-05 public CAs stop giving clientAuth; 2026-06-15 "
                 "Chrome\n"
                 "distrusts public certificates with both usages. Switching the check off leaves "
                 "those of the\n"
                 "chain and of names in force.\n");
}

void ekb_audit_text_end(const struct ekb_audit_printer *printer,
                        const struct ekb_audit_totals *totals)
{
    (void)printf("%llu certificates; %llu break a link on which they are used; %llu to act on\n",
                 (unsigned long long)totals->certificates, (unsigned long long)totals->breaking,
                 (unsigned long long)totals->to_act);
    (void)printf("%llu files looked at: %llu without a certificate; %llu things that cannot be "
                 "read;\n%llu certificates of CAs not listed; %llu hidden files and directories "
                 "not looked at\n",
                 (unsigned long long)totals->files, (unsigned long long)totals->without,
                 (unsigned long long)totals->unreadable, (unsigned long long)totals->cas,
                 (unsigned long long)totals->hidden);
    if ((totals->steps & LETTERS) != 0) {
        print_steps(printer->options, totals->steps);
    }
}
