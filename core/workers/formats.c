/* SPDX-License-Identifier: Apache-2.0 */
#include "workers/formats.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

/* Beside those of `convert`: what third parties' encoders may write. MIME types as IANA registers them, or as in wide
 * use. Not here, on purpose: SVG, PDF and HTML, which a browser would run scripts of. */
static const PmFileFormat formats[] = {
    {"jpeg", "image/jpeg", "jpg"},
    {"png", "image/png", "png"},
    {"webp", "image/webp", "webp"},
    {"avif", "image/avif", "avif"},
    {"gif", "image/gif", "gif"},
    {"tiff", "image/tiff", "tif"},
    {"jxl", "image/jxl", "jxl"},
    {"heif", "image/heif", "heif"},
    {"heic", "image/heic", "heic"},
    {"apng", "image/apng", "apng"},
    {"bmp", "image/bmp", "bmp"},
    {"ico", "image/vnd.microsoft.icon", "ico"},
    {"jp2", "image/jp2", "jp2"},
    {"qoi", "image/qoi", "qoi"},
    {"ppm", "image/x-portable-pixmap", "ppm"},
    {"pnm", "image/x-portable-anymap", "pnm"},
    {"exr", "image/x-exr", "exr"},
    {"hdr", "image/vnd.radiance", "hdr"},
    {"fits", "image/fits", "fits"},
    {"ktx2", "image/ktx2", "ktx2"},
    {"dds", "image/vnd-ms.dds", "dds"},
    {"psd", "image/vnd.adobe.photoshop", "psd"},
};

enum { FORMATS = sizeof formats / sizeof formats[0] };

const PmFileFormat *pm_file_format(const char *name)
{
    for (size_t i = 0; name != NULL && i < FORMATS; i++)
        if (strcmp(formats[i].name, name) == 0) return &formats[i];
    return NULL;
}

static bool is_known_type(const char *mime)
{
    for (size_t i = 0; mime != NULL && i < FORMATS; i++)
        if (strcmp(formats[i].mime, mime) == 0) return true;
    return false;
}

void pm_file_formats_check(const json_t *ready, PmErrorList *errors)
{
    const json_t *plugins = json_object_get(ready, "plugins");
    for (size_t i = 0; i < json_array_size(plugins); i++) {
        const json_t *plugin = json_array_get(plugins, i), *types = json_object_get(plugin, "mime_types");
        const char *name = json_string_value(json_object_get(plugin, "name"));
        for (size_t k = 0; k < json_array_size(types); k++) {
            const char *mime = json_string_value(json_array_get(types, k));
            if (is_known_type(mime)) continue;
            char shown[128];
            pm_text_escape(shown, sizeof shown, mime != NULL ? mime : "");
            PmError *err = pm_error_list_addf(errors, PM_BAD_CONFIG, NULL, 0, 0, NULL,
                                              "plugin %s writes \"%s\", which is not an image type that pixmill stores",
                                              name != NULL ? name : "?", shown);
            if (err != NULL) pm_error_hint(err, "docs/plugin-authors.md lists the types");
        }
    }
}
