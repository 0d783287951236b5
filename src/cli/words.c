#include "cli/words.h"

#include "cli/cli.h"

#include "ekubench/base/lines.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// A line of a plan file, as cli/ini.c has it; continuation lines are indented.
#define MAX_LINE 197
#define INDENT "  "

// What is no part of a plan.
static bool is_of_plan(const struct argp_option *option)
{
    return option->key != EKB_CLI_OPTION_PLAN && option->key != EKB_CLI_OPTION_PRINT_PLAN &&
           strcmp(option->name, "output") != 0 && strcmp(option->name, "json") != 0;
}

static size_t index_of(const struct ekb_cli_words *words, const char *name)
{
    const struct argp_option *option = ekb_cli_find_option(words->argp, name, strlen(name));
    EKB_CHECK(option != NULL && option - words->argp->options < EKB_CLI_MAX_WORDS);
    return (size_t)(option - words->argp->options);
}

const char *ekb_cli_words_get(const struct ekb_cli_words *words, const char *name)
{
    return words->values[index_of(words, name)];
}

void ekb_cli_words_set(struct ekb_cli_words *words, const char *name, const char *value)
{
    words->values[index_of(words, name)] = value;
}

// Parsing: the command's parser, and what it obeys is noted.

// obey hands an option to the command's parser.
static error_t obey(struct ekb_cli_words *words, int key, char *text, struct argp_state *state)
{
    state->input = words->input;
    const error_t err = words->argp->parser(key, text, state);
    state->input = words;
    return err;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct ekb_cli_words *words = state->input;
    const bool is_file = state->hook != NULL;
    if (key == EKB_CLI_OPTION_PLAN || key == EKB_CLI_OPTION_PRINT_PLAN) {
        if (is_file) {
            ekb_cli_refuse(state, "%s: that is for the command line",
                           ekb_cli_find_key(words->argp, key)->name);
        }
        words->print_plan = words->print_plan || key == EKB_CLI_OPTION_PRINT_PLAN;
        return 0;
    }
    const error_t err = obey(words, key, text, state);
    if (err != 0) {
        return err;
    }
    const struct argp_option *option =
        key == ARGP_KEY_ARG && words->positional != NULL
            ? ekb_cli_find_option(words->argp, words->positional, strlen(words->positional))
            : ekb_cli_find_key(words->argp, key);
    if (option != NULL) {
        ekb_cli_words_set(words, option->name, option->arg != NULL ? text : "yes");
    }
    return 0;
}

void ekb_cli_words_give(struct ekb_cli_words *words, const char *name, char *value)
{
    struct argp_state state = {.root_argp = words->argp, .input = words};
    const struct argp_option *option = ekb_cli_find_option(words->argp, name, strlen(name));
    EKB_CHECK(option != NULL && obey(words, option->key, value, &state) == 0);
    ekb_cli_words_set(words, name, value);
}

// find_plan looks for the name of a plan file, and for nothing else.
static error_t find_plan(int key, char *text, struct argp_state *state)
{
    const char **const path = state->input;
    if (key == EKB_CLI_OPTION_PLAN) {
        *path = text;
    }
    // The keys beyond are argp's own.
    return key >= ARGP_KEY_END ? ARGP_ERR_UNKNOWN : 0;
}

enum ekb_err ekb_cli_words_parse(struct ekb_cli_words *words, int argc, char **argv,
                                 struct ekb_fail *reterr_fail)
{
    const char *path = NULL;
    struct argp argp = *words->argp;
    argp.parser = find_plan;
    ekb_cli_parse(&argp, argc, argv, &path);
    argp.parser = parse;
    if (path != NULL) {
        const enum ekb_err err =
            ekb_cli_parse_file(&argp, path, words->command, words, reterr_fail);
        if (err != EKB_OK) {
            return err;
        }
    }
    ekb_cli_parse(&argp, argc, argv, words);
    return EKB_OK;
}

// Printing.

// can_stand is true if a file gives `value` back as it is: no comment begins in it, no space is at
// its ends, and it is one line of text.
static bool can_stand(const char *value)
{
    const size_t len = strlen(value);
    const char *const spaces = " \t\r\n\v\f";
    if (len == 0 || strchr(spaces, value[0]) != NULL || strchr(spaces, value[len - 1]) != NULL ||
        value[0] == ';' || !ekb_lines_is_printable(value, len)) {
        return false;
    }
    for (const char *at = strchr(value + 1, ';'); at != NULL; at = strchr(at + 1, ';')) {
        if (strchr(spaces, at[-1]) != NULL) {
            return false;
        }
    }
    return true;
}

// write_word writes "name = value", a long list on several lines. False if a line would be too
// long.
static bool write_word(FILE *out, const char *name, const char *value)
{
    char head[MAX_LINE + 1];
    int len = snprintf(head, sizeof head, "%s = ", name);
    while ((size_t)len + strlen(value) > MAX_LINE) {
        size_t end = MAX_LINE > len ? (size_t)(MAX_LINE - len) : 0;
        while (end > 0 && value[end - 1] != ',') {
            end--;
        }
        if (end == 0 || !can_stand(value + end)) {
            return false;
        }
        (void)fprintf(out, "%s%.*s\n", head, (int)end, value);
        len = snprintf(head, sizeof head, INDENT);
        value += end;
    }
    (void)fprintf(out, "%s%s\n", head, value);
    return true;
}

static enum ekb_err write_words(FILE *out, const struct ekb_cli_words *words,
                                struct ekb_fail *reterr_fail)
{
    (void)fprintf(out, "; ekubench %s --plan FILE\n[%s]\n", words->command, words->command);
    for (size_t i = 0; words->argp->options[i].name != NULL; i++) {
        const struct argp_option *option = &words->argp->options[i];
        const char *value = words->values[i];
        if (value == NULL || !is_of_plan(option)) {
            continue;
        }
        if (!can_stand(value) || !write_word(out, option->name, value)) {
            return ekb_fail_set(reterr_fail, EKB_UNSUPPORTED, 0,
                                "--%s: its value cannot stand in a plan file", option->name);
        }
    }
    return EKB_OK;
}

enum ekb_err ekb_cli_words_print(const struct ekb_cli_words *words, struct ekb_fail *reterr_fail)
{
    // All of it or nothing.
    char *text = NULL;
    size_t text_len = 0;
    FILE *out = open_memstream(&text, &text_len);
    if (out == NULL) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "plan");
    }
    enum ekb_err err = write_words(out, words, reterr_fail);
    if (fclose(out) != 0 && err == EKB_OK) {
        err = ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "plan");
    }
    if (err == EKB_OK) {
        (void)fputs(text, stdout);
    }
    free(text);
    return err;
}
