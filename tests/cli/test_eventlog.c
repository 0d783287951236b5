#include "cli/eventlog.h"

#include "support/fixtures.h"

#include "ekubench/base/clock.h"

#include <criterion/criterion.h>

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOBODY 65534
// A whole second.
#define WALL_NS UINT64_C(1774767279000000000)

static struct fixture_dir dir;
static char path[512];
static struct ekb_eventlog event_log;
static uint64_t now_ns;     // The driven clock.
static uint64_t opened_ns;  // When it was WALL_NS.
static uint64_t num_lost;   // By the queue, so far.
static uint64_t num_so_far; // Events written, or left out.

static void set_up(void)
{
    fixture_dir_init(&dir);
    (void)fixture_dir_file(path, &dir, "events.log");
}

static void tear_down(void)
{
    ekb_eventlog_close(&event_log);
    fixture_dir_deinit(&dir);
}

TestSuite(eventlog, .init = set_up, .fini = tear_down, .timeout = 60);

// At most ten lines a second, and no limits.
static const struct ekb_eventlog_limits ten_lines = {.lines_per_s = 10};
static const struct ekb_eventlog_limits no_limits = {.lines_per_s = 0};

static void open_log_within(const struct ekb_eventlog_limits *limits)
{
    struct ekb_fail fail = {0};
    const enum ekb_err err = ekb_eventlog_open(&event_log, path, limits, &fail);
    cr_assert_eq(err, EKB_OK, "%s: %s", ekb_err_name(err), fail.detail);
    opened_ns = now_ns = ekb_clock_now_ns(); // The log has looked at that clock already.
}

static void open_log(uint64_t lines_per_s)
{
    const struct ekb_eventlog_limits limits = {.lines_per_s = lines_per_s};
    open_log_within(&limits);
}

static void write_kind(enum ekb_event_kind kind, enum ekb_err err)
{
    const struct ekb_event event = {
        .kind = kind, .at_ns = WALL_NS + (now_ns - opened_ns), .fail = {.err = err}};
    ekb_eventlog_write(&event_log, &event);
}

// turn is one look at the queue, at `now_ns`: `num_events` refused connections.
static void turn(uint64_t num_events)
{
    ekb_eventlog_begin(&event_log, now_ns, num_lost);
    for (uint64_t i = 0; i < num_events; i++) {
        write_kind(EKB_EVENT_REFUSED, EKB_VERIFY_PURPOSE);
    }
    num_so_far += num_events;
}

// What is in the file.
struct seen {
    uint64_t num_lines;
    uint64_t num_refused;
    uint64_t num_reloads; // Failed ones too.
    uint64_t num_confessions;
    uint64_t num_left_out; // In these, together.
};

static struct seen see(void)
{
    struct seen seen = {0};
    char *text = fixture_read(path, NULL);
    const char *line = text;
    while (*line != '\0') {
        char *end = strchr(line, '\n');
        cr_assert_not_null(end, "a line without an end: %s", line);
        *end = '\0';
        const char *confession = strstr(line, " Event=\"Events Left Out\" ");
        seen.num_lines++;
        seen.num_refused += strstr(line, " Event=\"Inbound TLS Negotiation Error\" ") != NULL;
        seen.num_reloads += strstr(line, " Event=\"Reloaded\" ") != NULL ||
                            strstr(line, " Event=\"Reload Failed\" ") != NULL;
        if (confession != NULL) {
            uint64_t count = 0;
            const char *detail = strstr(confession, " Detail=\"");
            cr_assert_not_null(detail, "%s", line);
            cr_assert_eq(sscanf(detail, " Detail=\"%" SCNu64 " lines\"", &count), 1, "%s", line);
            cr_expect_gt(count, 0, "%s", line);
            seen.num_confessions++;
            seen.num_left_out += count;
        }
        line = end + 1;
    }
    free(text);
    cr_expect_eq(seen.num_lines, seen.num_refused + seen.num_reloads + seen.num_confessions,
                 "lines of another kind");
    return seen;
}

#define EXPECT_COUNT(actual, wanted)                                                               \
    cr_expect_eq(actual, wanted, #actual " is %" PRIu64, (uint64_t)(actual))

// No limit.

Test(eventlog, writes_every_event_when_there_is_no_limit)
{
    open_log(0);

    turn(2000);
    turn(2000);

    const struct seen seen = see();
    EXPECT_COUNT(seen.num_refused, 4000);
    EXPECT_COUNT(seen.num_confessions, 0);
}

Test(eventlog, tells_what_the_queue_lost_when_there_is_no_limit)
{
    open_log(0);

    turn(3);
    num_lost = 7;
    now_ns += EKB_NS_PER_S;
    turn(3);

    const struct seen seen = see();
    EXPECT_COUNT(seen.num_refused, 6);
    EXPECT_COUNT(seen.num_left_out, 7);
}

// The limit.

Test(eventlog, writes_every_event_when_they_are_few)
{
    open_log(10);

    for (int second = 0; second < 20; second++) {
        turn(10);
        now_ns += EKB_NS_PER_S;
    }
    ekb_eventlog_close(&event_log);

    const struct seen seen = see();
    EXPECT_COUNT(seen.num_refused, 200);
    EXPECT_COUNT(seen.num_confessions, 0);
}

Test(eventlog, writes_a_seconds_worth_when_many_come_at_once)
{
    open_log(10);

    turn(100);

    const struct seen seen = see();
    EXPECT_COUNT(seen.num_refused, 10);
    EXPECT_COUNT(seen.num_confessions, 0);
}

Test(eventlog, writes_no_more_when_the_clock_stands_still)
{
    open_log(10);

    for (int i = 0; i < 100; i++) {
        turn(10);
    }

    EXPECT_COUNT(see().num_refused, 10);
}

// What was not used in a long silence is not saved up.
Test(eventlog, writes_a_seconds_worth_when_many_come_after_an_hour)
{
    open_log(10);
    now_ns += 3600 * EKB_NS_PER_S;

    turn(100);

    EXPECT_COUNT(see().num_refused, 10);
}

// However the events fall, no second of the log has more.
Test(eventlog, writes_a_seconds_worth_in_every_second)
{
    static const uint64_t looks_ms[] = {950, 1000, 1050, 1500, 1999, 2000, 2001};
    open_log(10);

    for (size_t i = 0; i < sizeof looks_ms / sizeof looks_ms[0]; i++) {
        now_ns = opened_ns + looks_ms[i] * EKB_NS_PER_MS;
        turn(100);
    }

    uint64_t num_in_second[3] = {0};
    char *text = fixture_read(path, NULL);
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        const char *utc = strstr(line, " UTCTime=\"2026-03-29 06:54:");
        const unsigned long second =
            utc != NULL ? strtoul(utc + strlen(" UTCTime=\"2026-03-29 06:54:"), NULL, 10) : 0;
        if (strstr(line, " Event=\"Inbound") != NULL && second >= 39 && second <= 41) {
            num_in_second[second - 39]++;
        }
    }
    free(text);
    EXPECT_COUNT(num_in_second[0], 10);
    EXPECT_COUNT(num_in_second[1], 10);
    EXPECT_COUNT(num_in_second[2], 10);
}

// As of two workers, one of which comes a little late.
Test(eventlog, writes_a_seconds_worth_when_events_of_two_seconds_take_turns)
{
    open_log(10);

    for (int i = 0; i < 20; i++) {
        now_ns = opened_ns + (i % 2 == 0 ? 999 : 1001) * EKB_NS_PER_MS;
        turn(3);
    }

    EXPECT_COUNT(see().num_refused, 20);
}

Test(eventlog, says_how_many_were_left_out_when_it_may_write_again)
{
    open_log(10);
    turn(100);

    now_ns += EKB_NS_PER_S;
    turn(0);

    const struct seen seen = see();
    EXPECT_COUNT(seen.num_refused, 10);
    EXPECT_COUNT(seen.num_confessions, 1);
    EXPECT_COUNT(seen.num_left_out, 90);
}

Test(eventlog, says_it_once_when_nothing_more_was_left_out)
{
    open_log(10);
    turn(100);

    for (int second = 0; second < 10; second++) {
        now_ns += EKB_NS_PER_S;
        turn(1);
    }
    ekb_eventlog_close(&event_log);

    const struct seen seen = see();
    EXPECT_COUNT(seen.num_refused, 20);
    EXPECT_COUNT(seen.num_confessions, 1);
    EXPECT_COUNT(seen.num_left_out, 90);
}

Test(eventlog, says_how_many_were_left_out_when_closed)
{
    open_log(10);
    turn(100);

    ekb_eventlog_close(&event_log);

    const struct seen seen = see();
    EXPECT_COUNT(seen.num_confessions, 1);
    EXPECT_COUNT(seen.num_left_out, 90);
}

Test(eventlog, says_nothing_when_closed_and_nothing_was_left_out)
{
    open_log(10);
    turn(10);

    ekb_eventlog_close(&event_log);

    const struct seen seen = see();
    EXPECT_COUNT(seen.num_lines, 10);
}

Test(eventlog, counts_what_the_queue_lost_once)
{
    open_log(10);
    num_lost = 7;
    for (int second = 0; second < 5; second++) {
        turn(0);
        now_ns += EKB_NS_PER_S;
    }
    num_lost = 12;

    turn(0);
    ekb_eventlog_close(&event_log);

    EXPECT_COUNT(see().num_left_out, 12);
}

// A storm: ten looks a second, as `serve` takes them, for twenty seconds, each with more events
// than may be written.

#define STORM_S 20
#define STORM_LOOKS (STORM_S * 10)

static const uint64_t rates[] = {1, 2, 5, 9, 10, 11, 50, 200};

static void storm(uint64_t rate)
{
    num_lost = 0;
    num_so_far = 0;
    open_log(rate);
    for (int look = 0; look < STORM_LOOKS; look++) {
        now_ns += EKB_NS_PER_S / 10;
        num_lost += 3;
        turn(rate / 5 + 3);
    }
}

// end_storm closes the log and removes its file.
static struct seen end_storm(void)
{
    ekb_eventlog_close(&event_log);
    const struct seen seen = see();
    cr_assert_eq(unlink(path), 0);
    return seen;
}

Test(eventlog, accounts_for_every_event_in_a_storm)
{
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        storm(rates[i]);

        const struct seen seen = end_storm();

        cr_expect_eq(seen.num_refused + seen.num_left_out, num_so_far + num_lost,
                     "%" PRIu64 "/s: %" PRIu64 " written and %" PRIu64 " left out of %" PRIu64,
                     rates[i], seen.num_refused, seen.num_left_out, num_so_far + num_lost);
    }
}

Test(eventlog, keeps_to_its_rate_in_a_storm)
{
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        storm(rates[i]);

        const struct seen seen = end_storm();

        // It is twenty seconds, and two of them in part.
        cr_expect_leq(seen.num_refused, rates[i] * (STORM_S + 1), "%" PRIu64 "/s: %" PRIu64,
                      rates[i], seen.num_refused);
        cr_expect_leq(seen.num_lines, (rates[i] + 1) * (STORM_S + 1) + 1,
                      "%" PRIu64 "/s: %" PRIu64 " lines", rates[i], seen.num_lines);
    }
}

// A log that only counts what it leaves out is none.
Test(eventlog, goes_on_to_write_events_in_a_storm)
{
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        storm(rates[i]);

        const struct seen seen = end_storm();

        // But for one line a second, which may be the count of those left out; and but for
        // rounding.
        const uint64_t wanted = (rates[i] > 1 ? rates[i] - 1 : 1) * (STORM_S - 1);
        cr_expect_geq(seen.num_refused, wanted,
                      "%" PRIu64 "/s: %" PRIu64 " events (and %" PRIu64
                      " counts) in %d s, wanted at least %" PRIu64,
                      rates[i], seen.num_refused, seen.num_confessions, STORM_S, wanted);
    }
}

// "At most N of these lines a second, and one that says how many were left out".
Test(eventlog, says_once_a_second_how_many_were_left_out_in_a_storm)
{
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        storm(rates[i]);

        const struct seen seen = end_storm();

        // The last one is written on closing.
        cr_expect_leq(seen.num_confessions, STORM_S + 2, "%" PRIu64 "/s: %" PRIu64 " in %d s",
                      rates[i], seen.num_confessions, STORM_S);
        cr_expect_geq(seen.num_confessions, STORM_S / 2, "%" PRIu64 "/s: %" PRIu64 " in %d s",
                      rates[i], seen.num_confessions, STORM_S);
    }
}

// What the operator asked for is answered.
Test(eventlog, writes_every_reload_in_a_storm)
{
    open_log(5);
    turn(1000);

    for (int i = 0; i < 10; i++) {
        ekb_eventlog_begin(&event_log, now_ns, num_lost);
        write_kind(EKB_EVENT_REFUSED, EKB_VERIFY_PURPOSE);
        write_kind(EKB_EVENT_RELOADED, EKB_OK);
        write_kind(EKB_EVENT_RELOAD_FAILED, EKB_NOT_FOUND);
    }
    ekb_eventlog_close(&event_log);

    const struct seen seen = see();
    EXPECT_COUNT(seen.num_reloads, 20);
    EXPECT_COUNT(seen.num_refused, 5);
    EXPECT_COUNT(seen.num_left_out, 1005);
}

// A reload that fails before it reaches the worker is written between two turns.
Test(eventlog, writes_a_reload_between_turns)
{
    open_log(5);
    turn(1000);

    write_kind(EKB_EVENT_RELOAD_FAILED, EKB_NOT_FOUND);

    EXPECT_COUNT(see().num_reloads, 1);
}

// The file.

Test(eventlog, is_readable_when_a_turn_has_ended)
{
    open_log(10);

    turn(1);

    EXPECT_COUNT(see().num_lines, 1); // It is open still.
}

Test(eventlog, writes_the_line_of_the_event)
{
    char line[EKB_EVENT_TEXT_LEN];
    char wanted[EKB_EVENT_TEXT_LEN + 1];
    const struct ekb_event event = {.kind = EKB_EVENT_RELOAD_FAILED,
                                    .at_ns = UINT64_C(1774767279839000000),
                                    .fail = {.err = EKB_NOT_FOUND, .detail = "ca.pem"}};
    open_log(10);

    ekb_eventlog_begin(&event_log, now_ns, 0);
    ekb_eventlog_write(&event_log, &event);

    char *text = fixture_read(path, NULL);
    (void)snprintf(wanted, sizeof wanted, "%s\n", ekb_event_format(line, &event));
    cr_expect_str_eq(text, wanted, "%s", text);
    free(text);
}

Test(eventlog, has_mode_0640_when_it_is_new)
{
    const mode_t before = umask(0);

    open_log(10);
    (void)umask(before);

    cr_expect_eq(fixture_mode(path), 0640, "%o", fixture_mode(path));
}

Test(eventlog, is_not_there_for_others_when_the_umask_says_so)
{
    const mode_t before = umask(0077);

    open_log(10);
    (void)umask(before);

    cr_expect_eq(fixture_mode(path), 0600, "%o", fixture_mode(path));
}

Test(eventlog, appends_when_the_file_is_there)
{
    static const char old[] = "what was there\n";
    fixture_write(path, old, sizeof old - 1, 0604);

    open_log(10);
    turn(1);
    ekb_eventlog_close(&event_log);
    open_log(10);
    turn(1);

    char *text = fixture_read(path, NULL);
    size_t num_lines = 0;
    for (const char *c = text; *c != '\0'; c++) {
        num_lines += *c == '\n';
    }
    cr_expect_eq(strncmp(text, old, sizeof old - 1), 0, "%s", text);
    EXPECT_COUNT(num_lines, 3);
    cr_expect_eq(fixture_mode(path), 0604, "%o", fixture_mode(path));
    free(text);
}

Test(eventlog, appends_to_what_others_wrote_meanwhile)
{
    static const char other[] = "another program's line\n";
    open_log(10);
    turn(1);
    FILE *file = fopen(path, "ae");
    cr_assert(file != NULL && fputs(other, file) >= 0 && fclose(file) == 0);

    turn(1);

    char *text = fixture_read(path, NULL);
    const char *found = strstr(text, other);
    cr_assert_not_null(found, "%s", text);
    cr_expect_not_null(strstr(found, " Event="), "not after it: %s", text);
    free(text);
}

// Standard error.

Test(eventlog, goes_to_standard_error_when_it_has_no_path)
{
    (void)fflush(stderr);
    const int before = dup(STDERR_FILENO);
    FILE *file = fopen(path, "we");
    cr_assert(before >= 0 && file != NULL && dup2(fileno(file), STDERR_FILENO) >= 0);

    const enum ekb_err err = ekb_eventlog_open(&event_log, NULL, &ten_lines, NULL);
    opened_ns = now_ns = ekb_clock_now_ns();
    turn(3);
    ekb_eventlog_close(&event_log);
    const bool is_open = fputs("still open\n", stderr) >= 0 && fflush(stderr) == 0;
    (void)dup2(before, STDERR_FILENO);
    (void)close(before);
    (void)fclose(file);

    char *text = fixture_read(path, NULL);
    size_t num_events = 0;
    for (const char *c = text; (c = strstr(c, " Event=\"Inbound")) != NULL; c++) {
        num_events++;
    }
    cr_expect_eq(err, EKB_OK, "%s", ekb_err_name(err));
    EXPECT_COUNT(num_events, 3);
    cr_expect(is_open);
    cr_expect_not_null(strstr(text, "still open\n"), "%s", text);
    free(text);
}

// Places where it cannot be.

struct bad_place {
    const char *name;
    const char *file; // In the test's directory.
    enum ekb_err err;
};

static void expect_refused(const struct bad_place *place)
{
    char bad_path[512];
    struct ekb_fail fail = {0};
    struct ekb_eventlog log = {.limits = {.lines_per_s = 77}};
    (void)fixture_dir_file(bad_path, &dir, place->file);

    const enum ekb_err err = ekb_eventlog_open(&log, bad_path, &ten_lines, &fail);

    cr_expect_eq(err, place->err, "%s: %s (%s)", place->name, ekb_err_name(err), fail.detail);
    cr_expect_eq(fail.err, place->err, "%s: %s", place->name, ekb_err_name(fail.err));
    cr_expect_neq(fail.sys_errno, 0, "%s: no reason", place->name);
    cr_expect_not_null(strstr(fail.detail, bad_path), "%s: %s", place->name, fail.detail);
    cr_expect_eq(log.limits.lines_per_s, 77, "%s: written in spite of the error", place->name);
}

Test(eventlog, is_refused_when_it_cannot_be_opened)
{
    static const struct bad_place places[] = {
        {"a directory", ".", EKB_PERMISSION},
        {"in no directory", "nowhere/events.log", EKB_NOT_FOUND},
        {"below a file", "file/events.log", EKB_SYSTEM},
    };
    char file[512];
    fixture_write_text(fixture_dir_file(file, &dir, "file"), "");
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        expect_refused(&places[i]);
    }
}

Test(eventlog, is_refused_when_it_may_not_be_written)
{
    static const struct bad_place place = {"another's file", "events.log", EKB_PERMISSION};
    fixture_write(path, "", 0, 0400);
    cr_assert_eq(chmod(dir.path, 0755), 0);
    if (geteuid() == 0) {
        cr_assert_eq(seteuid(NOBODY), 0); // Root may write everything.
    }

    expect_refused(&place);

    cr_assert_eq(getuid() == 0 ? seteuid(0) : 0, 0);
}

Test(eventlog, is_refused_when_the_directory_may_not_be_written)
{
    static const struct bad_place place = {"another's directory", "events.log", EKB_PERMISSION};
    cr_assert_eq(chmod(dir.path, 0555), 0);
    if (geteuid() == 0) {
        cr_assert_eq(seteuid(NOBODY), 0);
    }

    expect_refused(&place);

    cr_assert_eq(getuid() == 0 ? seteuid(0) : 0, 0);
    cr_assert_eq(chmod(dir.path, 0700), 0);
}

Test(eventlog, may_be_refused_without_a_place_for_the_failure)
{
    struct ekb_eventlog log = {0};

    const enum ekb_err err = ekb_eventlog_open(&log, dir.path, &ten_lines, NULL);

    cr_expect_eq(err, EKB_PERMISSION, "%s", ekb_err_name(err));
}

Test(eventlog, goes_on_when_the_disk_is_full)
{
    struct ekb_fail fail = {0};
    cr_assert_eq(ekb_eventlog_open(&event_log, "/dev/full", &no_limits, &fail), EKB_OK, "%s",
                 fail.detail);
    opened_ns = now_ns = ekb_clock_now_ns();

    turn(1000);
    turn(1000);
    ekb_eventlog_close(&event_log);

    cr_expect_not(event_log.is_open);
}

// with_stderr_in runs `act` with standard error in the file, and returns what was said there.
static char *with_stderr_in(const char *file_path, void (*act)(void))
{
    (void)fflush(stderr);
    const int before = dup(STDERR_FILENO);
    FILE *file = fopen(file_path, "we");
    cr_assert(before >= 0 && file != NULL && dup2(fileno(file), STDERR_FILENO) >= 0);
    act();
    (void)fflush(stderr);
    (void)dup2(before, STDERR_FILENO);
    (void)close(before);
    (void)fclose(file);
    return fixture_read(file_path, NULL);
}

static void fill_the_disk(void)
{
    cr_assert_eq(ekb_eventlog_open(&event_log, "/dev/full", &no_limits, NULL), EKB_OK);
    opened_ns = now_ns = ekb_clock_now_ns();
    for (int second = 0; second < 5; second++) {
        turn(10);
        now_ns += EKB_NS_PER_S;
    }
}

Test(eventlog, says_once_that_it_cannot_write)
{
    static const char saying[] = "ekubench: event log /dev/full: lines are left out: ";

    char *said = with_stderr_in(path, fill_the_disk);

    cr_expect_eq(strncmp(said, saying, sizeof saying - 1), 0, "%s", said);
    cr_expect_eq(strchr(said, '\n'), said + strlen(said) - 1, "more than a line: %s", said);
    EXPECT_COUNT(event_log.num_left_out, 50);
    free(said);
}

// The disk takes two lines and a part of the third, and later there is room again.
Test(eventlog, keeps_lines_apart_when_the_disk_was_full_for_a_while)
{
    struct stat state;
    struct rlimit limit;
    open_log(0);
    turn(1);
    cr_assert_eq(stat(path, &state), 0);
    const rlim_t line_len = (rlim_t)state.st_size;
    cr_assert(signal(SIGXFSZ, SIG_IGN) != SIG_ERR && getrlimit(RLIMIT_FSIZE, &limit) == 0);
    const rlim_t most = limit.rlim_cur;
    limit.rlim_cur = 2 * line_len + line_len / 2;
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    turn(3); // One fits, one in part, one not at all.
    limit.rlim_cur = most;
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    now_ns += EKB_NS_PER_S;

    turn(1);

    char *text = fixture_read(path, NULL);
    char *torn = text + 2 * line_len;
    cr_assert_eq(strcspn(torn, "\n"), line_len / 2, "spliced: %s", torn);
    memset(torn, '.', line_len / 2);
    cr_expect_not_null(strstr(torn, "\n2026-"), "%s", torn);
    cr_expect_not_null(
        strstr(torn, " Event=\"Events Left Out\" Service=\"SIP\" Detail=\"2 lines\""), "%s", torn);
    cr_expect_not_null(strstr(torn, " Event=\"Inbound TLS Negotiation Error\" "), "%s", torn);
    cr_expect_eq(text[strlen(text) - 1], '\n');
    free(text);
}

// A pipe whose reader does not read, or that has none.

Test(eventlog, does_not_wait_for_the_reader_of_a_pipe)
{
    static char read_back[1 << 20];
    cr_assert_eq(mkfifo(path, 0600), 0);
    open_log(0);

    turn(2000); // More than a pipe holds.

    const uint64_t num_left_out = event_log.num_left_out;
    cr_expect(num_left_out > 0 && num_left_out < 2000, "%" PRIu64, num_left_out);
    const int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    ssize_t len = read(fd, read_back, sizeof read_back - 1);
    cr_assert_gt(len, 0);
    uint64_t num_lines = 0;
    for (ssize_t i = 0; i < len; i++) {
        num_lines += read_back[i] == '\n';
    }
    EXPECT_COUNT(num_lines, 2000 - num_left_out);
    now_ns += EKB_NS_PER_S;
    turn(1);
    len = read(fd, read_back, sizeof read_back - 1);
    cr_assert_gt(len, 0);
    read_back[len] = '\0';
    cr_expect_not_null(strstr(read_back, "Events Left Out"), "%s", read_back);
    EXPECT_COUNT(event_log.num_left_out, 0);
    (void)close(fd);
}

static void flood_stderr(void)
{
    cr_assert_eq(ekb_eventlog_open(&event_log, NULL, &no_limits, NULL), EKB_OK);
    opened_ns = now_ns = ekb_clock_now_ns();
    turn(2000);
}

Test(eventlog, does_not_wait_for_the_reader_of_standard_error)
{
    int ends[2];
    const int before = dup(STDERR_FILENO);
    (void)fflush(stderr);
    cr_assert(pipe(ends) == 0 && before >= 0 && dup2(ends[1], STDERR_FILENO) >= 0);

    flood_stderr();
    const uint64_t num_left_out = event_log.num_left_out;
    event_log = (struct ekb_eventlog){0};
    (void)dup2(before, STDERR_FILENO);

    cr_expect(num_left_out > 0 && num_left_out < 2000, "%" PRIu64, num_left_out);
    (void)close(before);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

// Rotation.

Test(eventlog, goes_on_in_the_new_file_when_it_is_opened_again)
{
    char old_path[512];
    (void)fixture_dir_file(old_path, &dir, "events.log.1");
    open_log(10);
    turn(3);
    cr_assert_eq(rename(path, old_path), 0);
    turn(2);

    const enum ekb_err err = ekb_eventlog_reopen(&event_log, NULL);
    turn(4);

    cr_expect_eq(err, EKB_OK, "%s", ekb_err_name(err));
    EXPECT_COUNT(see().num_refused, 4);
    cr_assert_eq(rename(old_path, path), 0);
    EXPECT_COUNT(see().num_refused, 5);
}

Test(eventlog, goes_on_in_the_old_file_when_it_cannot_be_opened_again)
{
    struct ekb_fail fail = {0};
    char old_path[512];
    (void)fixture_dir_file(old_path, &dir, "events.log.1");
    open_log(10);
    cr_assert(rename(path, old_path) == 0 && mkdir(path, 0700) == 0);

    const enum ekb_err err = ekb_eventlog_reopen(&event_log, &fail);
    turn(4);

    cr_expect_eq(err, EKB_PERMISSION, "%s", ekb_err_name(err));
    cr_expect_not_null(strstr(fail.detail, path), "%s", fail.detail);
    cr_assert(rmdir(path) == 0 && rename(old_path, path) == 0);
    EXPECT_COUNT(see().num_refused, 4);
}

// Length.

#define MAX_LEN 4096
static const struct ekb_eventlog_limits short_file = {.max_len = MAX_LEN};

static uint64_t len_of(const char *name)
{
    char file[512];
    struct stat status;
    return stat(fixture_dir_file(file, &dir, name), &status) == 0 ? (uint64_t)status.st_size : 0;
}

// fill_log writes lines until the file has no room for another one.
static void fill_log(void)
{
    turn(1);
    const uint64_t line_len = len_of("events.log");
    cr_assert_gt(line_len, 0);
    while (len_of("events.log") + line_len <= MAX_LEN) {
        turn(1);
    }
}

Test(eventlog, begins_a_new_file_when_the_old_one_would_get_too_long)
{
    open_log_within(&short_file);

    fill_log();
    const uint64_t full_len = len_of("events.log");
    const uint64_t num_first = num_so_far;
    turn(1);

    cr_expect_eq(len_of("events.log.1"), full_len);
    EXPECT_COUNT(see().num_refused, 1);
    (void)fixture_dir_file(path, &dir, "events.log.1");
    EXPECT_COUNT(see().num_refused, num_first);
    cr_expect_eq(fixture_mode(path), 0640, "%04o", fixture_mode(path));
    EXPECT_COUNT(event_log.num_left_out, 0);
}

Test(eventlog, has_two_files_at_most_whatever_comes)
{
    open_log_within(&short_file);

    for (int i = 0; i < 100; i++) {
        turn(37);
        cr_assert_leq(len_of("events.log"), MAX_LEN);
        cr_assert_leq(len_of("events.log.1"), MAX_LEN);
    }

    cr_expect_gt(len_of("events.log.1"), MAX_LEN / 2);
    cr_expect_eq(len_of("events.log.1.1") + len_of("events.log.2"), 0);
    cr_expect_gt(see().num_refused, 0); // Whole lines only.
}

// Else the file would grow, whoever keeps it from being renamed.
Test(eventlog, leaves_lines_out_when_it_cannot_begin_a_new_file)
{
    char old[512];
    open_log_within(&short_file);
    fill_log();
    const uint64_t full_len = len_of("events.log");
    cr_assert_eq(mkdir(fixture_dir_file(old, &dir, "events.log.1"), 0755), 0);

    turn(5);
    const uint64_t stuck_len = len_of("events.log");
    const uint64_t num_left_out = event_log.num_left_out;
    cr_assert_eq(rmdir(old), 0);
    now_ns += EKB_NS_PER_S;
    turn(1);

    cr_expect_eq(stuck_len, full_len);
    EXPECT_COUNT(num_left_out, 5);
    const struct seen seen = see();
    EXPECT_COUNT(seen.num_left_out, 5);
    EXPECT_COUNT(seen.num_refused, 1);
}

// Who rotates it has renamed it, and SIGHUP is on its way.
Test(eventlog, leaves_a_full_file_alone_that_was_renamed)
{
    char renamed[512];
    open_log_within(&short_file);
    fill_log();
    const uint64_t full_len = len_of("events.log");
    cr_assert_eq(rename(path, fixture_dir_file(renamed, &dir, "yesterday")), 0);

    turn(1);

    cr_expect_eq(len_of("yesterday"), full_len);
    cr_expect_eq(len_of("events.log.1"), 0);
    EXPECT_COUNT(see().num_refused, 1);
}

Test(eventlog, goes_on_in_its_file_when_that_was_cut)
{
    open_log_within(&short_file);
    fill_log();
    cr_assert_eq(truncate(path, 0), 0);

    turn(1);

    cr_expect_eq(len_of("events.log.1"), 0);
    EXPECT_COUNT(see().num_refused, 1);
}

Test(eventlog, begins_no_new_file_when_it_is_a_pipe)
{
    char text[2 * MAX_LEN];
    cr_assert_eq(mkfifo(path, 0600), 0);
    const int reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    cr_assert_geq(reader, 0);
    open_log_within(&(struct ekb_eventlog_limits){.max_len = 1});

    turn(3);

    cr_expect_gt(read(reader, text, sizeof text), 0);
    cr_expect_eq(access(path, F_OK), 0);
    cr_expect_eq(len_of("events.log.1"), 0);
    EXPECT_COUNT(event_log.num_left_out, 0);
    (void)close(reader);
}

Test(eventlog, may_be_opened_again_when_it_is_standard_error)
{
    cr_assert_eq(ekb_eventlog_open(&event_log, NULL, &ten_lines, NULL), EKB_OK);

    const enum ekb_err err = ekb_eventlog_reopen(&event_log, NULL);

    cr_expect_eq(err, EKB_OK, "%s", ekb_err_name(err));
    event_log = (struct ekb_eventlog){0};
}

// Closing.

Test(eventlog, may_be_closed_when_it_is_zeroed)
{
    struct ekb_eventlog log = {0};

    ekb_eventlog_close(&log);
    ekb_eventlog_close(&log);

    cr_expect_not(log.is_open);
}

Test(eventlog, may_be_closed_twice)
{
    open_log(10);
    turn(100);

    ekb_eventlog_close(&event_log);
    ekb_eventlog_close(&event_log);

    EXPECT_COUNT(see().num_confessions, 1);
}
