#include "ekubench/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <libgen.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum ekb_err system_fail(struct ekb_fail *reterr_fail, const char *path)
{
    const int reason = errno;
    enum ekb_err err = EKB_SYSTEM;
    if (reason == EISDIR) {
        return ekb_fail_say(reterr_fail, EKB_EXISTS, "%s is a directory", path);
    }
    if (reason == ENOENT) {
        err = EKB_NOT_FOUND;
    } else if (reason == EACCES || reason == EPERM || reason == EROFS) {
        err = EKB_PERMISSION;
    }
    return ekb_fail_set(reterr_fail, err, reason, "%s", path);
}

// read_all reads up to `capacity` bytes. It returns the number read, or -1.
static ssize_t read_all(int fd, uint8_t *data, size_t capacity)
{
    size_t total = 0;
    while (total < capacity) {
        const ssize_t count = read(fd, data + total, capacity - total);
        if (count == 0) {
            break;
        }
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0) {
            return -1;
        }
        total += (size_t)count;
    }
    return (ssize_t)total;
}

// What is read of a file that is longer than it may be.
enum excess {
    EXCESS_REFUSED,
    EXCESS_CUT, // Its end.
};

static enum ekb_err read_file(uint8_t **out_data, size_t *out_len, const char *path, size_t max_len,
                              enum excess excess, struct ekb_fail *reterr_fail)
{
    enum ekb_err err = EKB_OK;
    uint8_t *data = NULL;
    struct stat status;
    ssize_t count;
    size_t capacity = 0;

    // O_NONBLOCK: opening a FIFO must not hang; fstat then refuses it.
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return system_fail(reterr_fail, path);
    }
    if (fstat(fd, &status) != 0) {
        err = system_fail(reterr_fail, path);
        goto out;
    }
    if (!S_ISREG(status.st_mode)) {
        err = ekb_fail_say(reterr_fail, EKB_PARSE, "%s is not a regular file", path);
        goto out;
    }
    if ((uint64_t)status.st_size > max_len && excess == EXCESS_CUT) {
        (void)lseek(fd, status.st_size - (off_t)max_len, SEEK_SET);
        status.st_size = (off_t)max_len;
    }
    if ((uint64_t)status.st_size > max_len) {
        err = ekb_fail_say(reterr_fail, EKB_TOO_BIG, "%s has %lld bytes, at most %zu are read",
                           path, (long long)status.st_size, max_len);
        goto out;
    }
    capacity = (size_t)status.st_size;
    data = malloc(capacity + 1);
    if (data == NULL) {
        err = ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "%s", path);
        goto out;
    }
    count = read_all(fd, data, capacity);
    if (count < 0) {
        err = system_fail(reterr_fail, path);
        goto out;
    }
    data[count] = 0;
    *out_data = data;
    *out_len = (size_t)count;
    data = NULL;
out:
    ekb_file_free_secret(data, capacity);
    (void)close(fd);
    return err;
}

enum ekb_err ekb_file_read(uint8_t **out_data, size_t *out_len, const char *path, size_t max_len,
                           struct ekb_fail *reterr_fail)
{
    return read_file(out_data, out_len, path, max_len, EXCESS_REFUSED, reterr_fail);
}

enum ekb_err ekb_file_read_end(uint8_t **out_data, size_t *out_len, const char *path,
                               size_t max_len, struct ekb_fail *reterr_fail)
{
    const enum ekb_err err = read_file(out_data, out_len, path, max_len, EXCESS_CUT, reterr_fail);
    if (err == EKB_OK && *out_len == max_len) {
        // It may have been cut within a line.
        const uint8_t *newline = memchr(*out_data, '\n', *out_len);
        const size_t skip = newline != NULL ? (size_t)(newline - *out_data) + 1 : 0;
        memmove(*out_data, *out_data + skip, *out_len - skip + 1);
        *out_len -= skip;
    }
    return err;
}

void ekb_file_free_secret(uint8_t *data, size_t len)
{
    if (data != NULL) {
        explicit_bzero(data, len);
        free(data);
    }
}

static bool write_all(int fd, const uint8_t *data, size_t len)
{
    size_t total = 0;
    while (total < len) {
        const ssize_t count = write(fd, data + total, len - total);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0) {
            return false;
        }
        total += (size_t)count;
    }
    return true;
}

// sync_directory makes a rename in the directory of `path` durable.
static bool sync_directory(const char *path)
{
    char *copy = strdup(path);
    if (copy == NULL) {
        return false;
    }
    const int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(copy);
    if (fd < 0) {
        return false;
    }
    const bool done = fsync(fd) == 0;
    (void)close(fd);
    return done;
}

// Whether what is written survives a crash of the machine from then on.
enum durability {
    DURABLE,
    NOT_YET,
};

static enum ekb_err write_file(const char *path, const void *data, size_t len, unsigned mode,
                               enum durability durability, struct ekb_fail *reterr_fail)
{
    enum ekb_err err = EKB_OK;
    char *temporary = NULL;
    int fd = -1;

    if (asprintf(&temporary, "%s.XXXXXX", path) < 0) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "%s", path);
    }
    fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) { // The file need not be there, its directory must.
        err = ekb_fail_set(reterr_fail, EKB_NOT_FOUND, ENOENT, "the directory of %s", path);
        goto out;
    }
    if (fd < 0) {
        err = system_fail(reterr_fail, path);
        goto out;
    }
    if (fchmod(fd, (mode_t)mode) != 0 || !write_all(fd, data, len) ||
        (durability == DURABLE && fsync(fd) != 0) || rename(temporary, path) != 0) {
        err = system_fail(reterr_fail, path);
        (void)unlink(temporary);
        goto out;
    }
    if (durability == DURABLE && !sync_directory(path)) {
        err = system_fail(reterr_fail, path);
    }
out:
    if (fd >= 0) {
        (void)close(fd);
    }
    free(temporary);
    return err;
}

enum ekb_err ekb_file_write_atomic(const char *path, const void *data, size_t len, unsigned mode,
                                   struct ekb_fail *reterr_fail)
{
    return write_file(path, data, len, mode, DURABLE, reterr_fail);
}

enum ekb_err ekb_file_write_unsynced(const char *path, const void *data, size_t len, unsigned mode,
                                     struct ekb_fail *reterr_fail)
{
    return write_file(path, data, len, mode, NOT_YET, reterr_fail);
}

// Outputs.

#define MAX_LINKS 40

// descriptor_of returns the open descriptor that `path` names, -1 if it names none. One of this
// program's own, which programs that it starts do not get, is none.
static int descriptor_of(const char *path)
{
    static const char *const directories[] = {"/dev/fd/", "/proc/self/fd/"};
    long fd = -1;
    if (strcmp(path, "/dev/stdout") == 0) {
        fd = STDOUT_FILENO;
    } else if (strcmp(path, "/dev/stderr") == 0) {
        fd = STDERR_FILENO;
    }
    for (size_t i = 0; i < sizeof directories / sizeof directories[0]; i++) {
        const size_t len = strlen(directories[i]);
        char *end = NULL;
        if (strncmp(path, directories[i], len) == 0 && path[len] >= '0' && path[len] <= '9') {
            fd = strtol(path + len, &end, 10);
            fd = *end == '\0' && fd <= INT_MAX ? fd : -1;
        }
    }
    const int flags = fd >= 0 ? fcntl((int)fd, F_GETFD) : -1;
    return flags >= 0 && (flags & FD_CLOEXEC) == 0 ? (int)fd : -1;
}

// target_of returns what `link`, which points to `text`, stands for. Newly allocated, or NULL.
static char *target_of(const char *link, const char *text)
{
    char *target = NULL;
    const char *slash = text[0] != '/' ? strrchr(link, '/') : NULL;
    const int len = slash != NULL ? (int)(slash - link) + 1 : 0;
    return asprintf(&target, "%.*s%s", len, link, text) < 0 ? NULL : target;
}

// follow stores where the links that `path` begins with end, newly allocated: what is there is no
// link, or is missing.
static enum ekb_err follow(char **out_path, const char *path, struct ekb_fail *reterr_fail)
{
    char *at = strdup(path);
    for (int i = 0; at != NULL && i < MAX_LINKS; i++) {
        char text[PATH_MAX];
        const ssize_t len = readlink(at, text, sizeof text - 1);
        if (len < 0) {
            *out_path = at;
            return EKB_OK;
        }
        text[len] = '\0';
        char *next = target_of(at, text);
        free(at);
        at = next;
    }
    if (at == NULL) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "%s", path);
    }
    free(at);
    return ekb_fail_set(reterr_fail, EKB_SYSTEM, ELOOP, "%s", path);
}

// write_through writes into what cannot be replaced.
static enum ekb_err write_through(const char *path, const void *data, size_t len,
                                  struct ekb_fail *reterr_fail)
{
    const int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        return system_fail(reterr_fail, path);
    }
    enum ekb_err err = write_all(fd, data, len) ? EKB_OK : system_fail(reterr_fail, path);
    if (close(fd) != 0 && err == EKB_OK) {
        err = system_fail(reterr_fail, path);
    }
    return err;
}

static unsigned mode_of_new_files(void)
{
    const mode_t mask = umask(0);
    (void)umask(mask);
    return 0666U & ~mask;
}

enum ekb_err ekb_file_write_output(const char *path, const void *data, size_t len,
                                   struct ekb_fail *reterr_fail)
{
    struct stat status;
    char *target = NULL;
    const int own = descriptor_of(path);
    if (own >= 0) {
        return write_all(own, data, len) ? EKB_OK : system_fail(reterr_fail, path);
    }
    const bool is_there = stat(path, &status) == 0;
    if (!is_there && errno != ENOENT) {
        return system_fail(reterr_fail, path);
    }
    if (is_there && S_ISDIR(status.st_mode)) {
        return ekb_fail_say(reterr_fail, EKB_EXISTS, "%s is a directory", path);
    }
    if (is_there && !S_ISREG(status.st_mode)) {
        return write_through(path, data, len, reterr_fail);
    }
    enum ekb_err err = follow(&target, path, reterr_fail);
    if (target != NULL) {
        const unsigned mode = is_there ? status.st_mode & 0777 : mode_of_new_files();
        err = write_file(target, data, len, mode, DURABLE, reterr_fail);
    }
    free(target);
    return err;
}

enum ekb_err ekb_file_sync(const char *path, struct ekb_fail *reterr_fail)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return system_fail(reterr_fail, path);
    }
    const enum ekb_err err = syncfs(fd) == 0 ? EKB_OK : system_fail(reterr_fail, path);
    (void)close(fd);
    return err;
}

enum ekb_err ekb_file_make_dirs(const char *path, unsigned mode, struct ekb_fail *reterr_fail)
{
    enum ekb_err err = EKB_OK;
    struct stat status;
    char *copy = strdup(path);
    if (copy == NULL) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "%s", path);
    }
    // The first character is no separator between directories; of an empty path there is none.
    char *begin = copy[0] != '\0' ? copy + 1 : copy;
    for (char *slash = strchr(begin, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(copy, (mode_t)mode);
        *slash = '/';
    }
    if ((mkdir(copy, (mode_t)mode) != 0 && errno != EEXIST) || stat(copy, &status) != 0) {
        err = system_fail(reterr_fail, path);
    } else if (!S_ISDIR(status.st_mode)) {
        err = ekb_fail_say(reterr_fail, EKB_EXISTS, "%s is not a directory", path);
    }
    free(copy);
    return err;
}

enum ekb_err ekb_file_make_temporary(char **out_path, struct ekb_fail *reterr_fail)
{
    const char *set = getenv("TMPDIR");
    // Set to nothing it is not set: what is made must not go to the root of all.
    const char *parent = set != NULL && set[0] != '\0' ? set : "/tmp";
    char *path = NULL;
    if (asprintf(&path, "%s/ekubench-XXXXXX", parent) < 0) {
        return ekb_fail_set(reterr_fail, EKB_NOMEM, 0, "temporary directory");
    }
    if (mkdtemp(path) == NULL) {
        // Without errno: one that stands for a wrong word of the user (ENOTDIR) does not here,
        // where the word is the environment's.
        const enum ekb_err err =
            ekb_fail_say(reterr_fail, EKB_SYSTEM, "temporary directory %s: %s (%s)", path,
                         ekb_err_sentence(EKB_SYSTEM), strerror(errno));
        free(path);
        return err;
    }
    *out_path = path;
    return EKB_OK;
}

char *ekb_file_join(const char *directory, const char *name)
{
    char *path = NULL;
    return asprintf(&path, "%s/%s", directory, name) < 0 ? NULL : path;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    (void)remove(path);
    return 0;
}

void ekb_file_remove_tree(const char *path)
{
    (void)nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}
