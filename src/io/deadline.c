#include "ekubench/io/deadline.h"

#include <assert.h>
#include <stdlib.h>

// A doubly linked list through an array; index `capacity` is the head.
struct node {
    uint32_t previous;
    uint32_t next;
    uint64_t expires_ns; // 0: not armed.
};

struct ekb_deadlines {
    uint32_t capacity;
    uint64_t ttl_ns;
    struct node nodes[];
};

enum ekb_err ekb_deadlines_create(struct ekb_deadlines **out_deadlines, uint32_t capacity,
                                  uint64_t ttl_ns)
{
    struct ekb_deadlines *deadlines =
        calloc(1, sizeof *deadlines + ((size_t)capacity + 1) * sizeof deadlines->nodes[0]);
    if (deadlines == NULL) {
        return EKB_NOMEM;
    }
    deadlines->capacity = capacity;
    deadlines->ttl_ns = ttl_ns;
    deadlines->nodes[capacity] = (struct node){.previous = capacity, .next = capacity};
    *out_deadlines = deadlines;
    return EKB_OK;
}

void ekb_deadlines_destroy(struct ekb_deadlines *deadlines)
{
    free(deadlines);
}

void ekb_deadlines_arm(struct ekb_deadlines *deadlines, uint32_t slot, uint64_t now_ns)
{
    assert(slot < deadlines->capacity);
    ekb_deadlines_disarm(deadlines, slot);
    struct node *head = &deadlines->nodes[deadlines->capacity];
    struct node *node = &deadlines->nodes[slot];
    node->expires_ns = now_ns + deadlines->ttl_ns;
    assert(head->previous == deadlines->capacity ||
           deadlines->nodes[head->previous].expires_ns <= node->expires_ns);
    node->previous = head->previous;
    node->next = deadlines->capacity;
    deadlines->nodes[head->previous].next = slot;
    head->previous = slot;
}

void ekb_deadlines_disarm(struct ekb_deadlines *deadlines, uint32_t slot)
{
    assert(slot < deadlines->capacity);
    struct node *node = &deadlines->nodes[slot];
    if (node->expires_ns != 0) {
        deadlines->nodes[node->previous].next = node->next;
        deadlines->nodes[node->next].previous = node->previous;
        node->expires_ns = 0;
    }
}

uint64_t ekb_deadlines_next(const struct ekb_deadlines *deadlines)
{
    const uint32_t first = deadlines->nodes[deadlines->capacity].next;
    return first == deadlines->capacity ? UINT64_MAX : deadlines->nodes[first].expires_ns;
}

bool ekb_deadlines_pop(struct ekb_deadlines *deadlines, uint32_t *out_slot, uint64_t now_ns)
{
    const uint32_t first = deadlines->nodes[deadlines->capacity].next;
    if (first == deadlines->capacity || deadlines->nodes[first].expires_ns > now_ns) {
        return false;
    }
    *out_slot = first;
    ekb_deadlines_disarm(deadlines, *out_slot);
    return true;
}
