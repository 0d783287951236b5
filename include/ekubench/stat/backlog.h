// Is a load sustained? Whether the work in hand grows while it lasts. Pure.
//
// A server that is as fast as its load has a queue that goes up and down; one that is not has a
// queue that grows for as long as the load lasts, and meets any objective until it does not. So a
// trial is judged by its work in hand too, the connections under way, looked at at equal distances:
// by the median of its last third less that of its first, which a stall shorter than a sixth of the
// trial does not move.
//
// How much may it grow by chance? At the very limit, where the server is just as fast as the load,
// the queue is a random walk: over `due` Poisson arrivals it wanders by sqrt(due), and the
// difference of the thirds by 0.75 sqrt(due) (standard deviations; more if service times scatter).
// A growth of more than sqrt(due) is taken for overload. An overload by the share x adds 2/3 x due:
// it is found more often than not from x = 1.5 / sqrt(due) on, and nearly always from
// 3 / sqrt(due) on. What is nearer to the limit than that, no trial of that length can tell from
// it.

#ifndef EKUBENCH_STAT_BACKLOG_H
#define EKUBENCH_STAT_BACKLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The work in hand at the beginning and at the end.
struct ekb_backlog {
    double begin;
    double end;
};

// ekb_backlog_look takes `num_looks` looks at the work in hand, in time order; false, and nothing
// written, with fewer than three.
bool ekb_backlog_look(struct ekb_backlog *out_backlog, const uint64_t *in_hand, size_t num_looks);

// ekb_backlog_grows is true if it grew by more than chance would have it, of `due` arrivals.
bool ekb_backlog_grows(const struct ekb_backlog *backlog, double due);

// ekb_backlog_highest_per_s returns the highest rate that is worth a trial of `duration_ns` where a
// closed loop reaches `ceiling_per_s`: that from which the trial can tell an overload. At least
// half of the ceiling.
double ekb_backlog_highest_per_s(double ceiling_per_s, uint64_t duration_ns);

#endif
