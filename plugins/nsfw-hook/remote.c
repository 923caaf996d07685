// SPDX-License-Identifier: Apache-2.0
#include "remote.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { ANSWER_MAX = 1024 * 1024, SEGMENT_MAX = 64, JPEG_QUALITY = 85 };

/* ------------------------------------------------------------------ the picture that is sent */

static int to_srgb(VipsImage *in, VipsImage **out)
{
    if (vips_image_get_typeof(in, VIPS_META_ICC_NAME) &&
        !vips_icc_transform(in, out, "srgb", "embedded", TRUE, "intent", VIPS_INTENT_RELATIVE, NULL))
        return 0;
    vips_error_clear();
    return vips_colourspace(in, out, VIPS_INTERPRETATION_sRGB, NULL);
}

static int save(VipsImage *in, void **bytes, size_t *size)
{
#if VIPS_MAJOR_VERSION > 8 || VIPS_MINOR_VERSION >= 15
    return vips_jpegsave_buffer(in, bytes, size, "Q", JPEG_QUALITY, "keep", VIPS_FOREIGN_KEEP_NONE, NULL);
#else
    return vips_jpegsave_buffer(in, bytes, size, "Q", JPEG_QUALITY, "strip", TRUE, NULL);
#endif
}

/* One page as a JPEG of at most config->size px a side: 8-bit sRGB on white, no metadata. Free with g_free(). */
static int small_jpeg(const Config *config, VipsImage *in, int page, void **bytes, size_t *size)
{
    int height = vips_image_get_page_height(in), side = (int)config->size;
    VipsObject *owner = VIPS_OBJECT(vips_image_new());
    VipsImage **t = (VipsImage **)vips_object_local_array(owner, 5);
    VipsArrayDouble *white = vips_array_double_newv(1, 255.0);
    int result = -1;

    if (vips_crop(in, &t[0], 0, page * height, in->Xsize, height, NULL) ||
        vips_thumbnail_image(t[0], &t[1], side, "height", side, "size", VIPS_SIZE_DOWN, "no_rotate", TRUE, NULL) ||
        to_srgb(t[1], &t[2]))
        goto out;
    bool alpha = vips_image_hasalpha(t[2]);
    if (alpha ? vips_flatten(t[2], &t[3], "background", white, NULL) : vips_copy(t[2], &t[3], NULL)) goto out;
    if (!vips_cast_uchar(t[3], &t[4], NULL)) result = save(t[4], bytes, size);
out:
    vips_area_unref(VIPS_AREA(white));
    g_object_unref(owner);
    return result;
}

/* ------------------------------------------------------------------ the answer */

bool remote_path_good(const char *path)
{
    size_t length = 0;
    for (const char *p = path; *p != '\0'; p++) {
        length = *p == '.' ? 0 : length + 1;
        if (length >= SEGMENT_MAX || (*p == '.' && (p == path || p[1] == '.' || p[1] == '\0'))) return false;
    }
    return *path != '\0';
}

/* Borrowed from `at`; NULL when the path leads nowhere. */
static const json_t *walk(const json_t *at, const char *path)
{
    while (at != NULL && *path != '\0') {
        size_t length = strcspn(path, ".");
        char segment[SEGMENT_MAX];
        if (length >= sizeof(segment)) return NULL;
        memcpy(segment, path, length);
        segment[length] = '\0';
        char *end;
        unsigned long place = strtoul(segment, &end, 10);
        bool number = g_ascii_isdigit(*segment) && *end == '\0';
        if (json_is_array(at))
            at = number ? json_array_get(at, place) : NULL;
        else
            at = json_object_get(at, segment);
        path += length;
        if (*path == '.') path++;
    }
    return at;
}

static void set_label(PmVerdict *verdict, const char *label)
{
    g_strlcpy(verdict->label, label, sizeof(verdict->label));
    for (char *c = verdict->label; *c != '\0'; c++)
        if (!g_ascii_isprint(*c)) *c = '?';
}

bool remote_read(const Config *config, const char *body, size_t size, PmVerdict *verdict, char why[WHY_MAX])
{
    json_error_t error;
    if (size > ANSWER_MAX) {
        g_snprintf(why, WHY_MAX, "its answer of %zu bytes is longer than %d", size, (int)ANSWER_MAX);
        return false;
    }
    json_t *answer = json_loadb(body, size, JSON_REJECT_DUPLICATES, &error);
    if (answer == NULL) {
        g_snprintf(why, WHY_MAX, "its answer is not JSON: %s at line %d", error.text, error.line);
        return false;
    }
    const json_t *score = walk(answer, config->score_field), *label = walk(answer, config->label_field);
    double value = json_number_value(score);
    bool good = json_is_number(score) && value >= 0 && value <= 1;
    if (good) {
        verdict->score = value;
        set_label(verdict, json_is_string(label) ? json_string_value(label) : config->label);
    } else if (!json_is_number(score)) {
        g_snprintf(why, WHY_MAX, "its answer has no number at %s (see score_field)", config->score_field);
    } else {
        g_snprintf(why, WHY_MAX, "its score %g is not between 0 and 1", value);
    }
    json_decref(answer);
    return good;
}

/* ------------------------------------------------------------------ the exchange */

static PmStatus ask(const PmHost *host, PmJob *job, const Config *config, const void *jpeg, size_t size,
                    PmVerdict *verdict, char why[WHY_MAX])
{
    const PmRequest request = {
        .size = sizeof(request),
        .endpoint = "endpoint",
        .content_type = "image/jpeg",
        .body = jpeg,
        .body_size = size,
        .timeout_ms = config->timeout_ms,
    };
    PmResponse response = {0};
    if (host->fetch(job, &request, &response) != PM_OK) {
        g_snprintf(why, WHY_MAX, "no answer");
        return PM_TRANSIENT;
    }
    if (response.status < 200 || response.status > 299) {
        g_snprintf(why, WHY_MAX, "it answered with HTTP status %d", (int)response.status);
        return PM_TRANSIENT;
    }
    return remote_read(config, response.body, response.body_size, verdict, why) ? PM_OK : PM_TRANSIENT;
}

PmStatus remote_score(const PmHost *host, PmJob *job, const Config *config, VipsImage *in, PmVerdict *verdict,
                      char why[WHY_MAX])
{
    int pages = in->Ysize / vips_image_get_page_height(in);
    int asked = (int)VIPS_MIN(config->frames, pages);
    PmStatus status = PM_OK;
    for (int i = 0; i < asked && status == PM_OK; i++) {
        /* Evenly from first to last, so that one frame of a long animation is not all that is seen. */
        int page = asked > 1 ? (int)((gint64)i * (pages - 1) / (asked - 1)) : 0;
        void *jpeg = NULL;
        size_t size = 0;
        PmVerdict seen = {.score = 0};
        if (small_jpeg(config, in, page, &jpeg, &size))
            return host->fail(job, PM_BAD_INPUT, "page %d can't be made into a JPEG for the classifier", page);
        status = ask(host, job, config, jpeg, size, &seen, why);
        g_free(jpeg);
        if (status == PM_OK && (i == 0 || seen.score > verdict->score)) *verdict = seen;
    }
    return status;
}
