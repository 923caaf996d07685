/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/sniff.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

enum { ENDINGS_MAX = 4 };

typedef struct FormatInfo {
    const char *name, *mime, *endings[ENDINGS_MAX + 1]; /* the usual ending first */
} FormatInfo;

static const FormatInfo formats[PM_FORMAT_COUNT] = {
    [PM_FORMAT_UNKNOWN] = {"unknown", "application/octet-stream", {"bin"}},
    [PM_FORMAT_JPEG] = {"jpeg", "image/jpeg", {"jpg", "jpeg", "jpe", "jfif"}},
    [PM_FORMAT_PNG] = {"png", "image/png", {"png"}},
    [PM_FORMAT_WEBP] = {"webp", "image/webp", {"webp"}},
    [PM_FORMAT_GIF] = {"gif", "image/gif", {"gif"}},
    [PM_FORMAT_TIFF] = {"tiff", "image/tiff", {"tif", "tiff"}},
    [PM_FORMAT_AVIF] = {"avif", "image/avif", {"avif"}},
    [PM_FORMAT_HEIF] = {"heif", "image/heif", {"heic", "heif"}},
    [PM_FORMAT_JXL] = {"jxl", "image/jxl", {"jxl"}},
    [PM_FORMAT_SVG] = {"svg", "image/svg+xml", {"svg"}},
    [PM_FORMAT_PDF] = {"pdf", "application/pdf", {"pdf"}},
};

static bool begins(const uint8_t *p, size_t size, const char *magic, size_t length)
{
    return size >= length && memcmp(p, magic, length) == 0;
}

static uint32_t big_endian(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* ISO/IEC 14496-12 `ftyp`: size, "ftyp", major brand, minor version, compatible brands. AVIF files may carry the
 * major brand mif1 or msf1 and name avif or avis only among the compatible ones, so AVIF's brands win. */
static PmFormat sniff_isobmff(const uint8_t *p, size_t size)
{
    static const char heif_brands[][5] = {"heic", "heix", "heim", "heis", "hevc",
                                          "hevx", "hevm", "hevs", "mif1", "msf1"};
    enum { BRANDS_MAX = 64 };
    if (size < 16 || memcmp(p + 4, "ftyp", 4) != 0) return PM_FORMAT_UNKNOWN;
    size_t box = big_endian(p);
    if (box < 16) return PM_FORMAT_UNKNOWN;
    if (box > size) box = size;
    if (box > 16 + 4 * BRANDS_MAX) box = 16 + 4 * BRANDS_MAX;
    PmFormat format = PM_FORMAT_UNKNOWN;
    for (size_t at = 8; at + 4 <= box; at += 4) {
        if (at == 12) continue; /* minor version */
        if (memcmp(p + at, "avif", 4) == 0 || memcmp(p + at, "avis", 4) == 0) return PM_FORMAT_AVIF;
        for (size_t i = 0; i < sizeof heif_brands / sizeof heif_brands[0]; i++)
            if (memcmp(p + at, heif_brands[i], 4) == 0) format = PM_FORMAT_HEIF;
    }
    return format;
}

static size_t skip_space(const uint8_t *p, size_t size, size_t at)
{
    while (at < size && (p[at] == ' ' || p[at] == '\t' || p[at] == '\r' || p[at] == '\n')) at++;
    return at;
}

/* The index after the first `end` at or after `at`, or `size`. */
static size_t skip_past(const uint8_t *p, size_t size, size_t at, const char *end)
{
    const uint8_t *found = at < size ? memmem(p + at, size - at, end, strlen(end)) : NULL;
    return found != NULL ? (size_t)(found - p) + strlen(end) : size;
}

/* SVG is text: an optional byte order mark, XML declaration, comments and doctype, then <svg. Only a bounded look, and
 * never into compressed text: a 185-byte .svgz hangs libvips' own sniffer. */
static PmFormat sniff_svg(const uint8_t *p, size_t size)
{
    enum { LOOK_MAX = 4096 };
    if (size > LOOK_MAX) size = LOOK_MAX;
    size_t at = begins(p, size, "\xEF\xBB\xBF", 3) ? 3 : 0;
    for (;;) {
        at = skip_space(p, size, at);
        if (begins(p + at, size - at, "<?", 2))
            at = skip_past(p, size, at, "?>");
        else if (begins(p + at, size - at, "<!--", 4))
            at = skip_past(p, size, at, "-->");
        else if (begins(p + at, size - at, "<!DOCTYPE svg", 13))
            at = skip_past(p, size, at, ">");
        else
            break;
    }
    bool named = begins(p + at, size - at, "<svg", 4) || begins(p + at, size - at, "<svg:svg", 8);
    if (!named || at + 4 >= size) return PM_FORMAT_UNKNOWN;
    return strchr(" \t\r\n>/:", p[at + 4]) != NULL ? PM_FORMAT_SVG : PM_FORMAT_UNKNOWN;
}

PmFormat pm_sniff(const void *bytes, size_t size)
{
    const uint8_t *p = bytes;
    if (p == NULL || size < 4) return PM_FORMAT_UNKNOWN;
    if (begins(p, size, "\xFF\xD8\xFF", 3)) return PM_FORMAT_JPEG;
    if (begins(p, size, "\x89PNG\r\n\x1A\n", 8)) return PM_FORMAT_PNG;
    if (begins(p, size, "RIFF", 4) && size >= 12 && memcmp(p + 8, "WEBP", 4) == 0) return PM_FORMAT_WEBP;
    if (begins(p, size, "GIF87a", 6) || begins(p, size, "GIF89a", 6)) return PM_FORMAT_GIF;
    if (begins(p, size, "II*\0", 4) || begins(p, size, "MM\0*", 4)) return PM_FORMAT_TIFF;
    /* BigTIFF: version 43, offsets of 8 bytes, then zero. */
    if (begins(p, size, "II+\0\x08\0\0\0", 8) || begins(p, size, "MM\0+\0\x08\0\0", 8)) return PM_FORMAT_TIFF;
    if (begins(p, size, "\0\0\0\x0CJXL \r\n\x87\n", 12)) return PM_FORMAT_JXL;
    if (begins(p, size, "\xFF\x0A", 2)) return PM_FORMAT_JXL;
    if (begins(p, size, "%PDF-", 5)) return PM_FORMAT_PDF;
    PmFormat format = sniff_isobmff(p, size);
    return format != PM_FORMAT_UNKNOWN ? format : sniff_svg(p, size);
}

const char *pm_format_name(PmFormat format)
{
    return (size_t)format < PM_FORMAT_COUNT ? formats[format].name : formats[0].name;
}

PmFormat pm_format_from_name(const char *name)
{
    for (size_t i = 1; name != NULL && i < PM_FORMAT_COUNT; i++)
        if (strcmp(name, formats[i].name) == 0) return (PmFormat)i;
    return PM_FORMAT_UNKNOWN;
}

PmFormat pm_format_from_ending(const char *name)
{
    const char *dot = strrchr(name, '.');
    for (size_t i = 1; dot != NULL && i < PM_FORMAT_COUNT; i++)
        for (const char *const *ending = formats[i].endings; *ending != NULL; ending++)
            if (strcasecmp(dot + 1, *ending) == 0) return (PmFormat)i;
    return PM_FORMAT_UNKNOWN;
}

const char *pm_format_extension(PmFormat format)
{
    return formats[(size_t)format < PM_FORMAT_COUNT ? format : PM_FORMAT_UNKNOWN].endings[0];
}

const char *pm_format_mime(PmFormat format)
{
    return (size_t)format < PM_FORMAT_COUNT ? formats[format].mime : formats[0].mime;
}
