// The words of --listen: what is accepted can be written and read back to the same.

#include "ekubench/peer/listen.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_len)
{
    struct ekb_listener listener;
    struct ekb_listener again;
    char written[1024];
    char rewritten[1024];
    char text[256];
    // Only numeric addresses: a name would be looked up.
    static const char numeric[] = "127.0.0.1:";
    if (data_len >= sizeof text - sizeof numeric || memchr(data, 0, data_len) != NULL) {
        return 0;
    }
    memcpy(text, numeric, sizeof numeric - 1);
    memcpy(text + sizeof numeric - 1, data, data_len);
    text[sizeof numeric - 1 + data_len] = '\0';
    if (ekb_listener_parse(&listener, text, NULL) == EKB_OK) {
        ekb_listener_format(written, sizeof written, &listener);
        EKB_CHECK(ekb_listener_parse(&again, written, NULL) == EKB_OK);
        ekb_listener_format(rewritten, sizeof rewritten, &again);
        EKB_CHECK(strcmp(written, rewritten) == 0);
    }
    return 0;
}
