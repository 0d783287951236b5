#include "ekubench/base/file.h"

#include "support/fixtures.h"

#include <criterion/criterion.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#define NOBODY 65534

static struct fixture_dir dir;
static char path[512];

static void set_up(void)
{
    fixture_dir_init(&dir);
    (void)fixture_dir_file(path, &dir, "file");
}

static void tear_down(void)
{
    fixture_dir_deinit(&dir);
}

// The time limit is for what could hang.
TestSuite(file, .init = set_up, .fini = tear_down, .timeout = 30);

// become_nobody gives up root's right to everything, within the test's process; become_root takes
// it back.
static void become_nobody(void)
{
    if (geteuid() == 0) {
        cr_assert_eq(seteuid(NOBODY), 0);
    }
}

static void become_root(void)
{
    if (getuid() == 0) {
        cr_assert_eq(seteuid(0), 0);
    }
}

// num_entries returns how many entries the test's directory has.
static size_t num_entries(void)
{
    size_t count = 0;
    DIR *stream = opendir(dir.path);
    cr_assert_not_null(stream);
    const struct dirent *entry;
    while ((entry = readdir(stream)) != NULL) {
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    }
    (void)closedir(stream);
    return count;
}

static void assert_content(const char *expected)
{
    char *data = fixture_read(path, NULL);
    cr_assert_str_eq(data, expected, "%s, not %s", data, expected);
    free(data);
}

// Reading.

Test(file, reads_every_byte_when_the_file_has_zeros_in_it)
{
    static const char content[] = "a\0b\xff\n";
    uint8_t *data = NULL;
    size_t len = 0;
    fixture_write(path, content, sizeof content - 1, 0600);

    const enum ekb_err err = ekb_file_read(&data, &len, path, 100, NULL);

    cr_assert_eq(err, EKB_OK, "%s", ekb_err_name(err));
    cr_assert_eq(len, sizeof content - 1, "%zu", len);
    cr_assert_eq(memcmp(data, content, len), 0);
    cr_assert_eq(data[len], 0, "no terminating zero");
    free(data);
}

Test(file, reads_nothing_when_the_file_is_empty)
{
    uint8_t *data = NULL;
    size_t len = 99;
    fixture_write(path, "", 0, 0600);

    const enum ekb_err err = ekb_file_read(&data, &len, path, 0, NULL);

    cr_assert_eq(err, EKB_OK, "%s", ekb_err_name(err));
    cr_assert_eq(len, 0u, "%zu", len);
    cr_assert_eq(data[0], 0);
    free(data);
}

Test(file, reads_the_file_when_it_has_exactly_the_length_allowed)
{
    uint8_t *data = NULL;
    size_t len = 0;
    fixture_write_text(path, "12345");

    const enum ekb_err err = ekb_file_read(&data, &len, path, 5, NULL);

    cr_assert_eq(err, EKB_OK, "%s", ekb_err_name(err));
    cr_assert_str_eq((const char *)data, "12345");
    free(data);
}

// fails reads `path`, which must fail with `err` and a detail that names it, and leave the outputs.
static void fails(enum ekb_err expected, size_t max_len)
{
    uint8_t *data = NULL;
    size_t len = 99;
    struct ekb_fail fail = {0};

    const enum ekb_err err = ekb_file_read(&data, &len, path, max_len, &fail);

    cr_assert_eq(err, expected, "%s: %s", ekb_err_name(err), fail.detail);
    cr_assert_eq(fail.err, expected);
    cr_assert_not_null(strstr(fail.detail, path), "%s", fail.detail);
    cr_assert_null(data);
    cr_assert_eq(len, 99u);
}

Test(file, fails_when_the_file_is_longer_than_allowed)
{
    fixture_write_text(path, "123456");

    fails(EKB_TOO_BIG, 5);
}

Test(file, fails_when_the_file_is_missing)
{
    fails(EKB_NOT_FOUND, 100);
}

Test(file, fails_when_it_may_not_read_the_file)
{
    fixture_write(path, "x", 1, geteuid() == 0 ? 0600 : 0);
    cr_assert_eq(chmod(dir.path, 0755), 0);
    become_nobody();

    fails(EKB_PERMISSION, 100);

    become_root();
}

Test(file, fails_without_hanging_when_the_file_is_a_fifo)
{
    cr_assert_eq(mkfifo(path, 0600), 0);

    fails(EKB_PARSE, 100);
}

Test(file, fails_when_the_file_is_a_directory)
{
    cr_assert_eq(mkdir(path, 0700), 0);

    fails(EKB_PARSE, 100000);
}

Test(file, fails_when_the_file_is_a_device)
{
    (void)snprintf(path, sizeof path, "/dev/zero");

    fails(EKB_PARSE, 100);
}

Test(file, fails_when_a_part_of_the_path_is_a_file)
{
    fixture_write_text(path, "x");
    (void)fixture_dir_file(path, &dir, "file/below");

    fails(EKB_SYSTEM, 100);
}

Test(file, frees_nothing_when_the_secret_is_null)
{
    ekb_file_free_secret(NULL, 100);
}

// Writing.

static enum ekb_err write_text(const char *text, unsigned mode, struct ekb_fail *reterr_fail)
{
    return ekb_file_write_atomic(path, text, strlen(text), mode, reterr_fail);
}

Test(file, writes_every_byte_when_writing)
{
    static const char content[] = "a\0b\xff\n";
    size_t len = 0;

    const enum ekb_err err = ekb_file_write_atomic(path, content, sizeof content - 1, 0600, NULL);

    cr_assert_eq(err, EKB_OK, "%s", ekb_err_name(err));
    char *data = fixture_read(path, &len);
    cr_assert_eq(len, sizeof content - 1, "%zu", len);
    cr_assert_eq(memcmp(data, content, len), 0);
    free(data);
}

Test(file, writes_an_empty_file_when_there_is_nothing_to_write)
{
    size_t len = 99;

    cr_assert_eq(ekb_file_write_atomic(path, "", 0, 0600, NULL), EKB_OK);

    free(fixture_read(path, &len));
    cr_assert_eq(len, 0u, "%zu", len);
}

Test(file, sets_the_permission_bits_when_writing_whatever_the_umask)
{
    static const unsigned modes[] = {0600, 0644, 0640, 0400, 0666};
    static const mode_t masks[] = {0, 022, 077, 0777};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        for (size_t j = 0; j < sizeof masks / sizeof masks[0]; j++) {
            (void)umask(masks[j]);

            cr_expect_eq(write_text("x", modes[i], NULL), EKB_OK);

            (void)umask(022);
            cr_expect_eq(fixture_mode(path), modes[i], "%04o with umask %04o: %04o", modes[i],
                         masks[j], fixture_mode(path));
        }
    }
}

Test(file, replaces_content_and_mode_when_the_file_exists)
{
    fixture_write(path, "old and longer", 14, 0666);

    cr_assert_eq(write_text("new", 0600, NULL), EKB_OK);

    assert_content("new");
    cr_assert_eq(fixture_mode(path), 0600u, "%04o", fixture_mode(path));
}

Test(file, replaces_the_link_and_not_its_target_when_the_path_is_a_symbolic_link)
{
    char target[512];
    struct stat status;
    (void)fixture_dir_file(target, &dir, "target");
    fixture_write_text(target, "old");
    cr_assert_eq(symlink(target, path), 0);

    cr_assert_eq(write_text("new", 0600, NULL), EKB_OK);

    assert_content("new");
    cr_assert_eq(lstat(path, &status), 0);
    cr_assert(S_ISREG(status.st_mode));
    (void)snprintf(path, sizeof path, "%s", target);
    assert_content("old");
}

Test(file, leaves_no_other_file_when_written)
{
    cr_assert_eq(write_text("x", 0600, NULL), EKB_OK);
    cr_assert_eq(write_text("y", 0600, NULL), EKB_OK);

    cr_assert_eq(num_entries(), 1u, "%zu", num_entries());
}

Test(file, writes_into_the_working_directory_when_the_path_is_a_bare_name)
{
    cr_assert_eq(chdir(dir.path), 0);

    const enum ekb_err err = ekb_file_write_atomic("file", "x", 1, 0600, NULL);

    cr_assert_eq(err, EKB_OK, "%s", ekb_err_name(err));
    assert_content("x");
}

Test(file, leaves_nothing_behind_when_it_cannot_rename)
{
    struct ekb_fail fail = {0};
    cr_assert_eq(mkdir(path, 0700), 0);

    const enum ekb_err err = write_text("x", 0600, &fail);

    cr_assert_eq(err, EKB_EXISTS, "%s", ekb_err_name(err));
    cr_assert_not_null(strstr(fail.detail, path), "%s", fail.detail);
    cr_assert_not_null(strstr(fail.detail, " is a directory"), "%s", fail.detail);
    cr_assert_eq(num_entries(), 1u, "%zu", num_entries());
}

// As a full disk does.
Test(file, leaves_the_old_file_alone_when_it_cannot_write_all)
{
    static char big[100000];
    const struct rlimit limit = {.rlim_cur = 50000, .rlim_max = 50000};
    struct ekb_fail fail = {0};
    fixture_write_text(path, "old");
    (void)signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);

    const enum ekb_err err = ekb_file_write_atomic(path, big, sizeof big, 0600, &fail);

    cr_assert_eq(err, EKB_SYSTEM, "%s", ekb_err_name(err));
    cr_assert_eq(fail.sys_errno, EFBIG, "%s", strerror(fail.sys_errno));
    assert_content("old");
    cr_assert_eq(num_entries(), 1u, "%zu", num_entries());
}

Test(file, fails_to_write_when_it_may_not)
{
    struct ekb_fail fail = {0};
    cr_assert_eq(chmod(dir.path, 0555), 0);
    become_nobody();

    const enum ekb_err err = write_text("x", 0600, &fail);

    become_root();
    cr_assert_eq(err, EKB_PERMISSION, "%s", ekb_err_name(err));
    cr_assert_eq(fail.sys_errno, EACCES, "%s", strerror(fail.sys_errno));
    cr_assert_eq(num_entries(), 0u, "%zu", num_entries());
    cr_assert_eq(chmod(dir.path, 0755), 0);
}

Test(file, fails_to_write_when_the_directory_is_missing)
{
    struct ekb_fail fail = {0};
    (void)fixture_dir_file(path, &dir, "missing/file");

    const enum ekb_err err = write_text("x", 0600, &fail);

    cr_assert_neq(err, EKB_OK);
    cr_assert_eq(fail.sys_errno, ENOENT, "%s", strerror(fail.sys_errno));
    cr_assert_not_null(strstr(fail.detail, path), "%s", fail.detail);
    cr_assert_eq(num_entries(), 0u, "%zu", num_entries());
}

Test(file, replaces_the_whole_file_when_it_is_synced_later)
{
    fixture_write_text(path, "old content");

    cr_assert_eq(ekb_file_write_unsynced(path, "new", 3, 0640, NULL), EKB_OK);
    cr_assert_eq(ekb_file_sync(dir.path, NULL), EKB_OK);

    assert_content("new");
    cr_expect_eq(fixture_mode(path), 0640u, "%04o", fixture_mode(path));
    cr_expect_eq(num_entries(), 1u, "%zu", num_entries());
}

// Outputs of the user.

static enum ekb_err put(const char *text, struct ekb_fail *fail)
{
    return ekb_file_write_output(path, text, strlen(text), fail);
}

Test(file, gives_an_output_the_bits_that_the_umask_leaves)
{
    static const mode_t masks[] = {022, 077, 0, 027};
    for (size_t i = 0; i < sizeof masks / sizeof masks[0]; i++) {
        const mode_t before = umask(masks[i]);

        cr_expect_eq(put("x", NULL), EKB_OK);

        cr_expect_eq(umask(before), masks[i], "the umask is another one now");
        cr_expect_eq(fixture_mode(path), 0666u & ~masks[i], "%04o", fixture_mode(path));
        cr_assert_eq(unlink(path), 0);
    }
}

Test(file, keeps_the_bits_of_an_output_that_was_there)
{
    fixture_write(path, "old and longer", 14, 0600);

    cr_assert_eq(put("new", NULL), EKB_OK);

    assert_content("new");
    cr_assert_eq(fixture_mode(path), 0600u, "%04o", fixture_mode(path));
    cr_assert_eq(num_entries(), 1u, "%zu", num_entries());
}

Test(file, writes_an_output_through_a_fifo)
{
    char text[8] = "";
    struct stat status;
    cr_assert_eq(mkfifo(path, 0600), 0);
    const int reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    cr_assert_geq(reader, 0);

    cr_assert_eq(put("new", NULL), EKB_OK);

    cr_expect_eq(read(reader, text, sizeof text), 3);
    cr_expect_str_eq(text, "new");
    cr_assert_eq(lstat(path, &status), 0);
    cr_expect(S_ISFIFO(status.st_mode), "the FIFO is gone");
    (void)close(reader);
}

Test(file, writes_an_output_through_a_device)
{
    struct stat status;
    if (mknod(path, S_IFCHR | 0666, makedev(1, 3)) != 0) {
        cr_skip_test("no device can be made here: %s", strerror(errno));
    }

    const enum ekb_err err = put("new", NULL);

    cr_assert_eq(lstat(path, &status), 0);
    cr_expect(S_ISCHR(status.st_mode), "the device is gone");
    // On a file system where devices do nothing it is refused.
    cr_expect(err == EKB_OK || err == EKB_PERMISSION, "%s", ekb_err_name(err));
}

Test(file, says_that_a_device_for_an_output_is_full)
{
    struct ekb_fail fail = {0};
    if (mknod(path, S_IFCHR | 0666, makedev(1, 7)) != 0) {
        cr_skip_test("no device can be made here: %s", strerror(errno));
    }

    const enum ekb_err err = put("new", &fail);

    cr_expect_neq(err, EKB_OK);
    cr_expect_not_null(strstr(fail.detail, path), "%s", fail.detail);
    cr_expect_eq(num_entries(), 1u, "%zu", num_entries());
}

Test(file, fails_to_put_an_output_into_a_socket)
{
    struct ekb_fail fail = {0};
    struct stat status;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%.100s", path);
    cr_assert_eq(bind(listener, (const struct sockaddr *)&address, sizeof address), 0);

    cr_expect_neq(put("new", &fail), EKB_OK);

    cr_assert_eq(lstat(path, &status), 0);
    cr_expect(S_ISSOCK(status.st_mode), "the socket is gone");
    (void)close(listener);
}

// expect_linked expects that `path` is still a link, and reads "new".
static void expect_linked(void)
{
    struct stat status;
    cr_assert_eq(lstat(path, &status), 0);
    cr_assert(S_ISLNK(status.st_mode), "the link is gone");
    assert_content("new");
}

Test(file, replaces_what_a_link_for_an_output_points_to)
{
    char target[512];
    char between[512];
    (void)fixture_dir_file(target, &dir, "target");
    (void)fixture_dir_file(between, &dir, "between");
    fixture_write(target, "old", 3, 0640);
    cr_assert_eq(symlink("target", between), 0);
    cr_assert_eq(symlink(between, path), 0);

    cr_assert_eq(put("new", NULL), EKB_OK);

    expect_linked();
    cr_expect_eq(fixture_mode(target), 0640u, "%04o", fixture_mode(target));
    cr_assert_eq(num_entries(), 3u, "%zu", num_entries());
}

Test(file, makes_what_a_link_for_an_output_points_to)
{
    cr_assert_eq(symlink("target", path), 0);

    cr_assert_eq(put("new", NULL), EKB_OK);

    expect_linked();
    cr_assert_eq(num_entries(), 2u, "%zu", num_entries());
}

Test(file, fails_to_put_an_output_where_links_go_round)
{
    cr_assert_eq(symlink("file", path), 0);

    cr_expect_neq(put("new", NULL), EKB_OK);

    cr_assert_eq(num_entries(), 1u, "%zu", num_entries());
}

// As `>>`: what is there stays there.
Test(file, writes_an_output_through_an_open_descriptor)
{
    char own[64];
    fixture_write_text(path, "old");
    const int fd = open(path, O_WRONLY | O_APPEND);
    cr_assert_geq(fd, 0);
    (void)snprintf(own, sizeof own, "/dev/fd/%d", fd);

    const enum ekb_err err = ekb_file_write_output(own, "new", 3, NULL);

    (void)close(fd);
    cr_assert_eq(err, EKB_OK, "%s", ekb_err_name(err));
    assert_content("oldnew");
}

Test(file, fails_to_put_an_output_in_place_of_a_directory)
{
    struct ekb_fail fail = {0};
    char with_slash[520];
    cr_assert_eq(mkdir(path, 0700), 0);
    (void)snprintf(with_slash, sizeof with_slash, "%s/", path);

    cr_expect_eq(put("x", &fail), EKB_EXISTS);
    cr_expect_not_null(strstr(fail.detail, " is a directory"), "%s", fail.detail);
    cr_expect_eq(ekb_file_write_output(with_slash, "x", 1, &fail), EKB_EXISTS);
    cr_expect_not_null(strstr(fail.detail, " is a directory"), "%s", fail.detail);
    cr_assert_eq(num_entries(), 1u, "%zu", num_entries());
}

Test(file, fails_to_sync_what_is_missing)
{
    struct ekb_fail fail = {0};

    cr_expect_eq(ekb_file_sync("/nonexistent", &fail), EKB_NOT_FOUND);
    cr_expect_not_null(strstr(fail.detail, "/nonexistent"), "%s", fail.detail);
}

// Directories.

static enum ekb_err make(const char *name, unsigned mode)
{
    return ekb_file_make_dirs(fixture_dir_file(path, &dir, name), mode, NULL);
}

Test(file, makes_the_parents_when_they_are_missing)
{
    struct stat status;

    const enum ekb_err err = make("a/b/c", 0755);

    cr_assert_eq(err, EKB_OK, "%s", ekb_err_name(err));
    cr_assert_eq(stat(path, &status), 0);
    cr_assert(S_ISDIR(status.st_mode));
}

Test(file, gives_new_directories_their_mode_when_making_them)
{
    (void)umask(022);

    cr_assert_eq(make("a/b", 0700), EKB_OK);

    cr_expect_eq(fixture_mode(path), 0700u, "%04o", fixture_mode(path));
    cr_expect_eq(fixture_mode(fixture_dir_file(path, &dir, "a")), 0700u, "%04o",
                 fixture_mode(path));
}

Test(file, succeeds_when_the_directory_exists)
{
    cr_assert_eq(make("a/b", 0755), EKB_OK);

    const enum ekb_err err = make("a/b", 0755);

    cr_assert_eq(err, EKB_OK, "%s", ekb_err_name(err));
}

Test(file, keeps_the_mode_when_the_directory_exists)
{
    cr_assert_eq(make("a", 0700), EKB_OK);

    cr_assert_eq(make("a", 0755), EKB_OK);

    cr_assert_eq(fixture_mode(path), 0700u, "%04o", fixture_mode(path));
}

Test(file, makes_the_directory_when_its_path_ends_with_slashes)
{
    struct stat status;

    const enum ekb_err err = make("a//b//", 0755);

    cr_assert_eq(err, EKB_OK, "%s", ekb_err_name(err));
    cr_assert_eq(stat(path, &status), 0);
}

Test(file, fails_to_make_a_directory_when_a_file_is_in_the_way)
{
    static const struct {
        const char *name;
        enum ekb_err err;
    } cases[] = {{"file", EKB_EXISTS}, {"file/below", EKB_SYSTEM}};
    fixture_write_text(path, "x");

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const enum ekb_err err = make(cases[i].name, 0755);

        cr_expect_eq(err, cases[i].err, "%s: %s", cases[i].name, ekb_err_name(err));
    }
}

Test(file, fails_to_make_a_directory_when_it_may_not)
{
    struct ekb_fail fail = {0};
    cr_assert_eq(chmod(dir.path, 0555), 0);
    become_nobody();

    const enum ekb_err err = ekb_file_make_dirs(fixture_dir_file(path, &dir, "a"), 0755, &fail);

    become_root();
    cr_assert_eq(err, EKB_PERMISSION, "%s", ekb_err_name(err));
    cr_assert_not_null(strstr(fail.detail, path), "%s", fail.detail);
    cr_assert_eq(chmod(dir.path, 0755), 0);
}

Test(file, fails_to_make_a_directory_when_the_path_is_empty)
{
    // Of its own, so that reading beyond its end is seen.
    char *empty = strdup("");

    const enum ekb_err err = ekb_file_make_dirs(empty, 0755, NULL);

    cr_assert_neq(err, EKB_OK);
    free(empty);
}

Test(file, joins_with_a_slash_when_asked)
{
    char *joined = ekb_file_join("/a/b", "c.pem");

    cr_assert_str_eq(joined, "/a/b/c.pem", "%s", joined);
    free(joined);
}

// Removing.

Test(file, removes_all_below_when_removing_a_tree)
{
    struct stat status;
    cr_assert_eq(make("tree/a/b", 0755), EKB_OK);
    fixture_write_text(fixture_dir_file(path, &dir, "tree/file"), "x");
    fixture_write(fixture_dir_file(path, &dir, "tree/a/b/file"), "x", 1, 0);
    cr_assert_eq(mkfifo(fixture_dir_file(path, &dir, "tree/a/fifo"), 0600), 0);

    ekb_file_remove_tree(fixture_dir_file(path, &dir, "tree"));

    cr_assert_eq(lstat(path, &status), -1, "it is still there");
}

Test(file, follows_no_symbolic_link_when_removing_a_tree)
{
    char outside[512];
    struct stat status;
    (void)fixture_dir_file(outside, &dir, "outside");
    cr_assert_eq(make("outside", 0755), EKB_OK);
    fixture_write_text(fixture_dir_file(path, &dir, "outside/kept"), "x");
    cr_assert_eq(make("tree", 0755), EKB_OK);
    cr_assert_eq(symlink(outside, fixture_dir_file(path, &dir, "tree/link")), 0);

    ekb_file_remove_tree(fixture_dir_file(path, &dir, "tree"));

    cr_assert_eq(lstat(path, &status), -1, "it is still there");
    cr_assert_eq(stat(fixture_dir_file(path, &dir, "outside/kept"), &status), 0, "it is gone");
}

Test(file, removes_a_file_when_the_tree_is_one)
{
    struct stat status;
    fixture_write_text(path, "x");

    ekb_file_remove_tree(path);

    cr_assert_eq(lstat(path, &status), -1, "it is still there");
}

Test(file, ignores_a_tree_that_is_missing_when_removing)
{
    ekb_file_remove_tree(path);

    cr_assert_eq(num_entries(), 0u);
}

Test(file, makes_a_private_temporary_directory_where_it_is_told_to)
{
    char *first = NULL;
    char *second = NULL;
    struct stat status;
    cr_assert_eq(setenv("TMPDIR", dir.path, 1), 0);

    cr_assert_eq(ekb_file_make_temporary(&first, NULL), EKB_OK);
    cr_assert_eq(ekb_file_make_temporary(&second, NULL), EKB_OK);

    cr_expect_eq(strncmp(first, dir.path, strlen(dir.path)), 0, "%s is not in %s", first, dir.path);
    cr_expect_str_neq(first, second);
    cr_assert_eq(stat(first, &status), 0);
    cr_expect_eq(status.st_mode & 07777, 0700u);
    free(first);
    free(second);
}

// The keys of a measurement must not end up in the root of the file system.
Test(file, takes_an_empty_name_of_the_place_for_temporary_files_for_none)
{
    char *made = NULL;
    cr_assert_eq(setenv("TMPDIR", "", 1), 0);

    cr_assert_eq(ekb_file_make_temporary(&made, NULL), EKB_OK);

    cr_expect_eq(strncmp(made, "/tmp/", strlen("/tmp/")), 0, "%s", made);
    cr_expect_eq(rmdir(made), 0);
    free(made);
}

// Whatever is wrong with the place, it is the environment's fault, and no errno says otherwise.
Test(file, names_the_temporary_directory_that_cannot_be_made)
{
    static const char *const places[] = {"/nonexistent/tmp", "/dev/null"};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        char *made = NULL;
        struct ekb_fail fail = {0};
        cr_assert_eq(setenv("TMPDIR", places[i], 1), 0);

        cr_expect_eq(ekb_file_make_temporary(&made, &fail), EKB_SYSTEM);

        cr_expect_not_null(strstr(fail.detail, places[i]), "%s", fail.detail);
        cr_expect_eq(fail.sys_errno, 0, "%s: errno %d", places[i], fail.sys_errno);
        cr_expect_null(made);
    }
}
