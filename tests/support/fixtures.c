#include "support/fixtures.h"

#include "ekubench/base/err.h"
#include "ekubench/base/file.h"

#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

// Files and directories.

void fixture_dir_init(struct fixture_dir *out_dir)
{
    const char *parent = getenv("TMPDIR");
    const int len = snprintf(out_dir->path, sizeof out_dir->path, "%s/ekubench.XXXXXX",
                             parent != NULL ? parent : "/tmp");
    cr_assert(len > 0 && (size_t)len < sizeof out_dir->path);
    cr_assert_not_null(mkdtemp(out_dir->path));
}

void fixture_dir_deinit(struct fixture_dir *dir)
{
    if (dir->path[0] != '\0') {
        ekb_file_remove_tree(dir->path);
        dir->path[0] = '\0';
    }
}

const char *fixture_dir_file(char out_path[512], const struct fixture_dir *dir, const char *name)
{
    const int len = snprintf(out_path, 512, "%s/%s", dir->path, name);
    cr_assert(len > 0 && len < 512);
    return out_path;
}

void fixture_write(const char *path, const void *data, size_t len, unsigned mode)
{
    FILE *file = fopen(path, "we");
    cr_assert_not_null(file, "%s", path);
    cr_assert_eq(fwrite(data, 1, len, file), len);
    cr_assert_eq(fclose(file), 0);
    cr_assert_eq(chmod(path, (mode_t)mode), 0);
}

void fixture_write_text(const char *path, const char *text)
{
    fixture_write(path, text, strlen(text), 0600);
}

char *fixture_read(const char *path, size_t *out_len)
{
    uint8_t *data = NULL;
    size_t len = 0;
    cr_assert_eq(ekb_file_read(&data, &len, path, 64u << 20, NULL), EKB_OK, "%s", path);
    if (out_len != NULL) {
        *out_len = len;
    }
    return (char *)data;
}

unsigned fixture_mode(const char *path)
{
    struct stat status;
    cr_assert_eq(stat(path, &status), 0, "%s", path);
    return status.st_mode & 07777;
}

// Hierarchies.

static void add_ca(struct fixture_pki *pki, const struct fixture_pki_spec *spec)
{
    char name[64];
    struct ekb_fail fail = {0};
    const size_t level = pki->depth;
    const struct ekb_mint_ca ca_spec = {.common_name = name,
                                        .key_type = spec->key_type,
                                        .eku = level == 0 ? EKB_EKU_ABSENT : spec->ca_eku,
                                        .not_before = FIXTURE_NOT_BEFORE,
                                        .not_after = FIXTURE_NOT_AFTER};
    enum ekb_err err = EKB_OK;
    if (level == 0) {
        (void)snprintf(name, sizeof name, "test root");
        err = ekb_ca_create_root(&pki->cas[0], &ca_spec, &fail);
    } else {
        (void)snprintf(name, sizeof name, "test intermediate %zu", level);
        err = ekb_ca_create_intermediate(&pki->cas[level], pki->cas[level - 1], &ca_spec, &fail);
    }
    cr_assert_eq(err, EKB_OK, "%s: %s", ekb_err_name(err), fail.detail);
    pki->depth++;
}

void fixture_pki_init(struct fixture_pki *out_pki, const struct fixture_pki_spec *spec)
{
    static const char *const dns_names[] = {"test.example", "localhost"};
    static const char *const ip_addresses[] = {"127.0.0.1", "::1"};
    const struct ekb_mint_leaf leaf = {.common_name = "test.example",
                                       .key_type = spec->key_type,
                                       .eku = spec->eku,
                                       .not_before = FIXTURE_NOT_BEFORE,
                                       .not_after = FIXTURE_NOT_AFTER,
                                       .dns_names = dns_names,
                                       .num_dns_names = 2,
                                       .ip_addresses = ip_addresses,
                                       .num_ip_addresses = 2};
    const size_t depth = spec->depth != 0 ? spec->depth : 1;
    struct ekb_fail fail = {0};
    struct fixture_pki pki = {0};

    cr_assert_leq(depth, EKB_MINT_MAX_DEPTH);
    while (pki.depth < depth) {
        add_ca(&pki, spec);
    }
    const enum ekb_err err = ekb_ca_issue(&pki.chain, &pki.key, pki.cas[depth - 1], &leaf, &fail);
    cr_assert_eq(err, EKB_OK, "%s: %s", ekb_err_name(err), fail.detail);
    *out_pki = pki;
}

void fixture_pki_deinit(struct fixture_pki *pki)
{
    for (size_t i = 0; i < pki->depth; i++) {
        ekb_ca_destroy(pki->cas[i]);
    }
    ekb_chain_destroy(pki->chain);
    ekb_key_destroy(pki->key);
    *pki = (struct fixture_pki){0};
}

const struct ekb_chain *fixture_pki_root(const struct fixture_pki *pki)
{
    return ekb_ca_certificate(pki->cas[0]);
}
