// The manual page, made from the tables that the command line is read by: it cannot say other than
// --help does.

#include "cli/cli.h"
#include "cli/commands.h"

#include "ekubench_build.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char doc[] = "Print the manual page of ekubench, for man(1).\vExamples:\n"
                          "  ekubench manual | man -l -\n"
                          "  ekubench manual >/usr/local/share/man/man1/ekubench.1";

static error_t parse(int key, char *text, struct argp_state *state)
{
    if (key == ARGP_KEY_ARG) {
        ekb_cli_refuse(state, "unexpected argument \"%s\"", text);
    }
    return ARGP_ERR_UNKNOWN;
}

const struct argp ekb_cli_manual_argp = {.parser = parse, .doc = doc};

// put writes `len` characters so that roff prints them as they are; `is_begin`: of a line.
static void put(const char *text, size_t len, bool is_begin)
{
    if (is_begin && len > 0 && (text[0] == '.' || text[0] == '\'')) {
        (void)fputs("\\&", stdout);
    }
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '\\') {
            (void)fputs("\\e", stdout);
        } else if (text[i] == '-') {
            (void)fputs("\\-", stdout);
        } else {
            (void)putchar(text[i]);
        }
    }
}

static void put_line(const char *text, size_t len)
{
    put(text, len, true);
    (void)putchar('\n');
}

// put_text writes lines: indented ones as they are, an empty one as a new paragraph.
static void put_text(const char *text)
{
    bool is_example = false;
    while (*text != '\0') {
        const size_t len = strcspn(text, "\n");
        const bool is_indented = text[0] == ' ';
        if (is_indented != is_example) {
            (void)printf(is_indented ? ".PP\n.nf\n" : ".fi\n");
            is_example = is_indented;
        }
        if (len == 0) {
            (void)printf(".PP\n");
        } else {
            put_line(text, len);
        }
        text += len + (text[len] == '\n' ? 1 : 0);
    }
    if (is_example) {
        (void)printf(".fi\n");
    }
}

static void put_option(const struct argp_option *option)
{
    (void)printf(".TP\n");
    if (isascii(option->key) && isgraph(option->key)) {
        (void)printf("\\fB\\-%c\\fR", option->key);
        if (option->arg != NULL) {
            (void)printf(" \\fI");
            put(option->arg, strlen(option->arg), false);
            (void)printf("\\fR");
        }
        (void)printf(", ");
    }
    (void)printf("\\fB\\-\\-");
    put(option->name, strlen(option->name), false);
    (void)printf("\\fR");
    if (option->arg != NULL) {
        (void)printf("=\\fI");
        put(option->arg, strlen(option->arg), false);
        (void)printf("\\fR");
    }
    (void)putchar('\n');
    put_line(option->doc, strlen(option->doc));
}

// put_usage writes a line for each way to call the command.
static void put_usage(const struct ekb_cli_command *command)
{
    const char *args = command->argp->args_doc != NULL ? command->argp->args_doc : "";
    do {
        const size_t len = strcspn(args, "\n");
        (void)printf("\\fBekubench %s\\fR [\\fIOPTION\\fR...]%s", command->name,
                     len > 0 ? " " : "");
        put(args, len, false);
        (void)printf("\n.br\n");
        args += len + (args[len] == '\n' ? 1 : 0);
    } while (*args != '\0');
}

static void put_command(const struct ekb_cli_command *command)
{
    const char *const text = command->argp->doc;
    const char *const rest = strchr(text, '\v');
    (void)printf(".SS %s\n", command->name);
    put_usage(command);
    (void)printf(".PP\n");
    put_line(text, rest != NULL ? (size_t)(rest - text) : strlen(text));
    for (const struct argp_option *option = ekb_cli_options(command->argp); option->name != NULL;
         option++) {
        if ((option->flags & OPTION_HIDDEN) == 0) {
            put_option(option);
        }
    }
    if (rest != NULL) {
        (void)printf(".PP\n");
        put_text(rest + 1);
    }
}

static void put_end(void)
{
    (void)printf(
        ".SH EXIT STATUS\n"
        ".TP\n0\ndone\n"
        ".TP\n1\na gate failed: a regression, a rejected upload, a chain that does not "
        "verify, a link that breaks\n"
        ".TP\n2\nwrong usage or unreadable input\n"
        ".TP\n3\nthe environment cannot give a valid answer: no io_uring, too noisy, too "
        "few descriptors\n"
        ".TP\n4\ninconclusive: the effect is below what the run could detect\n"
        ".TP\n141\nwho reads standard output, a pipe, has stopped reading\n"
        ".SH ENVIRONMENT\n"
        ".TP\nCOLUMNS\nhow wide \\-\\-help may be, from 45 to 79\n"
        ".TP\nTMPDIR\nwhere the stores of a measurement lie while it runs\n"
        ".TP\nTERM\n\"dumb\": the progress is a line now and then\n"
        ".PP\nNothing is coloured, so that NO_COLOR has nothing to turn off.\n"
        ".SH NOTES\n"
        "Results go to standard output, progress and messages to standard error. Durations "
        "have units (20ms, 10s, 1m30s, 30d), rates too (500/s, 2k/s), counts may have them (2k). "
        "The files that \\-\\-plan and \\-\\-listeners read have the names of options as "
        "their keys.\n");
}

int ekb_cli_manual(int argc, char **argv)
{
    ekb_cli_parse(&ekb_cli_manual_argp, argc, argv, NULL);
    (void)printf(
        ".TH EKUBENCH 1 \"\" \"ekubench %s\" \"User Commands\"\n"
        ".SH NAME\nekubench \\- measure what mutual\\-TLS client\\-certificate "
        "verification costs\n"
        ".SH SYNOPSIS\n\\fBekubench\\fR \\fICOMMAND\\fR [\\fIOPTION\\fR...]\n"
        ".SH DESCRIPTION\n"
        "A dual\\-store TLS server, one that keeps a server and a client certificate apart, "
        "and the benchmark of it: handshakes with EKU checking on, off and none, with "
        "chains of any depth, one at a time, thousands at once, or at a rate, with an "
        "interval beside every cost.\n"
        ".PP\nEach command has \\fB\\-\\-help\\fR and \\fB\\-\\-usage\\fR; "
        "\\fBekubench \\-\\-version\\fR prints the versions of the program and its "
        "libraries.\n.SH COMMANDS\n",
        EKB_BUILD_VERSION);
    for (size_t i = 0; i < ekb_cli_num_commands; i++) {
        put_command(&ekb_cli_commands[i]);
    }
    put_end();
    return EKB_EXIT_OK;
}
