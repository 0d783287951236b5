// Completion for shells, made from the tables that the command line is read by.

#include "cli/cli.h"
#include "cli/commands.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char doc[] =
    "Print what bash or zsh needs to complete commands, options and their values.\vExamples:\n"
    "  source <(ekubench completion bash)\n"
    "  ekubench completion zsh >~/.zsh/functions/_ekubench";

static error_t parse(int key, char *text, struct argp_state *state)
{
    const char **const shell = state->input;
    switch (key) {
    case ARGP_KEY_ARG:
        if (*shell != NULL || (strcmp(text, "bash") != 0 && strcmp(text, "zsh") != 0)) {
            ekb_cli_refuse(state, "bash or zsh is wanted, not \"%s\"", text);
        }
        *shell = text;
        return 0;
    case ARGP_KEY_END:
        if (*shell == NULL) {
            ekb_cli_refuse(state, "bash or zsh is wanted");
        }
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp ekb_cli_completion_argp = {.parser = parse, .args_doc = "bash|zsh", .doc = doc};

static bool is_shown(const struct argp_option *option)
{
    return (option->flags & OPTION_HIDDEN) == 0;
}

// print_values prints the words of "on|off|LIST" that are to be typed as they stand: not those in
// capitals alone.
static void print_values(const char *values)
{
    const char *separator = "";
    while (*values != '\0') {
        const size_t len = strcspn(values, "|");
        if (strspn(values, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") < len) {
            (void)printf("%s%.*s", separator, (int)len, values);
            separator = " ";
        }
        values += len + (values[len] == '|' ? 1 : 0);
    }
}

// What stands for a few words, whatever the option.
static const struct {
    const char *arg;
    const char *values;
} placeholders[] = {
    {"KIND", "core|edge|far"},
    {"MODE", "on|off|none"},
    {"RELEASE", "X14.1|X14.2|X15.4|X15.5"},
    {"ROLE", "server|client|both"},
    {"TYPE", "p256|p384|rsa2048|rsa3072|rsa4096|ed25519"},
    {"VERSION", "1.2|1.3|any"},
};

// values_of returns the words that an option takes, "on|off|LIST", or NULL if it takes others.
static const char *values_of(const struct argp_option *option)
{
    for (size_t i = 0; i < sizeof placeholders / sizeof placeholders[0]; i++) {
        if (strcmp(option->arg, placeholders[i].arg) == 0) {
            return placeholders[i].values;
        }
    }
    return strchr(option->arg, '|') != NULL && islower((unsigned char)option->arg[0]) ? option->arg
                                                                                      : NULL;
}

#define SCENARIOS "$(ekubench scenario list 2>/dev/null | cut -d ' ' -f 1)"

static bool takes_scenario(const struct argp_option *option)
{
    return strcmp(option->name, "scenario") == 0;
}

// bash

static void print_bash_values(const struct ekb_cli_command *command)
{
    for (const struct argp_option *option = ekb_cli_options(command->argp); option->name != NULL;
         option++) {
        if (!is_shown(option) || option->arg == NULL) {
            continue;
        }
        if (takes_scenario(option)) {
            (void)printf("    %s/--%s) values=" SCENARIOS "; files=1 ;;\n", command->name,
                         option->name);
        } else if (values_of(option) != NULL) {
            (void)printf("    %s/--%s) values='", command->name, option->name);
            print_values(values_of(option));
            (void)printf("' ;;\n");
        } else {
            (void)printf("    %s/--%s) files=1 ;;\n", command->name, option->name);
        }
    }
}

static void print_bash_options(const struct ekb_cli_command *command)
{
    (void)printf("    %s) options='--help --usage", command->name);
    for (const struct argp_option *option = ekb_cli_options(command->argp); option->name != NULL;
         option++) {
        if (is_shown(option)) {
            (void)printf(" --%s", option->name);
        }
    }
    (void)printf("'; verbs='%s' ;;\n", command->verbs != NULL ? command->verbs : "");
}

static void print_bash(void)
{
    (void)printf(
        "# ekubench completion bash\n"
        "_ekubench() {\n"
        "    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}\n"
        "    local command=${COMP_WORDS[1]-} options='' verbs='' values='' files=''\n"
        "    COMPREPLY=()\n"
        "    if ((COMP_CWORD == 1)); then\n"
        "        mapfile -t COMPREPLY < <(compgen -W '--help --version");
    for (size_t i = 0; i < ekb_cli_num_commands; i++) {
        (void)printf(" %s", ekb_cli_commands[i].name);
    }
    (void)printf("' -- \"$current\")\n"
                 "        return\n"
                 "    fi\n"
                 "    # --option=value comes as three words.\n"
                 "    if [[ $current == '=' ]]; then current=''; fi\n"
                 "    if [[ $previous == '=' ]]; then previous=${COMP_WORDS[COMP_CWORD-2]}; fi\n"
                 "    case $command/$previous in\n");
    for (size_t i = 0; i < ekb_cli_num_commands; i++) {
        print_bash_values(&ekb_cli_commands[i]);
    }
    (void)printf("    esac\n"
                 "    case $command in\n");
    for (size_t i = 0; i < ekb_cli_num_commands; i++) {
        print_bash_options(&ekb_cli_commands[i]);
    }
    (void)printf("    esac\n"
                 "    if [[ -n $values || -n $files ]]; then\n"
                 "        mapfile -t COMPREPLY < <(compgen -W \"$values\" -- \"$current\"\n"
                 "            if [[ -n $files ]]; then compgen -f -- \"$current\"; fi)\n"
                 "    elif [[ $current == -* ]]; then\n"
                 "        mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$current\")\n"
                 "    elif [[ -n $verbs ]] && ((COMP_CWORD == 2)); then\n"
                 "        mapfile -t COMPREPLY < <(compgen -W \"$verbs\" -- \"$current\")\n"
                 "    elif [[ $command == scenario ]]; then\n"
                 "        mapfile -t COMPREPLY < <(compgen -W \"" SCENARIOS "\" -- \"$current\"\n"
                 "            compgen -f -- \"$current\")\n"
                 "    else\n"
                 "        mapfile -t COMPREPLY < <(compgen -f -- \"$current\")\n"
                 "    fi\n"
                 "}\n"
                 "complete -o filenames -F _ekubench ekubench\n");
}

// zsh

// print_quoted prints text for the inside of '...[text]...' of _arguments, or of '...:text'.
static void print_quoted(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'') {
            (void)fputs("'\\''", stdout);
        } else if (strchr("[]:\\", *text) != NULL) {
            (void)printf("\\%c", *text);
        } else {
            (void)putchar(*text);
        }
    }
}

static void print_zsh_action(const struct argp_option *option)
{
    (void)putchar(':');
    print_quoted(option->arg);
    (void)putchar(':');
    if (takes_scenario(option)) {
        (void)printf("_ekubench_scenarios");
    } else if (values_of(option) != NULL) {
        (void)putchar('(');
        print_values(values_of(option));
        (void)putchar(')');
    } else {
        (void)printf("_files");
    }
}

static void print_zsh_option(const struct argp_option *option)
{
    const bool has_letter = isascii(option->key) && isgraph(option->key);
    (void)printf(" \\\n            ");
    if (has_letter) {
        (void)printf("'*'{-%c%s,--%s%s}'[", option->key, option->arg != NULL ? "+" : "",
                     option->name, option->arg != NULL ? "=" : "");
    } else {
        (void)printf("'*--%s%s[", option->name, option->arg != NULL ? "=" : "");
    }
    print_quoted(option->doc);
    (void)putchar(']');
    if (option->arg != NULL) {
        print_zsh_action(option);
    }
    (void)putchar('\'');
}

static void print_zsh_command(const struct ekb_cli_command *command)
{
    (void)printf("    %s)\n        _arguments -s '--help[describe it]'", command->name);
    for (const struct argp_option *option = ekb_cli_options(command->argp); option->name != NULL;
         option++) {
        if (is_shown(option)) {
            print_zsh_option(option);
        }
    }
    if (command->verbs != NULL) {
        (void)printf(" \\\n            '1:what:(%s)'", command->verbs);
    }
    (void)printf(" \\\n            '*::argument:%s'\n        ;;\n",
                 strcmp(command->name, "scenario") == 0 ? "_ekubench_scenarios" : "_files");
}

static void print_zsh(void)
{
    (void)printf(
        "#compdef ekubench\n"
        "_ekubench_scenarios() {\n"
        "    compadd -- ${(f)\"$(ekubench scenario list 2>/dev/null | cut -d ' ' -f 1)\"}\n"
        "    _files\n"
        "}\n"
        "_ekubench() {\n"
        "    local -a commands\n"
        "    commands=(\n");
    for (size_t i = 0; i < ekb_cli_num_commands; i++) {
        (void)printf("        '%s:", ekb_cli_commands[i].name);
        print_quoted(ekb_cli_commands[i].summary);
        (void)printf("'\n");
    }
    (void)printf("    )\n"
                 "    if ((CURRENT == 2)); then\n"
                 "        _describe command commands\n"
                 "        return\n"
                 "    fi\n"
                 "    local command=$words[2]\n"
                 "    shift words\n"
                 "    ((CURRENT--))\n"
                 "    case $command in\n");
    for (size_t i = 0; i < ekb_cli_num_commands; i++) {
        print_zsh_command(&ekb_cli_commands[i]);
    }
    (void)printf("    esac\n"
                 "}\n"
                 "_ekubench \"$@\"\n");
}

int ekb_cli_completion(int argc, char **argv)
{
    const char *shell = NULL;
    ekb_cli_parse(&ekb_cli_completion_argp, argc, argv, &shell);
    if (strcmp(shell, "bash") == 0) {
        print_bash();
    } else {
        print_zsh();
    }
    return EKB_EXIT_OK;
}
