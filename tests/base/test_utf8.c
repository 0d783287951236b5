#include "ekubench/base/utf8.h"

#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>

Test(utf8, takes_characters_of_every_length)
{
    static const struct {
        const char *text;
        uint32_t code;
        size_t len;
    } cases[] = {
        {"a", 'a', 1},
        {"\x7f", 0x7f, 1},
        {"\xc2\x80", 0x80, 2},
        {"\xc3\xbcx", 0xfc, 2},
        {"\xdf\xbf", 0x7ff, 2},
        {"\xe0\xa0\x80", 0x800, 3},
        {"\xed\x9f\xbf", 0xd7ff, 3},
        {"\xee\x80\x80", 0xe000, 3},
        {"\xef\xbf\xbf", 0xffff, 3},
        {"\xf0\x90\x80\x80", 0x10000, 4},
        {"\xf4\x8f\xbf\xbf", 0x10ffff, 4},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint32_t code = 0;

        const size_t len =
            ekb_utf8_next(&code, (const uint8_t *)cases[i].text, strlen(cases[i].text));

        cr_expect_eq(len, cases[i].len, "%zu: %zu", i, len);
        cr_expect_eq(code, cases[i].code, "%zu: %x", i, code);
    }
}

Test(utf8, takes_nothing_else)
{
    static const char *const cases[] = {
        "",
        "\x80",             // A continuation without a beginning.
        "\xc3",             // Cut off.
        "\xe2\x82",         //
        "\xf0\x9f\x98",     //
        "\xc3(",            // Not continued.
        "\xe2\x82(",        //
        "\xc0\x80",         // Longer than need be.
        "\xc1\xbf",         //
        "\xe0\x9f\xbf",     //
        "\xf0\x8f\xbf\xbf", //
        "\xed\xa0\x80",     // Surrogates.
        "\xed\xbf\xbf",     //
        "\xf4\x90\x80\x80", // More than there are.
        "\xf5\x80\x80\x80", //
        "\xff",
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint32_t code = 7;

        const size_t len = ekb_utf8_next(&code, (const uint8_t *)cases[i], strlen(cases[i]));

        cr_expect_eq(len, 0u, "%zu: %zu", i, len);
        cr_expect_eq(code, 7u, "%zu", i);
    }
}

Test(utf8, cuts_between_characters)
{
    static const struct {
        const char *text;
        size_t max_len;
        size_t len;
    } cases[] = {
        {"", 3, 0},
        {"abc", 5, 3},
        {"abc", 2, 2},
        {"a\xc3\xbc", 3, 3},
        {"a\xc3\xbc", 2, 1},
        {"\xf0\x9f\x98\x80", 3, 0},
        {"\xf0\x9f\x98\x80", 4, 4},
        {"\xff\xff", 1, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const size_t len = ekb_utf8_cut(cases[i].text, cases[i].max_len);

        cr_expect_eq(len, cases[i].len, "%zu: %zu", i, len);
    }
}

Test(utf8, cleans_what_is_not_to_be_read)
{
    static const struct {
        const char *text;
        const char *wanted;
    } rows[] = {
        {"", ""},
        {"gr\xc3\xbcn \xe2\x82\xac \xf0\x9f\x98\x80", "gr\xc3\xbcn \xe2\x82\xac \xf0\x9f\x98\x80"},
        {"a\x1b[31mb\x7f\n\tc", "a?[31mb???c"},
        {"\xc2\x9b"
         "31m\xc2\xa0",
         "??31m\xc2\xa0"}, // CSI, and a space that is a space.
        {"\x9b"
         "31m",
         "?31m"},
        {"a\xc3", "a?"},
        {"\xed\xa0\x80", "???"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[64];
        (void)snprintf(text, sizeof text, "%s", rows[i].text);

        ekb_utf8_clean(text);

        cr_expect_str_eq(text, rows[i].wanted, "%zu: %s", i, text);
    }
}
