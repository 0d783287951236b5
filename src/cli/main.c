#include "cli/cli.h"

#include "ekubench/tls/config.h"
#include "ekubench_build.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
} commands[] = {
    {"measure", ekb_cli_measure,
     "what verifying client certificates costs, measured on this machine"},
    {"capacity", ekb_cli_capacity,
     "how many can it take? the highest rate that meets an objective"},
    {"compare", ekb_cli_compare, "is one slower than the other? results, programs, stores; for CI"},
    {"report", ekb_cli_report,
     "a result as tables, Markdown, CSV, for HdrHistogram, CI, dashboards"},
    {"merge", ekb_cli_merge, "several results of one plan as one, exactly"},
    {"serve", ekb_cli_serve, "the dual-store TLS server, one listener per policy"},
    {"load", ekb_cli_load, "the load client, against any TLS server"},
    {"store", ekb_cli_store, "keep the dual certificate store of a node"},
    {"verify", ekb_cli_verify, "what verification says of a certificate chain"},
    {"probe", ekb_cli_probe, "what a server shows, and what a node makes of it"},
    {"audit", ekb_cli_audit, "which certificates break which links, and what to do"},
    {"scenario", ekb_cli_scenario, "run a deployment: stores, servers, links, real handshakes"},
    {"pki", ekb_cli_pki, "mint certification authorities and certificates"},
    {"instructions", ekb_cli_instructions, "instructions of a handshake, counted without noise"},
    {"doctor", ekb_cli_doctor, "can this machine measure?"},
};

#define NUM_COMMANDS (sizeof commands / sizeof commands[0])

static void print_help(FILE *file)
{
    (void)fprintf(file, "Usage: ekubench COMMAND [OPTION...]\n"
                        "What mutual-TLS client-certificate verification costs.\n\nCommands:\n");
    for (size_t i = 0; i < NUM_COMMANDS; i++) {
        (void)fprintf(file, "  %-12s %s\n", commands[i].name, commands[i].summary);
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

// run_command returns the exit status of what `argv` asks for.
static int run_command(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : "";
    for (size_t i = 0; i < NUM_COMMANDS; i++) {
        if (strcmp(word, commands[i].name) == 0) {
            return commands[i].run(argc - 1, argv + 1);
        }
    }
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) {
        print_help(stdout);
        return EKB_EXIT_OK;
    }
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) {
        print_version();
        return EKB_EXIT_OK;
    }
    if (argc < 2) {
        print_help(stderr);
    } else {
        ekb_cli_say("there is no command \"%s\"; `ekubench --help` lists them", word);
    }
    return EKB_EXIT_USAGE;
}

int main(int argc, char **argv)
{
    (void)signal(SIGPIPE, SIG_IGN); // A reader that goes away is an error of writing.
    const int status = run_command(argc, argv);
    // Results that did not arrive are not done.
    if (fflush(stdout) != 0 || ferror(stdout) != 0) {
        ekb_cli_say("standard output: %s", strerror(errno));
        return status == EKB_EXIT_OK ? EKB_EXIT_ENVIRONMENT : status;
    }
    return status;
}
