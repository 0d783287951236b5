// Operations and how a completion finds its way back.
//
// The 64 bits of user data hold the operation, the slot it belongs to, and the slot's generation: a
// completion that arrives after the slot was given to another connection carries an old generation
// and is ignored.

#ifndef EKUBENCH_IO_OP_H
#define EKUBENCH_IO_OP_H

#include <assert.h>
#include <stdint.h>

enum ekb_op {
    EKB_OP_ACCEPT,
    EKB_OP_CONNECT,
    EKB_OP_RECV,
    EKB_OP_SEND,
    EKB_OP_CANCEL,
    EKB_OP_CONTROL,
    EKB_OP_NOP,
    EKB_OP_NUM
};

#define EKB_OP_GENERATION_MASK UINT32_C(0xffffff)

struct ekb_op_tag {
    enum ekb_op op;
    uint32_t slot;
    uint32_t generation; // 24 bits.
};

_Static_assert(EKB_OP_NUM <= 256, "the operation has 8 bits");

// ekb_op_pack and ekb_op_unpack are inverse to each other.
static inline uint64_t ekb_op_pack(struct ekb_op_tag tag)
{
    assert(tag.generation <= EKB_OP_GENERATION_MASK);
    return (uint64_t)tag.op << 56 | (uint64_t)tag.generation << 32 | tag.slot;
}

static inline struct ekb_op_tag ekb_op_unpack(uint64_t user_data)
{
    return (struct ekb_op_tag){
        .op = (enum ekb_op)(user_data >> 56),
        .slot = (uint32_t)user_data,
        .generation = (uint32_t)(user_data >> 32) & EKB_OP_GENERATION_MASK,
    };
}

#endif
