// What a connection has come to, for whoever asks: parameters, and what the peer presented.

#include "ekubench/tls/endpoint.h"

#include "pki/pki_internal.h"
#include "tls/tls_internal.h"

#include <openssl/err.h>
#include <openssl/pool.h>
#include <openssl/ssl.h>
#include <openssl/stack.h>

const char *ekb_endpoint_version_name(const struct ekb_endpoint *endpoint)
{
    const SSL *ssl = ekb_endpoint_ssl(endpoint);
    const bool negotiated = ssl != NULL && SSL_get_current_cipher(ssl) != NULL;
    return negotiated ? SSL_get_version(ssl) : "";
}

const char *ekb_endpoint_cipher_name(const struct ekb_endpoint *endpoint)
{
    const SSL *ssl = ekb_endpoint_ssl(endpoint);
    const SSL_CIPHER *cipher = ssl != NULL ? SSL_get_current_cipher(ssl) : NULL;
    return cipher != NULL ? SSL_CIPHER_standard_name(cipher) : "";
}

const char *ekb_endpoint_group_name(const struct ekb_endpoint *endpoint)
{
    const SSL *ssl = ekb_endpoint_ssl(endpoint);
    const uint16_t group = ssl != NULL ? SSL_get_curve_id(ssl) : 0;
    const char *name = group != 0 ? SSL_get_curve_name(group) : NULL;
    return name != NULL ? name : "";
}

const char *ekb_endpoint_signature_name(const struct ekb_endpoint *endpoint)
{
    const SSL *ssl = ekb_endpoint_ssl(endpoint);
    const uint16_t algorithm = ssl != NULL ? SSL_get_peer_signature_algorithm(ssl) : 0;
    const char *name = algorithm != 0 ? SSL_get_signature_algorithm_name(algorithm, 1) : NULL;
    return name != NULL ? name : "";
}

// peer_certs returns what the peer has presented, NULL if nothing.
static const STACK_OF(CRYPTO_BUFFER) * peer_certs(const struct ekb_endpoint *endpoint)
{
    const SSL *ssl = ekb_endpoint_ssl(endpoint);
    return ssl != NULL ? SSL_get0_peer_certificates(ssl) : NULL;
}

size_t ekb_endpoint_num_peer_certs(const struct ekb_endpoint *endpoint)
{
    const STACK_OF(CRYPTO_BUFFER) *chain = peer_certs(endpoint);
    return chain != NULL ? sk_CRYPTO_BUFFER_num(chain) : 0;
}

enum ekb_err ekb_endpoint_copy_peer_chain(struct ekb_chain **out_chain,
                                          const struct ekb_endpoint *endpoint)
{
    const STACK_OF(CRYPTO_BUFFER) *certs = peer_certs(endpoint);
    const size_t num = certs != NULL ? sk_CRYPTO_BUFFER_num(certs) : 0;
    enum ekb_err err = EKB_OK;
    *out_chain = NULL;
    if (num == 0) {
        return EKB_OK;
    }
    struct ekb_chain *chain = ekb_chain_create();
    for (size_t i = 0; chain != NULL && i < num && err == EKB_OK; i++) {
        const CRYPTO_BUFFER *cert = sk_CRYPTO_BUFFER_value(certs, i);
        err = ekb_chain_append_der(chain, CRYPTO_BUFFER_data(cert), CRYPTO_BUFFER_len(cert));
    }
    ERR_clear_error();
    if (chain == NULL || err == EKB_NOMEM) {
        ekb_chain_destroy(chain);
        return EKB_NOMEM;
    }
    *out_chain = chain;
    return EKB_OK;
}
