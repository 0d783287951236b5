// Files: read whole, written whole or not at all.

#ifndef EKUBENCH_BASE_FILE_H
#define EKUBENCH_BASE_FILE_H

#include "ekubench/base/err.h"

#include <stddef.h>
#include <stdint.h>

// ekb_file_read reads the regular file `path` into `*out_data`, newly allocated with a terminating
// zero byte that `*out_len` does not count; free it with `free` (or `ekb_file_free_secret`).
// EKB_NOT_FOUND if it does not exist, EKB_PARSE if it is a directory, a FIFO or a device,
// EKB_TOO_BIG if it is longer than `max_len`, EKB_PERMISSION, EKB_SYSTEM, EKB_NOMEM.
EKB_NODISCARD enum ekb_err ekb_file_read(uint8_t **out_data, size_t *out_len, const char *path,
                                         size_t max_len, struct ekb_fail *reterr_fail);

// ekb_file_read_end is ekb_file_read, but of a file that is longer it reads the last `max_len`
// bytes, from the beginning of a line.
EKB_NODISCARD enum ekb_err ekb_file_read_end(uint8_t **out_data, size_t *out_len, const char *path,
                                             size_t max_len, struct ekb_fail *reterr_fail);

// ekb_file_free_secret overwrites `len` bytes of `data` and frees it. NULL is legal.
void ekb_file_free_secret(uint8_t *data, size_t len);

// ekb_file_write_atomic writes `data` to `path` with permission bits `mode`: a temporary file in
// the same directory, fsync, rename, fsync of the directory. After a crash `path` is the old file
// or the new one. A symbolic link is replaced, not followed: nobody who can make one gets what is
// written elsewhere. EKB_NOT_FOUND if the directory does not exist, EKB_EXISTS if `path` is one,
// EKB_PERMISSION, EKB_SYSTEM or EKB_NOMEM, with nothing left behind.
EKB_NODISCARD enum ekb_err ekb_file_write_atomic(const char *path, const void *data, size_t len,
                                                 unsigned mode, struct ekb_fail *reterr_fail);

// ekb_file_write_output is the same for a file that the user has named, as a shell's redirection
// takes it: a symbolic link is followed, and the file it points to is replaced, or made; a device
// or a FIFO is written to, and so is an open descriptor (/dev/stdout, /dev/fd/N). A new file has
// the permission bits that the umask leaves, one that was there keeps its own. Not for secrets.
// Errors of ekb_file_write_atomic. Not thread-safe: it looks at the umask.
EKB_NODISCARD enum ekb_err ekb_file_write_output(const char *path, const void *data, size_t len,
                                                 struct ekb_fail *reterr_fail);

// ekb_file_write_unsynced is ekb_file_write_atomic for one file of thousands: no reader ever finds
// half of it, but it is sure to survive a crash of the machine only once ekb_file_sync was called,
// which waits for the whole file system that `path`, a file or a directory, is on. Errors of
// ekb_file_write_atomic.
EKB_NODISCARD enum ekb_err ekb_file_write_unsynced(const char *path, const void *data, size_t len,
                                                   unsigned mode, struct ekb_fail *reterr_fail);
EKB_NODISCARD enum ekb_err ekb_file_sync(const char *path, struct ekb_fail *reterr_fail);

// ekb_file_make_dirs creates `path` and its missing parents with permission bits `mode`. An
// existing directory is fine.
EKB_NODISCARD enum ekb_err ekb_file_make_dirs(const char *path, unsigned mode,
                                              struct ekb_fail *reterr_fail);

// ekb_file_make_temporary makes a new directory (mode 0700) below $TMPDIR, or /tmp if that is unset
// or empty, and stores its path, newly allocated; remove it with ekb_file_remove_tree and free the
// path. EKB_SYSTEM, without errno but with a detail that says all; EKB_NOMEM.
EKB_NODISCARD enum ekb_err ekb_file_make_temporary(char **out_path, struct ekb_fail *reterr_fail);

// ekb_file_join returns "`directory`/`name`", newly allocated; free it with `free`. NULL if out of
// memory.
char *ekb_file_join(const char *directory, const char *name);

// ekb_file_remove_tree removes `path` and all that is under it, not following symbolic links.
// Errors are ignored: it cleans up what this program made.
void ekb_file_remove_tree(const char *path);

#endif
