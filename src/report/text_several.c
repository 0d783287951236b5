// The text report, and of several results their numbers side by side.

#include "report/format_internal.h"
#include "report/overlay.h"
#include "report/text_internal.h"

#include "ekubench/report/text.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static void write_heads(FILE *out, const struct ekb_report_set *set)
{
    for (size_t i = 0; i < set->num_results; i++) {
        const struct ekb_record *record = set->results[i].record;
        text_wrapped(out, "(%zu) %s: %s %s, %s, %s, %llu x %s%s", i + 1, set->results[i].label,
                     record->kind, record->plan.name, record->started_at, record->build.version,
                     (unsigned long long)record->host.cpus, record->host.cpu_model,
                     ekb_record_is_clean(record) ? "" : "; NOT CLEAN: do not trust its numbers");
    }
}

// name_width returns how wide the longest name of a row is.
static int name_width(const struct report_overlay *overlay)
{
    size_t width = 0;
    for (size_t i = 0; i < overlay->num_rows; i++) {
        const size_t len = strlen(overlay->rows[i]->of) + 1 + strlen(overlay->rows[i]->metric);
        width = len > width ? len : width;
    }
    return (int)width + 2;
}

static void write_overlay(FILE *out, const struct report_overlay *overlay)
{
    char cell[REPORT_CELL_LEN];
    const int width = name_width(overlay);
    (void)fprintf(out, "\n%-*s", width, "");
    for (size_t i = 0; i < overlay->set->num_results; i++) {
        (void)snprintf(cell, sizeof cell, "(%zu)", i + 1);
        (void)fprintf(out, "%s%-26s", i == 0 ? "" : "  ", cell);
    }
    for (size_t row = 0; row < overlay->num_rows; row++) {
        const struct report_number *number = overlay->rows[row];
        char name[192];
        (void)snprintf(name, sizeof name, "%s %s", number->of, number->metric);
        (void)fprintf(out, "\n%-*s", width, name);
        for (size_t i = 0; i < overlay->set->num_results; i++) {
            (void)fprintf(out, "%s%-26s", i == 0 ? "" : "  ",
                          report_overlay_cell(cell, overlay, row, i));
        }
    }
    (void)fputc('\n', out);
}

// write_trimmed writes `text` without the blanks that columns leave at the ends of lines.
static void write_trimmed(FILE *out, char *text)
{
    char *rest = NULL;
    for (char *line = text; line != NULL; line = rest) {
        rest = strchr(line, '\n');
        size_t len = rest != NULL ? (size_t)(rest - line) : strlen(line);
        while (len > 0 && line[len - 1] == ' ') {
            len--;
        }
        (void)fwrite(line, 1, len, out);
        if (rest != NULL) {
            (void)fputc('\n', out);
            rest++;
        }
    }
}

static enum ekb_err write_several(FILE *out, const struct ekb_report_set *set)
{
    char *text = NULL;
    size_t text_len = 0;
    struct report_overlay overlay;
    enum ekb_err err = report_overlay_init(&overlay, set);
    FILE *lines = err == EKB_OK ? open_memstream(&text, &text_len) : NULL;
    if (lines != NULL) {
        write_heads(lines, set);
        write_overlay(lines, &overlay);
        err = fclose(lines) == 0 ? EKB_OK : EKB_NOMEM;
    } else {
        err = EKB_NOMEM;
    }
    if (err == EKB_OK) {
        write_trimmed(out, text);
    }
    free(text);
    report_overlay_deinit(&overlay);
    return err;
}

enum ekb_err report_write_text(FILE *out, const struct ekb_report_set *set,
                               struct ekb_fail *reterr_fail)
{
    char *text = NULL;
    enum ekb_err err = EKB_OK;
    if (set->num_results > 1) {
        err = write_several(out, set);
    } else {
        err = ekb_report_text(&text, set->results[0].record);
        (void)fputs(err == EKB_OK ? text : "", out);
        free(text);
    }
    return err == EKB_OK ? EKB_OK : ekb_fail_set(reterr_fail, err, 0, "report");
}
