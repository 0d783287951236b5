// Dual stores on disk, for tests in which a server and its clients run: what each of them presents
// and trusts. What cannot be made fails the test.

#ifndef EKUBENCH_TESTS_SUPPORT_STORES_H
#define EKUBENCH_TESTS_SUPPORT_STORES_H

#include "support/fixtures.h"

// Paths of stores in one temporary directory. "The CA" is one hierarchy with an intermediate; its
// root is what all stores trust, unless something else is said.
struct store_fixture {
    struct fixture_dir dir;
    char server[512];    // A server identity of the CA.
    char client[512];    // A client identity of the CA, with clientAuth.
    char wrong_eku[512]; // A client identity of the CA, with serverAuth alone.
    char anonymous[512]; // No identity at all; it trusts the CA.
    char stranger[512];  // A client identity of another CA; it trusts the CA.
    char doubter[512];   // The client identity of the CA, which trusts the other CA.
};

// store_fixture_init makes them; store_fixture_deinit removes the directory.
void store_fixture_init(struct store_fixture *out_stores);
void store_fixture_deinit(struct store_fixture *stores);

#endif
