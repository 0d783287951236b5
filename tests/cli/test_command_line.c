#include "cli/cli.h"

#include <criterion/criterion.h>

#include <stdlib.h>

static const struct argp_option options[] = {
    {"plan", 'p', "FILE", 0, "", 0},  {"output", 'o', "DIR", 0, "", 0},
    {"json", 'j', NULL, 0, "", 0},    {"shared-listener", 'S', NULL, 0, "", 0},
    {"rate", 1280, "RATE", 0, "", 0}, {NULL, 0, NULL, 0, NULL, 0},
};
static const struct argp argp = {.options = options};

TestSuite(command_line, .timeout = 10);

static void expect_line(const char *wanted, char *words[])
{
    int num = 0;
    while (words[num] != NULL) {
        num++;
    }

    char *line = ekb_cli_command_line(&argp, num, words);

    cr_expect_str_eq(line, wanted);
    free(line);
}

#define WORDS(...) ((char *[]){__VA_ARGS__, NULL})

Test(command_line, is_the_words_as_they_were_given)
{
    expect_line(
        "ekubench load --rate 2k/s -p my.ini --shared-listener 127.0.0.1:7001",
        WORDS("load", "--rate", "2k/s", "-p", "my.ini", "--shared-listener", "127.0.0.1:7001"));
    expect_line("ekubench measure", WORDS("measure"));
}

Test(command_line, quotes_what_a_shell_would_not_take_as_it_is)
{
    expect_line("ekubench load -p 'it'\\''s $HOME' ''", WORDS("load", "-p", "it's $HOME", ""));
}

Test(command_line, leaves_out_where_the_result_goes)
{
    expect_line("ekubench load", WORDS("load", "-o", "dir", "--json"));
    expect_line("ekubench load -S", WORDS("load", "-S", "-odir", "--output=dir"));
    expect_line("ekubench load x", WORDS("load", "--output", "dir", "x"));
    expect_line("ekubench load", WORDS("load", "-o"));
}

Test(command_line, takes_a_value_for_a_value)
{
    expect_line("ekubench load --plan -o x", WORDS("load", "--plan", "-o", "x"));
    expect_line("ekubench load -Sp -o", WORDS("load", "-Sp", "-o"));
    expect_line("ekubench load --plan=-o x", WORDS("load", "--plan=-o", "x"));
    expect_line("ekubench load -- -o x", WORDS("load", "--", "-o", "x"));
}
