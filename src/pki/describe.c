#include "pki/pki_internal.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509.h>

#include <string.h>

void ekb_pki_name_text(char *out_text, size_t text_len, const X509_NAME *name)
{
    const uint8_t *text = NULL;
    size_t len = 0;
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio != NULL && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) >= 0 &&
        BIO_mem_contents(bio, &text, &len)) {
        len = len < text_len ? len : text_len - 1;
    } else {
        len = 0;
    }
    if (len > 0) {
        memcpy(out_text, text, len);
    }
    out_text[len] = '\0';
    BIO_free(bio);
    ERR_clear_error();
}
