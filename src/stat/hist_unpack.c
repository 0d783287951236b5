#include "stat/hist_unpack.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

// IMPLEMENTATION NOTES
//
// The text comes from a file that anybody may have written, and the library's decoder allocates
// what a length in it says. Here all sizes are known beforehand, because only one shape is taken:
//
//     base64( cookie, length, zlib( cookie, payload length, offset, digits, lowest, highest,
//                                   ratio, counts ) )
//
// all big-endian; a count is a LEB128 of its ZigZag form, of nine bytes at most, of which the ninth
// has eight bits; a negative one stands for so many zeros.

#define OUTER_COOKIE UINT32_C(0x1c849314)
#define INNER_COOKIE UINT32_C(0x1c849313)
#define OUTER_LEN 8
#define INNER_LEN 40
#define MAX_COUNT_LEN 9

static uint32_t read_u32(const uint8_t *data)
{
    return (uint32_t)data[0] << 24 | (uint32_t)data[1] << 16 | (uint32_t)data[2] << 8 | data[3];
}

static uint64_t read_u64(const uint8_t *data)
{
    return (uint64_t)read_u32(data) << 32 | read_u32(data + 4);
}

// value_of returns the six bits of a letter of base64, -1 if it is none.
static int value_of(char letter)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = letter != '\0' ? strchr(letters, letter) : NULL;
    return at != NULL ? (int)(at - letters) : -1;
}

// decode_base64 stores at most `text_len` / 4 * 3 bytes. False if the text is no base64, with its
// padding.
static bool decode_base64(uint8_t *out_data, size_t *out_len, const char *text, size_t text_len)
{
    size_t len = 0;
    for (size_t i = 0; i < text_len; i += 4) {
        const bool is_last = i + 4 >= text_len;
        const size_t padding =
            is_last && text_len - i == 4 && text[i + 3] == '=' ? (text[i + 2] == '=' ? 2 : 1) : 0;
        uint32_t bits = 0;
        if (text_len - i < 4) {
            return false;
        }
        for (size_t j = 0; j < 4; j++) {
            const int value = j < 4 - padding ? value_of(text[i + j]) : 0;
            if (value < 0) {
                return false;
            }
            bits = bits << 6 | (uint32_t)value;
        }
        for (size_t j = 0; j < 3 - padding; j++) {
            out_data[len++] = (uint8_t)(bits >> (16 - 8 * j));
        }
    }
    *out_len = len;
    return true;
}

// read_count reads one count, or run of zeros, and returns how many bytes it takes; 0 if it does
// not end within `len`.
static size_t read_count(int64_t *out_count, const uint8_t *data, size_t len)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < len && i < MAX_COUNT_LEN; i++) {
        const bool is_ninth = i == MAX_COUNT_LEN - 1;
        bits |= (uint64_t)(is_ninth ? data[i] : data[i] & 0x7f) << (7 * i);
        if (is_ninth || (data[i] & 0x80) == 0) {
            const uint64_t size = bits >> 1;
            *out_count = (bits & 1) == 0 ? (int64_t)size : -(int64_t)size - 1;
            return i + 1;
        }
    }
    return 0;
}

static bool unpack_counts(int64_t *counts, size_t num_counts, const uint8_t *data, size_t len)
{
    size_t index = 0;
    size_t at = 0;
    int64_t total = 0;
    memset(counts, 0, num_counts * sizeof counts[0]);
    while (at < len) {
        int64_t count = 0;
        const size_t taken = read_count(&count, data + at, len - at);
        // -(count + 1) is never too large, as -count can be.
        const size_t steps = count < 0 ? (size_t)(-(count + 1)) + 1 : 1;
        if (taken == 0 || steps > num_counts - index ||
            (count > 0 && __builtin_add_overflow(total, count, &total))) {
            return false;
        }
        if (count > 0) {
            counts[index] = count;
        }
        index += steps;
        at += taken;
    }
    return true;
}

static bool unpack_inner(int64_t *counts, size_t num_counts, const struct ekb_hist_shape *shape,
                         const uint8_t *data, size_t len)
{
    return len >= INNER_LEN && read_u32(data) == INNER_COOKIE &&
           read_u32(data + 4) == len - INNER_LEN && read_u32(data + 8) == 0 &&
           read_u32(data + 12) == (uint32_t)shape->digits &&
           read_u64(data + 16) == (uint64_t)shape->lowest &&
           read_u64(data + 24) == (uint64_t)shape->highest &&
           unpack_counts(counts, num_counts, data + INNER_LEN, len - INNER_LEN);
}

enum ekb_err ekb_hist_unpack(int64_t *counts, size_t num_counts, const struct ekb_hist_shape *shape,
                             const char *text)
{
    const size_t text_len = strlen(text);
    const size_t max_len = INNER_LEN + num_counts * MAX_COUNT_LEN;
    uint8_t *packed = malloc(text_len / 4 * 3 + 1);
    uint8_t *data = malloc(max_len);
    size_t packed_len = 0;
    uLongf data_len = max_len;
    enum ekb_err err = EKB_PARSE;
    if (packed == NULL || data == NULL) {
        err = EKB_NOMEM;
    } else if (decode_base64(packed, &packed_len, text, text_len) && packed_len >= OUTER_LEN &&
               read_u32(packed) == OUTER_COOKIE && read_u32(packed + 4) == packed_len - OUTER_LEN) {
        const int status =
            uncompress(data, &data_len, packed + OUTER_LEN, (uLong)(packed_len - OUTER_LEN));
        if (status == Z_MEM_ERROR) {
            err = EKB_NOMEM;
        } else if (status == Z_OK && unpack_inner(counts, num_counts, shape, data, data_len)) {
            err = EKB_OK;
        }
    }
    free(packed);
    free(data);
    return err;
}
