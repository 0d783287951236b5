// Events: what a server worker has to tell people, one at a time, while it runs.
//
// A queue in memory shared by the worker, which alone pushes, and its parent, which alone pops. It
// never blocks the worker: an event for which there is no room is counted and lost; refused
// connections leave room for the others. The text of an event is made here; writing it is the
// parent's business.

#ifndef EKUBENCH_PEER_EVENT_H
#define EKUBENCH_PEER_EVENT_H

#include "ekubench/base/err.h"
#include "ekubench/io/net.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ekb_event_kind {
    EKB_EVENT_REFUSED,       // An inbound connection did not come to an accepted handshake.
    EKB_EVENT_RELOADED,      // The store and the policies have been read anew.
    EKB_EVENT_RELOAD_FAILED, // They could not be, and the old ones stay.
    EKB_EVENT_ACCEPTED,      // A handshake was accepted; told only if that is asked for.
};

#define EKB_EVENT_SERIAL_LEN 64

struct ekb_event {
    enum ekb_event_kind kind;
    uint64_t at_ns;           // CLOCK_REALTIME.
    struct ekb_address peer;  // Of a connection: where it came from,
    struct ekb_address local; // and where it went.
    struct ekb_fail fail;     // Why.
    // Of the certificate that the peer presented, if accepted handshakes are told, too; "".
    char serial[EKB_EVENT_SERIAL_LEN];
    uint64_t spent_ns; // Of a reload: how long no connection was served for it; 0: not known.
};

struct ekb_event_queue;

// So many events fit. A parent that looks ten times a second loses none below 80000 a second, which
// is more than a worker can refuse.
#define EKB_EVENT_QUEUE_LEN 8192

// Enough for any text that ekb_event_format writes.
#define EKB_EVENT_TEXT_LEN 1024

// ekb_event_queue_create makes an empty queue in newly-mapped shared memory; release it with
// `ekb_event_queue_destroy` (NULL is legal). EKB_NOMEM.
EKB_NODISCARD enum ekb_err ekb_event_queue_create(struct ekb_event_queue **out_queue);
void ekb_event_queue_destroy(struct ekb_event_queue *queue);

// ekb_event_push appends a copy of `event`, or counts it as lost. Worker only.
void ekb_event_push(struct ekb_event_queue *queue, const struct ekb_event *event);

// ekb_event_pop takes the oldest event; false if there is none. ekb_event_num_lost returns how many
// were lost so far. Parent only.
bool ekb_event_pop(struct ekb_event *out_event, struct ekb_event_queue *queue);
uint64_t ekb_event_num_lost(const struct ekb_event_queue *queue);

// ekb_event_now_ns returns CLOCK_REALTIME in nanoseconds.
uint64_t ekb_event_now_ns(void);

// ekb_event_format writes `event` as one line of the event log, without its end, and returns
// `out_text`: the local time with its offset from UTC, then the fields in the order of
// docs/domain.md section 5. `ekb_event_format_lost` writes the line that stands for `num_lost`
// lines left out.
const char *ekb_event_format(char out_text[EKB_EVENT_TEXT_LEN], const struct ekb_event *event);
const char *ekb_event_format_lost(char out_text[EKB_EVENT_TEXT_LEN], uint64_t at_ns,
                                  uint64_t num_lost);

#endif
