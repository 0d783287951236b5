#include "cli/cli.h"
#include "cli/commands.h"

#include "ekubench/tls/config.h"
#include "ekubench_build.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static void print_help(FILE *file)
{
    (void)fprintf(file, "Usage: ekubench COMMAND [OPTION...]\n"
                        "What mutual-TLS client-certificate verification costs.\n\nCommands:\n");
    for (size_t i = 0; i < ekb_cli_num_commands; i++) {
        (void)fprintf(file, "  %-12s %s\n", ekb_cli_commands[i].name, ekb_cli_commands[i].summary);
    }
    (void)fprintf(
        file, "\n`ekubench COMMAND --help` describes a command. --version prints the versions.\n");
}

static void print_version(void)
{
    (void)printf("ekubench %s (%s)\n"
                 "BoringSSL %s (API %u, %s), liburing %s, HdrHistogram_c %s, jansson %s, zlib %s\n"
                 "built with %s, %s\n",
                 EKB_BUILD_VERSION, EKB_BUILD_GIT, EKB_BUILD_BORINGSSL_REVISION,
                 ekb_tls_library_api(),
                 strcmp(EKB_BUILD_BORINGSSL_ASM, "1") == 0 ? "with assembly" : "without assembly",
                 EKB_BUILD_LIBURING_VERSION, EKB_BUILD_HDR_VERSION, EKB_BUILD_JANSSON_VERSION,
                 EKB_BUILD_ZLIB_VERSION, EKB_BUILD_COMPILER, EKB_BUILD_TYPE);
}

// say_no_command says that `word` is none, and what it may have been meant for.
static void say_no_command(const char *word)
{
    const char *const near = ekb_cli_suggest_command(word);
    if (near != NULL) {
        ekb_cli_say("there is no command \"%s\"; did you mean %s? `ekubench --help` lists them",
                    word, near);
    } else {
        ekb_cli_say("there is no command \"%s\"; `ekubench --help` lists them", word);
    }
}

static bool is_one_of(const char *word, const char *a, const char *b, const char *c)
{
    return strcmp(word, a) == 0 || strcmp(word, b) == 0 || strcmp(word, c) == 0;
}

// help describes the command that the second word names, or lists them all.
static int help(int argc, char **argv)
{
    if (argc < 3) {
        print_help(stdout);
        return EKB_EXIT_OK;
    }
    const struct ekb_cli_command *command = ekb_cli_find_command(argv[2]);
    if (command == NULL) {
        say_no_command(argv[2]);
        return EKB_EXIT_USAGE;
    }
    char option[] = "--help";
    char *words[] = {argv[2], option, NULL};
    return command->run(2, words);
}

// run_command returns the exit status of what `argv` asks for.
static int run_command(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : "";
    const struct ekb_cli_command *command = ekb_cli_find_command(word);
    if (command != NULL) {
        return command->run(argc - 1, argv + 1);
    }
    if (is_one_of(word, "--help", "-h", "help")) {
        return help(argc, argv);
    }
    if (is_one_of(word, "--version", "-V", "version")) {
        print_version();
        return EKB_EXIT_OK;
    }
    if (argc < 2) {
        print_help(stderr);
    } else {
        say_no_command(word);
    }
    return EKB_EXIT_USAGE;
}

int main(int argc, char **argv)
{
    (void)signal(SIGPIPE, SIG_IGN); // A reader that goes away is an error of writing.
    (void)signal(SIGXFSZ, SIG_IGN); // And so is a file that may not grow (ulimit -f).
    return ekb_cli_end(run_command(argc, argv));
}
