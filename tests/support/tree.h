// What is in a directory, as text that can be compared.

#ifndef EKUBENCH_TESTS_SUPPORT_TREE_H
#define EKUBENCH_TESTS_SUPPORT_TREE_H

#include <stddef.h>

#define TREE_MAX_LEN (16u << 10)

struct tree {
    char text[TREE_MAX_LEN];
    size_t len;
};

enum tree_view {
    TREE_RAW,     // All entries; a link is shown, not followed.
    TREE_BY_NAME, // What a reader finds: no hidden entries, links followed, dangling ones left out.
};

// tree_of returns a line for each entry below `path`, sorted: name, type and mode, hash of the
// content, target of a link. The lock of a store (`.lock`) is left out. "" if there is no
// directory.
struct tree tree_of(const char *path, enum tree_view view);

#endif
