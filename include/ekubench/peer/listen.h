// A listener in one word:
// "ADDR:PORT[,eku=on|off|none][,eku-absent=accept|reject][,verify=full|parse|raw|one-way]
// [,tls=1.2|1.3|any][,depth=N][,crl=auto|on|off][,resume=on|off][,name=NAME][,groups=LIST]
// [,ciphers=LIST][,second=DIR]" (in one piece).

#ifndef EKUBENCH_PEER_LISTEN_H
#define EKUBENCH_PEER_LISTEN_H

#include "ekubench/base/err.h"
#include "ekubench/peer/server.h"

#include <stddef.h>

// Enough for any text that ekb_listener_format writes.
#define EKB_LISTENER_TEXT_LEN                                                                      \
    (EKB_ADDRESS_TEXT_LEN + EKB_NAME_LEN + 2 * EKB_LISTENER_LIST_LEN + EKB_LISTENER_PATH_LEN + 160)

// ekb_listener_parse reads `text`. What it does not name is EKU mode on, an absent extension
// accepted, full verification, any TLS version, the default depth, CRLs if the store has any, no
// resumption, no name, the usual groups and ciphers, one certificate. EKB_USAGE (the detail names
// the bad part, or what is there twice), EKB_NOT_FOUND if the address does not resolve.
EKB_NODISCARD enum ekb_err ekb_listener_parse(struct ekb_listener *out_listener, const char *text,
                                              struct ekb_fail *reterr_fail);

// ekb_listener_format writes `listener` in that form into `out_text` of `text_len` bytes: address,
// verify and tls always, eku and depth if verification is full, the others if they are not the
// default; what chains are verified for only if they are.
void ekb_listener_format(char *out_text, size_t text_len, const struct ekb_listener *listener);

// ekb_listener_take_terms gives `listener` the policy, version, resumption, ticket key, preferences
// and second certificate of `from`; address and socket stay.
void ekb_listener_take_terms(struct ekb_listener *listener, const struct ekb_listener *from);

// ekb_listener_preferences returns what `listener` prefers; the lists are borrowed from it.
struct ekb_tls_preferences ekb_listener_preferences(const struct ekb_listener *listener);

#endif
