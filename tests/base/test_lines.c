#include "ekubench/base/lines.h"

#include <criterion/criterion.h>

#include <string.h>

TestSuite(lines, .timeout = 10);

Test(lines, are_counted)
{
    struct ekb_lines lines = {.next = "one\n\n\tthree\r\nfour"};
    static const struct {
        const char *text;
        bool is_indented;
    } wanted[] = {{"one\n", false}, {"\n", false}, {"\tthree\r\n", true}, {"four", false}};
    char text[32];
    for (unsigned i = 0; i < 4; i++) {
        cr_assert_not_null(ekb_lines_read(text, sizeof text, &lines));

        cr_expect_str_eq(text, wanted[i].text);
        cr_expect_eq(lines.line, i + 1);
        cr_expect_eq(lines.is_indented, wanted[i].is_indented, "%u", i + 1);
        cr_expect_str_empty(lines.wanted, "%u", i + 1);
    }
    cr_expect_null(ekb_lines_read(text, sizeof text, &lines));
}

Test(lines, are_refused_when_they_do_not_fit)
{
    char text[8];
    struct ekb_lines lines = {.next = "123456\n1234567\n12345678\nx\n"};

    cr_assert_not_null(ekb_lines_read(text, sizeof text, &lines));
    cr_expect_str_empty(lines.wanted);
    cr_assert_not_null(ekb_lines_read(text, sizeof text, &lines));
    cr_expect_str_eq(lines.wanted, "the line is longer than 6 characters");
    cr_assert_not_null(ekb_lines_read(text, sizeof text, &lines));
    cr_expect_str_eq(text, "1234567");
    cr_expect_str_eq(lines.wanted, "the line is longer than 6 characters");
    cr_assert_not_null(ekb_lines_read(text, sizeof text, &lines));
    cr_expect_eq(lines.line, 4u);
    cr_expect_str_empty(lines.wanted);
}

Test(lines, are_refused_when_they_are_no_printable_text)
{
    static const struct {
        const char *text;
        bool good;
    } texts[] = {
        {"plain \t text", true},
        {"K\xc3\xb6ln \xe2\x82\xac \xf0\x9f\x98\x80", true},
        {"red \033[31m", false},
        {"a\rb", false},
        {"a\x7f", false},
        {"C1 \xc2\x9b", false},
        {"Latin-1 \xf6", false},
        {"cut \xe2\x82", false},
        {"long \xc0\xaf", false},
        {"longer \xe0\x80\xaf", false},
        {"surrogate \xed\xa0\x80", false},
        {"beyond \xf4\x90\x80\x80", false},
        {"\x80", false},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char text[64];
        struct ekb_lines lines = {.next = texts[i].text};

        cr_assert_not_null(ekb_lines_read(text, sizeof text, &lines));

        cr_expect_eq(lines.wanted[0] == '\0', texts[i].good, "%zu: %s", i, lines.wanted);
    }
}
