#include "ekubench/lab/deployment.h"

#include "ekubench/base/file.h"
#include "ekubench/base/lines.h"
#include "ekubench/base/units.h"
#include "ekubench/pki/mint.h"

#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FILE_LEN (1u << 20)
#define WORD_LEN 64

// Where the reader is.
struct reader {
    struct ekb_deployment *deployment;
    const char *name; // Of the text.
    struct ekb_lines lines;
    struct ekb_fail *fail; // The first; nothing is read after it.
    struct ekb_deployment_node *node;
    struct ekb_deployment_link *link;
    struct ekb_deployment_expectation expectation; // Of the section: its runs.
    char section[WORD_LEN];
};

static bool refuse(const struct reader *reader, const char *format, ...) EKB_PRINTF(2, 3);

// refuse says what is wrong in the present line, and returns false.
static bool refuse(const struct reader *reader, const char *format, ...)
{
    char text[192];
    va_list args;
    if (reader->fail->err != EKB_OK) {
        return false;
    }
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    (void)ekb_fail_set(reader->fail, EKB_PARSE, 0, "%s:%u: %s", reader->name, reader->lines.line,
                       text);
    reader->fail->is_said = true;
    return false;
}

// Words.

// next_word takes the next word of `*text`, up to one of `ends` or a blank; false if there is none.
static bool next_word(char out_word[WORD_LEN], const char **text, const char *ends)
{
    char stops[16];
    (void)snprintf(stops, sizeof stops, " \t%s", ends);
    *text += strspn(*text, stops);
    const size_t len = strcspn(*text, stops);
    if (len == 0) {
        return false;
    }
    (void)snprintf(out_word, WORD_LEN, "%.*s", (int)len, *text);
    *text += len;
    return true;
}

static bool keep_text(const struct reader *reader, char *out_text, size_t text_len,
                      const char *value)
{
    if (value[0] == '\0' || strlen(value) >= text_len) {
        return refuse(reader, "\"%s\": a text of 1 to %zu characters is wanted", value,
                      text_len - 1);
    }
    (void)snprintf(out_text, text_len, "%s", value);
    return true;
}

// keep_name is keep_text for what becomes a part of a path.
static bool keep_name(const struct reader *reader, char *out_text, size_t text_len,
                      const char *value)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    if (value[0] == '.' || strspn(value, allowed) != strlen(value)) {
        return refuse(reader, "\"%.40s\": a name of letters, digits, '.', '_' and '-' is wanted",
                      value);
    }
    return keep_text(reader, out_text, text_len, value);
}

static bool parse_yes(const struct reader *reader, bool *out_value, const char *value)
{
    *out_value = strcmp(value, "yes") == 0;
    return *out_value || strcmp(value, "no") == 0 ||
           refuse(reader, "\"%s\": yes or no is wanted", value);
}

static bool parse_release(const struct reader *reader, enum ekb_release *out_release,
                          const char *value)
{
    return ekb_release_parse(out_release, value) == EKB_OK ||
           refuse(reader, "\"%s\": a release such as X15.5 is wanted", value);
}

static bool parse_mode(const struct reader *reader, enum ekb_eku_mode *out_mode, const char *value)
{
    return (ekb_eku_mode_parse(out_mode, value) == EKB_OK && *out_mode != EKB_EKU_NONE) ||
           refuse(reader, "\"%s\": on or off is wanted", value);
}

static size_t find_ca(const struct ekb_deployment *deployment, const char *name)
{
    size_t ca = 0;
    while (ca < deployment->num_cas && strcmp(deployment->cas[ca], name) != 0) {
        ca++;
    }
    return ca;
}

static size_t find_node(const struct ekb_deployment *deployment, const char *name)
{
    size_t node = 0;
    while (node < deployment->num_nodes && strcmp(deployment->nodes[node].name, name) != 0) {
        node++;
    }
    return node;
}

// Identities: "CA1 both [p256] [depth=2]", "self-signed server", "copy", "upgrade", "none".

static bool parse_detail(const struct reader *reader, struct ekb_deployment_identity *identity,
                         const char *word)
{
    uint64_t depth = 0;
    if (strncmp(word, "depth=", 6) == 0 &&
        ekb_units_parse_count(&depth, word + 6, 1, EKB_MINT_MAX_DEPTH) == EKB_OK) {
        identity->depth = (unsigned)depth;
        return true;
    }
    return ekb_key_type_parse(&identity->key_type, word) == EKB_OK ||
           ekb_eku_parse(&identity->eku, word) == EKB_OK ||
           refuse(reader,
                  "\"%s\": usages (server, client, both, none), a key type or depth=N are wanted "
                  "after the CA",
                  word);
}

static bool parse_identity(const struct reader *reader,
                           struct ekb_deployment_identity *out_identity, const char *value)
{
    static const struct {
        const char *word;
        enum ekb_origin origin;
    } origins[] = {{"none", EKB_ORIGIN_NONE},
                   {"copy", EKB_ORIGIN_COPY},
                   {"upgrade", EKB_ORIGIN_UPGRADE},
                   {"self-signed", EKB_ORIGIN_SELF_SIGNED}};
    char word[WORD_LEN] = "";
    *out_identity = (struct ekb_deployment_identity){
        .origin = EKB_ORIGIN_CA,
        .eku = EKB_EKU_SERVER_AUTH | EKB_EKU_CLIENT_AUTH,
        .depth = 1,
    };
    (void)next_word(word, &value, "");
    for (size_t i = 0; i < sizeof origins / sizeof origins[0]; i++) {
        if (strcmp(word, origins[i].word) == 0) {
            out_identity->origin = origins[i].origin;
        }
    }
    if (out_identity->origin == EKB_ORIGIN_CA) {
        out_identity->ca = find_ca(reader->deployment, word);
        if (out_identity->ca == reader->deployment->num_cas) {
            return refuse(reader,
                          "\"%s\": one of the CAs of [deployment], self-signed, copy, upgrade or "
                          "none is wanted",
                          word);
        }
    }
    bool good = true;
    while (good && next_word(word, &value, "")) {
        good = parse_detail(reader, out_identity, word);
    }
    return good;
}

static bool parse_trust(const struct reader *reader, uint32_t *out_trusts, const char *value)
{
    char word[WORD_LEN];
    *out_trusts = 0;
    while (next_word(word, &value, ",")) {
        const size_t ca = find_ca(reader->deployment, word);
        if (ca == reader->deployment->num_cas && strcmp(word, "none") != 0) {
            return refuse(reader, "\"%s\" is none of the CAs of [deployment]", word);
        }
        *out_trusts |= ca < reader->deployment->num_cas ? 1U << ca : 0U;
    }
    return true;
}

// [deployment]

static bool add_cas(struct reader *reader, const char *value)
{
    struct ekb_deployment *deployment = reader->deployment;
    char word[WORD_LEN];
    while (next_word(word, &value, ",")) {
        if (deployment->num_cas == EKB_DEPLOYMENT_MAX_CAS) {
            return refuse(reader, "at most %d CAs", EKB_DEPLOYMENT_MAX_CAS);
        }
        if (!keep_text(reader, deployment->cas[deployment->num_cas], EKB_DEPLOYMENT_NAME_LEN,
                       word)) {
            return false;
        }
        deployment->num_cas++;
    }
    return true;
}

static bool add_releases(struct reader *reader, const char *value)
{
    struct ekb_deployment *deployment = reader->deployment;
    char word[WORD_LEN];
    deployment->num_releases = 0;
    while (next_word(word, &value, ",")) {
        if (deployment->num_releases == EKB_RELEASE_NUM) {
            return refuse(reader, "at most %d releases", EKB_RELEASE_NUM);
        }
        if (!parse_release(reader, &deployment->releases[deployment->num_releases], word)) {
            return false;
        }
        deployment->num_releases++;
    }
    return deployment->num_releases > 0 || refuse(reader, "a release is wanted");
}

static bool add_modes(struct reader *reader, const char *value)
{
    struct ekb_deployment *deployment = reader->deployment;
    char word[WORD_LEN];
    deployment->num_modes = 0;
    while (next_word(word, &value, ",")) {
        if (deployment->num_modes == 2) {
            return refuse(reader, "on, off, or both are wanted");
        }
        if (!parse_mode(reader, &deployment->modes[deployment->num_modes], word)) {
            return false;
        }
        deployment->num_modes++;
    }
    return deployment->num_modes > 0 || refuse(reader, "on, off, or both are wanted");
}

static bool set_deployment(struct reader *reader, const char *key, const char *value)
{
    struct ekb_deployment *deployment = reader->deployment;
    if (strcmp(key, "title") == 0) {
        return keep_text(reader, deployment->title, sizeof deployment->title, value);
    }
    if (strcmp(key, "name") == 0) {
        return keep_name(reader, deployment->name, sizeof deployment->name, value);
    }
    if (strcmp(key, "ca") == 0) {
        return add_cas(reader, value);
    }
    if (strcmp(key, "release") == 0) {
        return add_releases(reader, value);
    }
    if (strcmp(key, "eku-mode") == 0) {
        return add_modes(reader, value);
    }
    return refuse(reader, "%s: [deployment] has name, title, ca, release and eku-mode", key);
}

// [node NAME]

static bool set_node(struct reader *reader, const char *key, const char *value)
{
    struct ekb_deployment_node *node = reader->node;
    if (strcmp(key, "kind") == 0) {
        return ekb_node_kind_parse(&node->rules.kind, value) == EKB_OK ||
               refuse(reader, "\"%s\": core, edge or far is wanted", value);
    }
    if (strcmp(key, "host") == 0) {
        return keep_text(reader, node->host, sizeof node->host, value);
    }
    if (strcmp(key, "named") == 0) {
        bool named = false;
        const bool good = parse_yes(reader, &named, value);
        node->unnamed = !named;
        return good;
    }
    if (strcmp(key, "eku-mode") == 0) {
        node->has_mode = true;
        return parse_mode(reader, &node->rules.mode, value);
    }
    if (strcmp(key, "release") == 0) {
        node->has_release = true;
        return parse_release(reader, &node->rules.release, value);
    }
    if (strcmp(key, "server-eku-upload") == 0) {
        return parse_yes(reader, &node->rules.server_eku_upload, value);
    }
    if (strcmp(key, "store") == 0) {
        return keep_text(reader, node->store, sizeof node->store, value);
    }
    if (strcmp(key, "trust") == 0) {
        return parse_trust(reader, &node->trusts, value);
    }
    if (strcmp(key, "server") == 0) {
        return parse_identity(reader, &node->server, value);
    }
    if (strcmp(key, "second") == 0) {
        return parse_identity(reader, &node->second, value);
    }
    if (strcmp(key, "client") == 0) {
        return parse_identity(reader, &node->client, value);
    }
    return refuse(reader,
                  "%s: a node has kind, host, named, release, eku-mode, server-eku-upload, store, "
                  "trust, server, second and client",
                  key);
}

// [link NAME]

static bool set_end(const struct reader *reader, size_t *out_node, const char *value)
{
    *out_node = find_node(reader->deployment, value);
    return *out_node < reader->deployment->num_nodes ||
           refuse(reader, "\"%s\" is no node above", value);
}

static bool set_link(struct reader *reader, const char *key, const char *value)
{
    struct ekb_deployment_link *link = reader->link;
    uint64_t port = 0;
    if (strcmp(key, "kind") == 0) {
        return ekb_link_parse(&link->kind, value) == EKB_OK ||
               refuse(reader, "\"%s\" is no kind of link", value);
    }
    if (strcmp(key, "initiator") == 0) {
        return set_end(reader, &link->initiator, value);
    }
    if (strcmp(key, "responder") == 0) {
        return set_end(reader, &link->responder, value);
    }
    if (strcmp(key, "address") == 0) {
        return keep_text(reader, link->address, sizeof link->address, value);
    }
    if (strcmp(key, "port") == 0) {
        const bool good = ekb_units_parse_count(&port, value, 1, UINT16_MAX) == EKB_OK;
        link->port = (uint16_t)port;
        return good || refuse(reader, "\"%s\": a port from 1 to 65535 is wanted", value);
    }
    return refuse(reader, "%s: a link has kind, initiator, responder, address and port", key);
}

// [expect ...]

static bool set_expectation(struct reader *reader, const char *key, const char *value)
{
    struct ekb_deployment *deployment = reader->deployment;
    struct ekb_deployment_expectation expectation = reader->expectation;
    char word[WORD_LEN] = "";
    if (deployment->num_expectations == EKB_DEPLOYMENT_MAX_EXPECTATIONS) {
        return refuse(reader, "at most %d expectations", EKB_DEPLOYMENT_MAX_EXPECTATIONS);
    }
    (void)next_word(word, &value, ",");
    if (strcmp(word, "active") == 0 || strcmp(word, "works") == 0) {
        expectation.expected = EKB_EXPECTED_ACTIVE;
    } else if (strcmp(word, "failed") == 0 || strcmp(word, "fails") == 0) {
        expectation.expected = EKB_EXPECTED_FAILED;
    } else {
        return refuse(reader, "\"%s\": active (works) or failed (fails) is wanted", word);
    }
    if (next_word(word, &value, ",") &&
        !keep_text(reader, expectation.reason, sizeof expectation.reason, word)) {
        return false;
    }
    if (!keep_text(reader, expectation.what, sizeof expectation.what, key)) {
        return false;
    }
    deployment->expectations[deployment->num_expectations++] = expectation;
    return true;
}

// Sections.

static bool begin_node(struct reader *reader, const char *name)
{
    struct ekb_deployment *deployment = reader->deployment;
    if (deployment->num_nodes == EKB_DEPLOYMENT_MAX_NODES) {
        return refuse(reader, "at most %d nodes", EKB_DEPLOYMENT_MAX_NODES);
    }
    if (find_node(deployment, name) < deployment->num_nodes) {
        return refuse(reader, "there is a node \"%s\" already", name);
    }
    reader->node = &deployment->nodes[deployment->num_nodes++];
    *reader->node = (struct ekb_deployment_node){
        .rules = {.kind = EKB_NODE_FAR},
        .trusts = (uint32_t)((UINT64_C(1) << deployment->num_cas) - 1),
    };
    (void)snprintf(reader->node->host, sizeof reader->node->host, "%s.example", name);
    for (char *c = reader->node->host; *c != '\0'; c++) {
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);
    }
    return keep_name(reader, reader->node->name, sizeof reader->node->name, name);
}

static bool begin_link(struct reader *reader, const char *name)
{
    struct ekb_deployment *deployment = reader->deployment;
    if (deployment->num_links == EKB_DEPLOYMENT_MAX_LINKS) {
        return refuse(reader, "at most %d links", EKB_DEPLOYMENT_MAX_LINKS);
    }
    reader->link = &deployment->links[deployment->num_links++];
    *reader->link = (struct ekb_deployment_link){.kind = EKB_LINK_NUM,
                                                 .initiator = EKB_DEPLOYMENT_MAX_NODES,
                                                 .responder = EKB_DEPLOYMENT_MAX_NODES};
    // Perhaps its name says its kind.
    if (ekb_link_parse(&reader->link->kind, name) != EKB_OK) {
        reader->link->kind = EKB_LINK_NUM;
    }
    return keep_text(reader, reader->link->name, sizeof reader->link->name, name);
}

static bool begin_expect(struct reader *reader, const char *text)
{
    char word[WORD_LEN];
    struct ekb_deployment_expectation *expectation = &reader->expectation;
    *expectation = (struct ekb_deployment_expectation){.has_release = false};
    while (next_word(word, &text, ",")) {
        if (ekb_eku_mode_parse(&expectation->mode, word) == EKB_OK) {
            expectation->has_mode = true;
        } else if (parse_release(reader, &expectation->release, word)) {
            expectation->has_release = true;
        } else {
            return false;
        }
    }
    return true;
}

static bool begin_section(struct reader *reader, const char *section)
{
    const char *rest = section;
    char word[WORD_LEN] = "";
    char name[WORD_LEN] = "";
    (void)snprintf(reader->section, sizeof reader->section, "%s", section);
    reader->node = NULL;
    reader->link = NULL;
    (void)next_word(word, &rest, "");
    if (strcmp(word, "expect") == 0) {
        return begin_expect(reader, rest);
    }
    (void)next_word(name, &rest, "");
    if (strcmp(word, "deployment") == 0 && name[0] == '\0') {
        return true;
    }
    if (strcmp(word, "node") == 0 && name[0] != '\0') {
        return begin_node(reader, name);
    }
    if (strcmp(word, "link") == 0 && name[0] != '\0') {
        return begin_link(reader, name);
    }
    return refuse(reader,
                  "[%s]: the sections are [deployment], [node NAME], [link NAME] and [expect]",
                  section);
}

static bool set(struct reader *reader, const char *key, const char *value)
{
    if (reader->node != NULL) {
        return set_node(reader, key, value);
    }
    if (reader->link != NULL) {
        return set_link(reader, key, value);
    }
    return strncmp(reader->section, "expect", 6) == 0 ? set_expectation(reader, key, value)
                                                      : set_deployment(reader, key, value);
}

static int apply(void *context, const char *section, const char *key, const char *value)
{
    struct reader *reader = context;
    if (reader->fail->err != EKB_OK) {
        return 1;
    }
    if (section[0] == '\0') {
        (void)refuse(reader, "%s: a section, such as [deployment], is wanted before it", key);
    } else if (strcmp(section, reader->section) == 0 || begin_section(reader, section)) {
        (void)set(reader, key, value);
    }
    return 1;
}

// read_line is fgets for inih, which does not say where it is.
static char *read_line(char *out_text, int size, void *context)
{
    struct reader *reader = context;
    char *text = ekb_lines_read(out_text, size, &reader->lines);
    if (text != NULL && reader->lines.wanted[0] != '\0') {
        (void)refuse(reader, "%s", reader->lines.wanted);
    }
    return text;
}

// What the whole must be.

static bool is_end(enum ekb_link_end end, enum ekb_node_kind kind, enum ekb_node_kind other)
{
    switch (end) {
    case EKB_END_CORE:
        return kind == EKB_NODE_CORE;
    case EKB_END_EDGE:
        return kind == EKB_NODE_EDGE;
    case EKB_END_FAR:
        return kind == EKB_NODE_FAR;
    case EKB_END_SAME:
        return kind == other;
    case EKB_END_ANY:
        break;
    }
    return true;
}

static enum ekb_err check_link(const struct ekb_deployment *deployment,
                               const struct ekb_deployment_link *link, const char *name,
                               struct ekb_fail *reterr_fail)
{
    if (link->kind == EKB_LINK_NUM) {
        return ekb_fail_set(reterr_fail, EKB_USAGE, 0, "%s: [link %s]: its kind is wanted", name,
                            link->name);
    }
    if (link->initiator >= deployment->num_nodes || link->responder >= deployment->num_nodes) {
        return ekb_fail_set(reterr_fail, EKB_USAGE, 0,
                            "%s: [link %s]: initiator and responder are wanted", name, link->name);
    }
    const enum ekb_node_kind initiator = deployment->nodes[link->initiator].rules.kind;
    const enum ekb_node_kind responder = deployment->nodes[link->responder].rules.kind;
    const struct ekb_link_row *row = ekb_link_row(link->kind);
    if (!is_end(row->initiator, initiator, responder) ||
        !is_end(row->responder, responder, initiator)) {
        return ekb_fail_set(
            reterr_fail, EKB_USAGE, 0, "%s: [link %s]: no %s goes from a %s to a %s node", name,
            link->name, row->title, ekb_node_kind_name(initiator), ekb_node_kind_name(responder));
    }
    return EKB_OK;
}

static enum ekb_err check_expectation(const struct ekb_deployment *deployment,
                                      const struct ekb_deployment_expectation *expectation,
                                      const char *name, struct ekb_fail *reterr_fail)
{
    bool found = strcmp(expectation->what, "mra") == 0;
    for (size_t i = 0; i < deployment->num_links && !found; i++) {
        found = strcmp(expectation->what, deployment->links[i].name) == 0;
    }
    return found ? EKB_OK
                 : ekb_fail_set(reterr_fail, EKB_USAGE, 0,
                                "%s: [expect]: \"%s\" is no link of the deployment, nor mra", name,
                                expectation->what);
}

// check_release refuses a C or E of another release than the deployment's: they must run the same.
static enum ekb_err check_release(const struct ekb_deployment *deployment,
                                  const struct ekb_deployment_node *node, const char *name,
                                  struct ekb_fail *reterr_fail)
{
    if (node->rules.kind == EKB_NODE_FAR || !node->has_release ||
        (deployment->num_releases == 1 && deployment->releases[0] == node->rules.release)) {
        return EKB_OK;
    }
    return ekb_fail_set(
        reterr_fail, EKB_USAGE, 0,
        "%s: C and E must run the same release: node %s has %s, the deployment %s%s", name,
        node->name, ekb_release_rules(node->rules.release)->name,
        ekb_release_rules(deployment->releases[0])->name,
        deployment->num_releases > 1 ? " and others" : "");
}

static enum ekb_err check(const struct ekb_deployment *deployment, const char *name,
                          struct ekb_fail *reterr_fail)
{
    enum ekb_err err = EKB_OK;
    if (deployment->num_links == 0) {
        return ekb_fail_set(reterr_fail, EKB_USAGE, 0, "%s: a [link] is wanted", name);
    }
    for (size_t i = 0; i < deployment->num_links && err == EKB_OK; i++) {
        err = check_link(deployment, &deployment->links[i], name, reterr_fail);
    }
    for (size_t i = 0; i < deployment->num_nodes && err == EKB_OK; i++) {
        err = check_release(deployment, &deployment->nodes[i], name, reterr_fail);
    }
    for (size_t i = 0; i < deployment->num_expectations && err == EKB_OK; i++) {
        err = check_expectation(deployment, &deployment->expectations[i], name, reterr_fail);
    }
    return err;
}

enum ekb_err ekb_deployment_parse(struct ekb_deployment *out_deployment, const char *text,
                                  const char *name, struct ekb_fail *reterr_fail)
{
    struct ekb_fail fail = {.err = EKB_OK};
    struct reader reader = {
        .deployment = out_deployment, .name = name, .lines.next = text, .fail = &fail};
    *out_deployment = (struct ekb_deployment){
        .releases = {EKB_RELEASE_X15_5}, .num_releases = 1, .modes = {EKB_EKU_ON}, .num_modes = 1};
    const int line = ini_parse_stream(read_line, &reader, apply, &reader);
    if (fail.err == EKB_OK && line > 0) {
        reader.lines.line = (unsigned)line;
        (void)refuse(&reader, "[section], key = value or a comment is wanted");
    } else if (line < 0) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "%s", name);
    }
    if (fail.err != EKB_OK) {
        if (reterr_fail != NULL) {
            *reterr_fail = fail;
        }
        return fail.err;
    }
    return check(out_deployment, name, reterr_fail);
}

enum ekb_err ekb_deployment_read(struct ekb_deployment *out_deployment, const char *path,
                                 struct ekb_fail *reterr_fail)
{
    uint8_t *data = NULL;
    size_t data_len = 0;
    enum ekb_err err = ekb_file_read(&data, &data_len, path, MAX_FILE_LEN, reterr_fail);
    if (err != EKB_OK) {
        return err;
    }
    if (strlen((const char *)data) != data_len) {
        err = ekb_fail_set(reterr_fail, EKB_PARSE, 0, "%s is no text: it has a zero byte", path);
    } else {
        err = ekb_deployment_parse(out_deployment, (const char *)data, path, reterr_fail);
    }
    free(data);
    return err;
}

static bool is_own(const struct ekb_deployment *deployment, enum ekb_release release)
{
    for (size_t i = 0; i < deployment->num_releases; i++) {
        if (deployment->releases[i] == release) {
            return true;
        }
    }
    return false;
}

const struct ekb_deployment_expectation *
ekb_deployment_expect(const struct ekb_deployment *deployment, const char *what,
                      enum ekb_release release, enum ekb_eku_mode mode)
{
    for (size_t i = 0; i < deployment->num_expectations; i++) {
        const struct ekb_deployment_expectation *it = &deployment->expectations[i];
        if (strcmp(it->what, what) == 0 &&
            (it->has_release ? it->release == release : is_own(deployment, release)) &&
            (!it->has_mode || it->mode == mode)) {
            return it;
        }
    }
    return NULL;
}

bool ekb_deployment_is_minted(const struct ekb_deployment_identity *identity)
{
    return identity->origin == EKB_ORIGIN_CA || identity->origin == EKB_ORIGIN_SELF_SIGNED;
}
