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

Test(escape, leaves_no_markup_in_xml)
{
    expect(report_xml_text, "<a b=\"c\">&'", "&lt;a b=&quot;c&quot;&gt;&amp;&#39;");
    expect(report_xml_text, "x\xef\xbf\xbfy\xef\xbf\xbd", "x?y\xef\xbf\xbd");
}

Test(escape, leaves_no_markup_in_markdown)
{
    expect(report_markdown_text, "server_cpu_ns", "server_cpu_ns");
    expect(report_markdown_text, "_a_ *b* |", "\\_a\\_ \\*b\\* &#124;");
    expect(report_markdown_text, "<b>@me [x](y) `z`", "&lt;b&gt;&#64;me \\[x\\](y) \\`z\\`");
}

Test(escape, quotes_labels)
{
    expect(report_label_text, "a\"b\\c", "a\\\"b\\\\c");
}
