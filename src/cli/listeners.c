#include "cli/listeners.h"

#include "ekubench/base/file.h"

#include <stdlib.h>
#include <string.h>

#define MAX_FILE_LEN (64u << 10)

static enum ekb_err take_line(struct ekb_listeners_file *file, char *line, const char *path,
                              struct ekb_fail *reterr_fail)
{
    char *rest = NULL;
    // Within a word it may be a part of a name.
    char *comment = line[0] == '#' ? line : strstr(line, " #");
    if (comment != NULL) {
        *comment = '\0';
    }
    const char *word = strtok_r(line, " \t", &rest);
    const char *more = word != NULL ? strtok_r(NULL, " \t", &rest) : NULL;
    if (more != NULL) {
        return ekb_fail_set(reterr_fail, EKB_USAGE, 0,
                            "%s: \"%s\" after \"%s\": one listener a line", path, more, word);
    }
    if (word != NULL && file->num_words == EKB_LISTENERS_MAX) {
        return ekb_fail_set(reterr_fail, EKB_USAGE, 0, "%s: at most %d listeners", path,
                            EKB_LISTENERS_MAX);
    }
    if (word != NULL) {
        file->words[file->num_words++] = word;
    }
    return EKB_OK;
}

enum ekb_err ekb_listeners_read(struct ekb_listeners_file *out_file, const char *path,
                                struct ekb_fail *reterr_fail)
{
    struct ekb_listeners_file file = {.num_words = 0};
    uint8_t *text = NULL;
    size_t text_len = 0;
    char *rest = NULL;
    enum ekb_err err = ekb_file_read(&text, &text_len, path, MAX_FILE_LEN, reterr_fail);
    if (err != EKB_OK) {
        return err;
    }
    if (memchr(text, '\0', text_len) != NULL) {
        free(text);
        return ekb_fail_set(reterr_fail, EKB_USAGE, 0, "%s is no text: it has a zero byte", path);
    }
    file.text = (char *)text;
    for (char *line = strtok_r(file.text, "\r\n", &rest); line != NULL && err == EKB_OK;
         line = strtok_r(NULL, "\r\n", &rest)) {
        err = take_line(&file, line, path, reterr_fail);
    }
    if (err != EKB_OK) {
        ekb_listeners_deinit(&file);
        return err;
    }
    *out_file = file;
    return EKB_OK;
}

void ekb_listeners_deinit(struct ekb_listeners_file *file)
{
    free(file->text);
    *file = (struct ekb_listeners_file){.num_words = 0};
}
