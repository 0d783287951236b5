// What reads a deployment (deployment_parse, deployment_keys), what is expected of it
// (deployment_expect), and what looks at the whole (deployment_check).

#ifndef EKUBENCH_LAB_DEPLOYMENT_INTERNAL_H
#define EKUBENCH_LAB_DEPLOYMENT_INTERNAL_H

#include "ekubench/base/err.h"
#include "ekubench/base/lines.h"
#include "ekubench/lab/deployment.h"

#include <stdbool.h>
#include <stddef.h>

#define EKB_DEPLOYMENT_WORD_LEN 64
#define EKB_DEPLOYMENT_SECTION_LEN 256
#define EKB_DEPLOYMENT_MAX_KEYS 16

// The kinds of links, for messages (store/link).
#define EKB_DEPLOYMENT_KINDS                                                                       \
    "uc-zone, ssh-tunnel, neighbor, b2b, traffic-server, cluster, sip-service or browser"

enum ekb_deployment_part {
    EKB_PART_NONE, // Before the first section.
    EKB_PART_DEPLOYMENT,
    EKB_PART_NODE,
    EKB_PART_LINK,
    EKB_PART_EXPECT,
};

// Where the reader is.
struct ekb_deployment_reader {
    struct ekb_deployment *deployment;
    const char *name; // Of the text.
    struct ekb_lines lines;
    struct ekb_fail *fail; // The first; nothing is read after it.
    unsigned fail_line;
    enum ekb_deployment_part part;
    struct ekb_deployment_node *node;              // Of EKB_PART_NODE,
    struct ekb_deployment_link *link;              // of EKB_PART_LINK,
    struct ekb_deployment_expectation expectation; // of EKB_PART_EXPECT: of which runs.
    char keys[EKB_DEPLOYMENT_MAX_KEYS][EKB_DEPLOYMENT_WORD_LEN]; // Said in this section.
    size_t num_keys;
    bool has_deployment; // The section has been there.
};

// ekb_deployment_refuse says what is wrong in the present line, unless something was wrong before
// it, and returns false.
bool ekb_deployment_refuse(struct ekb_deployment_reader *reader, const char *format, ...)
    EKB_PRINTF(2, 3);

// ekb_deployment_next_word takes the next word of `*text`, up to one of `ends` or a blank; false if
// there is none. A longer one is cut.
bool ekb_deployment_next_word(char out_word[EKB_DEPLOYMENT_WORD_LEN], const char **text,
                              const char *ends);

// ekb_deployment_keep_text copies `value`, which must be there and fit; ekb_deployment_keep_release
// reads a release. False if it was refused.
bool ekb_deployment_keep_text(struct ekb_deployment_reader *reader, char *out_text, size_t text_len,
                              const char *value);
bool ekb_deployment_keep_release(struct ekb_deployment_reader *reader,
                                 enum ekb_release *out_release, const char *value);

// ekb_deployment_begin_node and _begin_link begin the section of a node or a link called `name`;
// ekb_deployment_set_deployment, _set_node and _set_link read a line of a section. False if it was
// refused.
bool ekb_deployment_begin_node(struct ekb_deployment_reader *reader, const char *name);
bool ekb_deployment_begin_link(struct ekb_deployment_reader *reader, const char *name);
bool ekb_deployment_set_deployment(struct ekb_deployment_reader *reader, const char *key,
                                   const char *value);
bool ekb_deployment_set_node(struct ekb_deployment_reader *reader, const char *key,
                             const char *value);
bool ekb_deployment_set_link(struct ekb_deployment_reader *reader, const char *key,
                             const char *value);

// ekb_deployment_begin_expect reads the runs that [expect RUNS] is about, and
// ekb_deployment_set_expectation a line below it. False if it was refused.
bool ekb_deployment_begin_expect(struct ekb_deployment_reader *reader, const char *runs);
bool ekb_deployment_set_expectation(struct ekb_deployment_reader *reader, const char *key,
                                    const char *value);

// ekb_deployment_check returns EKB_USAGE, and why, if what was read of the text `name` makes no
// deployment.
EKB_NODISCARD enum ekb_err ekb_deployment_check(const struct ekb_deployment *deployment,
                                                const char *name, struct ekb_fail *reterr_fail);

#endif
