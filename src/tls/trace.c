#include "ekubench/tls/trace.h"

static const struct {
    uint8_t type;
    const char *name;
} names[] = {
    {0, "HelloRequest"},
    {1, "ClientHello"},
    {2, "ServerHello"},
    {4, "NewSessionTicket"},
    {8, "EncryptedExtensions"},
    {EKB_TLS_MESSAGE_CERTIFICATE, "Certificate"},
    {12, "ServerKeyExchange"},
    {EKB_TLS_MESSAGE_CERTIFICATE_REQUEST, "CertificateRequest"},
    {EKB_TLS_MESSAGE_SERVER_HELLO_DONE, "ServerHelloDone"},
    {EKB_TLS_MESSAGE_CERTIFICATE_VERIFY, "CertificateVerify"},
    {16, "ClientKeyExchange"},
    {EKB_TLS_MESSAGE_FINISHED, "Finished"},
    {22, "CertificateStatus"},
    {24, "KeyUpdate"},
    {25, "CompressedCertificate"},
};

const char *ekb_tls_message_name(uint8_t type)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (names[i].type == type) {
            return names[i].name;
        }
    }
    return "message";
}

bool ekb_tls_trace_has(const struct ekb_tls_trace *trace, uint8_t type, bool sent)
{
    for (size_t i = 0; i < trace->num; i++) {
        if (trace->messages[i].type == type && trace->messages[i].sent == sent) {
            return true;
        }
    }
    return false;
}
