// The INI file of a deployment, read. inih takes the lines apart; sections are looked at here,
// since it cuts their names and tells of none without keys.

#include "lab/deployment_internal.h"

#include "ekubench/base/file.h"

#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FILE_LEN (1u << 20)
#define WORD_LEN EKB_DEPLOYMENT_WORD_LEN

bool ekb_deployment_refuse(struct ekb_deployment_reader *reader, const char *format, ...)
{
    char text[192];
    va_list args;
    if (reader->fail->err != EKB_OK) {
        return false;
    }
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    reader->fail_line = reader->lines.line;
    (void)ekb_fail_say(reader->fail, EKB_PARSE, "%s:%u: %s", reader->name, reader->lines.line,
                       text);
    return false;
}

// Words.

bool ekb_deployment_next_word(char out_word[WORD_LEN], const char **text, const char *ends)
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

bool ekb_deployment_keep_text(struct ekb_deployment_reader *reader, char *out_text, size_t text_len,
                              const char *value)
{
    if (value[0] == '\0' || strlen(value) >= text_len) {
        return ekb_deployment_refuse(reader, "\"%.40s%s\": a text of 1 to %zu characters is wanted",
                                     value, strlen(value) > 40 ? "..." : "", text_len - 1);
    }
    (void)snprintf(out_text, text_len, "%s", value);
    return true;
}

bool ekb_deployment_keep_release(struct ekb_deployment_reader *reader,
                                 enum ekb_release *out_release, const char *value)
{
    return ekb_release_parse(out_release, value) == EKB_OK ||
           ekb_deployment_refuse(reader, "\"%s\": a release such as X15.5 is wanted", value);
}

// Sections.

static bool begin_deployment(struct ekb_deployment_reader *reader)
{
    if (reader->has_deployment) {
        return ekb_deployment_refuse(reader, "there is a [deployment] already");
    }
    reader->has_deployment = true;
    return true;
}

static bool begin_section(struct ekb_deployment_reader *reader, const char *section)
{
    static const struct {
        const char *word;
        enum ekb_deployment_part part;
        bool named;
    } parts[] = {{"deployment", EKB_PART_DEPLOYMENT, false},
                 {"node", EKB_PART_NODE, true},
                 {"link", EKB_PART_LINK, true},
                 {"expect", EKB_PART_EXPECT, false}};
    char word[WORD_LEN] = "";
    const char *rest = section;
    reader->part = EKB_PART_NONE;
    reader->num_keys = 0;
    (void)ekb_deployment_next_word(word, &rest, "");
    rest += strspn(rest, " \t");
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (strcmp(word, parts[i].word) == 0 && (!parts[i].named || rest[0] != '\0')) {
            reader->part = parts[i].part;
        }
    }
    switch (reader->part) {
    case EKB_PART_DEPLOYMENT:
        return rest[0] == '\0'
                   ? begin_deployment(reader)
                   : ekb_deployment_refuse(reader, "[%.60s]: [deployment] has no name", section);
    case EKB_PART_NODE:
        return ekb_deployment_begin_node(reader, rest);
    case EKB_PART_LINK:
        return ekb_deployment_begin_link(reader, rest);
    case EKB_PART_EXPECT:
        return ekb_deployment_begin_expect(reader, rest);
    case EKB_PART_NONE:
        break;
    }
    return ekb_deployment_refuse(
        reader, "[%.60s]: the sections are [deployment], [node NAME], [link NAME] and [expect]",
        section);
}

// Lines.

// note_key refuses a key that is there twice. What is expected is looked at where it is read.
static bool note_key(struct ekb_deployment_reader *reader, const char *key)
{
    if (reader->part == EKB_PART_EXPECT) {
        return true;
    }
    for (size_t i = 0; i < reader->num_keys; i++) {
        if (strcmp(reader->keys[i], key) == 0) {
            return ekb_deployment_refuse(reader, "%s is said already", key);
        }
    }
    if (reader->num_keys < EKB_DEPLOYMENT_MAX_KEYS) { // More are not known: refused in a moment.
        (void)snprintf(reader->keys[reader->num_keys++], sizeof reader->keys[0], "%s", key);
    }
    return true;
}

static bool set(struct ekb_deployment_reader *reader, const char *key, const char *value)
{
    switch (reader->part) {
    case EKB_PART_DEPLOYMENT:
        return ekb_deployment_set_deployment(reader, key, value);
    case EKB_PART_NODE:
        return ekb_deployment_set_node(reader, key, value);
    case EKB_PART_LINK:
        return ekb_deployment_set_link(reader, key, value);
    case EKB_PART_EXPECT:
        return ekb_deployment_set_expectation(reader, key, value);
    case EKB_PART_NONE:
        break;
    }
    return ekb_deployment_refuse(
        reader, "%.40s: a section, such as [deployment], is wanted before it", key);
}

static int apply(void *context, const char *section, const char *key, const char *value)
{
    struct ekb_deployment_reader *reader = context;
    (void)section; // As far as inih keeps it.
    if (reader->fail->err == EKB_OK && note_key(reader, key)) {
        (void)set(reader, key, value);
    }
    return 1;
}

// look_for_section begins the section whose line `text` is, if it is one.
static void look_for_section(struct ekb_deployment_reader *reader, const char *text)
{
    char section[EKB_DEPLOYMENT_SECTION_LEN];
    size_t len = text[0] == '[' ? strcspn(text, "]") : 0;
    if (len == 0 || text[len] != ']') { // inih says of a bracket that does not end.
        return;
    }
    const char *rest = text + len + 1;
    rest += strspn(rest, " \t\r\n");
    if (*rest != '\0' && *rest != ';' && *rest != '#') {
        (void)ekb_deployment_refuse(reader, "nothing is wanted after the section's ]");
    }
    while (text[len - 1] == ' ' || text[len - 1] == '\t') { // Ends at the bracket.
        len--;
    }
    (void)snprintf(section, sizeof section, "%.*s", (int)(len - 1), text + 1);
    if (reader->fail->err == EKB_OK) {
        (void)begin_section(reader, section);
    }
}

// read_line is fgets for inih, which does not say where it is, and takes an indented line for more
// of the one before.
static char *read_line(char *out_text, int size, void *context)
{
    static const char mark[] = "\xef\xbb\xbf"; // Some editors begin a file with it.
    struct ekb_deployment_reader *reader = context;
    char *text = ekb_lines_read(out_text, size, &reader->lines);
    if (text == NULL) {
        return NULL;
    }
    if (reader->lines.wanted[0] != '\0') {
        (void)ekb_deployment_refuse(reader, "%s", reader->lines.wanted);
    }
    text +=
        reader->lines.line == 1 && strncmp(text, mark, sizeof mark - 1) == 0 ? sizeof mark - 1 : 0;
    text += strspn(text, " \t");
    memmove(out_text, text, strlen(text) + 1);
    look_for_section(reader, out_text);
    return out_text;
}

// adopt_release takes the release that C and E say for the deployment's, if it says none and all of
// them do: check finds those that say another.
static void adopt_release(const struct ekb_deployment_reader *reader)
{
    struct ekb_deployment *deployment = reader->deployment;
    enum ekb_release release = deployment->releases[0];
    for (size_t i = 0; i < deployment->num_nodes; i++) {
        const struct ekb_deployment_node *node = &deployment->nodes[i];
        if (deployment->has_release || (node->rules.kind != EKB_NODE_FAR && !node->has_release)) {
            return;
        }
        release = node->rules.kind != EKB_NODE_FAR ? node->rules.release : release;
    }
    deployment->releases[0] = release;
}

enum ekb_err ekb_deployment_parse(struct ekb_deployment *out_deployment, const char *text,
                                  const char *name, struct ekb_fail *reterr_fail)
{
    struct ekb_fail fail = {.err = EKB_OK};
    struct ekb_deployment_reader reader = {
        .deployment = out_deployment, .name = name, .lines.next = text, .fail = &fail};
    *out_deployment = (struct ekb_deployment){
        .releases = {EKB_RELEASE_X15_5}, .num_releases = 1, .modes = {EKB_EKU_ON}, .num_modes = 1};
    const int line = ini_parse_stream(read_line, &reader, apply, &reader);
    if (line < 0) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "%s", name);
    }
    // The first: inih goes on after a line that it does not understand.
    if (line > 0 && (fail.err == EKB_OK || (unsigned)line < reader.fail_line)) {
        fail.err = EKB_OK;
        reader.lines.line = (unsigned)line;
        (void)ekb_deployment_refuse(&reader, "[section], key = value or a comment is wanted");
    }
    if (fail.err != EKB_OK) {
        if (reterr_fail != NULL) {
            *reterr_fail = fail;
        }
        return fail.err;
    }
    adopt_release(&reader);
    return ekb_deployment_check(out_deployment, name, reterr_fail);
}

// place_store makes the path of a store one from here: in the file `path` it is one from there.
static enum ekb_err place_store(struct ekb_deployment_node *node, const char *path,
                                struct ekb_fail *reterr_fail)
{
    char store[sizeof node->store];
    const char *const slash = strrchr(path, '/');
    if (slash == NULL || node->store[0] == '\0' || node->store[0] == '/') {
        return EKB_OK;
    }
    const int len =
        snprintf(store, sizeof store, "%.*s/%s", (int)(slash - path), path, node->store);
    if (len < 0 || (size_t)len >= sizeof store) {
        return ekb_fail_say(reterr_fail, EKB_USAGE,
                            "%.80s:%u: [node %s]: the path of its store is "
                            "too long",
                            path, node->line, node->name);
    }
    memcpy(node->store, store, sizeof store);
    return EKB_OK;
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
    for (size_t i = 0; err == EKB_OK && i < out_deployment->num_nodes; i++) {
        err = place_store(&out_deployment->nodes[i], path, reterr_fail);
    }
    free(data);
    return err;
}
