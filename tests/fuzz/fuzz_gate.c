// What people bring to the upload gate: whatever is in the file, it is read, sorted, judged and
// described, or refused, and a chain that was sorted can be sorted again to the same.

#include "ekubench/pki/bundle.h"
#include "ekubench/pki/describe.h"
#include "ekubench/store/gate.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

// alone.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_len);

static void judge(const struct ekb_bundle *bundle)
{
    struct ekb_chain *sorted = NULL;
    struct ekb_chain *again = NULL;
    struct ekb_gate_warning warning;
    for (size_t i = 0; i < ekb_chain_len(bundle->chain); i++) {
        struct ekb_description description;
        ekb_chain_describe(&description, bundle->chain, i);
        (void)!ekb_gate_check_ca(bundle->chain, i, NULL, 0, &warning, NULL);
    }
    if (ekb_gate_sort(&sorted, bundle->chain, NULL) != EKB_OK) {
        return;
    }
    EKB_CHECK(ekb_gate_sort(&again, sorted, NULL) == EKB_OK);
    EKB_CHECK(ekb_chain_len(again) == ekb_chain_len(sorted));
    for (size_t i = 0; i < ekb_chain_len(sorted); i++) {
        EKB_CHECK(ekb_chain_same(sorted, i, again, i));
    }
    (void)!ekb_gate_check_chain(EKB_EKU_SERVER_AUTH, sorted, 0, &warning, NULL);
    if (bundle->key != NULL) {
        (void)!ekb_gate_check_key(sorted, bundle->key, NULL);
    }
    ekb_chain_destroy(again);
    ekb_chain_destroy(sorted);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_len)
{
    char path[64];
    struct ekb_bundle bundle = {0};
    const int fd = memfd_create("upload", MFD_CLOEXEC);
    EKB_CHECK(fd >= 0 && write(fd, data, data_len) == (ssize_t)data_len);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (ekb_bundle_read(&bundle, path, NULL, NULL) == EKB_OK) {
        judge(&bundle);
    }
    ekb_bundle_deinit(&bundle);
    (void)close(fd);
    return 0;
}
