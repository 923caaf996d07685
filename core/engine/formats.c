/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/formats.h"

#include <dlfcn.h>
#include <stdint.h>
#include <string.h>
#include <vips/vips.h>

#include "base/buffer.h"
#include "engine/heic.h"
#include "engine/load.h"
#include "pipeline/sections.h"

/* ------------------------------------------------------------------ what there is */

/* Found out once, before children are forked: they could not look for a library. */
static bool reads_avif, writes_avif;

/* A prebuilt libvips is one library with its codecs inside, of which AV1 is one. */
static bool vips_is_prebuilt(void)
{
    Dl_info info;
    return dladdr((const void *)(uintptr_t)vips_init, &info) != 0 && strstr(info.dli_fname, "libvips-cpp") != NULL;
}

/* libvips has its loader and saver of HEIF whatever codecs libheif found. libheif is asked itself, where it is a
 * library of its own. */
void pm_formats_setup(void)
{
    enum { AV1 = 4 }; /* libheif's own number */
    pm_heic_setup();
    reads_avif = writes_avif = vips_is_prebuilt();
    void *library = dlopen("libheif.so.1", RTLD_LAZY | RTLD_NOLOAD);
    if (library == NULL || reads_avif) return;
    void (*init)(void *) = NULL;
    int (*decodes)(int) = NULL, (*encodes)(int) = NULL;
    *(void **)&init = dlsym(library, "heif_init"); /* finds the codecs that are files of their own */
    *(void **)&decodes = dlsym(library, "heif_have_decoder_for_format");
    *(void **)&encodes = dlsym(library, "heif_have_encoder_for_format");
    if (init != NULL) init(NULL);
    reads_avif = decodes != NULL && decodes(AV1) != 0;
    writes_avif = encodes != NULL && encodes(AV1) != 0;
    dlclose(library);
}

bool pm_formats_reads(PmFormat format)
{
    if (format == PM_FORMAT_HEIF) return pm_heic_works();
    return pm_load_supports(format) && (format != PM_FORMAT_AVIF || reads_avif);
}

bool pm_formats_writes(PmFormat format)
{
    static const char *const savers[PM_FORMAT_COUNT] = {
        [PM_FORMAT_JPEG] = "jpegsave_target", [PM_FORMAT_PNG] = "pngsave_target",
        [PM_FORMAT_WEBP] = "webpsave_target", [PM_FORMAT_GIF] = "gifsave_target",
        [PM_FORMAT_TIFF] = "tiffsave_target", [PM_FORMAT_AVIF] = "heifsave_target",
        [PM_FORMAT_JXL] = "jxlsave_target",
    };
    const char *saver = (size_t)format < PM_FORMAT_COUNT ? savers[format] : NULL;
    if (saver == NULL || vips_type_find("VipsOperation", saver) == 0) return false;
    return format != PM_FORMAT_AVIF || writes_avif;
}

json_t *pm_formats_describe(void)
{
    json_t *all = json_object();
    for (int i = 1; i < PM_FORMAT_COUNT; i++) {
        PmFormat format = (PmFormat)i;
        json_object_set_new(all, pm_format_name(format),
                            json_pack("{sb sb}", "load", pm_formats_reads(format), "save", pm_formats_writes(format)));
    }
    return all;
}

/* ------------------------------------------------------------------ saying so */

static void list_read(PmBuffer *out)
{
    const char *comma = "";
    for (int i = 1; i < PM_FORMAT_COUNT; i++) {
        if (!pm_formats_reads((PmFormat)i)) continue;
        pm_buffer_addf(out, "%s%s", comma, pm_format_name((PmFormat)i));
        comma = ", ";
    }
}

PmStatus pm_formats_refuse(PmFormat format, PmError *err)
{
    PmBuffer list;
    pm_buffer_init(&list, 256);
    list_read(&list);
    pm_error_set(err, PM_BAD_INPUT, "%s is not supported by this build, which reads %s", pm_format_name(format),
                 list.data != NULL ? list.data : "nothing");
    pm_buffer_finish(&list);
    return PM_BAD_INPUT;
}

/* libtiff of compressions, libjpeg of processes, libheif of codecs and features, libvips of sample types. "bad labq
 * format" is what libvips 8.18 says of its own reading of CIE Lab in 8 bits, "samples out of range" what it says of
 * TIFFs with more than 32 bits a sample. */
bool pm_formats_lacks(const char *text)
{
    static const char *const words[] = {"unsupported",     "not supported",   "not configured",
                                        "not implemented", "unimplemented",   "does not support",
                                        "can't handle",    "bad labq format", "samples out of range"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcasestr(text, words[i]) != NULL) return true;
    return false;
}

/* ------------------------------------------------------------------ warning before a file comes */

typedef struct Warn {
    const PmPipeline *pipeline;
    json_t *warnings;
} Warn;

static void look_at(const Warn *warn, const PmNode *item, const char *fmt)
{
    if (item->kind != PM_NODE_SCALAR || item->failed) return;
    const char *name = item->text + strspn(item->text, "= ");
    PmFormat format = pm_format_from_name(name);
    if (format == PM_FORMAT_UNKNOWN || pm_formats_reads(format)) return;
    PmError warning = {0};
    PmBuffer list;
    pm_buffer_init(&list, 256);
    list_read(&list);
    pm_error_at(&warning, PM_BAD_CONFIG, warn->pipeline->file, item->line, item->column, fmt, name);
    pm_error_hint(&warning, "it reads %s", list.data != NULL ? list.data : "nothing");
    json_array_append_new(warn->warnings, pm_error_to_json(&warning));
    pm_buffer_finish(&list);
}

static void look_at_all(const Warn *warn, const PmNode *list, const char *fmt)
{
    if (list == NULL) return;
    if (list->kind == PM_NODE_SCALAR) look_at(warn, list, fmt);
    if (list->kind == PM_NODE_SEQUENCE)
        for (size_t i = 0; i < list->count; i++) look_at(warn, list->items[i], fmt);
}

static void look_at_when(const Warn *warn, const PmNode *holder)
{
    const PmNode *when = holder != NULL && holder->kind == PM_NODE_MAPPING ? pm_node_get(holder, PM_KEY_WHEN) : NULL;
    if (when == NULL || when->kind != PM_NODE_MAPPING) return;
    look_at_all(warn, pm_node_get(when, "format"), "when: format can never be %s, which this build does not read");
}

static void look_at_steps(const Warn *warn, const PmNode *steps)
{
    if (steps == NULL || steps->kind != PM_NODE_SEQUENCE) return;
    for (size_t i = 0; i < steps->count; i++) look_at_when(warn, steps->items[i]);
}

void pm_formats_warn(const PmPipeline *pipeline, json_t *warnings)
{
    Warn warn = {pipeline, warnings};
    const PmNode *root = pm_tree_root(pipeline->tree);
    if (root == NULL || root->kind != PM_NODE_MAPPING) return;
    const PmNode *limits = pm_node_get(root, PM_KEY_LIMITS), *outputs = pm_node_get(root, PM_KEY_OUTPUTS);
    if (limits != NULL && limits->kind == PM_NODE_MAPPING)
        look_at_all(&warn, pm_node_get(limits, "formats"),
                    "limits.formats lets %s in, which is not supported by this build");
    look_at_steps(&warn, pm_node_get(root, PM_KEY_STEPS));
    if (outputs == NULL || outputs->kind != PM_NODE_MAPPING) return;
    for (size_t i = 0; i < outputs->count; i++) {
        const PmNode *output = outputs->pairs[i].value;
        look_at_when(&warn, output);
        if (output->kind == PM_NODE_MAPPING) look_at_steps(&warn, pm_node_get(output, PM_KEY_STEPS));
    }
}
