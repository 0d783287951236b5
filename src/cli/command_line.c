#include "cli/cli.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// is_plain is true for words that a shell takes as they are.
static bool is_plain(const char *word)
{
    return word[0] != '\0' &&
           strspn(word,
                  "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/:,=%+-") ==
               strlen(word);
}

static void write_word(FILE *out, const char *word)
{
    (void)fputc(' ', out);
    if (is_plain(word)) {
        (void)fputs(word, out);
        return;
    }
    (void)fputc('\'', out);
    for (; *word != '\0'; word++) {
        (void)fputs(*word == '\'' ? "'\\''" : (char[]){*word, '\0'}, out);
    }
    (void)fputc('\'', out);
}

// is_about_output is true for options that say where the result goes, and not what is measured.
static bool is_about_output(const struct argp_option *option)
{
    return option != NULL &&
           (strcmp(option->name, "output") == 0 || strcmp(option->name, "json") == 0);
}

char *ekb_cli_command_line(const struct argp *argp, int argc, char **argv)
{
    char *text = NULL;
    size_t text_len = 0;
    bool is_over = false; // Behind "--" there are arguments only.
    FILE *out = open_memstream(&text, &text_len);
    if (out == NULL) {
        return NULL;
    }
    (void)fprintf(out, "ekubench %s", argv[0]);
    for (int i = 1; i < argc; i++) {
        bool takes_next = false;
        const struct argp_option *option =
            is_over ? NULL : ekb_cli_option_of(argp, argv[i], &takes_next);
        is_over = is_over || strcmp(argv[i], "--") == 0;
        takes_next = takes_next && i + 1 < argc;
        if (!is_about_output(option)) {
            write_word(out, argv[i]);
            if (takes_next) {
                write_word(out, argv[i + 1]);
            }
        }
        i += takes_next ? 1 : 0;
    }
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}
