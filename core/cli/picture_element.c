/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/picture_element.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/html.h"

enum { CANDIDATES_MAX = 64, ADDRESS_MAX = 16 * 1024 };

/* What browsers show, the one to be tried first in front: the first that a browser knows is taken, whatever follows. */
static const struct {
    const char *format, *mime;
} types[] = {{"jxl", "image/jxl"},   {"avif", "image/avif"}, {"webp", "image/webp"},
             {"jpeg", "image/jpeg"}, {"png", "image/png"},   {"gif", "image/gif"}};
enum { TYPES = sizeof types / sizeof types[0] };

/* A rendition that may be shown. */
typedef struct Candidate {
    const char *location;
    long long width, height;
    size_t type;
} Candidate;

typedef struct Picture {
    const PmPictureOptions *options;
    Candidate items[CANDIDATES_MAX];
    size_t count;
    size_t below; /* bytes of the locations that URLs leave out */
    PmBuffer *out;
} Picture;

static const char *text_at(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

/* --- which renditions --- */

/* The matrix that is meant; "": the outputs that belong to none. */
static const char *matrix_of(const json_t *outputs, const PmPictureOptions *options)
{
    if (options->matrix != NULL) return options->matrix;
    for (size_t i = 0; i < json_array_size(outputs); i++) {
        const char *matrix = text_at(json_array_get(outputs, i), "matrix");
        if (matrix[0] != '\0') return matrix;
    }
    return "";
}

/* A small source gives one width several times. */
static bool known(const Picture *picture, const Candidate *candidate)
{
    for (size_t i = 0; i < picture->count; i++)
        if (picture->items[i].type == candidate->type && picture->items[i].width == candidate->width) return true;
    return false;
}

static int by_type_and_width(const void *a, const void *b)
{
    const Candidate *x = a, *y = b;
    if (x->type != y->type) return x->type < y->type ? -1 : 1;
    return x->width < y->width ? -1 : x->width > y->width;
}

static void collect(Picture *picture, const json_t *record)
{
    const json_t *outputs = json_object_get(record, "outputs");
    const char *matrix = matrix_of(outputs, picture->options);
    for (size_t i = 0; i < json_array_size(outputs) && picture->count < CANDIDATES_MAX; i++) {
        const json_t *output = json_array_get(outputs, i);
        Candidate candidate = {.location = text_at(output, "location"),
                               .width = json_integer_value(json_object_get(output, "width")),
                               .height = json_integer_value(json_object_get(output, "height"))};
        while (candidate.type < TYPES && strcmp(types[candidate.type].format, text_at(output, "format")) != 0)
            candidate.type++;
        if (strcmp(text_at(output, "matrix"), matrix) != 0 || candidate.location[0] == '\0' || candidate.width < 1 ||
            candidate.height < 1 || candidate.type == TYPES || strcmp(text_at(output, "stored"), "failed") == 0 ||
            known(picture, &candidate))
            continue;
        picture->items[picture->count++] = candidate;
    }
    qsort(picture->items, picture->count, sizeof picture->items[0], by_type_and_width);
}

/* --- addresses --- */

/* Bytes of "s3://bucket/", or of the folder that all lie in. */
static size_t common_folder(const Picture *picture)
{
    const char *first = picture->items[0].location;
    if (strncmp(first, "s3://", 5) == 0) {
        size_t bucket = strcspn(first + 5, "/");
        return 5 + bucket + (first[5 + bucket] == '/');
    }
    const char *slash = strrchr(first, '/');
    size_t folder = slash != NULL ? (size_t)(slash - first) + 1 : 0;
    for (size_t i = 1; i < picture->count; i++)
        while (folder > 0 && strncmp(first, picture->items[i].location, folder) != 0)
            for (folder--; folder > 0 && first[folder - 1] != '/';) folder--;
    return folder;
}

static PmStatus find_below(Picture *picture, PmError *err)
{
    const char *from = picture->options->from;
    picture->below = from != NULL ? strlen(from) : common_folder(picture);
    for (size_t i = 0; from != NULL && i < picture->count; i++) {
        if (strncmp(picture->items[i].location, from, picture->below) == 0) continue;
        pm_error_set(err, PM_BAD_CONFIG, "%.400s does not begin with --from %.200s", picture->items[i].location, from);
        return PM_BAD_CONFIG;
    }
    return PM_OK;
}

static void add_address(Picture *picture, const Candidate *candidate)
{
    const char *url = picture->options->url != NULL ? picture->options->url : "";
    const char *rest = candidate->location + picture->below;
    size_t n = strlen(url);
    while (n > 0 && url[n - 1] == '/' && rest[0] == '/') rest++;
    pm_html_escape(picture->out, url);
    if (n > 0 && url[n - 1] != '/' && rest[0] != '/') pm_buffer_adds(picture->out, "/");
    pm_html_path(picture->out, rest);
}

/* --- the element --- */

static void add_srcset(Picture *picture, size_t begin, size_t end)
{
    pm_buffer_adds(picture->out, "srcset=\"");
    for (size_t i = begin; i < end; i++) {
        if (i > begin) pm_buffer_adds(picture->out, ", ");
        add_address(picture, &picture->items[i]);
        pm_buffer_addf(picture->out, " %lldw", picture->items[i].width);
    }
    pm_buffer_adds(picture->out, "\" sizes=\"");
    pm_html_escape(picture->out, picture->options->sizes != NULL ? picture->options->sizes : "100vw");
    pm_buffer_adds(picture->out, "\"");
}

static void add_element(Picture *picture)
{
    pm_buffer_adds(picture->out, "<picture>\n");
    for (size_t begin = 0, end; begin < picture->count; begin = end) {
        const Candidate *first = &picture->items[begin];
        for (end = begin + 1; end < picture->count && picture->items[end].type == first->type;) end++;
        if (end < picture->count) {
            pm_buffer_addf(picture->out, "  <source type=\"%s\" ", types[first->type].mime);
            add_srcset(picture, begin, end);
            pm_buffer_adds(picture->out, ">\n");
            continue;
        }
        const Candidate *widest = &picture->items[end - 1];
        pm_buffer_adds(picture->out, "  <img src=\"");
        add_address(picture, widest);
        pm_buffer_adds(picture->out, "\" ");
        add_srcset(picture, begin, end);
        /* The size keeps the place free while the picture loads. */
        pm_buffer_addf(picture->out, " width=\"%lld\" height=\"%lld\" alt=\"", widest->width, widest->height);
        pm_html_escape(picture->out, picture->options->alt);
        pm_buffer_adds(picture->out, "\" loading=\"lazy\" decoding=\"async\">\n");
    }
    pm_buffer_adds(picture->out, "</picture>\n");
}

PmStatus pm_picture_element(const json_t *record, const PmPictureOptions *options, PmBuffer *out, PmError *err)
{
    Picture picture = {.options = options, .out = out};
    char source[300];
    pm_text_copy(source, sizeof source, text_at(record, "source"));
    collect(&picture, record);
    if (picture.count == 0) {
        pm_error_set(err, PM_BAD_CONFIG, "%s: no rendition%s%s that a browser shows", source,
                     options->matrix != NULL ? " of " : "", options->matrix != NULL ? options->matrix : "");
        pm_error_hint(err, "give outputs whose format is jpeg, png, gif, webp, avif or jxl");
        return PM_BAD_CONFIG;
    }
    if (find_below(&picture, err) != PM_OK) return PM_BAD_CONFIG;
    add_element(&picture);
    return out->failed ? pm_error_set(err, PM_LIMIT, "%s: the element is too long, or memory is short", source) : PM_OK;
}
