#include "report/escape.h"

#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>

// escaped returns what `write` makes of `text`.
static char *escaped(void (*write)(FILE *out, const char *text), const char *text)
{
    char *written = NULL;
    size_t written_len = 0;
    FILE *out = open_memstream(&written, &written_len);
    cr_assert_not_null(out);
    write(out, text);
    cr_assert_eq(fclose(out), 0);
    return written;
}

static void expect(void (*write)(FILE *out, const char *text), const char *text, const char *wanted)
{
    char *got = escaped(write, text);
    cr_expect_str_eq(got, wanted, "%s: %s, not %s", text, got, wanted);
    free(got);
}

Test(escape, quotes_json)
{
    expect(report_json_text, "a\"b\\c</script>\n", "\"a\\\"b\\\\c\\u003c/script>\\n\"");
}

Test(escape, writes_no_number_that_json_does_not_have)
{
    char *written = NULL;
    size_t written_len = 0;
    FILE *out = open_memstream(&written, &written_len);
    cr_assert_not_null(out);

    report_json_real(out, 0.0 / 0.0);
    report_json_real(out, 1.0 / 0.0);
    report_json_real(out, -0.0);
    report_json_real(out, 0.1);
    cr_assert_eq(fclose(out), 0);

    cr_expect_str_eq(written, "nullnull00.1");
    free(written);
}

Test(escape, quotes_csv_only_when_it_must)
{
    expect(report_csv_text, "plain text", "plain text");
    expect(report_csv_text, "a,b", "\"a,b\"");
    expect(report_csv_text, "say \"a\"", "\"say \"\"a\"\"\"");
}

// Spreadsheets take such a cell for a formula.
Test(escape, leaves_no_formula_in_csv)
{
    expect(report_csv_text, "=1+1", "'=1+1");
    expect(report_csv_text, "+a", "'+a");
    expect(report_csv_text, "-a", "'-a");
    expect(report_csv_text, "@sum(a,b)", "\"'@sum(a,b)\"");
    expect(report_csv_text, "a=b", "a=b");
}

Test(escape, leaves_no_markup_in_xml)
{
    expect(report_xml_text, "<a b=\"c\">&'", "&lt;a b=&quot;c&quot;&gt;&amp;&#39;");
    expect(report_xml_text, "x\xef\xbf\xbfy\xef\xbf\xbd", "x?y\xef\xbf\xbd");
}

Test(escape, leaves_no_markup_in_markdown)
{
    expect(report_markdown_text, "server_cpu_ns", "server_cpu_ns");
    expect(report_markdown_text, "_a_ *b* |", "\\_a\\_ \\*b\\* &#124;");
    expect(report_markdown_text, "<b> [x](y) `z`", "&lt;b&gt; \\[x\\](y) \\`z\\`");
}

// What GitHub and GitLab look for in the page that has become of it, where entities are characters
// again: an element within it is what they do not look through.
Test(escape, calls_and_links_nobody_in_markdown)
{
    expect(report_markdown_text, "@me", "<span>&#64;</span>me");
    expect(report_markdown_text, "fixes #12", "fixes <span>&#35;</span>12");
    expect(report_markdown_text, "$x$", "<span>&#36;</span>x<span>&#36;</span>");
    expect(report_markdown_text,
           ":smile: :8ball:", "<span>&#58;</span>smile: <span>&#58;</span>8ball:");
    expect(report_markdown_text, "http://a.example", "http<span>&#58;</span>//a.example");
    expect(report_markdown_text, "www.a.example WWW.b",
           "www<span>&#46;</span>a.example WWW<span>&#46;</span>b");
}

Test(escape, leaves_ordinary_sentences_as_they_are)
{
    static const char *const sentences[] = {"2026-11-22T01:13:32.724Z",
                                            "load/on: 12 rejected",
                                            "127.0.0.1:8443",
                                            "-O2 -g",
                                            "cost: a slice of 1.5 s",
                                            "-1.2",
                                            "a - b + c",
                                            "awww.b",
                                            "X25519:P-256:P-384"};
    for (size_t i = 0; i < sizeof sentences / sizeof sentences[0]; i++) {
        expect(report_markdown_text, sentences[i], sentences[i]);
    }
}

Test(escape, begins_no_block_in_markdown)
{
    expect(report_markdown_text, "# x", "&#35; x");
    expect(report_markdown_text, "- x", "&#45; x");
    expect(report_markdown_text, "+ x", "&#43; x");
    expect(report_markdown_text, "---", "&#45;--");
    expect(report_markdown_text, "12. x", "12&#46; x");
    expect(report_markdown_text, "1) x", "1&#41; x");
    expect(report_markdown_text, "12.5 x", "12.5 x");
    expect(report_markdown_text, "    x", "x");
}

// There only entities are read, no marks of markdown.
Test(escape, leaves_no_markup_in_an_element_within_markdown)
{
    expect(report_markdown_html, "<b> & *a* [x] _y_", "&lt;b&gt; &amp; *a* [x] _y_");
    expect(report_markdown_html, "@me #1 $x$",
           "<span>&#64;</span>me <span>&#35;</span>1 "
           "<span>&#36;</span>x<span>&#36;</span>");
}

Test(escape, quotes_labels)
{
    expect(report_label_text, "a\"b\\c", "a\\\"b\\\\c");
}
