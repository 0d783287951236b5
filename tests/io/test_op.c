#include "ekubench/io/op.h"

#include <criterion/criterion.h>

#include <inttypes.h>
#include <signal.h>

static const struct {
    const char *name;
    struct ekb_op_tag tag;
    uint64_t packed;
} tags[] = {
    {"all zero", {EKB_OP_ACCEPT, 0, 0}, UINT64_C(0)},
    {"operation", {EKB_OP_RECV, 0, 0}, UINT64_C(0x0200000000000000)},
    {"slot", {EKB_OP_ACCEPT, UINT32_MAX, 0}, UINT64_C(0x00000000ffffffff)},
    {"generation", {EKB_OP_ACCEPT, 0, EKB_OP_GENERATION_MASK}, UINT64_C(0x00ffffff00000000)},
    {"everything",
     {EKB_OP_NOP, UINT32_C(0x89abcdef), UINT32_C(0x123456)},
     UINT64_C(0x0612345689abcdef)},
};

#define NUM_TAGS (sizeof tags / sizeof tags[0])

Test(op, puts_each_part_into_its_bits_when_packed)
{
    for (size_t i = 0; i < NUM_TAGS; i++) {
        const uint64_t packed = ekb_op_pack(tags[i].tag);

        cr_expect_eq(packed, tags[i].packed, "%s: %016" PRIx64, tags[i].name, packed);
    }
}

Test(op, gives_the_parts_back_when_unpacked)
{
    for (size_t i = 0; i < NUM_TAGS; i++) {
        const struct ekb_op_tag tag = ekb_op_unpack(tags[i].packed);

        cr_expect_eq(tag.op, tags[i].tag.op, "%s: %d", tags[i].name, (int)tag.op);
        cr_expect_eq(tag.slot, tags[i].tag.slot, "%s: %" PRIx32, tags[i].name, tag.slot);
        cr_expect_eq(tag.generation, tags[i].tag.generation, "%s: %" PRIx32, tags[i].name,
                     tag.generation);
    }
}

Test(op, survives_packing_when_of_any_operation)
{
    for (int op = 0; op < EKB_OP_NUM; op++) {
        const struct ekb_op_tag tag = ekb_op_unpack(
            ekb_op_pack((struct ekb_op_tag){.op = (enum ekb_op)op, .slot = 7, .generation = 9}));

        cr_expect(tag.op == (enum ekb_op)op && tag.slot == 7 && tag.generation == 9,
                  "%d: %d, %" PRIu32 ", %" PRIu32, op, (int)tag.op, tag.slot, tag.generation);
    }
}

#ifndef NDEBUG
Test(op, is_refused_when_the_generation_has_more_than_24_bits, .signal = SIGABRT)
{
    (void)ekb_op_pack((struct ekb_op_tag){.generation = EKB_OP_GENERATION_MASK + 1});
}
#endif
