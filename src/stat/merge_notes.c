#include "stat/merge_internal.h"

#include <stdbool.h>
#include <string.h>

static bool has_line(const char (*lines)[EKB_RECORD_LINE_LEN], size_t num_lines, const char *text)
{
    for (size_t i = 0; i < num_lines; i++) {
        if (strcmp(lines[i], text) == 0) {
            return true;
        }
    }
    return false;
}

void merge_reasons(struct ekb_record *to, const struct ekb_record *from)
{
    to->interrupted = to->interrupted || from->interrupted;
    for (size_t i = 0; i < from->num_reasons; i++) {
        if (!has_line(to->reasons, to->num_reasons, from->reasons[i])) {
            ekb_record_add_reason(to, "%s", from->reasons[i]);
        }
    }
}

// What merging has to say itself.
enum {
    NOTE_SLICES,
    NOTE_APART,
    NOTE_SKEW,
    NOTE_DIFFER,
    NUM_NOTES,
};
static const char *const own_notes[NUM_NOTES] = {
    [NOTE_SLICES] = "merged: there are no effects and no intervals of means, which rest on slices "
                    "of time that results do not hold",
    [NOTE_APART] = "merged from runs at different times: there is no rate of all, and no course in "
                   "time",
    [NOTE_SKEW] = "merged from loads that did not begin together: blocks and intervals are counted "
                  "from the begin of each",
    [NOTE_DIFFER] = "merged from machines or programs that differ: `parts` has each",
};

// Loads that begin within this time begin together.
#define MAX_SKEW_MS 100

static bool are_alike(const struct merge_list *list)
{
    const struct ekb_record_part *first = &list->parts[0];
    for (size_t i = 1; i < list->num; i++) {
        const struct ekb_record_part *part = &list->parts[i];
        if (strcmp(part->cpu_model, first->cpu_model) != 0 ||
            strcmp(part->kernel, first->kernel) != 0 ||
            strcmp(part->version, first->version) != 0) {
            return false;
        }
    }
    return true;
}

void merge_notes(struct ekb_record *record, const struct ekb_merge_part *parts, size_t num_parts,
                 const struct merge_list *list)
{
    const uint64_t skew_ms = list->last_start_ms - list->first_start_ms;
    const bool is_said[NUM_NOTES] = {
        [NOTE_SLICES] = true,
        [NOTE_APART] = list->times == MERGE_APART,
        [NOTE_SKEW] = list->times == MERGE_TOGETHER && skew_ms > MAX_SKEW_MS,
        [NOTE_DIFFER] = !are_alike(list),
    };
    // Those of merging first: there is not room for any number, and they say what the numbers are.
    record->num_notes = 0;
    for (size_t i = 0; i < NUM_NOTES; i++) {
        if (is_said[i]) {
            ekb_record_add_note(record, "%s", own_notes[i]);
        }
    }
    for (size_t i = 0; i < num_parts; i++) {
        const struct ekb_record *part = parts[i].record;
        for (size_t j = 0; j < part->num_notes; j++) {
            if (!has_line(record->notes, record->num_notes, part->notes[j])) {
                ekb_record_add_note(record, "%s", part->notes[j]);
            }
        }
    }
}
