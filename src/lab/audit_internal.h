// What the parts of an audit share.

#ifndef EKUBENCH_SRC_LAB_AUDIT_INTERNAL_H
#define EKUBENCH_SRC_LAB_AUDIT_INTERNAL_H

#include "ekubench/lab/audit.h"

#include <stdbool.h>

// ekb_audit_advise fills advice, steps, dates and to_act of `item`, of which all the rest is known.
// `nodes`: of which it may be (1 << enum ekb_node_kind); `is_unused`: it is of a client store, and
// the audited release has none.
void ekb_audit_advise(struct ekb_audit_item *item, const struct ekb_audit_options *options,
                      unsigned nodes, bool is_unused);

#endif
