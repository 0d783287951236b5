#include "ekubench/peer/tally.h"

#include "ekubench/base/rng.h"

#include <criterion/criterion.h>

#include <inttypes.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define NUM_ARMS 3
#define NUM_SLICES 5
#define NUM_BLOCKS 3

static struct ekb_tally *tally;

static void set_up(void)
{
    cr_assert_eq(ekb_tally_create(&tally, NUM_ARMS, NUM_SLICES, NUM_BLOCKS), EKB_OK);
}

static void tear_down(void)
{
    ekb_tally_destroy(tally);
}

TestSuite(tally, .init = set_up, .fini = tear_down);

static struct ekb_distribution *distribution_of(size_t index)
{
    struct ekb_tally_arm *arm = &tally->arms[index / 4 % NUM_ARMS];
    struct ekb_distribution *of_arm[] = {&arm->latency, &arm->connect, &arm->steps, &arm->verify};
    return index < 4 * NUM_ARMS                ? of_arm[index % 4]
           : index < 4 * NUM_ARMS + NUM_BLOCKS ? &tally->latency_by_block[index - 4 * NUM_ARMS]
                                               : &tally->floor;
}

#define NUM_DISTRIBUTIONS (4 * NUM_ARMS + NUM_BLOCKS + 1)

Test(tally, ignores_null_when_destroyed)
{
    ekb_tally_destroy(NULL);
}

Test(tally, has_its_dimensions_when_created)
{
    cr_expect_eq(tally->num_arms, (size_t)NUM_ARMS, "%zu", tally->num_arms);
    cr_expect_eq(tally->num_slices, (size_t)NUM_SLICES, "%zu", tally->num_slices);
    cr_expect_eq(tally->num_blocks, (size_t)NUM_BLOCKS, "%zu", tally->num_blocks);
}

Test(tally, is_all_zero_when_created)
{
    for (size_t i = 0; i < NUM_ARMS; i++) {
        const struct ekb_tally_arm *arm = &tally->arms[i];
        cr_expect_eq(arm->started + arm->accepted + arm->rejected + arm->failed + arm->unfinished +
                         arm->sent_bytes,
                     0u);
        for (size_t err = 0; err < EKB_ERR_COUNT; err++) {
            cr_expect_eq(arm->failures[err], 0u);
        }
        for (size_t alert = 0; alert < EKB_TALLY_NUM_ALERTS; alert++) {
            cr_expect_eq(arm->alerts[alert], 0u);
        }
    }
    for (size_t i = 0; i < NUM_SLICES; i++) {
        cr_expect_eq(tally->open_at[i], 0u);
        cr_expect_eq(tally->cpu_ns_at[i] + tally->run_delay_ns[i] + tally->steps_ns[i] +
                         tally->completed[i],
                     0u);
        const struct ekb_tally_usage *usage = &tally->usage[i];
        cr_expect_eq(usage->voluntary_switches + usage->involuntary_switches + usage->minor_faults +
                         usage->major_faults,
                     0u);
        for (size_t probe = 0; probe < EKB_TALLY_NUM_PROBES; probe++) {
            cr_expect_eq(tally->probes[probe][i].count + tally->probes[probe][i].sum, 0u);
        }
        for (size_t arm = 0; arm < NUM_ARMS; arm++) {
            const struct ekb_slice_sum *wire = &tally->arms[arm].wire_by_slice[i];
            cr_expect_eq(wire->count + wire->sum, 0u);
        }
    }
    for (size_t i = 0; i < NUM_DISTRIBUTIONS; i++) {
        cr_expect_eq(distribution_of(i)->moments.count, 0u);
        cr_expect_eq(ekb_hist_count(distribution_of(i)->hist), 0u);
    }
    cr_expect_eq(tally->num_overflows + tally->num_accept_errors + tally->peak_connections, 0u);
    cr_expect_str_empty(tally->version);
}

Test(tally, has_histograms_aligned_as_they_need_when_created)
{
    for (size_t i = 0; i < NUM_DISTRIBUTIONS; i++) {
        const uintptr_t address = (uintptr_t)distribution_of(i)->hist;

        cr_expect_eq(address % 16, 0u, "%zu: %" PRIxPTR, i, address);
    }
}

// A byte range of the tally.
struct part {
    const char *name;
    uintptr_t begin;
    size_t len;
};

static struct part part(const char *name, const void *begin, size_t len)
{
    return (struct part){.name = name, .begin = (uintptr_t)begin, .len = len};
}

Test(tally, keeps_its_parts_apart_when_created)
{
    struct part parts[64];
    size_t num = 0;
    parts[num++] = part("tally", tally, sizeof *tally);
    parts[num++] = part("arms", tally->arms, NUM_ARMS * sizeof tally->arms[0]);
    parts[num++] = part("cpu", tally->cpu_ns_at, (NUM_SLICES + 1) * sizeof(uint64_t));
    parts[num++] = part("open", tally->open_at, (NUM_SLICES + 1) * sizeof(uint64_t));
    parts[num++] = part("delay", tally->run_delay_ns, NUM_SLICES * sizeof(uint64_t));
    parts[num++] = part("steps", tally->steps_ns, NUM_SLICES * sizeof(uint64_t));
    parts[num++] = part("completed", tally->completed, NUM_SLICES * sizeof(uint64_t));
    parts[num++] =
        part("accepted", tally->accepted_by_arm, NUM_SLICES * NUM_ARMS * sizeof(uint64_t));
    parts[num++] = part("usage", tally->usage, NUM_SLICES * sizeof tally->usage[0]);
    for (size_t i = 0; i < EKB_TALLY_NUM_PROBES; i++) {
        parts[num++] = part("probe", tally->probes[i], NUM_SLICES * sizeof tally->probes[i][0]);
    }
    parts[num++] =
        part("blocks", tally->latency_by_block, NUM_BLOCKS * sizeof tally->latency_by_block[0]);
    parts[num++] =
        part("floor slices", tally->floor_by_slice, NUM_SLICES * sizeof tally->floor_by_slice[0]);
    for (size_t i = 0; i < NUM_ARMS; i++) {
        parts[num++] = part("arm slices", tally->arms[i].steps_by_slice,
                            NUM_SLICES * sizeof tally->arms[i].steps_by_slice[0]);
        parts[num++] = part("arm bytes", tally->arms[i].wire_by_slice,
                            NUM_SLICES * sizeof tally->arms[i].wire_by_slice[0]);
    }
    for (size_t i = 0; i < NUM_DISTRIBUTIONS; i++) {
        parts[num++] = part("histogram", distribution_of(i)->hist, ekb_hist_size());
    }

    for (size_t i = 0; i < num; i++) {
        cr_assert_neq(parts[i].begin, 0u, "%s is missing", parts[i].name);
        for (size_t j = i + 1; j < num; j++) {
            cr_expect(parts[i].begin + parts[i].len <= parts[j].begin ||
                          parts[j].begin + parts[j].len <= parts[i].begin,
                      "%s and %s overlap", parts[i].name, parts[j].name);
        }
    }
}

// Every byte belongs to the mapping: writing beyond it would be a fault.
Test(tally, can_be_filled_to_the_end_when_created)
{
    for (size_t i = 0; i < NUM_ARMS; i++) {
        memset(tally->arms[i].steps_by_slice, 0xff,
               NUM_SLICES * sizeof tally->arms[i].steps_by_slice[0]);
    }
    memset(tally->cpu_ns_at, 0xff, (NUM_SLICES + 1) * sizeof(uint64_t));
    memset(tally->accepted_by_arm, 0xff, NUM_SLICES * NUM_ARMS * sizeof(uint64_t));
    memset(tally->usage, 0xff, NUM_SLICES * sizeof tally->usage[0]);
    for (size_t i = 0; i < EKB_TALLY_NUM_PROBES; i++) {
        memset(tally->probes[i], 0xff, NUM_SLICES * sizeof tally->probes[i][0]);
    }
    for (size_t i = 0; i < NUM_ARMS; i++) {
        memset(tally->arms[i].wire_by_slice, 0xff,
               NUM_SLICES * sizeof tally->arms[i].wire_by_slice[0]);
    }

    cr_assert_eq(tally->cpu_ns_at[NUM_SLICES], UINT64_MAX);
    cr_assert_eq(tally->steps_ns[0], 0u, "%" PRIu64, tally->steps_ns[0]);
}

Test(tally, can_be_created_when_it_has_no_arms_or_no_slices)
{
    static const size_t dimensions[][2] = {{0, 0}, {0, 5}, {1, 0}, {256, 1}};
    for (size_t i = 0; i < sizeof dimensions / sizeof dimensions[0]; i++) {
        struct ekb_tally *other = NULL;

        const enum ekb_err err = ekb_tally_create(&other, dimensions[i][0], dimensions[i][1], 1);

        cr_expect_eq(err, EKB_OK, "%zu arms, %zu slices", dimensions[i][0], dimensions[i][1]);
        ekb_tally_destroy(other);
    }
}

Test(tally, cannot_be_created_when_it_would_fill_the_address_space)
{
    struct ekb_tally *huge = NULL;

    const enum ekb_err err = ekb_tally_create(&huge, 1, (size_t)1 << 45, 0);

    cr_assert_eq(err, EKB_NOMEM, "%s", ekb_err_name(err));
    cr_assert_null(huge, "the output was changed");
}

// Most stages have no blocks.
Test(tally, has_as_many_blocks_as_it_is_asked_for_when_created)
{
    struct ekb_tally *with = NULL;
    struct ekb_tally *without = NULL;

    cr_assert_eq(ekb_tally_create(&without, 1, 1, 0), EKB_OK);
    cr_assert_eq(ekb_tally_create(&with, 1, 1, 1000), EKB_OK);

    cr_expect_eq(without->num_blocks, 0u);
    ekb_distribution_add(&without->arms[0].latency, 1000);
    cr_expect_eq(with->num_blocks, 1000u);
    ekb_distribution_add(&with->latency_by_block[999], 1000);
    cr_expect_eq(with->latency_by_block[999].moments.count, 1u);
    cr_expect_eq(with->latency_by_block[998].moments.count, 0u);
    cr_expect_eq(with->arms[0].latency.moments.count, 0u);
    ekb_tally_destroy(with);
    ekb_tally_destroy(without);
}

// The server draws an index and writes to the probe of that place: there must be one for each.
Test(tally, has_a_probe_for_each_number_of_repeats)
{
    static const uint32_t repeats[] = {0, 8, 32, 64};

    cr_assert_eq(sizeof ekb_tally_repeats / sizeof ekb_tally_repeats[0],
                 (size_t)EKB_TALLY_NUM_PROBES - EKB_TALLY_PROBE_REPEATS);
    for (size_t i = 0; i < EKB_TALLY_NUM_REPEATS; i++) {
        cr_expect_eq(ekb_tally_repeats[i], repeats[i], "%zu: %" PRIu32, i, ekb_tally_repeats[i]);
    }
}

// Distributions.

Test(tally, counts_a_sample_in_moments_and_histogram_when_added)
{
    struct ekb_distribution *distribution = &tally->arms[1].latency;

    ekb_distribution_add(distribution, 1000);
    ekb_distribution_add(distribution, 3000);

    cr_expect_eq(distribution->moments.count, 2u);
    cr_expect_eq(distribution->moments.sum, 4000u, "%" PRIu64, distribution->moments.sum);
    cr_expect_eq(distribution->moments.min, 1000u, "%" PRIu64, distribution->moments.min);
    cr_expect_eq(distribution->moments.max, 3000u, "%" PRIu64, distribution->moments.max);
    cr_expect_eq(ekb_hist_count(distribution->hist), 2u);
    const uint64_t lowest = ekb_hist_percentile(distribution->hist, 0);
    cr_expect_eq(lowest, 1000u, "%" PRIu64, lowest);
}

Test(tally, counts_a_sample_in_no_other_distribution_when_added)
{
    ekb_distribution_add(&tally->arms[1].steps, 1000);

    for (size_t i = 0; i < NUM_DISTRIBUTIONS; i++) {
        const uint64_t expected = distribution_of(i) == &tally->arms[1].steps ? 1 : 0;
        cr_expect_eq(ekb_hist_count(distribution_of(i)->hist), expected, "%zu", i);
        cr_expect_eq(distribution_of(i)->moments.count, expected, "%zu", i);
    }
}

Test(tally, drops_no_sample_when_it_is_out_of_range)
{
    struct ekb_distribution *distribution = &tally->floor;

    ekb_distribution_add(distribution, UINT64_C(100000000000));

    cr_expect_eq(ekb_hist_count(distribution->hist), 1u);
    cr_expect_eq(ekb_hist_num_clamped(distribution->hist), 1u);
    cr_expect_eq(distribution->moments.max, UINT64_C(100000000000));
}

Test(tally, shows_the_parent_what_the_worker_counts_when_shared)
{
    int status = 0;
    const pid_t pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0) {
        tally->arms[2].accepted = 42;
        tally->cpu_ns_at[NUM_SLICES] = 7;
        ekb_distribution_add(&tally->arms[2].verify, 5000);
        ekb_distribution_add(&tally->latency_by_block[NUM_BLOCKS - 1], 6000);
        tally->probes[EKB_TALLY_NUM_PROBES - 1][NUM_SLICES - 1].sum = 8;
        tally->usage[NUM_SLICES - 1].major_faults = 9;
        tally->arms[2].wire_by_slice[NUM_SLICES - 1].count = 10;
        (void)strcpy(tally->version, "TLSv1.3");
        _exit(0);
    }

    cr_assert_eq(waitpid(pid, &status, 0), pid);

    cr_assert_eq(status, 0);
    cr_expect_eq(tally->arms[2].accepted, 42u);
    cr_expect_eq(tally->cpu_ns_at[NUM_SLICES], 7u);
    cr_expect_eq(tally->arms[2].verify.moments.sum, 5000u);
    cr_expect_eq(ekb_hist_count(tally->arms[2].verify.hist), 1u);
    cr_expect_eq(tally->latency_by_block[NUM_BLOCKS - 1].moments.sum, 6000u);
    cr_expect_eq(tally->probes[EKB_TALLY_NUM_PROBES - 1][NUM_SLICES - 1].sum, 8u);
    cr_expect_eq(tally->usage[NUM_SLICES - 1].major_faults, 9u);
    cr_expect_eq(tally->arms[2].wire_by_slice[NUM_SLICES - 1].count, 10u);
    cr_expect_str_eq(tally->version, "TLSv1.3");
}

// Merging: two parts are the whole.

// count_something counts the same in `whole` and in a part, as `rng` wills.
static void count_something(struct ekb_tally *const tallies[2], struct ekb_rng *rng)
{
    const size_t arm = (size_t)ekb_rng_below(rng, NUM_ARMS);
    const size_t slice = (size_t)ekb_rng_below(rng, NUM_SLICES);
    const size_t block = (size_t)ekb_rng_below(rng, NUM_BLOCKS);
    const size_t code = (size_t)ekb_rng_below(rng, EKB_ERR_COUNT);
    const uint64_t ns = ekb_rng_below(rng, 1000000);
    for (size_t i = 0; i < 2; i++) {
        struct ekb_tally *t = tallies[i];
        struct ekb_tally_arm *a = &t->arms[arm];
        struct ekb_distribution *const distributions[] = {&a->latency,
                                                          &a->uncorrected,
                                                          &a->connect,
                                                          &a->steps,
                                                          &a->verify,
                                                          &t->floor,
                                                          &t->latency_by_block[block],
                                                          &t->lag,
                                                          &t->dropped_wait};
        ekb_distribution_add(distributions[ns % 9], ns);
        uint64_t *const counters[] = {&a->started,
                                      &a->accepted,
                                      &a->rejected,
                                      &a->failed,
                                      &a->unfinished,
                                      &a->dropped,
                                      &a->failures[code],
                                      &a->alerts[code % EKB_TALLY_NUM_ALERTS],
                                      &a->sent_bytes,
                                      &t->steps_ns[slice],
                                      &t->completed[slice],
                                      &t->accepted_by_arm[slice * NUM_ARMS + arm],
                                      &t->usage[slice].voluntary_switches,
                                      &t->usage[slice].involuntary_switches,
                                      &t->usage[slice].minor_faults,
                                      &t->usage[slice].major_faults,
                                      &t->user_ns,
                                      &t->system_ns,
                                      &t->num_overflows,
                                      &t->num_accept_errors,
                                      &t->peak_connections,
                                      &t->cpu_ns_at[slice + 1]};
        *counters[ns % (sizeof counters / sizeof counters[0])] += ns;
        struct ekb_slice_sum *const sums[] = {&a->steps_by_slice[slice], &a->wire_by_slice[slice],
                                              &t->floor_by_slice[slice],
                                              &t->probes[ns % EKB_TALLY_NUM_PROBES][slice]};
        sums[ns % 4]->count++;
        sums[ns % 4]->sum += ns;
    }
}

static void expect_same_distribution(const struct ekb_distribution *a,
                                     const struct ekb_distribution *b)
{
    cr_expect_eq(memcmp(&a->moments, &b->moments, sizeof a->moments), 0);
    for (double percent = 0; percent <= 100; percent += 2.5) {
        cr_expect_eq(ekb_hist_percentile(a->hist, percent), ekb_hist_percentile(b->hist, percent));
    }
}

static void expect_same_bytes(const void *a, const void *b, size_t len, const char *what)
{
    cr_expect_eq(memcmp(a, b, len), 0, "%s", what);
}

static void expect_same(const struct ekb_tally *a, const struct ekb_tally *b)
{
    for (size_t i = 0; i < NUM_ARMS; i++) {
        const struct ekb_tally_arm *x = &a->arms[i];
        const struct ekb_tally_arm *y = &b->arms[i];
        const uint64_t counts[2][7] = {{x->started, x->accepted, x->rejected, x->failed,
                                        x->unfinished, x->dropped, x->sent_bytes},
                                       {y->started, y->accepted, y->rejected, y->failed,
                                        y->unfinished, y->dropped, y->sent_bytes}};
        expect_same_bytes(counts[0], counts[1], sizeof counts[0], "counts");
        expect_same_bytes(x->failures, y->failures, sizeof x->failures, "failures");
        expect_same_bytes(x->alerts, y->alerts, sizeof x->alerts, "alerts");
        expect_same_distribution(&x->latency, &y->latency);
        expect_same_distribution(&x->uncorrected, &y->uncorrected);
        expect_same_distribution(&x->connect, &y->connect);
        expect_same_distribution(&x->steps, &y->steps);
        expect_same_distribution(&x->verify, &y->verify);
        expect_same_bytes(x->steps_by_slice, y->steps_by_slice,
                          NUM_SLICES * sizeof x->steps_by_slice[0], "steps by slice");
        expect_same_bytes(x->wire_by_slice, y->wire_by_slice,
                          NUM_SLICES * sizeof x->wire_by_slice[0], "wire by slice");
    }
    expect_same_bytes(a->cpu_ns_at, b->cpu_ns_at, (NUM_SLICES + 1) * sizeof a->cpu_ns_at[0], "CPU");
    expect_same_bytes(a->open_at, b->open_at, (NUM_SLICES + 1) * sizeof a->open_at[0], "open");
    expect_same_bytes(a->usage, b->usage, NUM_SLICES * sizeof a->usage[0], "usage");
    expect_same_bytes(a->steps_ns, b->steps_ns, NUM_SLICES * sizeof a->steps_ns[0], "steps");
    expect_same_bytes(a->completed, b->completed, NUM_SLICES * sizeof a->completed[0], "completed");
    expect_same_bytes(a->accepted_by_arm, b->accepted_by_arm,
                      NUM_SLICES * NUM_ARMS * sizeof a->accepted_by_arm[0], "accepted");
    expect_same_bytes(a->floor_by_slice, b->floor_by_slice,
                      NUM_SLICES * sizeof a->floor_by_slice[0], "floor by slice");
    for (size_t i = 0; i < EKB_TALLY_NUM_PROBES; i++) {
        expect_same_bytes(a->probes[i], b->probes[i], NUM_SLICES * sizeof a->probes[i][0], "probe");
    }
    for (size_t i = 0; i < NUM_BLOCKS; i++) {
        expect_same_distribution(&a->latency_by_block[i], &b->latency_by_block[i]);
    }
    expect_same_distribution(&a->floor, &b->floor);
    expect_same_distribution(&a->lag, &b->lag);
    expect_same_distribution(&a->dropped_wait, &b->dropped_wait);
    const uint64_t rest[2][5] = {
        {a->user_ns, a->system_ns, a->num_overflows, a->num_accept_errors, a->peak_connections},
        {b->user_ns, b->system_ns, b->num_overflows, b->num_accept_errors, b->peak_connections}};
    expect_same_bytes(rest[0], rest[1], sizeof rest[0], "the rest");
}

Test(tally, is_the_whole_when_its_parts_are_merged)
{
    struct ekb_tally *parts[2];
    struct ekb_rng rng;
    ekb_rng_init(&rng, 5);
    for (size_t i = 0; i < 2; i++) {
        cr_assert_eq(ekb_tally_create(&parts[i], NUM_ARMS, NUM_SLICES, NUM_BLOCKS), EKB_OK);
    }
    for (size_t slice = 0; slice <= NUM_SLICES; slice++) {
        parts[0]->cpu_ns_at[slice] = 1000;
        parts[1]->cpu_ns_at[slice] = 500;
        tally->cpu_ns_at[slice] = 1500;
        parts[0]->open_at[slice] = 3;
        parts[1]->open_at[slice] = 4;
        tally->open_at[slice] = 7;
    }
    for (size_t i = 0; i < 20000; i++) {
        struct ekb_tally *const both[2] = {tally, parts[ekb_rng_below(&rng, 2)]};
        count_something(both, &rng);
    }

    ekb_tally_merge(parts[0], parts[1]);

    expect_same(parts[0], tally);
    ekb_tally_destroy(parts[0]);
    ekb_tally_destroy(parts[1]);
}

// A slice was finished when both have; it was disturbed as much as the one that was more so.
Test(tally, knows_of_a_slice_what_both_parts_know)
{
    struct ekb_tally *other;
    cr_assert_eq(ekb_tally_create(&other, NUM_ARMS, NUM_SLICES, NUM_BLOCKS), EKB_OK);
    tally->cpu_ns_at[1] = 10;
    other->cpu_ns_at[1] = 20;
    tally->cpu_ns_at[2] = 30; // The other one ended before.
    tally->run_delay_ns[0] = 7;
    other->run_delay_ns[0] = 9;
    tally->run_delay_ns[1] = 5;
    tally->ended_ns = 100;
    other->ended_ns = 60;
    (void)strcpy(other->cipher, "TLS_AES_128_GCM_SHA256");

    ekb_tally_merge(tally, other);

    cr_expect_eq(tally->cpu_ns_at[1], 30u);
    cr_expect_eq(tally->cpu_ns_at[2], 0u);
    cr_expect_eq(tally->run_delay_ns[0], 9u);
    cr_expect_eq(tally->run_delay_ns[1], 5u);
    cr_expect_eq(tally->ended_ns, 100u);
    cr_expect_str_eq(tally->cipher, "TLS_AES_128_GCM_SHA256");
    ekb_tally_destroy(other);
}
