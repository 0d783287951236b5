#include "stat/merge_internal.h"

#include "ekubench/base/utf8.h"

#include <stdio.h>
#include <string.h>

// Two parts, and the first thing in which they differ.
struct pair {
    const struct ekb_merge_part *first;
    const struct ekb_merge_part *other;
    enum merge_times times;
    enum ekb_err err;
    struct ekb_fail *fail;
};

const char *merge_shorten(char *out_text, size_t text_len, const char *text)
{
    static const char gap[] = "...";
    const size_t len = strlen(text);
    if (len < text_len) {
        memcpy(out_text, text, len + 1);
        return out_text;
    }
    const size_t room = text_len - sizeof gap;
    const size_t head = ekb_utf8_cut(text, room / 2);
    size_t tail = len - (room - room / 2);
    while (((unsigned char)text[tail] & 0xc0) == 0x80) { // Not within a character.
        tail++;
    }
    (void)snprintf(out_text, text_len, "%.*s%s%s", (int)head, text, gap, text + tail);
    return out_text;
}

static void refuse(struct pair *pair, const char *name, const char *first, const char *other)
{
    char labels[2][100];
    char values[2][60];
    if (pair->err == EKB_OK) {
        pair->err = ekb_fail_set(pair->fail, EKB_USAGE, 0,
                                 "they do not merge: %.120s is \"%s\" in %s and \"%s\" in %s", name,
                                 merge_shorten(values[0], sizeof values[0], first),
                                 merge_shorten(labels[0], sizeof labels[0], pair->first->label),
                                 merge_shorten(values[1], sizeof values[1], other),
                                 merge_shorten(labels[1], sizeof labels[1], pair->other->label));
    }
}

static void same_text(struct pair *pair, const char *name, const char *first, const char *other)
{
    if (strcmp(first, other) != 0) {
        refuse(pair, name, first, other);
    }
}

static void same_u64(struct pair *pair, const char *name, uint64_t first, uint64_t other)
{
    char texts[2][24];
    if (first != other) {
        (void)snprintf(texts[0], sizeof texts[0], "%llu", (unsigned long long)first);
        (void)snprintf(texts[1], sizeof texts[1], "%llu", (unsigned long long)other);
        refuse(pair, name, texts[0], texts[1]);
    }
}

// name_of writes "plan.stages.load.warmup_ns".
static const char *name_of(char out_text[160], const char *list, const char *item, const char *key)
{
    (void)snprintf(out_text, 160, "%s.%s.%s", list, item, key);
    return out_text;
}

static void same_real(struct pair *pair, const char *name, double first, double other)
{
    char texts[2][24];
    if (first < other || first > other) {
        (void)snprintf(texts[0], sizeof texts[0], "%g", first);
        (void)snprintf(texts[1], sizeof texts[1], "%g", other);
        refuse(pair, name, texts[0], texts[1]);
    }
}

static void same_open_loop(struct pair *pair, const struct ekb_record_stage *first,
                           const struct ekb_record_stage *other)
{
    const struct ekb_record_open_loop *ours = &first->open_loop;
    const struct ekb_record_open_loop *theirs = &other->open_loop;
    char name[160];
    same_text(pair, name_of(name, "plan.stages", first->name, "arrivals"), ours->arrivals,
              theirs->arrivals);
    same_u64(pair, name_of(name, "plan.stages", first->name, "stretches"), ours->num_stretches,
             theirs->num_stretches);
    for (size_t i = 0; pair->err == EKB_OK && i < ours->num_stretches; i++) {
        same_u64(pair, name_of(name, "plan.stages", first->name, "stretches.duration_ns"),
                 ours->stretches[i].duration_ns, theirs->stretches[i].duration_ns);
        if (pair->times == MERGE_APART) {
            same_real(pair, name_of(name, "plan.stages", first->name, "stretches.begin_per_s"),
                      ours->stretches[i].begin_per_s, theirs->stretches[i].begin_per_s);
            same_real(pair, name_of(name, "plan.stages", first->name, "stretches.end_per_s"),
                      ours->stretches[i].end_per_s, theirs->stretches[i].end_per_s);
        }
    }
}

static void same_stage(struct pair *pair, const struct ekb_record_stage *first,
                       const struct ekb_record_stage *other)
{
    char name[160];
    const bool is_load = strcmp(ekb_record_base_kind(pair->first->record), "load") == 0;
    const bool is_cut = pair->first->record->interrupted || pair->other->record->interrupted;
    same_text(pair, "plan.stages", first->name, other->name);
    same_text(pair, name_of(name, "plan.stages", first->name, "shape"), first->shape, other->shape);
    same_text(pair, name_of(name, "plan.stages", first->name, "client"), first->client,
              other->client);
    if (pair->times == MERGE_APART) {
        same_u64(pair, name_of(name, "plan.stages", first->name, "in_flight"), first->in_flight,
                 other->in_flight);
    }
    if (is_load) { // A measurement finds out by itself how long it takes to warm up.
        same_u64(pair, name_of(name, "plan.stages", first->name, "ramp_ns"), first->ramp_ns,
                 other->ramp_ns);
        same_u64(pair, name_of(name, "plan.stages", first->name, "warmup_ns"), first->warmup_ns,
                 other->warmup_ns);
    }
    if (!is_cut) { // The duration of a stage that ended early is how far it came.
        same_u64(pair, name_of(name, "plan.stages", first->name, "duration_ns"), first->duration_ns,
                 other->duration_ns);
    }
    same_u64(pair, name_of(name, "plan.stages", first->name, "slice_ns"), first->slice_ns,
             other->slice_ns);
    same_u64(pair, name_of(name, "plan.stages", first->name, "floor_every"), first->floor_every,
             other->floor_every);
    same_open_loop(pair, first, other);
}

static void same_arm(struct pair *pair, const struct ekb_record_arm *first,
                     const struct ekb_record_arm *other)
{
    const struct {
        const char *key;
        const char *first;
        const char *other;
    } texts[] = {
        {"stage", first->stage, other->stage}, {"name", first->name, other->name},
        {"eku", first->eku, other->eku},       {"verify", first->verify, other->verify},
        {"key", first->key, other->key},       {"client_eku", first->client_eku, other->client_eku},
        {"tls", first->tls, other->tls},       {"expect", first->expect, other->expect},
        {"pick", first->pick, other->pick},
    };
    char name[160];
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        same_text(pair, name_of(name, "arms", first->name, texts[i].key), texts[i].first,
                  texts[i].other);
    }
    same_u64(pair, name_of(name, "arms", first->name, "depth"), first->depth, other->depth);
    same_u64(pair, name_of(name, "arms", first->name, "resumes"), first->resumes ? 1 : 0,
             other->resumes ? 1 : 0);
    same_u64(pair, name_of(name, "arms", first->name, "identities"), first->identities,
             other->identities);
    same_u64(pair, name_of(name, "arms", first->name, "server"), first->server_known ? 1 : 0,
             other->server_known ? 1 : 0);
}

static void same_plan(struct pair *pair)
{
    const struct ekb_record *first = pair->first->record;
    const struct ekb_record *other = pair->other->record;
    same_text(pair, "kind", ekb_record_base_kind(first), ekb_record_base_kind(other));
    same_text(pair, "plan.name", first->plan.name, other->plan.name);
    same_text(pair, "plan.tls", first->plan.tls, other->plan.tls);
    same_text(pair, "plan.groups", first->plan.groups, other->plan.groups);
    same_text(pair, "plan.key", first->plan.key, other->plan.key);
    same_text(pair, "plan.target", first->plan.target, other->plan.target);
    same_text(pair, "plan.scenario", first->plan.scenario, other->plan.scenario);
    same_text(pair, "plan.release", first->plan.release, other->plan.release);
    same_text(pair, "plan.confirm", first->plan.confirm, other->plan.confirm);
    same_text(pair, "plan.cipher", first->plan.cipher, other->plan.cipher);
    same_text(pair, "plan.group", first->plan.group, other->plan.group);
    same_text(pair, "plan.server_signature", first->plan.server_signature,
              other->plan.server_signature);
    same_u64(pair, "plan.deadline_ns", first->plan.deadline_ns, other->plan.deadline_ns);
    same_u64(pair, "the number of plan.stages", first->plan.num_stages, other->plan.num_stages);
    same_u64(pair, "the number of arms", first->num_arms, other->num_arms);
    for (size_t i = 0; pair->err == EKB_OK && i < first->plan.num_stages; i++) {
        same_stage(pair, &first->plan.stages[i], &other->plan.stages[i]);
    }
    for (size_t i = 0; pair->err == EKB_OK && i < first->num_arms; i++) {
        same_arm(pair, &first->arms[i], &other->arms[i]);
    }
}

enum ekb_err merge_check_kinds(const struct ekb_merge_part *parts, size_t num_parts,
                               struct ekb_fail *reterr_fail)
{
    for (size_t i = 0; i < num_parts; i++) {
        const char *kind = ekb_record_base_kind(parts[i].record);
        char label[200];
        if (strcmp(kind, "load") != 0 && strcmp(kind, "measure") != 0) {
            return ekb_fail_set(reterr_fail, EKB_USAGE, 0,
                                "%s is a result of \"%.20s\": only those of \"load\" and "
                                "\"measure\" merge",
                                merge_shorten(label, sizeof label, parts[i].label), kind);
        }
    }
    return EKB_OK;
}

enum ekb_err merge_check(const struct ekb_merge_part *parts, size_t num_parts,
                         enum merge_times times, struct ekb_fail *reterr_fail)
{
    struct pair pair = {.first = &parts[0], .times = times, .err = EKB_OK, .fail = reterr_fail};
    for (size_t i = 1; i < num_parts && pair.err == EKB_OK; i++) {
        pair.other = &parts[i];
        same_plan(&pair);
    }
    return pair.err;
}
