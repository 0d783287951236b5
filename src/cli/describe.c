#include "cli/describe.h"

#include "ekubench/base/units.h"

#include <stdio.h>
#include <stdlib.h>

// Text.

// print_texts prints a line, or `nothing` if the list is empty.
static void print_texts(const char *label, const struct ekb_texts *texts, const char *separator,
                        const char *nothing)
{
    char *joined = ekb_texts_join(texts, separator);
    (void)printf("  %-11s %s\n", label, joined != NULL && joined[0] != '\0' ? joined : nothing);
    free(joined);
}

void ekb_cli_print_description(const struct ekb_chain *chain, size_t index)
{
    struct ekb_description description;
    struct ekb_texts names = {0};
    struct ekb_texts usages = {0};
    char key[EKB_KEY_KIND_TEXT_LEN];
    char from[EKB_UNITS_TEXT_LEN];
    char until[EKB_UNITS_TEXT_LEN];
    ekb_chain_describe(&description, chain, index);
    (void)printf("  subject     %s\n  issuer      %s%s\n  serial      %s\n", description.subject,
                 description.issuer, description.is_self_signed ? " (self-signed)" : "",
                 description.serial);
    if (ekb_chain_names(&names, chain, index) == EKB_OK) {
        print_texts("names", &names, ", ", "-");
    }
    if (ekb_chain_usages(&usages, chain, index) == EKB_OK) {
        print_texts("usages", &usages, "+", "absent");
    }
    (void)printf("  key         %s\n  not before  %s\n  not after   %s\n",
                 ekb_key_kind_format(key, description.key_kind, description.key_bits),
                 ekb_units_format_time(from, description.not_before),
                 ekb_units_format_time(until, description.not_after));
    ekb_texts_deinit(&names);
    ekb_texts_deinit(&usages);
}

// JSON.

// texts_json takes the texts.
json_t *ekb_cli_texts_json(struct ekb_texts *texts)
{
    json_t *list = json_array();
    for (size_t i = 0; i < texts->len; i++) {
        (void)json_array_append_new(list, json_string(texts->items[i]));
    }
    ekb_texts_deinit(texts);
    return list;
}

// description_json: usages are null if there is no such extension, which permits all of them.
json_t *ekb_cli_description_json(const struct ekb_chain *chain, size_t index)
{
    struct ekb_description description;
    struct ekb_texts names = {0};
    struct ekb_texts usages = {0};
    char key[EKB_KEY_KIND_TEXT_LEN];
    char from[EKB_UNITS_TEXT_LEN];
    char until[EKB_UNITS_TEXT_LEN];
    ekb_chain_describe(&description, chain, index);
    if (ekb_chain_names(&names, chain, index) != EKB_OK ||
        ekb_chain_usages(&usages, chain, index) != EKB_OK) {
        ekb_texts_deinit(&names);
        return NULL;
    }
    return json_pack("{s:s, s:s, s:s, s:o, s:o, s:s, s:s, s:s, s:b, s:b}", "subject",
                     description.subject, "issuer", description.issuer, "serial",
                     description.serial, "names", ekb_cli_texts_json(&names), "usages",
                     description.eku != EKB_EKU_ABSENT ? ekb_cli_texts_json(&usages) : json_null(),
                     "key", ekb_key_kind_format(key, description.key_kind, description.key_bits),
                     "not_before", ekb_units_format_time(from, description.not_before), "not_after",
                     ekb_units_format_time(until, description.not_after), "ca", description.is_ca,
                     "self_signed", description.is_self_signed);
}
