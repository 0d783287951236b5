#include "ekubench/peer/confirm.h"

#include <stdlib.h>
#include <string.h>

// "HTTP/1.1 200"
#define STATUS_AT 9
#define STATUS_END 12

static const char *const names[EKB_CONFIRM_NUM] = {
    [EKB_CONFIRM_FIRST] = "first", [EKB_CONFIRM_BYTE] = "byte", [EKB_CONFIRM_TICKET] = "ticket",
    [EKB_CONFIRM_CLOSE] = "close", [EKB_CONFIRM_HTTP] = "http", [EKB_CONFIRM_NONE] = "none",
};

const char *ekb_confirm_name(enum ekb_confirm confirm)
{
    return confirm < EKB_CONFIRM_NUM ? names[confirm] : "";
}

enum ekb_err ekb_confirm_parse(enum ekb_confirm *out_confirm, const char *text)
{
    for (unsigned i = 0; i < EKB_CONFIRM_NUM; i++) {
        if (strcmp(text, names[i]) == 0) {
            *out_confirm = (enum ekb_confirm)i;
            return EKB_OK;
        }
    }
    return EKB_USAGE;
}

// has_ended is true if the client's handshake is over and its last flight is on its way.
static bool has_ended(const struct ekb_endpoint *endpoint)
{
    size_t wire_len;
    (void)ekb_endpoint_pending(endpoint, &wire_len);
    return ekb_endpoint_state(endpoint) == EKB_ENDPOINT_READY && wire_len == 0;
}

// may_ask is true if the client's handshake is over and there is room for the request beside what
// is still to be sent of it: they go out as one, which spares either side a message.
static bool may_ask(const struct ekb_endpoint *endpoint)
{
    size_t wire_len;
    (void)ekb_endpoint_pending(endpoint, &wire_len);
    return ekb_endpoint_state(endpoint) == EKB_ENDPOINT_READY &&
           wire_len <= EKB_ENDPOINT_TX_LEN / 2;
}

static enum ekb_confirm_state look_at_answer(const struct ekb_endpoint *endpoint)
{
    static const int refusals[] = {400, 401, 403, 495, 496};
    const char *const answer = (const char *)ekb_endpoint_app(endpoint);
    char status[STATUS_END - STATUS_AT + 1] = "";
    if (ekb_endpoint_app_len(endpoint) < STATUS_END) {
        return EKB_CONFIRM_STATE_WAITING;
    }
    memcpy(status, answer + STATUS_AT, STATUS_END - STATUS_AT);
    if (memcmp(answer, "HTTP/1.", 7) != 0 || answer[STATUS_AT - 1] != ' ' ||
        strspn(status, "0123456789") != 3) {
        return EKB_CONFIRM_STATE_MALFORMED;
    }
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        if (atoi(status) == refusals[i]) {
            return EKB_CONFIRM_STATE_REFUSED;
        }
    }
    return EKB_CONFIRM_STATE_ACCEPTED;
}

static bool is_1_2(const struct ekb_endpoint *endpoint)
{
    return strcmp(ekb_endpoint_version_name(endpoint), "TLSv1.2") == 0;
}

static bool is_confirmed(enum ekb_confirm confirm, const struct ekb_endpoint *endpoint)
{
    const enum ekb_endpoint_state state = ekb_endpoint_state(endpoint);
    const bool over = state == EKB_ENDPOINT_READY || state == EKB_ENDPOINT_CLOSED;
    switch (confirm) {
    case EKB_CONFIRM_BYTE:
        return ekb_endpoint_app_len(endpoint) > 0;
    case EKB_CONFIRM_TICKET:
        return over && ekb_endpoint_num_tickets(endpoint) > 0;
    case EKB_CONFIRM_CLOSE:
        return state == EKB_ENDPOINT_CLOSED;
    case EKB_CONFIRM_FIRST:
        // A ticket of TLS 1.2 comes before the server's Finished.
        return (over && ekb_endpoint_num_tickets(endpoint) > 0 && !is_1_2(endpoint)) ||
               ekb_endpoint_app_len(endpoint) > 0 || state == EKB_ENDPOINT_CLOSED ||
               (has_ended(endpoint) && is_1_2(endpoint) && !ekb_endpoint_is_resumed(endpoint));
    case EKB_CONFIRM_NONE:
        return has_ended(endpoint);
    case EKB_CONFIRM_HTTP:
    case EKB_CONFIRM_NUM:
        break;
    }
    return false;
}

enum ekb_confirm_state ekb_confirm_look(enum ekb_confirm confirm,
                                        const struct ekb_endpoint *endpoint, bool asked)
{
    if (confirm == EKB_CONFIRM_HTTP) {
        return !asked && may_ask(endpoint) ? EKB_CONFIRM_STATE_ASK : look_at_answer(endpoint);
    }
    if (is_confirmed(confirm, endpoint)) {
        return EKB_CONFIRM_STATE_ACCEPTED;
    }
    return confirm == EKB_CONFIRM_FIRST && !asked && has_ended(endpoint) && is_1_2(endpoint)
               ? EKB_CONFIRM_STATE_PART
               : EKB_CONFIRM_STATE_WAITING;
}
