// Certificate hierarchies and temporary directories for tests. What cannot be made fails the test.

#ifndef EKUBENCH_TESTS_SUPPORT_FIXTURES_H
#define EKUBENCH_TESTS_SUPPORT_FIXTURES_H

#include "ekubench/pki/cert.h"
#include "ekubench/pki/key.h"
#include "ekubench/pki/mint.h"

#include <stddef.h>
#include <stdint.h>

// Validity of all that is minted here, 2020 to the end of 2049: now is inside.
#define FIXTURE_NOT_BEFORE INT64_C(1577836800)
#define FIXTURE_NOT_AFTER INT64_C(2524607999)

// A temporary directory. Zeroed: none.
struct fixture_dir {
    char path[256];
};

// fixture_dir_init makes a new directory; fixture_dir_deinit removes it with all that is in it.
void fixture_dir_init(struct fixture_dir *out_dir);
void fixture_dir_deinit(struct fixture_dir *dir);

// fixture_dir_file writes into `out_path`, and returns, the path of `name` inside of `dir`.
const char *fixture_dir_file(char out_path[512], const struct fixture_dir *dir, const char *name);

// fixture_write writes the file `path` as it is, with permission bits `mode`; fixture_write_text
// writes a text with 0600. fixture_read returns a file's content with a terminating zero, to be
// freed.
void fixture_write(const char *path, const void *data, size_t len, unsigned mode);
void fixture_write_text(const char *path, const char *text);
char *fixture_read(const char *path, size_t *out_len);

// fixture_mode returns the permission bits of `path`.
unsigned fixture_mode(const char *path);

// A hierarchy and one end entity under it. Zeroed: none.
struct fixture_pki {
    struct ekb_ca *cas[EKB_MINT_MAX_DEPTH]; // The root first; `depth` of them.
    size_t depth;
    struct ekb_chain *chain; // The leaf and the intermediates.
    struct ekb_key *key;
};

struct fixture_pki_spec {
    enum ekb_key_type key_type;
    size_t depth;    // Certificates above the leaf; 0 is taken as 1.
    unsigned eku;    // Of the leaf.
    unsigned ca_eku; // Of the intermediates. The root has none.
};

void fixture_pki_init(struct fixture_pki *out_pki, const struct fixture_pki_spec *spec);
void fixture_pki_deinit(struct fixture_pki *pki);

// fixture_pki_root returns the root's certificate as a chain of one: a trusted CA list.
const struct ekb_chain *fixture_pki_root(const struct fixture_pki *pki);

#endif
