// Deployments by their names: built-in ones, and files.

#include "ekubench/lab/deployment.h"
#include "ekubench/lab/scenario.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

// clean_name makes a file's name one that may be a part of a path, and be printed.
static void clean_name(char *name)
{
    for (char *c = name; *c != '\0'; c++) {
        const bool is_plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                              (*c >= '0' && *c <= '9') || *c == '-' || *c == '_' ||
                              (*c == '.' && c > name);
        *c = (char)(is_plain ? *c : '_');
    }
}

enum ekb_err ekb_deployment_open(struct ekb_deployment *out_deployment, const char *name_or_path,
                                 struct ekb_fail *reterr_fail)
{
    const struct ekb_scenario_builtin *builtin = ekb_scenario_builtin_find(name_or_path);
    if (builtin != NULL) {
        return ekb_deployment_parse(out_deployment, builtin->text, builtin->name, reterr_fail);
    }
    if (strchr(name_or_path, '/') == NULL && strstr(name_or_path, ".ini") == NULL) {
        return ekb_fail_set(
            reterr_fail, EKB_USAGE, 0,
            "there is no scenario \"%s\"; `ekubench scenario list` lists them (a file has "
            "a / in its name, or ends in .ini)",
            name_or_path);
    }
    const enum ekb_err err = ekb_deployment_read(out_deployment, name_or_path, reterr_fail);
    if (err == EKB_OK && out_deployment->name[0] == '\0') {
        const char *base = strrchr(name_or_path, '/');
        (void)snprintf(out_deployment->name, sizeof out_deployment->name, "%.47s",
                       base != NULL ? base + 1 : name_or_path);
        clean_name(out_deployment->name);
    }
    return err;
}
