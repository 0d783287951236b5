#include "cli/cli.h"

#include "ekubench/base/file.h"
#include "ekubench/base/lines.h"
#include "ekubench/base/utf8.h"

#include <ini.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FILE (1u << 20)

// Options that a file may set, which are as many as a command has.
#define MAX_KEYS 64

struct file {
    const struct argp *argp;
    unsigned set_at[MAX_KEYS]; // By option: the line that set it, or 0.
    const char *path;
    const char *section; // The only one there may be.
    struct ekb_lines lines;
    struct argp_state state;
    // The option of the last key, which is obeyed when its value is known to have ended.
    const struct argp_option *option;
    char *value;
    bool may_go_on; // There is a key that an indented line may belong to, as inih sees it.
};

// The values of options point into the words that they were given as; those of files live as long
// as the process, like those of its command line.
struct word {
    struct word *next;
    char text[];
};
static struct word *words;

// keep returns a copy of the two texts together.
static char *keep(const char *text, const char *more)
{
    const size_t len = strlen(text);
    const size_t more_size = strlen(more) + 1;
    struct word *word = malloc(sizeof *word + len + more_size);
    if (word == NULL) {
        ekb_cli_say("out of memory");
        exit(EKB_EXIT_ENVIRONMENT);
    }
    word->next = words;
    words = word;
    (void)snprintf(word->text, len + more_size, "%s%s", text, more);
    return word->text;
}

void ekb_cli_refuse(const struct argp_state *state, const char *format, ...)
{
    const struct file *file = state->hook;
    char *prefix = NULL;
    va_list args;
    const int len = file != NULL
                        ? asprintf(&prefix, "ekubench: %s:%u: ", file->path, file->lines.line)
                        : asprintf(&prefix, "%s: ", state->name);
    if (len >= 0) {
        ekb_utf8_clean(prefix);
    }
    va_start(args, format);
    ekb_cli_say_as(len >= 0 ? prefix : "", format, args);
    va_end(args);
    if (len >= 0) {
        free(prefix);
    }
    if (file == NULL) {
        (void)fprintf(stderr, "Try `%s --help' or `%s --usage' for more information.\n",
                      state->name, state->name);
    }
    exit(EKB_EXIT_USAGE);
}

// apply_flag obeys an option that takes no value.
static void apply_flag(struct file *file, const struct argp_option *option, const char *value)
{
    if (strcmp(value, "yes") == 0) {
        (void)file->argp->parser(option->key, NULL, &file->state);
    } else if (strcmp(value, "no") != 0) {
        ekb_cli_refuse(&file->state, "%s = %s: yes or no is wanted", option->name, value);
    }
}

// obey obeys the option of the last key.
static void obey(struct file *file)
{
    const struct argp_option *option = file->option;
    const unsigned line = file->lines.line;
    if (option == NULL) {
        return;
    }
    file->lines.line = file->set_at[option - file->argp->options];
    if (option->arg == NULL) {
        apply_flag(file, option, file->value);
    } else {
        (void)file->argp->parser(option->key, file->value, &file->state);
    }
    file->lines.line = line;
    file->option = NULL;
}

// goes_on is true if the line continues the value of `option`: a list, after a comma, indented.
static bool goes_on(const struct file *file, const struct argp_option *option)
{
    const size_t len = option == file->option ? strlen(file->value) : 0;
    return file->lines.is_indented && len > 0 && file->value[len - 1] == ',';
}

static void check_section(const struct file *file, const char *section)
{
    if (strcmp(section, file->section) != 0) {
        ekb_cli_refuse(&file->state, "[%s]: the only section is [%s]", section, file->section);
    }
}

// check_header looks at a line that begins a section, in which there may be no key.
static void check_header(struct file *file, const char *line)
{
    char section[64];
    const char *begin = line + strspn(line, " \t");
    const char *end = strchr(begin, ']');
    if (begin[0] != '[' || end == NULL || (file->lines.is_indented && file->may_go_on)) {
        return;
    }
    file->may_go_on = false;
    (void)snprintf(section, sizeof section, "%.*s", (int)(end - begin - 1), begin + 1);
    check_section(file, section);
}

static int apply(void *context, const char *section, const char *name, const char *value)
{
    struct file *file = context;
    if (section[0] != '\0') {
        check_section(file, section);
    }
    file->may_go_on = true;
    const struct argp_option *option = ekb_cli_find_option(file->argp, name, strlen(name));
    if (option == NULL) {
        const char *const near = ekb_cli_suggest_option(file->argp, name, strlen(name), NULL);
        ekb_cli_refuse(&file->state, "%s: \"ekubench %s\" has no such option%s%s%s", name,
                       file->section, near != NULL ? "; did you mean " : "",
                       near != NULL ? near : "", near != NULL ? "?" : "");
    }
    if (goes_on(file, option)) {
        file->value = keep(file->value, value);
        return 1;
    }
    obey(file);
    unsigned *const set_at = &file->set_at[option - file->argp->options];
    EKB_CHECK(option - file->argp->options < MAX_KEYS);
    if (*set_at != 0) {
        ekb_cli_refuse(&file->state, "%s is set in line %u already", name, *set_at);
    }
    *set_at = file->lines.line;
    file->option = option;
    file->value = keep(value, "");
    return 1;
}

// read_line is fgets for inih, which does not say where it is.
static char *read_line(char *out_text, int size, void *context)
{
    struct file *file = context;
    char *text = ekb_lines_read(out_text, size, &file->lines);
    if (text != NULL && file->lines.wanted[0] != '\0') {
        ekb_cli_refuse(&file->state, "%s", file->lines.wanted);
    }
    if (text != NULL) {
        check_header(file, text);
    }
    return text;
}

enum ekb_err ekb_cli_parse_file(const struct argp *argp, const char *path, const char *section,
                                void *input, struct ekb_fail *reterr_fail)
{
    struct file file = {.argp = argp, .path = path, .section = section};
    file.state = (struct argp_state){.root_argp = argp, .input = input, .hook = &file};
    uint8_t *data = NULL;
    size_t data_len = 0;
    const enum ekb_err err = ekb_file_read(&data, &data_len, path, MAX_FILE, reterr_fail);
    if (err != EKB_OK) {
        return err;
    }
    if (strlen((const char *)data) != data_len) {
        free(data);
        return ekb_fail_set(reterr_fail, EKB_PARSE, 0, "%s is no text: it has a zero byte", path);
    }
    file.lines.next = (const char *)data;
    const int line = ini_parse_stream(read_line, &file, apply, &file);
    free(data);
    if (line < 0) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "%s", path);
    }
    if (line > 0) {
        return ekb_fail_set(reterr_fail, EKB_PARSE, 0,
                            "%s:%d: [section], key = value or a comment is wanted", path, line);
    }
    obey(&file);
    return EKB_OK;
}
