#include "ekubench/base/err.h"

#include "ekubench/base/utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct {
    const char *name;
    const char *sentence;
} table[EKB_ERR_COUNT] = {
#define ROW(name, short_name, sentence) [EKB_##name] = {short_name, sentence},
    EKB_ERR_TABLE(ROW)
#undef ROW
};

const char *ekb_err_name(enum ekb_err err)
{
    return (unsigned)err < EKB_ERR_COUNT ? table[err].name : "unknown";
}

const char *ekb_err_sentence(enum ekb_err err)
{
    return (unsigned)err < EKB_ERR_COUNT ? table[err].sentence : "unknown error";
}

// fill fills `fail`; the detail is the formatted text.
static void fill(struct ekb_fail *fail, enum ekb_err err, int sys_errno, const char *format,
                 va_list args)
{
    *fail = (struct ekb_fail){.err = err, .sys_errno = sys_errno, .verify_depth = -1, .alert = -1};
    char text[sizeof fail->detail + 4]; // A character more, to see all of the one that is cut.
    (void)vsnprintf(text, sizeof text, format, args);
    memcpy(fail->detail, text, ekb_utf8_cut(text, sizeof fail->detail - 1));
}

enum ekb_err ekb_fail_set(struct ekb_fail *reterr_fail, enum ekb_err err, int sys_errno,
                          const char *format, ...)
{
    if (reterr_fail != NULL) {
        va_list args;
        va_start(args, format);
        fill(reterr_fail, err, sys_errno, format, args);
        va_end(args);
    }
    return err;
}

enum ekb_err ekb_fail_say(struct ekb_fail *reterr_fail, enum ekb_err err, const char *format, ...)
{
    if (reterr_fail != NULL) {
        va_list args;
        va_start(args, format);
        fill(reterr_fail, err, 0, format, args);
        va_end(args);
        reterr_fail->is_said = true;
    }
    return err;
}

void ekb_fail_text(char *out_text, unsigned long text_len, const struct ekb_fail *fail)
{
    const char *sentence = ekb_err_sentence(fail->err);
    const char *reason = fail->sys_errno != 0 ? strerror(fail->sys_errno) : "";
    const bool has_detail = fail->detail[0] != '\0';
    // What is wrong with a request is always in the detail.
    if (fail->is_said || (has_detail && fail->err == EKB_USAGE)) {
        (void)snprintf(out_text, text_len, "%s", fail->detail);
        return;
    }
    if (has_detail && fail->err == EKB_NOT_FOUND && fail->sys_errno == ENOENT) {
        (void)snprintf(out_text, text_len, "%s: cannot be found", fail->detail);
        return;
    }
    // "permission denied (Permission denied)"
    const bool adds = reason[0] != '\0' && strcasecmp(reason, sentence) != 0;
    (void)snprintf(out_text, text_len, "%s%s%s%s%s%s", fail->detail, has_detail ? ": " : "",
                   sentence, adds ? " (" : "", adds ? reason : "", adds ? ")" : "");
}

void ekb_check_failed(const char *condition, const char *file, int line)
{
    (void)fprintf(stderr, "ekubench: %s:%d: check failed: %s\n", file, line, condition);
    abort();
}
