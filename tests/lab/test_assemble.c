#include "ekubench/lab/assemble.h"

#include "support/stages.h"

#include <criterion/criterion.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

// Two arms, one expected to be accepted and one to be rejected; two slices of warm-up and twenty
// measured.
#define NUM_WARMUP 2
#define NUM_SLICES 22
#define PER_SLICE 10
#define SLICE_S ((double)STAGE_FIXTURE_SLICE_NS / 1e9)

enum {
    ACCEPTED,
    REJECTED,
    NUM_ARMS
};

static const struct ekb_record_stage label = {
    .name = "cost",
    .shape = "closed-loop",
    .in_flight = 4,
    .client = "full",
    .duration_ns = (NUM_SLICES - NUM_WARMUP) * STAGE_FIXTURE_SLICE_NS,
};
static const struct ekb_record_arm arm_labels[NUM_ARMS] = {
    {.name = "on", .eku = "on", .verify = "full", .depth = 1, .expect = "accept"},
    {.name = "off", .eku = "off", .verify = "full", .depth = 2, .expect = "reject"},
};

static struct ekb_stage stage;
static struct ekb_record record;

static void fill(void)
{
    for (uint32_t slice = 0; slice < stage.timeline.num_slices; slice++) {
        if (ekb_timeline_kind(&stage.timeline, slice) != EKB_SLICE_FLOOR) {
            stage_fixture_accept(&stage, ACCEPTED, slice, PER_SLICE, 300000);
            stage_fixture_reject(&stage, REJECTED, slice, PER_SLICE / 2, 200000);
        }
    }
}

static void set_up(void)
{
    record = (struct ekb_record){0};
    stage_fixture_init(&stage, NUM_ARMS, NUM_SLICES, NUM_WARMUP, 0);
    fill();
}

static void tear_down(void)
{
    ekb_stage_deinit(&stage);
    ekb_record_deinit(&record);
}

TestSuite(assemble, .init = set_up, .fini = tear_down, .timeout = 60);

static void assemble(void)
{
    cr_assert_eq(ekb_assemble_stage(&record, &stage, &label, arm_labels), EKB_OK);
}

static uint64_t count_of(const struct ekb_record_counts *counts, const char *name)
{
    for (size_t i = 0; i < counts->num_items; i++) {
        if (strcmp(counts->items[i].name, name) == 0) {
            return counts->items[i].count;
        }
    }
    return 0;
}

static bool has_line(char (*lines)[EKB_RECORD_LINE_LEN], size_t num_lines, const char *part)
{
    for (size_t i = 0; i < num_lines; i++) {
        if (strstr(lines[i], part) != NULL) {
            return true;
        }
    }
    return false;
}

static const char *first_reason(void)
{
    return record.num_reasons > 0 ? record.reasons[0] : "(none)";
}

// What is copied.

Test(assemble, is_clean_when_all_went_as_expected)
{
    assemble();

    cr_expect(ekb_record_is_clean(&record), "%s", first_reason());
    cr_expect(!record.interrupted);
    cr_expect_eq(record.num_notes, 0, "%s", record.notes[0]);
}

Test(assemble, keeps_the_labels)
{
    assemble();

    cr_assert_eq(record.num_arms, NUM_ARMS);
    cr_expect_str_eq(record.arms[REJECTED].name, "off");
    cr_expect_str_eq(record.arms[REJECTED].stage, "cost");
    cr_expect_str_eq(record.arms[REJECTED].eku, "off");
    cr_expect_eq(record.arms[REJECTED].depth, 2);
    cr_expect_str_eq(record.arms[REJECTED].expect, "reject");
    cr_assert_eq(record.plan.num_stages, 1);
    cr_expect_str_eq(record.plan.stages[0].name, "cost");
    cr_expect_eq(record.plan.stages[0].in_flight, 4);
    cr_expect_eq(record.plan.stages[0].num_slices, NUM_SLICES - NUM_WARMUP);
}

Test(assemble, counts_outcomes_of_both_sides)
{
    assemble();

    const struct ekb_record_arm *accepted = &record.arms[ACCEPTED];
    const struct ekb_record_arm *rejected = &record.arms[REJECTED];
    cr_expect_eq(accepted->client.started, NUM_SLICES * PER_SLICE);
    cr_expect_eq(accepted->client.accepted, NUM_SLICES * PER_SLICE);
    cr_expect(accepted->server_known);
    cr_expect_eq(accepted->server.accepted, NUM_SLICES * PER_SLICE);
    cr_expect_eq(rejected->client.rejected, NUM_SLICES * PER_SLICE / 2);
    cr_expect_eq(count_of(&rejected->client.failures, "tls_alert"), NUM_SLICES * PER_SLICE / 2);
    cr_expect_eq(count_of(&rejected->server.failures, "verify_purpose"),
                 NUM_SLICES * PER_SLICE / 2);
    cr_expect_eq(count_of(&rejected->client.alerts, "unsupported_certificate"),
                 NUM_SLICES * PER_SLICE / 2);
    cr_expect_eq(accepted->client.failures.num_items, 0);
}

Test(assemble, summarizes_measured_samples)
{
    assemble();

    const struct ekb_record_arm *arm = &record.arms[ACCEPTED];
    cr_assert(arm->latency_ns.known && arm->connect_ns.known && arm->server_cpu_ns.known &&
              arm->client_cpu_ns.known && arm->verify_ns.known);
    cr_expect_eq(arm->latency_ns.moments.count, (NUM_SLICES - NUM_WARMUP) * PER_SLICE);
    cr_expect_eq(arm->latency_ns.moments.max, 900000);
    cr_expect_eq(arm->server_cpu_ns.moments.min, 300000);
    cr_assert(arm->server_cpu_interval_known);
    cr_expect_lt(fabs(arm->server_cpu_interval.estimate - 300000), 1);
    cr_expect_eq(arm->server_cpu_interval.n, NUM_SLICES - NUM_WARMUP);
    cr_assert(arm->client_sent_bytes.known);
    cr_expect_eq(arm->client_sent_bytes.value, 1000);
}

Test(assemble, leaves_unknown_what_was_not_measured)
{
    ekb_stage_deinit(&stage);
    stage_fixture_init(&stage, NUM_ARMS, NUM_SLICES, NUM_WARMUP, 0);

    assemble();

    const struct ekb_record_arm *arm = &record.arms[ACCEPTED];
    cr_expect(!arm->latency_ns.known);
    cr_expect(!arm->server_cpu_ns.known);
    cr_expect(!arm->server_cpu_interval_known);
    cr_expect(!arm->client_sent_bytes.known);
    cr_expect(!record.server_cpu[0].per_handshake_ns.known);
}

Test(assemble, knows_no_server_when_it_is_not_ours)
{
    ekb_tally_destroy(stage.server.tally);
    stage.server.tally = NULL;

    assemble();

    cr_expect(!record.arms[ACCEPTED].server_known);
    cr_expect_eq(record.num_server_cpu, 0);
    cr_expect_eq(record.num_client_cpu, 1);
    cr_expect(ekb_record_is_clean(&record), "%s", first_reason());
}

Test(assemble, appends_when_there_is_a_stage_already)
{
    static const struct ekb_record_stage second = {.name = "load"};

    assemble();
    cr_assert_eq(ekb_assemble_stage(&record, &stage, &second, arm_labels), EKB_OK);

    cr_assert_eq(record.num_arms, 2 * NUM_ARMS);
    cr_expect_str_eq(record.arms[0].stage, "cost");
    cr_expect_str_eq(record.arms[NUM_ARMS].stage, "load");
    cr_expect_eq(record.plan.num_stages, 2);
    cr_expect_eq(record.num_server_cpu, 2);
    cr_expect_eq(record.num_throughput, 2 * (NUM_ARMS + 1));
    cr_expect_not_null(ekb_record_find_arm(&record, "load", "on"));
}

// Throughput.

static const struct ekb_record_throughput *throughput(const char *arm_name)
{
    for (size_t i = 0; i < record.num_throughput; i++) {
        if (strcmp(record.throughput[i].arm, arm_name) == 0) {
            return &record.throughput[i];
        }
    }
    cr_assert_fail("no throughput of \"%s\"", arm_name);
    return NULL;
}

Test(assemble, gives_throughput_of_each_arm_and_of_all)
{
    for (uint32_t slice = 0; slice < NUM_SLICES; slice++) {
        stage_fixture_accept(&stage, REJECTED, slice, 3, 300000);
    }

    assemble();

    cr_expect_lt(fabs(throughput("on")->accepted_per_s - PER_SLICE / SLICE_S), 1e-6);
    cr_expect_lt(fabs(throughput("off")->accepted_per_s - 3 / SLICE_S), 1e-6);
    cr_expect_lt(fabs(throughput("")->accepted_per_s - (PER_SLICE + 3) / SLICE_S), 1e-6);
    cr_expect_eq(throughput("")->num_blocks, NUM_SLICES - NUM_WARMUP);
    cr_expect_eq(throughput("")->blocks[0], PER_SLICE + 3);
    cr_expect_eq(throughput("")->block_ns, STAGE_FIXTURE_SLICE_NS);
}

Test(assemble, counts_no_block_when_slice_measures_the_floor)
{
    ekb_stage_deinit(&stage);
    stage_fixture_init(&stage, NUM_ARMS, NUM_SLICES, NUM_WARMUP, 4);
    fill();

    assemble();

    cr_expect_eq(throughput("")->num_blocks, 15);
    cr_expect_lt(fabs(throughput("on")->accepted_per_s - PER_SLICE / SLICE_S), 1e-6);
}

Test(assemble, counts_no_block_when_slice_was_not_finished)
{
    // Stopped in the middle of slice 7.
    for (uint32_t slice = 8; slice <= NUM_SLICES; slice++) {
        stage.server.tally->cpu_ns_at[slice] = 0;
        stage.client.tally->cpu_ns_at[slice] = 0;
    }

    assemble();

    cr_expect_eq(throughput("")->num_blocks, 5);
    cr_expect_lt(fabs(throughput("on")->accepted_per_s - PER_SLICE / SLICE_S), 1e-6);
    cr_expect_eq(record.client_cpu[0].window_ns, 5 * STAGE_FIXTURE_SLICE_NS);
}

// A load of a given number of handshakes is over before its time is.
Test(assemble, counts_the_last_slice_by_its_length_when_all_was_done_in_it)
{
    for (uint32_t slice = 8; slice <= NUM_SLICES; slice++) {
        stage.client.tally->cpu_ns_at[slice] = 0;
    }
    stage.client.tally->ended_ns =
        ekb_timeline_start(&stage.timeline, 7) + STAGE_FIXTURE_SLICE_NS / 2;

    assemble();

    cr_expect_eq(throughput("")->num_blocks, 5);
    cr_expect_lt(fabs(throughput("on")->accepted_per_s - 6 * PER_SLICE / (5.5 * SLICE_S)), 1e-6,
                 "%f", throughput("on")->accepted_per_s);
    cr_expect_eq(record.plan.stages[0].num_slices, 5);
    cr_expect_eq(record.plan.stages[0].duration_ns, 5 * STAGE_FIXTURE_SLICE_NS);
}

Test(assemble, leaves_out_the_last_slice_when_it_was_interrupted)
{
    for (uint32_t slice = 8; slice <= NUM_SLICES; slice++) {
        stage.client.tally->cpu_ns_at[slice] = 0;
    }
    stage.client.tally->ended_ns =
        ekb_timeline_start(&stage.timeline, 7) + STAGE_FIXTURE_SLICE_NS / 2;
    stage.interrupted = true;

    assemble();

    cr_expect_lt(fabs(throughput("on")->accepted_per_s - PER_SLICE / SLICE_S), 1e-6, "%f",
                 throughput("on")->accepted_per_s);
}

// What is unknown is never 0: handshakes were accepted, only no block was finished.
Test(assemble, gives_no_rate_of_zero_when_no_slice_was_finished)
{
    for (uint32_t slice = 1; slice <= NUM_SLICES; slice++) {
        stage.server.tally->cpu_ns_at[slice] = 0;
        stage.client.tally->cpu_ns_at[slice] = 0;
    }

    assemble();

    cr_assert_gt(record.arms[ACCEPTED].client.accepted, 0);
    cr_expect_eq(throughput("on")->num_blocks, 0);
    cr_expect(!isfinite(throughput("on")->accepted_per_s), "%f per s for %llu accepted",
              throughput("on")->accepted_per_s,
              (unsigned long long)record.arms[ACCEPTED].client.accepted);
}

// CPU, memory, network.

Test(assemble, adds_up_cpu_of_measured_slices)
{
    stage.server.tally->user_ns = 111;
    stage.server.tally->system_ns = 222;
    stage.server.tally->peak_connections = 9;

    assemble();

    const struct ekb_record_cpu *cpu = &record.server_cpu[0];
    const uint64_t num_measured = NUM_SLICES - NUM_WARMUP;
    cr_expect_eq(cpu->total_ns, num_measured * STAGE_FIXTURE_CPU_NS);
    cr_expect_eq(cpu->steps_ns, num_measured * STAGE_FIXTURE_STEPS_NS);
    cr_expect_eq(cpu->window_ns, num_measured * STAGE_FIXTURE_SLICE_NS);
    cr_expect_eq(cpu->handshakes, num_measured * (PER_SLICE + PER_SLICE / 2));
    cr_expect_eq(cpu->user_ns, 111);
    cr_expect_eq(cpu->system_ns, 222);
    cr_assert(cpu->per_handshake_ns.known && cpu->kernel_and_loop_ns.known &&
              cpu->busy_percent.known);
    cr_expect_lt(fabs(cpu->per_handshake_ns.value - 90e6 / 15), 1);
    cr_expect_lt(fabs(cpu->kernel_and_loop_ns.value - 30e6 / 15), 1);
    cr_expect_lt(fabs(cpu->busy_percent.value - 90), 1e-6);
    cr_expect_eq(cpu->peak_connections.value, 9);
    cr_expect_str_eq(cpu->cpu_list, "0");
    cr_expect_str_eq(cpu->ring_setup, "by hand");
}

Test(assemble, leaves_kernel_share_unknown_when_steps_exceed_cpu_time)
{
    for (uint32_t slice = 0; slice < NUM_SLICES; slice++) {
        stage.server.tally->steps_ns[slice] = 2 * STAGE_FIXTURE_CPU_NS;
    }

    assemble();

    cr_expect(!record.server_cpu[0].kernel_and_loop_ns.known);
}

Test(assemble, gives_memory_when_known)
{
    stage.server.tally->peak_connections = 10;
    stage.server.memory_base_bytes = 1000;
    stage.server.memory_peak_bytes = 51000;

    assemble();

    cr_assert(record.server_cpu[0].memory_per_connection_bytes.known);
    cr_expect_eq(record.server_cpu[0].memory_per_connection_bytes.value, 5000);
    cr_expect(!record.client_cpu[0].memory_base_bytes.known);
    cr_expect(!record.client_cpu[0].memory_per_connection_bytes.known);
}

Test(assemble, gives_network_counters_when_known)
{
    struct ekb_record without = {0};
    cr_assert_eq(ekb_assemble_stage(&without, &stage, &label, arm_labels), EKB_OK);
    stage.network_known = true;
    stage.network.time_wait_overflows = 5;

    assemble();

    cr_expect_eq(without.plan.stages[0].num_network, 0);
    cr_assert_gt(record.plan.stages[0].num_network, 0);
    uint64_t found = 0;
    for (size_t i = 0; i < record.plan.stages[0].num_network; i++) {
        const struct ekb_record_count *count = &record.plan.stages[0].network[i];
        found += strcmp(count->name, "time_wait_overflows") == 0 ? count->count : 0;
    }
    cr_expect_eq(found, 5);
    ekb_record_deinit(&without);
}

// What speaks against trusting the numbers.

struct spoiled_case {
    const char *name;
    void (*spoil)(void);
    const char *reason; // A part of it.
};

static void some_accepted_arm_rejected(void)
{
    struct ekb_tally *const sides[] = {stage.server.tally, stage.client.tally};
    for (size_t i = 0; i < 2; i++) {
        sides[i]->arms[ACCEPTED].started++;
        sides[i]->arms[ACCEPTED].rejected++;
    }
}

static void some_rejected_arm_accepted(void)
{
    stage_fixture_accept(&stage, REJECTED, 5, 1, 300000);
}

static void some_failed(void)
{
    stage.client.tally->arms[ACCEPTED].started++;
    stage.client.tally->arms[ACCEPTED].failed++;
}

static void client_lost_count(void)
{
    stage.client.tally->arms[ACCEPTED].started++;
}

static void server_accepted_fewer(void)
{
    stage.server.tally->arms[ACCEPTED].accepted--;
    stage.server.tally->arms[ACCEPTED].failed++;
}

static void server_accepted_more(void)
{
    stage.server.tally->arms[ACCEPTED].started++;
    stage.server.tally->arms[ACCEPTED].accepted++;
}

static void server_rejected_more(void)
{
    stage.server.tally->arms[REJECTED].started++;
    stage.server.tally->arms[REJECTED].rejected++;
}

static void server_ring_overflowed(void)
{
    stage.server.tally->num_overflows = 1;
}

static void client_ring_overflowed(void)
{
    stage.client.tally->num_overflows = 1;
}

static void accept_failed(void)
{
    stage.server.tally->num_accept_errors = 1;
}

static void accept_queue_overflowed(void)
{
    stage.network_known = true;
    stage.network.listen_overflows = 1;
    stage.network.listen_drops = 1;
}

static void cpu_was_shared(void)
{
    stage.server.cpus[0] = -1;
    stage.client.cpus[0] = -1;
}

static void much_was_stolen(void)
{
    for (uint32_t slice = NUM_WARMUP; slice < NUM_WARMUP + 5; slice++) {
        stage.steal_by_slice[slice] = 50;
    }
}

static void workers_had_to_wait(void)
{
    for (uint32_t slice = NUM_WARMUP; slice < NUM_WARMUP + 5; slice++) {
        stage.client.tally->run_delay_ns[slice] = STAGE_FIXTURE_SLICE_NS / 10;
    }
}

static void it_was_interrupted(void)
{
    stage.interrupted = true;
}

Test(assemble, is_not_clean_when_spoiled)
{
    static const struct spoiled_case cases[] = {
        {"rejected, not accepted", some_accepted_arm_rejected, "cost/on: expected to accept"},
        {"accepted, not rejected", some_rejected_arm_accepted, "cost/off: expected to reject"},
        {"failed", some_failed, "1 failed"},
        {"lost count", client_lost_count, "do not add up"},
        {"server accepted fewer", server_accepted_fewer, "the server counts"},
        {"server accepted more", server_accepted_more, "the server counts"},
        {"server rejected more", server_rejected_more, "cost/off: the server counts"},
        {"server's ring", server_ring_overflowed, "server's completion queue overflowed"},
        {"client's ring", client_ring_overflowed, "client's completion queue overflowed"},
        {"accept", accept_failed, "accepting a connection failed"},
        {"accept queue", accept_queue_overflowed, "accept queue overflowed"},
        {"one CPU", cpu_was_shared, "share a CPU"},
        {"steal", much_was_stolen, "in 5 of 20 slices"},
        {"wait", workers_had_to_wait, "in 5 of 20 slices"},
        {"interrupted", it_was_interrupted, "interrupted"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        tear_down();
        set_up();
        cases[i].spoil();
        assemble();
        cr_expect(!ekb_record_is_clean(&record), "%s: clean", cases[i].name);
        cr_expect(has_line(record.reasons, record.num_reasons, cases[i].reason),
                  "%s: no \"%s\" but: %s", cases[i].name, cases[i].reason, first_reason());
        cr_expect_eq(record.interrupted, cases[i].spoil == it_was_interrupted, "%s", cases[i].name);
    }
}

Test(assemble, is_clean_when_the_end_cut_connections_off)
{
    // The client did not live to read some verdicts.
    stage.client.tally->arms[ACCEPTED].started += 3;
    stage.client.tally->arms[ACCEPTED].unfinished += 3;
    stage.server.tally->arms[ACCEPTED].started += 3;
    stage.server.tally->arms[ACCEPTED].accepted += 2;
    stage.server.tally->arms[ACCEPTED].failed += 1;

    assemble();

    cr_expect(ekb_record_is_clean(&record), "%s", first_reason());
}

Test(assemble, gives_the_rate_an_interval_over_its_blocks)
{
    assemble();

    cr_assert(throughput("")->interval_known);
    cr_expect_lt(fabs(throughput("")->interval.estimate - throughput("")->accepted_per_s), 1e-6);
}

Test(assemble, notes_a_rate_that_goes_up_and_down)
{
    for (uint32_t slice = NUM_WARMUP; slice < NUM_SLICES; slice += 2) {
        stage_fixture_accept(&stage, ACCEPTED, slice, 2 * PER_SLICE, 300000);
    }

    assemble();

    cr_expect(has_line(record.notes, record.num_notes, "the rate is unsteady, 50 %"));
}

// A step is no convoy.
Test(assemble, notes_no_unsteady_rate_of_an_open_loop)
{
    struct ekb_record_stage open_loop = label;
    EKB_RECORD_COPY(open_loop.shape, "open-loop");
    for (uint32_t slice = NUM_WARMUP; slice < NUM_SLICES; slice += 2) {
        stage_fixture_accept(&stage, ACCEPTED, slice, 2 * PER_SLICE, 300000);
    }

    cr_assert_eq(ekb_assemble_stage(&record, &stage, &open_loop, arm_labels), EKB_OK);

    cr_expect(!has_line(record.notes, record.num_notes, "the rate is unsteady"));
}

Test(assemble, is_not_clean_when_somebody_else_connects)
{
    stage.server.tally->arms[ACCEPTED].started += 3;
    stage.server.tally->arms[ACCEPTED].failed += 3;

    assemble();

    cr_expect(has_line(record.reasons, record.num_reasons, "3 connections came from somebody else"),
              "%s", first_reason());
}

Test(assemble, notes_what_is_worth_knowing_when_clean)
{
    stage.network_known = true;
    stage.network.retransmitted_segments = 10;
    stage.network.loss_probes = 3; // Nothing was lost.
    stage.steal_by_slice[NUM_WARMUP] = 50;

    assemble();

    cr_expect(ekb_record_is_clean(&record), "%s", first_reason());
    cr_expect(has_line(record.notes, record.num_notes, "retransmitted on this machine: 7"));
    cr_expect(has_line(record.notes, record.num_notes, "1 of 20 slices"));
    cr_expect_eq(record.plan.stages[0].num_slices_dropped, 1);
}

// Kept slices.

Test(assemble, drops_slices_in_which_a_worker_had_to_wait)
{
    struct ekb_slice_sum all[NUM_SLICES];
    struct ekb_slice_sum kept[NUM_SLICES];
    // Five per cent are allowed.
    stage.server.tally->run_delay_ns[4] = STAGE_FIXTURE_SLICE_NS / 20;
    stage.server.tally->run_delay_ns[5] = STAGE_FIXTURE_SLICE_NS / 20 + 1;
    stage.client.tally->run_delay_ns[6] = STAGE_FIXTURE_SLICE_NS / 20 + 1;
    for (uint32_t i = 0; i < NUM_SLICES; i++) {
        all[i] = (struct ekb_slice_sum){1, 1};
    }

    ekb_assemble_kept_slices(kept, &stage, all, EKB_SLICE_MEASURED);

    cr_expect_eq(kept[4].count, 1);
    cr_expect_eq(kept[5].count, 0);
    cr_expect_eq(kept[6].count, 0);
    cr_expect_eq(kept[7].count, 1);
}

Test(assemble, keeps_slices_of_the_kind_that_were_not_stolen)
{
    struct ekb_slice_sum all[NUM_SLICES];
    struct ekb_slice_sum kept[NUM_SLICES];
    stage.timeline.floor_every = 5;
    stage.steal_by_slice[4] = EKB_CHECK_MAX_STEAL_PERCENT + 0.1;
    stage.steal_by_slice[5] = EKB_CHECK_MAX_STEAL_PERCENT;
    for (uint32_t i = 0; i < NUM_SLICES; i++) {
        all[i] = (struct ekb_slice_sum){i + 1, 100 * (i + 1)};
    }

    ekb_assemble_kept_slices(kept, &stage, all, EKB_SLICE_MEASURED);

    for (uint32_t i = 0; i < NUM_SLICES; i++) {
        const bool is_floor = i == 6 || i == 11 || i == 16 || i == 21;
        const bool wanted = i >= NUM_WARMUP && !is_floor && i != 4;
        cr_expect_eq(kept[i].count, wanted ? i + 1 : 0, "slice %u", i);
        cr_expect_eq(kept[i].sum, wanted ? 100 * (i + 1) : 0, "slice %u", i);
    }

    ekb_assemble_kept_slices(kept, &stage, all, EKB_SLICE_FLOOR);

    for (uint32_t i = 0; i < NUM_SLICES; i++) {
        const bool is_floor = i == 6 || i == 11 || i == 16 || i == 21;
        cr_expect_eq(kept[i].count, is_floor ? i + 1 : 0, "slice %u", i);
    }
}
