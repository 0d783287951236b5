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

// What is offered for the value of an option, beside its words.
enum more {
    NOTHING, // Numbers, names, addresses: nobody knows them.
    FILES,
    SCENARIOS, // And files.
};

struct offer {
    const char *command; // NULL: any.
    const char *option;  // NULL: any whose value is called `arg`.
    const char *arg;
    const char *words; // "on|off|none", or NULL.
    enum more more;
};

// What options take, the first that fits. Those that are not here, and whose value is not called
// "on|off" or so, take what nobody knows.
static const struct offer offers[] = {
    {"measure", "plan", NULL, "quick|standard|rejects|compare|load", FILES},
    {"measure", "tls", NULL, "1.2|1.3", NOTHING},
    {"store", "node", NULL, "core|edge", NOTHING},
    {NULL, "confirm", NULL, "first|byte|ticket|close|http|none", NOTHING},
    {NULL, "format", NULL,
     "text|json|markdown|html|csv|hgrm|hlog|junit|github-benchmark|bencher|openmetrics", NOTHING},
    {NULL, "groups", NULL, "X25519|P-256|P-384|P-521|hybrid", NOTHING},
    {NULL, "metric", NULL,
     "latency_ns|uncorrected_latency_ns|connect_ns|server_cpu_ns|verify_ns|client_cpu_ns", NOTHING},
    {NULL, "scenario", NULL, NULL, SCENARIOS},
    {NULL, "vary", NULL, "eku=|depth=|key=", NOTHING},
    {NULL, NULL, "DIR", NULL, FILES},
    {NULL, NULL, "DIR|FILE", NULL, FILES},
    {NULL, NULL, "FILE", NULL, FILES},
    {NULL, NULL, "KIND", "core|edge|far", NOTHING},
    {NULL, NULL, "MODE", "on|off|none", NOTHING},
    {NULL, NULL, "PART", "client|server|verify", NOTHING},
    {NULL, NULL, "PURPOSE", "client|server|none", NOTHING},
    {NULL, NULL, "RELEASE", "X14.1|X14.2|X15.4|X15.5", NOTHING},
    {NULL, NULL, "ROLE", "server|client|both", NOTHING},
    {NULL, NULL, "RULE", "round-robin|uniform|zipf", NOTHING},
    {NULL, NULL, "SET", "serverAuth|clientAuth|codeSigning|any|both|none", NOTHING},
    {NULL, NULL, "TYPE", "p256|p384|rsa2048|rsa3072|rsa4096|ed25519", NOTHING},
    {NULL, NULL, "VERSION", "1.2|1.3|any", NOTHING},
};

static bool fits(const char *wanted, const char *word)
{
    return wanted == NULL || strcmp(wanted, word) == 0;
}

// offer_of returns what is offered for the value of an option that takes one.
static struct offer offer_of(const struct ekb_cli_command *command,
                             const struct argp_option *option)
{
    for (size_t i = 0; i < sizeof offers / sizeof offers[0]; i++) {
        if (fits(offers[i].command, command->name) && fits(offers[i].option, option->name) &&
            fits(offers[i].arg, option->arg)) {
            return offers[i];
        }
    }
    const bool has_words =
        strchr(option->arg, '|') != NULL && islower((unsigned char)option->arg[0]);
    return (struct offer){.words = has_words ? option->arg : NULL, .more = NOTHING};
}

// What follows words of a command: its verbs are in the table of commands.
static const struct {
    const char *after;
    const char *words;
} followers[] = {
    {"store show", "server client trust"}, {"store upload", "server client"},
    {"store csr", "new show discard"},     {"store csr new", "server client"},
    {"store csr show", "server client"},   {"store csr discard", "server client"},
    {"store trust", "add remove list"},
};

static void print_commands(void)
{
    for (size_t i = 0; i < ekb_cli_num_commands; i++) {
        (void)printf(" %s", ekb_cli_commands[i].name);
    }
}

static bool has_letter(const struct argp_option *option)
{
    return isascii(option->key) && isgraph(option->key);
}

#define SCENARIO_NAMES "$(ekubench scenario list 2>/dev/null | cut -d ' ' -f 1)"

// bash

static void print_bash_values(const struct ekb_cli_command *command)
{
    for (const struct argp_option *option = ekb_cli_options(command->argp); option->name != NULL;
         option++) {
        if (!is_shown(option) || option->arg == NULL) {
            continue;
        }
        const struct offer offer = offer_of(command, option);
        (void)printf("    %s/--%s", command->name, option->name);
        if (has_letter(option)) {
            (void)printf(" | %s/-%c", command->name, option->key);
        }
        if (offer.words == NULL && offer.more == NOTHING) {
            (void)printf(") return ;;\n");
            continue;
        }
        (void)printf(") ");
        if (offer.more == SCENARIOS) {
            (void)printf("values=" SCENARIO_NAMES "; ");
        } else if (offer.words != NULL) {
            (void)printf("values='");
            print_values(offer.words);
            (void)printf("'; ");
        }
        (void)printf("%s;;\n", offer.more != NOTHING ? "files=1 " : "");
    }
}

static void print_bash_followers(void)
{
    (void)printf("    case \"${COMP_WORDS[*]:1:COMP_CWORD-1}\" in\n    help) verbs='");
    print_commands();
    (void)printf("' ;;\n");
    for (size_t i = 0; i < sizeof followers / sizeof followers[0]; i++) {
        (void)printf("    '%s') verbs='%s' ;;\n", followers[i].after, followers[i].words);
    }
    (void)printf("    esac\n");
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
        "        mapfile -t COMPREPLY < <(compgen -W '--help --version help");
    print_commands();
    (void)printf("' -- \"$current\")\n"
                 "        return\n"
                 "    fi\n"
                 "    # --option=value comes as three words, a list with colons as many.\n"
                 "    if [[ $current == '=' ]]; then current=''; fi\n"
                 "    if [[ $previous == '=' ]]; then\n"
                 "        previous=${COMP_WORDS[COMP_CWORD-2]}\n"
                 "        if [[ $previous != -* ]]; then return; fi\n"
                 "    fi\n"
                 "    if [[ $current == ':' || $previous == ':' ]]; then return; fi\n"
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
                 "    if ((COMP_CWORD > 2)); then verbs=''; fi\n");
    print_bash_followers();
    (void)printf(
        "    if [[ -n $values || -n $files ]]; then\n"
        "        mapfile -t COMPREPLY < <(compgen -W \"$values\" -- \"$current\"\n"
        "            if [[ -n $files ]]; then compgen -f -- \"$current\"; fi)\n"
        "        if [[ ${COMPREPLY[0]-} == *= ]]; then compopt -o nospace 2>/dev/null; fi\n"
        "    elif [[ $current == -* ]]; then\n"
        "        mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$current\")\n"
        "    elif [[ -n $verbs ]]; then\n"
        "        mapfile -t COMPREPLY < <(compgen -W \"$verbs\" -- \"$current\")\n"
        "    elif [[ $command == scenario ]]; then\n"
        "        mapfile -t COMPREPLY < <(compgen -W \"" SCENARIO_NAMES "\" -- \"$current\"\n"
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

// print_zsh_action prints what _arguments does for a value. A blank before the words of a function
// keeps it from giving the function words of its own; a blank alone offers nothing.
static void print_zsh_action(const struct ekb_cli_command *command,
                             const struct argp_option *option)
{
    const struct offer offer = offer_of(command, option);
    (void)putchar(':');
    print_quoted(option->arg);
    (void)putchar(':');
    if (offer.more == SCENARIOS) {
        (void)printf("_ekubench_scenarios");
    } else if (offer.words == NULL) {
        (void)printf(offer.more == FILES ? "_files" : " ");
    } else if (strchr(offer.words, '=') != NULL) { // More is to be typed behind them.
        (void)printf(" compadd -S \"\" -- ");
        print_values(offer.words);
    } else {
        (void)printf(offer.more == FILES ? " _ekubench_or_files " : "(");
        print_values(offer.words);
        (void)printf(offer.more == FILES ? "" : ")");
    }
}

static void print_zsh_option(const struct ekb_cli_command *command,
                             const struct argp_option *option)
{
    (void)printf(" \\\n            ");
    if (has_letter(option)) {
        (void)printf("'*'{-%c%s,--%s%s}'[", option->key, option->arg != NULL ? "+" : "",
                     option->name, option->arg != NULL ? "=" : "");
    } else {
        (void)printf("'*--%s%s[", option->name, option->arg != NULL ? "=" : "");
    }
    print_quoted(option->doc);
    (void)putchar(']');
    if (option->arg != NULL) {
        print_zsh_action(command, option);
    }
    (void)putchar('\'');
}

static void print_zsh_command(const struct ekb_cli_command *command)
{
    (void)printf("    %s)\n        _arguments -s '--help[describe it]'", command->name);
    for (const struct argp_option *option = ekb_cli_options(command->argp); option->name != NULL;
         option++) {
        if (is_shown(option)) {
            print_zsh_option(command, option);
        }
    }
    if (command->verbs != NULL) {
        (void)printf(" \\\n            '1:what:(%s)'", command->verbs);
    }
    (void)printf(" \\\n            '*::argument:%s'\n        ;;\n",
                 strcmp(command->name, "scenario") == 0 ? "_ekubench_scenarios" : "_files");
}

static void print_zsh_followers(void)
{
    (void)printf("    case \"${(j: :)words[1,CURRENT-1]}\" in\n"
                 "    help) _describe command commands; return ;;\n");
    for (size_t i = 0; i < sizeof followers / sizeof followers[0]; i++) {
        (void)printf("    '%s') compadd -- %s; return ;;\n", followers[i].after,
                     followers[i].words);
    }
    (void)printf("    esac\n");
}

static void print_zsh(void)
{
    (void)printf(
        "#compdef ekubench\n"
        "_ekubench_scenarios() {\n"
        "    compadd -- ${(f)\"$(ekubench scenario list 2>/dev/null | cut -d ' ' -f 1)\"}\n"
        "    _files\n"
        "}\n"
        "_ekubench_or_files() {\n"
        "    compadd -- \"$@\"\n"
        "    _files\n"
        "}\n"
        "_ekubench() {\n"
        "    local -a commands\n"
        "    commands=(\n"
        "        'help:describe a command'\n");
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
                 "    ((CURRENT--))\n");
    print_zsh_followers();
    (void)printf("    case $command in\n");
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
