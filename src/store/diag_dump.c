#include "store/diag_internal.h"

#include "ekubench/base/units.h"
#include "ekubench/pki/crl.h"
#include "ekubench/pki/describe.h"
#include "ekubench/store/admin.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECONDS_A_DAY (INT64_C(24) * 3600)
// Names of events that are counted; there are not so many.
#define MAX_EVENTS 32

const char *const ekb_diag_sides[EKB_STORE_NUM_SIDES] = {
    [EKB_STORE_SERVER] = "server", [EKB_STORE_CLIENT] = "client"};

// Dumps: lines of "name: value", and the same as XML.

struct writer {
    FILE *text;
    FILE *xml;
};

static void put_escaped(FILE *file, const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        switch (*c) {
        case '&':
            (void)fputs("&amp;", file);
            break;
        case '<':
            (void)fputs("&lt;", file);
            break;
        case '>':
            (void)fputs("&gt;", file);
            break;
        case '"':
            (void)fputs("&quot;", file);
            break;
        default:
            (void)fputc((unsigned char)*c < ' ' ? ' ' : *c, file);
            break;
        }
    }
}

static void put(const struct writer *writer, const char *name, const char *value)
{
    (void)fprintf(writer->text, "%s: %s\n", name, value);
    (void)fputs("  <item name=\"", writer->xml);
    put_escaped(writer->xml, name);
    (void)fputs("\">", writer->xml);
    put_escaped(writer->xml, value);
    (void)fputs("</item>\n", writer->xml);
}

static void put_number(const struct writer *writer, const char *name, long long value)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%lld", value);
    put(writer, name, text);
}

static void fill_settings(const struct writer *writer, const struct ekb_diag_about *about)
{
    put(writer, "store.path", about->path);
    put(writer, "store.host", about->options->host);
    put(writer, "store.crl", ekb_store_crls(about->store) != NULL ? "present" : "absent");
    for (size_t i = 0; i < about->options->num_settings; i++) {
        put(writer, about->options->settings[i].name, about->options->settings[i].value);
    }
}

// put_texts puts a list in one line; `nothing` if it is empty.
static void put_texts(const struct writer *writer, const char *name, const struct ekb_texts *texts,
                      const char *separator, const char *nothing)
{
    char *joined = ekb_texts_join(texts, separator);
    put(writer, name, joined != NULL && joined[0] != '\0' ? joined : nothing);
    free(joined);
}

static void fill_lists(const struct writer *writer, const char *prefix,
                       const struct ekb_chain *chain, size_t index)
{
    struct ekb_texts names = {0};
    struct ekb_texts usages = {0};
    char name[128];
    if (ekb_chain_names(&names, chain, index) == EKB_OK) {
        (void)snprintf(name, sizeof name, "%s.names", prefix);
        put_texts(writer, name, &names, ", ", "-");
    }
    if (ekb_chain_usages(&usages, chain, index) == EKB_OK) {
        (void)snprintf(name, sizeof name, "%s.usages", prefix);
        put_texts(writer, name, &usages, "+", "absent");
    }
    ekb_texts_deinit(&names);
    ekb_texts_deinit(&usages);
}

static void fill_certificate(const struct writer *writer, const char *prefix,
                             const struct ekb_chain *chain, size_t index, int64_t now)
{
    struct ekb_description description;
    char name[128];
    char text[EKB_UNITS_TEXT_LEN];
    char key[EKB_KEY_KIND_TEXT_LEN];
    ekb_chain_describe(&description, chain, index);
    const struct ekb_diag_item items[] = {
        {"subject", description.subject},
        {"issuer", description.issuer},
        {"serial", description.serial},
        {"key", ekb_key_kind_format(key, description.key_kind, description.key_bits)},
        {"not_after", ekb_units_format_time(text, description.not_after)},
    };
    for (size_t i = 0; i < sizeof items / sizeof items[0]; i++) {
        (void)snprintf(name, sizeof name, "%s.%s", prefix, items[i].name);
        put(writer, name, items[i].value);
    }
    fill_lists(writer, prefix, chain, index);
    (void)snprintf(name, sizeof name, "%s.days_left", prefix);
    put_number(writer, name, (description.not_after - now) / SECONDS_A_DAY);
}

static void fill_fault(const struct writer *writer, const struct ekb_diag_about *about,
                       enum ekb_store_part part)
{
    static const char *const names[EKB_STORE_NUM_PARTS] = {"server.fault", "client.fault",
                                                           "trust.fault", "crl.fault"};
    const struct ekb_fail *fault = ekb_store_fault(about->store, part);
    char text[512] = "none";
    if (fault->err != EKB_OK) {
        ekb_fail_text(text, sizeof text, fault);
    }
    put(writer, names[part], text);
}

// put_in puts a value under "`prefix`.`name`".
static void put_in(const struct writer *writer, const char *prefix, const char *name,
                   const char *value)
{
    char full[160];
    (void)snprintf(full, sizeof full, "%s.%s", prefix, name);
    put(writer, full, value);
}

static void put_number_in(const struct writer *writer, const char *prefix, const char *name,
                          long long value)
{
    char text[32];
    (void)snprintf(text, sizeof text, "%lld", value);
    put_in(writer, prefix, name, text);
}

static void fill_side(const struct writer *writer, const struct ekb_diag_about *about,
                      enum ekb_store_side side)
{
    const struct ekb_chain *chain = ekb_store_identity(about->store, side)->chain;
    const size_t len = chain != NULL ? ekb_chain_len(chain) : 0;
    const char *prefix = ekb_diag_sides[side];
    struct ekb_fail fail = {0};
    char *request = NULL;
    char text[512] = "in progress";
    put_number_in(writer, prefix, "chain_certificates", (long long)len);
    for (size_t i = 0; i < len; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, i == 0 ? "%s" : "%s.chain.%zu", prefix, i + 1);
        fill_certificate(writer, name, chain, i, about->options->now);
    }
    if (ekb_admin_csr_read(&request, about->path, side, &fail) != EKB_OK) {
        ekb_fail_text(text, sizeof text, &fail);
    }
    put_in(writer, prefix, "signing_request", text);
    free(request);
}

static void fill_trust(const struct writer *writer, const struct ekb_diag_about *about)
{
    const struct ekb_chain *trust = ekb_store_trust(about->store);
    const size_t len = trust != NULL ? ekb_chain_len(trust) : 0;
    put_number(writer, "trust.certificates", (long long)len);
    for (size_t i = 0; i < len; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "trust.%zu", i + 1);
        fill_certificate(writer, name, trust, i, about->options->now);
    }
}

static void fill_crls(const struct writer *writer, const struct ekb_diag_about *about)
{
    const struct ekb_crls *crls = ekb_store_crls(about->store);
    const size_t len = crls != NULL ? ekb_crls_len(crls) : 0;
    put_number(writer, "crl.lists", (long long)len);
    for (size_t i = 0; i < len; i++) {
        struct ekb_crl_description description;
        char prefix[64];
        char time[EKB_UNITS_TEXT_LEN];
        const int64_t now = about->options->now;
        ekb_crls_describe(&description, crls, i);
        (void)snprintf(prefix, sizeof prefix, "crl.%zu", i + 1);
        put_in(writer, prefix, "issuer", description.issuer);
        put_number_in(writer, prefix, "revoked", (long long)description.num_revoked);
        put_in(writer, prefix, "this_update", ekb_units_format_time(time, description.this_update));
        if (description.next_update == INT64_MAX) {
            put_in(writer, prefix, "next_update", "none");
            continue;
        }
        put_in(writer, prefix, "next_update", ekb_units_format_time(time, description.next_update));
        put_number_in(writer, prefix, "days_left", (description.next_update - now) / SECONDS_A_DAY);
    }
}

// Counters of the event log.

struct counter {
    const char *name; // In the log.
    size_t len;
    uint64_t count;
};

// count counts an event of that name, if there is room for another name.
static void count(struct counter *counters, const char *name, size_t len)
{
    size_t i = 0;
    while (i < MAX_EVENTS && counters[i].count > 0 &&
           (counters[i].len != len || memcmp(counters[i].name, name, len) != 0)) {
        i++;
    }
    if (i < MAX_EVENTS) {
        counters[i].name = name;
        counters[i].len = len;
        counters[i].count++;
    }
}

static void fill_log(const struct writer *writer, const struct ekb_diag_about *about)
{
    static const char begin[] = " Event=\"";
    struct counter counters[MAX_EVENTS] = {{NULL, 0, 0}};
    uint64_t num_lines = 0;
    if (about->log == NULL) {
        return;
    }
    for (const char *line = about->log; *line != '\0';) {
        const size_t line_len = strcspn(line, "\n");
        const char *event = memmem(line, line_len, begin, sizeof begin - 1);
        if (event != NULL) {
            event += sizeof begin - 1;
            count(counters, event, strcspn(event, "\"\n"));
        }
        num_lines++;
        line += line_len + (line[line_len] == '\n' ? 1 : 0);
    }
    put_number(writer, "event_log.lines", (long long)num_lines);
    for (size_t i = 0; i < MAX_EVENTS && counters[i].count > 0; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "events.%.*s", (int)counters[i].len, counters[i].name);
        put_number_in(writer, "event_log", name, (long long)counters[i].count);
    }
}

static void fill_state(const struct writer *writer, const struct ekb_diag_about *about)
{
    for (int part = 0; part < EKB_STORE_NUM_PARTS; part++) {
        fill_fault(writer, about, (enum ekb_store_part)part);
    }
    for (int side = 0; side < EKB_STORE_NUM_SIDES; side++) {
        fill_side(writer, about, (enum ekb_store_side)side);
    }
    fill_trust(writer, about);
    fill_crls(writer, about);
    fill_log(writer, about);
}

enum ekb_err ekb_diag_dump(char **out_text, char **out_xml, const struct ekb_diag_about *about,
                           enum ekb_dump which)
{
    const char *root = which == EKB_DUMP_SETTINGS ? "configuration" : "status";
    char *text = NULL;
    char *xml = NULL;
    size_t text_len = 0;
    size_t xml_len = 0;
    const struct writer writer = {.text = open_memstream(&text, &text_len),
                                  .xml = open_memstream(&xml, &xml_len)};
    if (writer.text != NULL && writer.xml != NULL) {
        (void)fprintf(writer.xml, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<%s>\n", root);
        if (which == EKB_DUMP_SETTINGS) {
            fill_settings(&writer, about);
        } else {
            fill_state(&writer, about);
        }
        (void)fprintf(writer.xml, "</%s>\n", root);
    }
    const bool text_closed = writer.text != NULL && fclose(writer.text) == 0;
    const bool xml_closed = writer.xml != NULL && fclose(writer.xml) == 0;
    if (!text_closed || !xml_closed) {
        free(text);
        free(xml);
        return EKB_NOMEM;
    }
    *out_text = text;
    *out_xml = xml;
    return EKB_OK;
}
