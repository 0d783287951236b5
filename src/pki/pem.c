// PEM (RFC 7468), read and written; pki_internal.h says what each function promises.

#include "ekubench/base/file.h"
#include "pki/pki_internal.h"

#include <openssl/base64.h>

#include <stdlib.h>
#include <string.h>

#define PEM_BEGIN "-----BEGIN "
#define PEM_END "-----END "
#define PEM_DASHES "-----"

// RFC 7468: 64 characters a line, which are 48 bytes.
#define PEM_LINE_BYTES 48

// take_line cuts the next line off `reader`, its end and trailing blanks not counted in `*out_len`.
// It returns NULL if nothing is left.
static uint8_t *take_line(size_t *out_len, struct ekb_pem_reader *reader)
{
    uint8_t *line = reader->next;
    if (reader->remaining_len == 0) {
        return NULL;
    }
    const uint8_t *newline = memchr(line, '\n', reader->remaining_len);
    size_t len = newline != NULL ? (size_t)(newline - line) : reader->remaining_len;
    const size_t taken_len = newline != NULL ? len + 1 : len;
    reader->next += taken_len;
    reader->remaining_len -= taken_len;
    while (len > 0 && (line[len - 1] == '\r' || line[len - 1] == ' ' || line[len - 1] == '\t')) {
        len--;
    }
    *out_len = len;
    return line;
}

// take_label is true if `line` is `prefix`, a label, and five dashes.
static bool take_label(const uint8_t **out_label, size_t *out_len, const uint8_t *line,
                       size_t line_len, const char *prefix)
{
    const size_t prefix_len = strlen(prefix);
    const size_t dashes_len = strlen(PEM_DASHES);
    if (line_len < prefix_len + dashes_len || memcmp(line, prefix, prefix_len) != 0 ||
        memcmp(line + line_len - dashes_len, PEM_DASHES, dashes_len) != 0) {
        return false;
    }
    *out_label = line + prefix_len;
    *out_len = line_len - prefix_len - dashes_len;
    return true;
}

// take_body reads up to the END line of `block`. Any other line of dashes means that END is
// missing.
static enum ekb_err take_body(struct ekb_pem_block *block, struct ekb_pem_reader *reader)
{
    const uint8_t *label = NULL;
    size_t label_len = 0;
    uint8_t *line = NULL;
    size_t line_len = 0;

    block->body = reader->next;
    while ((line = take_line(&line_len, reader)) != NULL) {
        if (line_len < strlen(PEM_DASHES) || memcmp(line, PEM_DASHES, strlen(PEM_DASHES)) != 0) {
            continue;
        }
        block->body_len = (size_t)(line - block->body);
        if (take_label(&label, &label_len, line, line_len, PEM_END) &&
            label_len == block->label_len && memcmp(label, block->label, label_len) == 0) {
            return EKB_OK;
        }
        reader->remaining_len += (size_t)(reader->next - line);
        reader->next = line;
        return EKB_PARSE;
    }
    return EKB_PARSE;
}

enum ekb_err ekb_pem_next(struct ekb_pem_block *out_block, struct ekb_pem_reader *reader)
{
    struct ekb_pem_block block = {0};
    uint8_t *line = NULL;
    size_t line_len = 0;

    while ((line = take_line(&line_len, reader)) != NULL) {
        if (!take_label(&block.label, &block.label_len, line, line_len, PEM_BEGIN)) {
            continue;
        }
        reader->begin = line;
        const enum ekb_err err = take_body(&block, reader);
        if (err == EKB_OK) {
            *out_block = block;
        }
        return err;
    }
    return EKB_NOT_FOUND;
}

bool ekb_pem_label_is(const struct ekb_pem_block *block, const char *label)
{
    return block->label_len == strlen(label) && memcmp(block->label, label, block->label_len) == 0;
}

bool ekb_pem_label_ends_with(const struct ekb_pem_block *block, const char *ending)
{
    const size_t len = strlen(ending);
    return block->label_len >= len &&
           memcmp(block->label + block->label_len - len, ending, len) == 0;
}

enum ekb_err ekb_pem_decode(uint8_t **out_der, size_t *out_len, struct ekb_pem_block *block)
{
    size_t text_len = 0;
    size_t max_len = 0;
    size_t der_len = 0;

    for (size_t i = 0; i < block->body_len; i++) {
        const uint8_t c = block->body[i];
        if (c != '\n' && c != '\r' && c != ' ' && c != '\t') {
            block->body[text_len++] = c;
        }
    }
    block->body_len = text_len;
    if (text_len == 0 || !EVP_DecodedLength(&max_len, text_len)) {
        return EKB_PARSE;
    }
    uint8_t *der = malloc(max_len);
    if (der == NULL) {
        return EKB_NOMEM;
    }
    if (!EVP_DecodeBase64(der, &der_len, max_len, block->body, text_len)) {
        ekb_file_free_secret(der, max_len);
        return EKB_PARSE;
    }
    *out_der = der;
    *out_len = der_len;
    return EKB_OK;
}

bool ekb_pki_is_der(const uint8_t *data, size_t data_len)
{
    return data_len > 2 && data[0] == 0x30 && (data[1] & 0x80) != 0;
}

size_t ekb_pem_encoded_len(const char *label, size_t der_len)
{
    const size_t num_lines = (der_len + PEM_LINE_BYTES - 1) / PEM_LINE_BYTES;
    const size_t frame_len = strlen(PEM_BEGIN PEM_DASHES "\n" PEM_END PEM_DASHES "\n");
    return frame_len + 2 * strlen(label) + (der_len + 2) / 3 * 4 + num_lines + 1;
}

// append copies `text` to `*cursor`, and a zero that the next piece overwrites.
static void append(uint8_t **cursor, const char *text)
{
    const size_t len = strlen(text);
    memcpy(*cursor, text, len + 1);
    *cursor += len;
}

size_t ekb_pem_encode(uint8_t *out_text, const char *label, const uint8_t *der, size_t der_len)
{
    uint8_t *cursor = out_text;

    append(&cursor, PEM_BEGIN);
    append(&cursor, label);
    append(&cursor, PEM_DASHES "\n");
    for (size_t done = 0; done < der_len; done += PEM_LINE_BYTES) {
        const size_t left = der_len - done;
        cursor +=
            EVP_EncodeBlock(cursor, der + done, left < PEM_LINE_BYTES ? left : PEM_LINE_BYTES);
        append(&cursor, "\n");
    }
    append(&cursor, PEM_END);
    append(&cursor, label);
    append(&cursor, PEM_DASHES "\n");
    return (size_t)(cursor - out_text);
}
