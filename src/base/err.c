#include "ekubench/base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

enum ekb_err ekb_fail_set(struct ekb_fail *reterr_fail, enum ekb_err err, int sys_errno,
                          const char *format, ...)
{
    if (reterr_fail == NULL) {
        return err;
    }
    va_list args;
    *reterr_fail =
        (struct ekb_fail){.err = err, .sys_errno = sys_errno, .verify_depth = -1, .alert = -1};
    va_start(args, format);
    (void)vsnprintf(reterr_fail->detail, sizeof reterr_fail->detail, format, args);
    va_end(args);
    return err;
}

void ekb_fail_text(char *out_text, unsigned long text_len, const struct ekb_fail *fail)
{
    const char *separator = fail->detail[0] != '\0' ? ": " : "";
    if (fail->sys_errno != 0) {
        (void)snprintf(out_text, text_len, "%s%s%s (%s)", fail->detail, separator,
                       ekb_err_sentence(fail->err), strerror(fail->sys_errno));
    } else {
        (void)snprintf(out_text, text_len, "%s%s%s", fail->detail, separator,
                       ekb_err_sentence(fail->err));
    }
}

void ekb_check_failed(const char *condition, const char *file, int line)
{
    (void)fprintf(stderr, "ekubench: %s:%d: check failed: %s\n", file, line, condition);
    abort();
}
