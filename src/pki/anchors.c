#include "pki/pki_internal.h"

#include <openssl/asn1.h>
#include <openssl/nid.h>
#include <openssl/stack.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <stdbool.h>
#include <stdlib.h>

struct anchor {
    X509 *x509;
    int64_t from; // Valid in [from, until), as the library counts.
    int64_t until;
    bool is_ca;
    bool constrains_names;
};

struct ekb_anchors {
    struct anchor *anchors; // The best first, whatever the time.
    size_t len;
};

// read takes from a certificate what the order depends on. A time that cannot be read is never
// there.
static struct anchor read_anchor(X509 *x509)
{
    struct anchor anchor = {.x509 = x509, .from = INT64_MAX, .until = INT64_MIN};
    (void)ASN1_TIME_to_posix(X509_get0_notBefore(x509), &anchor.from);
    (void)ASN1_TIME_to_posix(X509_get0_notAfter(x509), &anchor.until);
    anchor.is_ca = X509_check_ca(x509) != 0;
    anchor.constrains_names = X509_get_ext_by_NID(x509, NID_name_constraints, -1) >= 0;
    return anchor;
}

static int by_name(const void *left, const void *right)
{
    const struct anchor *a = left;
    const struct anchor *b = right;
    const int names = X509_NAME_cmp(X509_get_subject_name(a->x509), X509_get_subject_name(b->x509));
    return names != 0 ? names : X509_cmp(a->x509, b->x509);
}

static int by_use(const void *left, const void *right)
{
    const struct anchor *a = left;
    const struct anchor *b = right;
    if (a->is_ca != b->is_ca) {
        return a->is_ca ? -1 : 1;
    }
    if (a->constrains_names != b->constrains_names) {
        return a->constrains_names ? 1 : -1;
    }
    return (a->until < b->until) - (a->until > b->until);
}

// have_namesakes is true if two of them, sorted by name, have one; the same certificate twice does
// not count.
static bool have_namesakes(const struct anchor *sorted, size_t len)
{
    for (size_t i = 1; i < len; i++) {
        const X509 *a = sorted[i - 1].x509;
        const X509 *b = sorted[i].x509;
        if (X509_NAME_cmp(X509_get_subject_name(a), X509_get_subject_name(b)) == 0 &&
            X509_cmp(a, b) != 0) {
            return true;
        }
    }
    return false;
}

enum ekb_err ekb_anchors_create(struct ekb_anchors **out_anchors, const struct ekb_chain *trust)
{
    struct ekb_anchors *anchors = calloc(1, sizeof *anchors);
    const size_t len = ekb_chain_len(trust);
    if (anchors == NULL) {
        return EKB_NOMEM;
    }
    anchors->anchors = calloc(len + 1, sizeof *anchors->anchors);
    if (anchors->anchors == NULL) {
        free(anchors);
        return EKB_NOMEM;
    }
    for (size_t i = 0; i < len; i++) {
        anchors->anchors[i] = read_anchor(ekb_chain_x509(trust, i));
        X509_up_ref(anchors->anchors[i].x509);
    }
    anchors->len = len;
    qsort(anchors->anchors, len, sizeof *anchors->anchors, by_name);
    if (!have_namesakes(anchors->anchors, len)) {
        ekb_anchors_destroy(anchors);
        *out_anchors = NULL;
        return EKB_OK;
    }
    qsort(anchors->anchors, len, sizeof *anchors->anchors, by_use);
    *out_anchors = anchors;
    return EKB_OK;
}

void ekb_anchors_destroy(struct ekb_anchors *anchors)
{
    if (anchors == NULL) {
        return;
    }
    for (size_t i = 0; i < anchors->len; i++) {
        X509_free(anchors->anchors[i].x509);
    }
    free(anchors->anchors);
    free(anchors);
}

// push appends those that are valid at the time, or those that are not.
static bool push(STACK_OF(X509) * stack, const struct ekb_anchors *anchors, int64_t at, bool valid)
{
    for (size_t i = 0; i < anchors->len; i++) {
        const struct anchor *anchor = &anchors->anchors[i];
        if ((anchor->from <= at && at < anchor->until) == valid &&
            sk_X509_push(stack, anchor->x509) == 0) {
            return false;
        }
    }
    return true;
}

STACK_OF(X509) * ekb_anchors_at(const struct ekb_anchors *anchors, int64_t at)
{
    STACK_OF(X509) *stack = sk_X509_new_null();
    if (stack != NULL && !(push(stack, anchors, at, true) && push(stack, anchors, at, false))) {
        sk_X509_free(stack);
        stack = NULL;
    }
    return stack;
}
