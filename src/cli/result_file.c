#include "cli/cli.h"

#include "ekubench/base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_RESULT_LEN (256u << 20)

static bool is_directory(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

static enum ekb_err read_file(struct ekb_record *out_record, const char *path,
                              struct ekb_fail *reterr_fail)
{
    uint8_t *data = NULL;
    size_t data_len = 0;
    struct ekb_fail fail = {0};
    enum ekb_err err = ekb_file_read(&data, &data_len, path, MAX_RESULT_LEN, reterr_fail);
    if (err == EKB_NOT_FOUND) {
        return ekb_fail_say(reterr_fail, EKB_NOT_FOUND, "%s cannot be found", path);
    }
    if (err != EKB_OK) {
        return err;
    }
    err = ekb_record_from_json(out_record, (const char *)data, data_len, &fail);
    free(data);
    return err == EKB_OK ? EKB_OK : ekb_fail_say(reterr_fail, err, "%s: %s", path, fail.detail);
}

enum ekb_err ekb_cli_read_result(struct ekb_record *out_record, const char *path,
                                 struct ekb_fail *reterr_fail)
{
    *out_record = (struct ekb_record){.num_arms = 0};
    if (!is_directory(path)) {
        return read_file(out_record, path, reterr_fail);
    }
    char *file = ekb_file_join(path, "result.json");
    if (file == NULL) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "%s", path);
    }
    const enum ekb_err err = read_file(out_record, file, reterr_fail);
    free(file);
    return err;
}
