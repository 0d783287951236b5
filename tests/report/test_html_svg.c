#include "report/html_internal.h"

#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

static char *page;
static size_t page_len;

static void tear_down(void)
{
    free(page);
}

TestSuite(html_svg, .fini = tear_down, .timeout = 30);

// As gnuplot writes it.
#define SVG(content)                                                                               \
    "<?xml version=\"1.0\" encoding=\"utf-8\"  standalone=\"no\"?>\n"                              \
    "<svg \n viewBox=\"0 0 640 400\"\n xmlns=\"http://www.w3.org/2000/svg\"\n"                     \
    " xmlns:xlink=\"http://www.w3.org/1999/xlink\"\n>\n\n<title>Gnuplot</title>\n"                 \
    "<desc>Produced by GNUPLOT 5.4 patchlevel 4 </desc>\n" content "</svg>\n"

static const char *written(const char *svg)
{
    FILE *out = open_memstream(&page, &page_len);
    cr_assert_not_null(out);
    html_svg(out, svg, "plot-7", "a < b", "what \"it\" shows");
    cr_assert_eq(fclose(out), 0);
    return page;
}

static void expect_in(const char *part)
{
    cr_expect_not_null(strstr(page, part), "no %s in %s", part, page);
}

static void expect_not_in(const char *part)
{
    cr_expect_null(strstr(page, part), "%s in %s", part, page);
}

Test(html_svg, says_what_is_to_be_seen_and_not_by_which_version_of_gnuplot)
{
    (void)written(SVG("<text>1</text>"));

    expect_in("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 640 400\" role=\"img\">\n"
              "<title>a &lt; b</title>\n<desc>what &quot;it&quot; shows</desc>\n");
    expect_in("<text>1</text>");
    expect_not_in("GNUPLOT");
    expect_not_in("Gnuplot");
    expect_not_in("<?xml");
}

Test(html_svg, makes_colours_variables_however_they_are_written)
{
    (void)written(SVG("<g fill=\"none\" color=\"#0a0B12\" stroke=\"currentColor\">"
                      "<path stroke='rgb( 10,  11,   2)' d='M1'/>"
                      "<path fill = 'rgb(10,11,3)'/><path stroke='black'/></g>"
                      "<rect fill='white'/><rect fill='#123456'/>"));

    expect_in("<g fill=\"none\" color=\"var(--s2)\" stroke=\"currentColor\">");
    expect_in("<path stroke=\"var(--grid)\" d=\"M1\"/>");
    expect_in("\"var(--ink)\"/><path stroke=\"var(--ink)\"/>");
    expect_in("<rect fill=\"var(--page)\"/><rect fill=\"var(--ink)\"/>");
    expect_not_in("rgb(");
}

// As older and newer versions of gnuplot write some of them.
Test(html_svg, makes_colours_variables_in_styles_too)
{
    (void)written(SVG("<g style=\"fill:none; color:black; stroke: #0A0B11;stroke-width:1.00\">"
                      "<path/></g>"));

    expect_in("style=\"fill:none; color:var(--ink); stroke: var(--s1);stroke-width:1.00\"");
}

Test(html_svg, gives_names_of_its_own)
{
    (void)written(SVG("<circle id='gpDot' r='0.5'/><use xlink:href='#gpDot' id='gpPt6'/>"
                      "<g id=\"gnuplot_plot_1\" ><path clip-path='url(#clip)'/></g>"));

    expect_in("<circle id=\"plot-7-gpDot\" r=\"0.5\"/>");
    expect_in("<use href=\"#plot-7-gpDot\" id=\"plot-7-gpPt6\"/>");
    expect_in("url(#plot-7-clip)");
    expect_not_in("gnuplot_plot_1");
    expect_not_in("xlink");
}

Test(html_svg, leaves_out_what_has_no_place_in_a_page)
{
    (void)written(SVG("<g id=\"g\" ><title>$curve0 using 1:2</title><text>kept</text></g>"
                      "<g fill=\"none\">\n</g><!-- said --><script>run()</script>"
                      "<filter id='f'><feFlood/></filter>"));

    expect_in("<text>kept</text>");
    expect_not_in("$curve0");
    expect_not_in("fill=\"none\"");
    expect_not_in("said");
    expect_not_in("run()");
    expect_not_in("feFlood");
}

Test(html_svg, writes_nothing_of_what_is_no_picture)
{
    static const char *const rows[] = {
        "", "gnuplot: no", "<svg>", "<svg viewBox=\"0 0 1 1\"><path d='M1'/>", "<svg viewBox=\"",
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cr_expect_not(html_svg_is_whole(rows[i]), "%s", rows[i]);
        cr_expect_str_eq(written(rows[i]), "");
        free(page);
        page = NULL;
    }
    cr_expect(html_svg_is_whole(SVG("")));
}

// Nothing is read beyond its end, whatever is missing.
Test(html_svg, survives_what_is_cut)
{
    static const char whole[] =
        SVG("<g id='a' fill=\"rgb( 10, 11, 2)\"><use xlink:href='#a'/></g>");
    for (size_t len = 0; len < sizeof whole - 1; len++) {
        char *cut = malloc(len + 7);
        cr_assert_not_null(cut);
        (void)snprintf(cut, len + 7, "%.*s</svg>", (int)len, whole);
        (void)written(cut);
        free(cut);
        free(page);
        page = NULL;
    }
}
