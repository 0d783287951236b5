// What may stand in the sections [deployment], [node NAME] and [link NAME] of the INI file of a
// deployment.

#include "lab/deployment_internal.h"

#include "ekubench/base/units.h"
#include "ekubench/pki/mint.h"

#include <stdio.h>
#include <string.h>

#define WORD_LEN EKB_DEPLOYMENT_WORD_LEN

// A common name has no more (RFC 5280).
#define MAX_HOST_LEN 64

// keep_name is keep_text for what becomes a part of a path.
static bool keep_name(struct ekb_deployment_reader *reader, char *out_text, size_t text_len,
                      const char *value)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    if (value[0] == '.' || strspn(value, allowed) != strlen(value)) {
        return ekb_deployment_refuse(
            reader, "\"%.40s\": a name of letters, digits, '.', '_' and '-' is wanted", value);
    }
    if (strlen(value) >= text_len) {
        return ekb_deployment_refuse(reader, "the name %.40s... is longer than %zu characters",
                                     value, text_len - 1);
    }
    return ekb_deployment_keep_text(reader, out_text, text_len, value);
}

// keep_host is keep_text for a DNS name that can be a common name too, keep_address for a DNS name
// or an IP address.
static bool keep_host(struct ekb_deployment_reader *reader, char *out_text, size_t text_len,
                      const char *value)
{
    return ekb_mint_is_dns_name(value) && value[0] != '*' && strlen(value) <= MAX_HOST_LEN
               ? ekb_deployment_keep_text(reader, out_text, text_len, value)
               : ekb_deployment_refuse(reader,
                                       "\"%.80s\": a DNS name such as c.example is wanted, of at "
                                       "most %d characters",
                                       value, MAX_HOST_LEN);
}

static bool keep_address(struct ekb_deployment_reader *reader, char *out_text, size_t text_len,
                         const char *value)
{
    struct ekb_name name;
    return ekb_name_parse(&name, value) == EKB_OK && name.kind != EKB_NAME_EMAIL
               ? ekb_deployment_keep_text(reader, out_text, text_len, value)
               : ekb_deployment_refuse(reader, "\"%.80s\": a DNS name or an IP address is wanted",
                                       value);
}

static bool parse_yes(struct ekb_deployment_reader *reader, bool *out_value, const char *value)
{
    *out_value = strcmp(value, "yes") == 0;
    return *out_value || strcmp(value, "no") == 0 ||
           ekb_deployment_refuse(reader, "\"%s\": yes or no is wanted", value);
}

static bool parse_mode(struct ekb_deployment_reader *reader, enum ekb_eku_mode *out_mode,
                       const char *value)
{
    return (ekb_eku_mode_parse(out_mode, value) == EKB_OK && *out_mode != EKB_EKU_NONE) ||
           ekb_deployment_refuse(reader, "\"%s\": on or off is wanted", value);
}

static bool parse_verify(struct ekb_deployment_reader *reader, enum ekb_tls_verify *out_verify,
                         const char *value)
{
    *out_verify =
        strcmp(value, "permissive") == 0 ? EKB_TLS_VERIFY_PERMISSIVE : EKB_TLS_VERIFY_ENFORCING;
    return *out_verify == EKB_TLS_VERIFY_PERMISSIVE || strcmp(value, "enforcing") == 0 ||
           ekb_deployment_refuse(reader, "\"%s\": enforcing or permissive is wanted", value);
}

static size_t find_ca(const struct ekb_deployment *deployment, const char *name)
{
    size_t ca = 0;
    while (ca < deployment->num_cas && strcmp(deployment->cas[ca], name) != 0) {
        ca++;
    }
    return ca;
}

static size_t find_node(const struct ekb_deployment *deployment, const char *name)
{
    size_t node = 0;
    while (node < deployment->num_nodes && strcmp(deployment->nodes[node].name, name) != 0) {
        node++;
    }
    return node;
}

// Identities: "CA1 both [p256] [depth=2]", "self-signed server", "copy", "upgrade", "none".

// once refuses what is said of an identity for the second time.
static bool once(struct ekb_deployment_reader *reader, bool *seen, const char *word)
{
    if (*seen) {
        return ekb_deployment_refuse(
            reader,
            "\"%s\": usages (server, client, both, none), key type and depth are "
            "said once each",
            word);
    }
    *seen = true;
    return true;
}

// Of which details something is said.
struct details {
    bool usages;
    bool key_type;
    bool depth;
};

static bool parse_detail(struct ekb_deployment_reader *reader,
                         struct ekb_deployment_identity *identity, struct details *seen,
                         const char *word)
{
    uint64_t depth = 0;
    if (strncmp(word, "depth=", 6) == 0 && identity->origin == EKB_ORIGIN_CA &&
        ekb_units_parse_count(&depth, word + 6, 1, EKB_MINT_MAX_DEPTH) == EKB_OK) {
        identity->depth = (unsigned)depth;
        return once(reader, &seen->depth, word);
    }
    if (ekb_key_type_parse(&identity->key_type, word) == EKB_OK) {
        return once(reader, &seen->key_type, word);
    }
    if (ekb_eku_parse(&identity->eku, word) == EKB_OK) {
        return once(reader, &seen->usages, word);
    }
    return ekb_deployment_refuse(
        reader, "\"%s\": usages (server, client, both, none), a key type%s are wanted", word,
        identity->origin == EKB_ORIGIN_CA ? " or depth=N (1 to 10)" : ", and no depth,");
}

// Where a certificate may come from, besides a CA.
static const struct {
    const char *word;
    enum ekb_origin origin;
    bool is_clients;
} origins[] = {{"none", EKB_ORIGIN_NONE, false},
               {"copy", EKB_ORIGIN_COPY, true},
               {"upgrade", EKB_ORIGIN_UPGRADE, true},
               {"self-signed", EKB_ORIGIN_SELF_SIGNED, false}};

// parse_origin reads the first word. `key` is what the certificate is for.
static bool parse_origin(struct ekb_deployment_reader *reader,
                         struct ekb_deployment_identity *identity, const char *key,
                         const char *word)
{
    const bool is_client = strcmp(key, "client") == 0;
    for (size_t i = 0; i < sizeof origins / sizeof origins[0]; i++) {
        if (strcmp(word, origins[i].word) == 0) {
            identity->origin = origins[i].origin;
            return is_client || !origins[i].is_clients ||
                   ekb_deployment_refuse(
                       reader,
                       "%s = %s: only a client certificate is made of the server's; one of the "
                       "CAs of [deployment], self-signed or none is wanted",
                       key, word);
        }
    }
    identity->ca = find_ca(reader->deployment, word);
    return identity->ca < reader->deployment->num_cas ||
           ekb_deployment_refuse(
               reader, "\"%s\": one of the CAs of [deployment], self-signed%s or none is wanted",
               word, is_client ? ", copy, upgrade" : "");
}

static bool parse_identity(struct ekb_deployment_reader *reader,
                           struct ekb_deployment_identity *out_identity, const char *key,
                           const char *value)
{
    struct details seen = {.usages = false};
    char word[WORD_LEN] = "";
    *out_identity = (struct ekb_deployment_identity){
        .origin = EKB_ORIGIN_CA,
        .eku = EKB_EKU_SERVER_AUTH | EKB_EKU_CLIENT_AUTH,
        .depth = 1,
    };
    reader->node->has_minted = true;
    (void)ekb_deployment_next_word(word, &value, "");
    bool good = parse_origin(reader, out_identity, key, word);
    while (good && ekb_deployment_next_word(word, &value, "")) {
        good = ekb_deployment_is_minted(out_identity)
                   ? parse_detail(reader, out_identity, &seen, word)
                   : ekb_deployment_refuse(
                         reader, "\"%s\": nothing is wanted after none, copy and upgrade", word);
    }
    return good;
}

static bool parse_trust(struct ekb_deployment_reader *reader, uint32_t *out_trusts,
                        const char *value)
{
    char word[WORD_LEN];
    size_t num = 0;
    bool none = false;
    reader->node->has_minted = true;
    *out_trusts = 0;
    while (ekb_deployment_next_word(word, &value, ",")) {
        const size_t ca = find_ca(reader->deployment, word);
        if (ca == reader->deployment->num_cas && strcmp(word, "none") != 0) {
            return ekb_deployment_refuse(reader, "\"%s\" is none of the CAs of [deployment]", word);
        }
        none = none || ca == reader->deployment->num_cas;
        *out_trusts |= ca < reader->deployment->num_cas ? 1U << ca : 0U;
        num++;
    }
    return num == 1 || (num > 1 && !none) ||
           ekb_deployment_refuse(reader, "CAs of [deployment], or none, are wanted");
}

// [deployment]

static bool add_cas(struct ekb_deployment_reader *reader, const char *value)
{
    struct ekb_deployment *deployment = reader->deployment;
    char word[WORD_LEN];
    if (deployment->num_nodes > 0) {
        return ekb_deployment_refuse(reader, "ca: the CAs are wanted before the nodes");
    }
    while (ekb_deployment_next_word(word, &value, ",")) {
        if (find_ca(deployment, word) < deployment->num_cas) {
            return ekb_deployment_refuse(reader, "there is a CA \"%s\" already", word);
        }
        if (deployment->num_cas == EKB_DEPLOYMENT_MAX_CAS) {
            return ekb_deployment_refuse(reader, "at most %d CAs", EKB_DEPLOYMENT_MAX_CAS);
        }
        if (!ekb_deployment_keep_text(reader, deployment->cas[deployment->num_cas],
                                      EKB_DEPLOYMENT_NAME_LEN, word)) {
            return false;
        }
        deployment->num_cas++;
    }
    return true;
}

static bool add_releases(struct ekb_deployment_reader *reader, const char *value)
{
    struct ekb_deployment *deployment = reader->deployment;
    char word[WORD_LEN];
    deployment->num_releases = 0;
    while (ekb_deployment_next_word(word, &value, ",")) {
        enum ekb_release release = EKB_RELEASE_X15_5;
        if (!ekb_deployment_keep_release(reader, &release, word)) {
            return false;
        }
        // So there are never more than there are rows.
        for (size_t i = 0; i < deployment->num_releases; i++) {
            if (deployment->releases[i] == release) {
                return ekb_deployment_refuse(reader,
                                             "%s has the rules of %s, which is there already", word,
                                             ekb_release_rules(release)->name);
            }
        }
        deployment->releases[deployment->num_releases++] = release;
    }
    deployment->has_release = true;
    return deployment->num_releases > 0 || ekb_deployment_refuse(reader, "a release is wanted");
}

static bool add_modes(struct ekb_deployment_reader *reader, const char *value)
{
    struct ekb_deployment *deployment = reader->deployment;
    char word[WORD_LEN];
    deployment->num_modes = 0;
    while (ekb_deployment_next_word(word, &value, ",")) {
        enum ekb_eku_mode mode = EKB_EKU_ON;
        if (!parse_mode(reader, &mode, word)) {
            return false;
        }
        if (deployment->num_modes == 2 ||
            (deployment->num_modes == 1 && deployment->modes[0] == mode)) {
            return ekb_deployment_refuse(reader, "on, off, or both are wanted");
        }
        deployment->modes[deployment->num_modes++] = mode;
    }
    return deployment->num_modes > 0 ||
           ekb_deployment_refuse(reader, "on, off, or both are wanted");
}

bool ekb_deployment_set_deployment(struct ekb_deployment_reader *reader, const char *key,
                                   const char *value)
{
    struct ekb_deployment *deployment = reader->deployment;
    if (strcmp(key, "title") == 0) {
        return ekb_deployment_keep_text(reader, deployment->title, sizeof deployment->title, value);
    }
    if (strcmp(key, "name") == 0) {
        return keep_name(reader, deployment->name, sizeof deployment->name, value);
    }
    if (strcmp(key, "ca") == 0) {
        return add_cas(reader, value);
    }
    if (strcmp(key, "release") == 0) {
        return add_releases(reader, value);
    }
    if (strcmp(key, "eku-mode") == 0) {
        return add_modes(reader, value);
    }
    return ekb_deployment_refuse(reader,
                                 "%s: [deployment] has name, title, ca, release and eku-mode", key);
}

// [node NAME]

bool ekb_deployment_set_node(struct ekb_deployment_reader *reader, const char *key,
                             const char *value)
{
    struct ekb_deployment_node *node = reader->node;
    if (strcmp(key, "kind") == 0) {
        return ekb_node_kind_parse(&node->rules.kind, value) == EKB_OK ||
               ekb_deployment_refuse(reader, "\"%s\": core, edge or far is wanted", value);
    }
    if (strcmp(key, "host") == 0) {
        return keep_host(reader, node->host, sizeof node->host, value);
    }
    if (strcmp(key, "named") == 0) {
        bool named = false;
        const bool good = parse_yes(reader, &named, value);
        node->unnamed = !named;
        node->has_minted = true;
        return good;
    }
    if (strcmp(key, "eku-mode") == 0) {
        node->has_mode = true;
        return parse_mode(reader, &node->rules.mode, value);
    }
    if (strcmp(key, "release") == 0) {
        node->has_release = true;
        return ekb_deployment_keep_release(reader, &node->rules.release, value);
    }
    if (strcmp(key, "server-eku-upload") == 0) {
        return parse_yes(reader, &node->rules.server_eku_upload, value);
    }
    if (strcmp(key, "upgrade") == 0) {
        bool upgrades = true;
        const bool good = parse_yes(reader, &upgrades, value);
        node->says_upgrade = true;
        node->keeps_no_client = !upgrades;
        return good;
    }
    if (strcmp(key, "cluster-tls-verify") == 0) {
        node->says_cluster_verify = true;
        return parse_verify(reader, &node->rules.cluster_verify, value);
    }
    if (strcmp(key, "store") == 0) {
        return ekb_deployment_keep_text(reader, node->store, sizeof node->store, value);
    }
    if (strcmp(key, "trust") == 0) {
        return parse_trust(reader, &node->trusts, value);
    }
    if (strcmp(key, "server") == 0) {
        return parse_identity(reader, &node->server, key, value);
    }
    if (strcmp(key, "second") == 0) {
        return parse_identity(reader, &node->second, key, value);
    }
    if (strcmp(key, "client") == 0) {
        return parse_identity(reader, &node->client, key, value);
    }
    return ekb_deployment_refuse(
        reader,
        "%s: a node has kind, host, named, release, eku-mode, server-eku-upload, "
        "cluster-tls-verify, store, upgrade, trust, server, second and client",
        key);
}

// [link NAME]

static bool set_end(struct ekb_deployment_reader *reader, size_t *out_node, const char *value)
{
    *out_node = find_node(reader->deployment, value);
    return *out_node < reader->deployment->num_nodes ||
           ekb_deployment_refuse(reader, "\"%s\" is no node above", value);
}

bool ekb_deployment_set_link(struct ekb_deployment_reader *reader, const char *key,
                             const char *value)
{
    struct ekb_deployment_link *link = reader->link;
    uint64_t port = 0;
    if (strcmp(key, "kind") == 0) {
        return ekb_link_parse(&link->kind, value) == EKB_OK ||
               ekb_deployment_refuse(reader, "\"%.40s\": " EKB_DEPLOYMENT_KINDS " is wanted",
                                     value);
    }
    if (strcmp(key, "initiator") == 0) {
        return set_end(reader, &link->initiator, value);
    }
    if (strcmp(key, "responder") == 0) {
        return set_end(reader, &link->responder, value);
    }
    if (strcmp(key, "address") == 0) {
        return keep_address(reader, link->address, sizeof link->address, value);
    }
    if (strcmp(key, "port") == 0) {
        const bool good = ekb_units_parse_count(&port, value, 1, UINT16_MAX) == EKB_OK;
        link->port = (uint16_t)port;
        return good ||
               ekb_deployment_refuse(reader, "\"%s\": a port from 1 to 65535 is wanted", value);
    }
    return ekb_deployment_refuse(
        reader, "%s: a link has kind, initiator, responder, address and port", key);
}

bool ekb_deployment_begin_node(struct ekb_deployment_reader *reader, const char *name)
{
    struct ekb_deployment *deployment = reader->deployment;
    if (deployment->num_nodes == EKB_DEPLOYMENT_MAX_NODES) {
        return ekb_deployment_refuse(reader, "at most %d nodes", EKB_DEPLOYMENT_MAX_NODES);
    }
    if (find_node(deployment, name) < deployment->num_nodes) {
        return ekb_deployment_refuse(reader, "there is a node \"%s\" already", name);
    }
    reader->node = &deployment->nodes[deployment->num_nodes++];
    *reader->node = (struct ekb_deployment_node){
        .rules = {.kind = EKB_NODE_FAR},
        .line = reader->lines.line,
        .trusts = (uint32_t)((UINT64_C(1) << deployment->num_cas) - 1),
    };
    (void)snprintf(reader->node->host, sizeof reader->node->host, "%.*s.example",
                   EKB_DEPLOYMENT_NAME_LEN, name);
    for (char *c = reader->node->host; *c != '\0'; c++) {
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c == '_' ? '-' : *c);
    }
    return keep_name(reader, reader->node->name, sizeof reader->node->name, name);
}

bool ekb_deployment_begin_link(struct ekb_deployment_reader *reader, const char *name)
{
    struct ekb_deployment *deployment = reader->deployment;
    if (deployment->num_links == EKB_DEPLOYMENT_MAX_LINKS) {
        return ekb_deployment_refuse(reader, "at most %d links", EKB_DEPLOYMENT_MAX_LINKS);
    }
    for (size_t i = 0; i < deployment->num_links; i++) {
        if (strcmp(deployment->links[i].name, name) == 0) {
            return ekb_deployment_refuse(reader, "there is a link \"%s\" already", name);
        }
    }
    if (strcmp(name, "mra") == 0) {
        return ekb_deployment_refuse(reader, "mra is no link: it is made of four of them");
    }
    reader->link = &deployment->links[deployment->num_links++];
    *reader->link = (struct ekb_deployment_link){.kind = EKB_LINK_NUM,
                                                 .initiator = EKB_DEPLOYMENT_MAX_NODES,
                                                 .responder = EKB_DEPLOYMENT_MAX_NODES,
                                                 .line = reader->lines.line};
    // Perhaps its name says its kind.
    if (ekb_link_parse(&reader->link->kind, name) != EKB_OK) {
        reader->link->kind = EKB_LINK_NUM;
    }
    return keep_name(reader, reader->link->name, sizeof reader->link->name, name);
}
