#include "support/tree.h"

#include "support/fixtures.h"

#include <criterion/criterion.h>

#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// FNV-1a, 64 bits.
static uint64_t hash_of(const char *file)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    size_t len = 0;
    char *data = fixture_read(file, &len);
    for (size_t i = 0; i < len; i++) {
        hash = (hash ^ (uint8_t)data[i]) * UINT64_C(1099511628211);
    }
    free(data);
    return hash;
}

static bool is_skipped(const char *name, enum tree_view view)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, ".lock") == 0 ||
           (view == TREE_BY_NAME && name[0] == '.');
}

static void look(struct tree *tree, const char *directory, const char *prefix, enum tree_view view)
{
    struct dirent **entries = NULL;
    const int num_entries = scandir(directory, &entries, NULL, alphasort);
    for (int i = 0; i < num_entries; i++) {
        char file[1024];
        char shown[512];
        char target[256] = "";
        struct stat status;
        const char *name = entries[i]->d_name;
        (void)snprintf(file, sizeof file, "%s/%s", directory, name);
        (void)snprintf(shown, sizeof shown, "%s%s", prefix, name);
        if (!is_skipped(name, view) &&
            (view == TREE_RAW ? lstat(file, &status) : stat(file, &status)) == 0) {
            if (S_ISLNK(status.st_mode)) {
                cr_assert_gt(readlink(file, target, sizeof target - 1), 0);
            }
            tree->len += (size_t)snprintf(
                tree->text + tree->len, sizeof tree->text - tree->len, "%s %o %016llx %s\n", shown,
                (unsigned)status.st_mode,
                S_ISREG(status.st_mode) ? (unsigned long long)hash_of(file) : 0, target);
            cr_assert_lt(tree->len, sizeof tree->text);
            if (S_ISDIR(status.st_mode)) {
                (void)strcat(shown, "/");
                look(tree, file, shown, view);
            }
        }
        free(entries[i]);
    }
    free(entries);
}

struct tree tree_of(const char *path, enum tree_view view)
{
    struct tree tree = {.text = ""};
    look(&tree, path, "", view);
    return tree;
}
