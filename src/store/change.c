// IMPLEMENTATION NOTES
//
// Steps of a change, between any two of which the process may die:
//
//   begin    lock; remove what crashed changes have left; make a generation that holds what the
//   names
//            stand for now (hard links)
//   put...   replace files in it; nobody reads it yet
//   commit   1. If a name is a plain file: publish the generation as it was at the beginning, then
//               replace each plain file by a link. Both say the same, so that nothing changes.
//            2. Make links, dangling yet, for names that are new.
//            3. Point `.data` to the new generation. This is the change.
//            4. Remove links of names that are gone, and the old generation.
//
// Step 1 needs the generation of the beginning beside the new one: `base` and `next`.

#include "ekubench/store/change.h"

#include "ekubench/base/clock.h"
#include "ekubench/base/fault.h"
#include "ekubench/base/file.h"
#include "store/store_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define WAIT_FOR_LOCK_NS (10 * EKB_NS_PER_S)
#define GENERATION_PREFIX EKB_STORE_DATA_NAME "."
#define RANDOM_LEN 6 // What mkdtemp(3) puts in the place of its X.
#define FRESH_LINK ".link.new"
#define MAX_FILE_LEN (64u << 20)

struct ekb_change {
    char *path;
    int lock_fd;
    char *base; // Generations: names in `path`.
    char *next;
    bool committed;
};

static enum ekb_err system_fail(struct ekb_fail *reterr_fail, const char *what)
{
    const int reason = errno;
    const bool denied = reason == EACCES || reason == EPERM || reason == EROFS;
    return ekb_fail_set(reterr_fail, denied ? EKB_PERMISSION : EKB_SYSTEM, reason, "%s", what);
}

// in_store returns "`path`/`directory`/`name`" in a new string; NULL if out of memory.
static char *in_store(const struct ekb_change *change, const char *directory, const char *name)
{
    char *joined = NULL;
    return asprintf(&joined, "%s/%s/%s", change->path, directory, name) < 0 ? NULL : joined;
}

static bool sync_directory(const char *path)
{
    const int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool done = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0) {
        (void)close(fd);
    }
    return done;
}

// Locking and cleaning.

static enum ekb_err lock(struct ekb_change *change, struct ekb_fail *reterr_fail)
{
    const uint64_t until_ns = ekb_clock_now_ns() + WAIT_FOR_LOCK_NS;
    char *file = ekb_file_join(change->path, EKB_STORE_LOCK_NAME);
    if (file == NULL) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "%s", change->path);
    }
    change->lock_fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    free(file);
    if (change->lock_fd < 0) {
        return system_fail(reterr_fail, change->path);
    }
    enum ekb_err err = EKB_OK;
    while (err == EKB_OK && flock(change->lock_fd, LOCK_EX | LOCK_NB) != 0) {
        const struct timespec pause = {.tv_nsec = 20 * (long)EKB_NS_PER_MS};
        if (errno != EWOULDBLOCK && errno != EINTR) {
            err = system_fail(reterr_fail, change->path);
        } else if (ekb_clock_now_ns() > until_ns) {
            err = ekb_fail_set(reterr_fail, EKB_LOCKED, 0, "%s", change->path);
        } else {
            (void)nanosleep(&pause, NULL);
        }
    }
    if (err != EKB_OK) {
        (void)close(change->lock_fd);
        change->lock_fd = -1; // Not ours to clean up under.
    }
    return err;
}

// is_generation is true for the names that make_generation gives: the prefix and six letters or
// digits.
static bool is_generation(const char *name)
{
    const size_t prefix_len = strlen(GENERATION_PREFIX);
    return strncmp(name, GENERATION_PREFIX, prefix_len) == 0 &&
           strlen(name) == prefix_len + RANDOM_LEN &&
           strspn(name + prefix_len, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                     "0123456789") == RANDOM_LEN;
}

// sweep removes what crashed changes have left behind, and nothing that only looks alike.
static void sweep(const struct ekb_change *change)
{
    char current[EKB_STORE_GENERATION_LEN];
    DIR *directory = opendir(change->path);
    const struct dirent *entry = NULL;
    ekb_store_generation(current, change->path);
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        const bool stale = is_generation(entry->d_name) && strcmp(entry->d_name, current) != 0;
        char *left = stale || strcmp(entry->d_name, FRESH_LINK) == 0
                         ? ekb_file_join(change->path, entry->d_name)
                         : NULL;
        if (left != NULL) {
            ekb_file_remove_tree(left);
        }
        free(left);
    }
    if (directory != NULL) {
        (void)closedir(directory);
    }
}

// Generations.

// make_generation makes an empty one; its name goes to `*out_name`, newly allocated.
static enum ekb_err make_generation(char **out_name, const struct ekb_change *change,
                                    struct ekb_fail *reterr_fail)
{
    char *made = ekb_file_join(change->path, GENERATION_PREFIX "XXXXXX");
    if (made == NULL) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "%s", change->path);
    }
    if (mkdtemp(made) == NULL || chmod(made, 0755) != 0) {
        const enum ekb_err err = system_fail(reterr_fail, change->path);
        free(made);
        return err;
    }
    *out_name = strdup(strrchr(made, '/') + 1);
    free(made);
    return *out_name != NULL ? EKB_OK : ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "%s", change->path);
}

// copy_file is for file systems and owners with which a hard link cannot be made.
static enum ekb_err copy_file(const char *from, const char *to, mode_t mode,
                              struct ekb_fail *reterr_fail)
{
    uint8_t *data = NULL;
    size_t data_len = 0;
    enum ekb_err err = ekb_file_read(&data, &data_len, from, MAX_FILE_LEN, reterr_fail);
    if (err == EKB_OK) {
        err = ekb_file_write_atomic(to, data, data_len, mode & 07777, reterr_fail);
    }
    ekb_file_free_secret(data, data_len);
    return err;
}

static enum ekb_err copy_entry(const char *from, const char *to, struct ekb_fail *reterr_fail);

static enum ekb_err copy_children(DIR *directory, const char *from, const char *to,
                                  struct ekb_fail *reterr_fail)
{
    enum ekb_err err = EKB_OK;
    const struct dirent *entry = NULL;
    while (err == EKB_OK && (entry = readdir(directory)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        char *child_from = ekb_file_join(from, entry->d_name);
        char *child_to = ekb_file_join(to, entry->d_name);
        err = child_from != NULL && child_to != NULL
                  ? copy_entry(child_from, child_to, reterr_fail)
                  : ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "%s", from);
        free(child_from);
        free(child_to);
    }
    return err;
}

static enum ekb_err copy_directory(const char *from, const char *to, struct ekb_fail *reterr_fail)
{
    DIR *directory = opendir(from);
    if (directory == NULL) {
        return system_fail(reterr_fail, from);
    }
    const enum ekb_err err = mkdir(to, 0700) == 0 ? copy_children(directory, from, to, reterr_fail)
                                                  : system_fail(reterr_fail, to);
    (void)closedir(directory);
    return err;
}

// copy_entry makes `to` what `from` stands for; nothing if there is no such thing.
static enum ekb_err copy_entry(const char *from, const char *to, struct ekb_fail *reterr_fail)
{
    struct stat status;
    if (stat(from, &status) != 0) {
        return errno == ENOENT ? EKB_OK : system_fail(reterr_fail, from);
    }
    if (S_ISDIR(status.st_mode)) {
        return copy_directory(from, to, reterr_fail);
    }
    if (linkat(AT_FDCWD, from, AT_FDCWD, to, AT_SYMLINK_FOLLOW) == 0) {
        return EKB_OK;
    }
    return copy_file(from, to, status.st_mode, reterr_fail);
}

// fill_generation puts into `generation` what the names in `directory` (of the store) stand for.
static enum ekb_err fill_generation(const struct ekb_change *change, const char *generation,
                                    const char *directory, struct ekb_fail *reterr_fail)
{
    enum ekb_err err = EKB_OK;
    for (size_t i = 0; i < EKB_STORE_NUM_TOP_NAMES && err == EKB_OK; i++) {
        char *from = in_store(change, directory, ekb_store_top_names[i]);
        char *to = in_store(change, generation, ekb_store_top_names[i]);
        err = from != NULL && to != NULL ? copy_entry(from, to, reterr_fail)
                                         : ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "store");
        free(from);
        free(to);
    }
    return err;
}

// Lifecycle.

enum ekb_err ekb_change_begin(struct ekb_change **out_change, const char *path,
                              struct ekb_fail *reterr_fail)
{
    struct ekb_change *change = calloc(1, sizeof *change);
    if (change == NULL || (change->path = strdup(path)) == NULL) {
        free(change);
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "%s", path);
    }
    change->lock_fd = -1;
    enum ekb_err err = ekb_file_make_dirs(path, 0755, reterr_fail);
    if (err == EKB_OK) {
        err = lock(change, reterr_fail);
    }
    if (err == EKB_OK) {
        sweep(change);
        err = make_generation(&change->base, change, reterr_fail);
    }
    if (err == EKB_OK) {
        err = make_generation(&change->next, change, reterr_fail);
    }
    ekb_fault_point();
    if (err == EKB_OK) {
        err = fill_generation(change, change->base, ".", reterr_fail);
    }
    if (err == EKB_OK) {
        err = fill_generation(change, change->next, change->base, reterr_fail);
    }
    if (err != EKB_OK) {
        ekb_change_destroy(change);
        return err;
    }
    *out_change = change;
    return EKB_OK;
}

static void remove_generation(const struct ekb_change *change, const char *name)
{
    char *path = name != NULL ? ekb_file_join(change->path, name) : NULL;
    if (path != NULL) {
        ekb_file_remove_tree(path);
    }
    free(path);
}

void ekb_change_destroy(struct ekb_change *change)
{
    if (change == NULL) {
        return;
    }
    if (change->lock_fd >= 0) {
        sweep(change); // Whatever is not the present generation, ours included.
        (void)close(change->lock_fd);
    }
    free(change->base);
    free(change->next);
    free(change->path);
    free(change);
}

// Putting.

enum ekb_err ekb_change_put_identity(struct ekb_change *change, enum ekb_store_side side,
                                     const struct ekb_identity *identity,
                                     struct ekb_fail *reterr_fail)
{
    const struct ekb_store_names *names = &ekb_store_names[side];
    if (!ekb_chain_matches_key(identity->chain, identity->key)) {
        return ekb_fail_set(reterr_fail, EKB_KEY_MISMATCH, 0, "%s for %s", names->certificate,
                            change->path);
    }
    char *key = in_store(change, change->next, names->key);
    char *certificate = in_store(change, change->next, names->certificate);
    enum ekb_err err = key != NULL && certificate != NULL
                           ? ekb_key_write_pem(identity->key, key, reterr_fail)
                           : ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "store");
    ekb_fault_point();
    if (err == EKB_OK) {
        err = ekb_chain_write_pem(identity->chain, certificate, reterr_fail);
    }
    ekb_fault_point();
    free(key);
    free(certificate);
    return err;
}

enum ekb_err ekb_change_put_trust(struct ekb_change *change, const struct ekb_chain *trust,
                                  struct ekb_fail *reterr_fail)
{
    char *file = in_store(change, change->next, EKB_STORE_TRUST_NAME);
    enum ekb_err err = EKB_OK;
    if (file == NULL) {
        err = ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "store");
    } else if (ekb_chain_len(trust) == 0) {
        err = ekb_file_write_atomic(file, EKB_CHAIN_EMPTY_TEXT, strlen(EKB_CHAIN_EMPTY_TEXT), 0644,
                                    reterr_fail);
    } else {
        err = ekb_chain_write_pem(trust, file, reterr_fail);
    }
    ekb_fault_point();
    free(file);
    return err;
}

enum ekb_err ekb_change_put_crls(struct ekb_change *change, const struct ekb_crls *crls,
                                 struct ekb_fail *reterr_fail)
{
    char *file = in_store(change, change->next, EKB_STORE_CRLS_NAME);
    const enum ekb_err err = file != NULL ? ekb_crls_write(crls, file, reterr_fail)
                                          : ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "store");
    ekb_fault_point();
    free(file);
    return err;
}

static void drop(struct ekb_change *change, const char *name)
{
    char *file = in_store(change, change->next, name);
    if (file != NULL) {
        ekb_file_remove_tree(file);
    }
    free(file);
}

enum ekb_err ekb_change_put_request(struct ekb_change *change, enum ekb_store_side side,
                                    const char *pem, const struct ekb_key *key,
                                    struct ekb_fail *reterr_fail)
{
    const struct ekb_store_names *names = &ekb_store_names[side];
    char *directory = in_store(change, change->next, EKB_STORE_REQUESTS_NAME);
    char *request = in_store(change, change->next, names->request);
    char *request_key = in_store(change, change->next, names->request_key);
    enum ekb_err err = EKB_OK;
    if (directory == NULL || request == NULL || request_key == NULL) {
        err = ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "store");
    } else if (mkdir(directory, 0700) != 0 && errno != EEXIST) {
        err = system_fail(reterr_fail, directory);
    }
    if (err == EKB_OK) {
        err = ekb_key_write_pem(key, request_key, reterr_fail);
    }
    ekb_fault_point();
    if (err == EKB_OK) {
        err = ekb_file_write_atomic(request, pem, strlen(pem), 0644, reterr_fail);
    }
    ekb_fault_point();
    free(directory);
    free(request);
    free(request_key);
    return err;
}

void ekb_change_drop_request(struct ekb_change *change, enum ekb_store_side side)
{
    drop(change, ekb_store_names[side].request);
    drop(change, ekb_store_names[side].request_key);
    char *directory = in_store(change, change->next, EKB_STORE_REQUESTS_NAME);
    if (directory != NULL) {
        (void)rmdir(directory); // If it is empty.
    }
    free(directory);
}

// Committing.

// point makes `name` (in the store) a link to `target`, atomically.
static bool point(const struct ekb_change *change, const char *name, const char *target)
{
    char *fresh = ekb_file_join(change->path, FRESH_LINK);
    char *link = ekb_file_join(change->path, name);
    const bool done =
        fresh != NULL && link != NULL && symlink(target, fresh) == 0 && rename(fresh, link) == 0;
    const int reason = errno;
    free(fresh);
    free(link);
    errno = reason;
    return done;
}

static bool point_name(const struct ekb_change *change, const char *name)
{
    char target[64];
    (void)snprintf(target, sizeof target, EKB_STORE_DATA_NAME "/%s", name);
    return point(change, name, target);
}

enum entry_kind {
    ENTRY_NONE,
    ENTRY_LINK,  // Of ours, into the present generation.
    ENTRY_PLAIN, // Anything else, a link of somebody's own included.
};

static enum entry_kind kind_of(const struct ekb_change *change, const char *directory,
                               const char *name)
{
    struct stat status;
    char *path = in_store(change, directory, name);
    enum entry_kind kind = ENTRY_NONE;
    if (path != NULL && lstat(path, &status) == 0) {
        kind = ekb_store_is_own_link(path, name) ? ENTRY_LINK : ENTRY_PLAIN;
    }
    free(path);
    return kind;
}

static bool has_plain_names(const struct ekb_change *change)
{
    for (size_t i = 0; i < EKB_STORE_NUM_TOP_NAMES; i++) {
        if (kind_of(change, ".", ekb_store_top_names[i]) == ENTRY_PLAIN) {
            return true;
        }
    }
    return false;
}

// replace_plain puts a link in the place of what is there, a file or the directory of the requests,
// by exchanging the two: the name stands for the same at every moment.
static bool replace_plain(const struct ekb_change *change, const char *name)
{
    char target[64];
    char *fresh = ekb_file_join(change->path, FRESH_LINK);
    char *path = ekb_file_join(change->path, name);
    (void)snprintf(target, sizeof target, EKB_STORE_DATA_NAME "/%s", name);
    const bool done = fresh != NULL && path != NULL && symlink(target, fresh) == 0 &&
                      renameat2(AT_FDCWD, fresh, AT_FDCWD, path, RENAME_EXCHANGE) == 0;
    const int reason = errno;
    if (fresh != NULL) {
        ekb_file_remove_tree(fresh); // What was there; or the link, if they could not be exchanged.
    }
    free(fresh);
    free(path);
    errno = reason;
    return done;
}

static bool sync_generation(const struct ekb_change *change, const char *generation)
{
    char *directory = ekb_file_join(change->path, generation);
    char *requests = in_store(change, generation, EKB_STORE_REQUESTS_NAME);
    bool done = directory != NULL && requests != NULL;
    if (done && access(requests, F_OK) == 0) {
        done = sync_directory(requests);
    }
    done = done && sync_directory(directory);
    free(directory);
    free(requests);
    return done;
}

// convert turns plain files into links to `base`, which holds the same.
static bool convert(const struct ekb_change *change)
{
    if (!has_plain_names(change)) {
        return true;
    }
    bool done = sync_generation(change, change->base) &&
                point(change, EKB_STORE_DATA_NAME, change->base) && sync_directory(change->path);
    ekb_fault_point();
    for (size_t i = 0; i < EKB_STORE_NUM_TOP_NAMES && done; i++) {
        if (kind_of(change, ".", ekb_store_top_names[i]) == ENTRY_PLAIN) {
            done = replace_plain(change, ekb_store_top_names[i]);
            ekb_fault_point();
        }
    }
    return done;
}

// link_new_names makes the links of names that come with this change; they dangle until then.
static bool link_new_names(const struct ekb_change *change)
{
    bool done = true;
    for (size_t i = 0; i < EKB_STORE_NUM_TOP_NAMES && done; i++) {
        if (kind_of(change, change->next, ekb_store_top_names[i]) != ENTRY_NONE &&
            kind_of(change, ".", ekb_store_top_names[i]) == ENTRY_NONE) {
            done = point_name(change, ekb_store_top_names[i]);
            ekb_fault_point();
        }
    }
    return done;
}

static void unlink_old_names(const struct ekb_change *change)
{
    for (size_t i = 0; i < EKB_STORE_NUM_TOP_NAMES; i++) {
        if (kind_of(change, change->next, ekb_store_top_names[i]) == ENTRY_NONE &&
            kind_of(change, ".", ekb_store_top_names[i]) == ENTRY_LINK) {
            char *path = ekb_file_join(change->path, ekb_store_top_names[i]);
            if (path != NULL) {
                (void)unlink(path);
            }
            free(path);
        }
    }
}

enum ekb_err ekb_change_commit(struct ekb_change *change, struct ekb_fail *reterr_fail)
{
    char before[EKB_STORE_GENERATION_LEN];
    ekb_fault_point();
    if (!sync_generation(change, change->next) || !convert(change) || !link_new_names(change) ||
        !sync_directory(change->path)) {
        return system_fail(reterr_fail, change->path);
    }
    ekb_fault_point();
    ekb_store_generation(before, change->path);
    if (!point(change, EKB_STORE_DATA_NAME, change->next)) {
        return system_fail(reterr_fail, change->path);
    }
    ekb_fault_point();
    if (!sync_directory(change->path)) {
        return system_fail(reterr_fail, change->path);
    }
    unlink_old_names(change);
    ekb_fault_point();
    remove_generation(change, before[0] != '\0' ? before : NULL);
    return EKB_OK;
}
