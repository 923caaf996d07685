/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/handshake.h"

#include <stdlib.h>
#include <string.h>
#include <vips/vips.h>

#include "base/text.h"
#include "engine/shorthand.h"

/* The least that a plugin's structs must hold: what is required of it. What lies beyond may be missing, and then
 * reads as zero, because an older plugin does not know of it. */
static const size_t plugin_size_min = offsetof(PmPlugin, transform) + sizeof(void *);
static const size_t transform_size_min = offsetof(PmTransform, mime_types);
static const size_t param_size_min = offsetof(PmParam, min);

static bool name_ok(const char *name, char joiner)
{
    if (name == NULL || name[0] < 'a' || name[0] > 'z') return false;
    size_t length = 0;
    for (; name[length] != '\0'; length++) {
        char c = name[length];
        if (length == PM_PLUGIN_NAME_MAX) return false;
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == joiner)) return false;
    }
    return name[length - 1] != joiner;
}

bool pm_plugin_name_ok(const char *name)
{
    return name_ok(name, '-');
}

bool pm_word_ok(const char *name)
{
    return name_ok(name, '_');
}

static PmStatus check_versions(const char *file, const PmPlugin *plugin, PmError *err)
{
    /* Nothing but the magic may be read before it is known to be a plugin, nothing but magic and version before the
     * major version is known to be ours. */
    if (plugin->magic != PM_PLUGIN_MAGIC) {
        pm_error_set(err, PM_BAD_CONFIG, "%s: expected the magic 0x%08x (\"PML1\"), found 0x%08x", file,
                     PM_PLUGIN_MAGIC, plugin->magic);
        pm_error_hint(err, "it is not a pixmill plugin; define pixmill_plugin() with PM_PLUGIN()");
        return PM_BAD_CONFIG;
    }
    if (plugin->abi_major != PM_ABI_MAJOR) {
        pm_error_set(err, PM_BAD_CONFIG, "%s: expected plugin ABI %d, found %d.%d", file, PM_ABI_MAJOR,
                     plugin->abi_major, plugin->abi_minor);
        pm_error_hint(err, "%s",
                      plugin->abi_major > PM_ABI_MAJOR
                          ? "update pixmill, or rebuild the plugin against this pixmill's plugin.h"
                          : "update the plugin, or rebuild it against this pixmill's plugin.h");
        return PM_BAD_CONFIG;
    }
    if (plugin->abi_minor > PM_HOST_ABI_MINOR) {
        pm_error_set(err, PM_BAD_CONFIG, "%s: expected plugin ABI %d.%d or older, found %d.%d", file, PM_ABI_MAJOR,
                     PM_HOST_ABI_MINOR, plugin->abi_major, plugin->abi_minor);
        pm_error_hint(err, "update pixmill, or rebuild the plugin with -DPM_ABI_MINOR=%d", PM_HOST_ABI_MINOR);
        return PM_BAD_CONFIG;
    }
    return PM_OK;
}

/* A size outside of [min, PM_PLUGIN_STRUCT_MAX] can only be garbage. */
static PmStatus check_size(const char *file, const char *name, size_t found, size_t min, PmError *err)
{
    if (found >= min && found <= PM_PLUGIN_STRUCT_MAX && found % sizeof(void *) == 0) return PM_OK;
    pm_error_set(err, PM_BAD_CONFIG, "%s: expected %s of %zu to %d bytes, a multiple of %zu; found %zu", file, name,
                 min, PM_PLUGIN_STRUCT_MAX, sizeof(void *), found);
    pm_error_hint(err, "fill in the descriptor with PM_PLUGIN() and PM_PARAMS()");
    return PM_BAD_CONFIG;
}

static PmStatus check_vips(const char *file, const PmPlugin *plugin, PmError *err)
{
    int built[3] = {plugin->vips_major, plugin->vips_minor, plugin->vips_micro};
    for (int i = 0; i < 3; i++) {
        int running = vips_version(i);
        if (built[i] < running) return PM_OK;
        if (built[i] > running) {
            pm_error_set(err, PM_BAD_CONFIG,
                         "%s: expected a plugin built with libvips %d.%d.%d or older, found %d.%d.%d", file,
                         vips_version(0), vips_version(1), vips_version(2), built[0], built[1], built[2]);
            pm_error_hint(err, "update libvips, or rebuild the plugin with the libvips that runs here");
            return PM_BAD_CONFIG;
        }
    }
    return PM_OK;
}

static PmStatus check_callbacks(const char *file, const PmTransform *t, PmError *err)
{
    const char *missing = t->create == NULL ? "create" : t->plan == NULL ? "plan" : NULL;
    if (missing != NULL) {
        pm_error_set(err, PM_BAD_CONFIG, "%s: expected create and plan, found no %s", file, missing);
        pm_error_hint(err, "set .%s in the PmTransform", missing);
        return PM_BAD_CONFIG;
    }
    int kinds = (t->apply != NULL) + (t->inspect != NULL) + (t->encode != NULL);
    if (kinds == 1) return PM_OK;
    const char *first = t->apply != NULL ? "apply" : t->inspect != NULL ? "inspect" : "none";
    const char *last = t->encode != NULL ? "encode" : "inspect";
    pm_error_set(err, PM_BAD_CONFIG, "%s: expected exactly one of apply, inspect and encode, found %s%s%s", file,
                 kinds == 3 ? "apply, inspect" : first, kinds > 0 ? " and " : "", kinds > 0 ? last : "");
    pm_error_hint(err, "a plugin is one step: split it, or set the callback it is about");
    return PM_BAD_CONFIG;
}

static PmStatus check_name(const char *file, const PmTransform *t, PmError *err)
{
    if (!pm_plugin_name_ok(t->name)) {
        pm_error_set(err, PM_BAD_CONFIG, "%s: expected a name in lower-case-with-dashes, found %.60s%s%.60s", file,
                     t->name != NULL ? "\"" : "", t->name != NULL ? t->name : "none", t->name != NULL ? "\"" : "");
        pm_error_hint(err, "a to z, 0 to 9 and -, a letter first, at most %d characters", PM_PLUGIN_NAME_MAX);
        return PM_BAD_CONFIG;
    }
    /* A step is found by its file's name: one that calls itself something else would be found under neither. */
    const char *slash = strrchr(file, '/');
    const char *base = slash != NULL ? slash + 1 : file;
    size_t length = strlen(t->name);
    if (strncmp(base, t->name, length) == 0 && strcmp(base + length, ".so") == 0) return PM_OK;
    pm_error_set(err, PM_BAD_CONFIG, "%s: expected the file to be named %s.so after its step, found %s", file, t->name,
                 base);
    pm_error_hint(err, "rename the file, or the step (.name)");
    return PM_BAD_CONFIG;
}

static PmStatus check_words(const char *file, const char *what, const char *const *words, bool (*ok)(const char *),
                            PmError *err)
{
    for (size_t i = 0; words != NULL && words[i] != NULL; i++) {
        if (i == PM_PLUGIN_CHOICES_MAX) {
            pm_error_set(err, PM_BAD_CONFIG, "%s: expected at most %d %s, found more", file, PM_PLUGIN_CHOICES_MAX,
                         what);
            pm_error_hint(err, "end the list with NULL");
            return PM_BAD_CONFIG;
        }
        if (ok != NULL && !ok(words[i])) {
            pm_error_set(err, PM_BAD_CONFIG, "%s: expected %s in lower_snake_case, found \"%.60s\"", file, what,
                         words[i]);
            pm_error_hint(err, "a to z, 0 to 9 and _, a letter first, at most %d characters", PM_PLUGIN_NAME_MAX);
            return PM_BAD_CONFIG;
        }
    }
    return PM_OK;
}

/* These go into JSON and onto terminals. */
static PmStatus check_text(const char *file, const char *what, const char *text, PmError *err)
{
    if (text == NULL || pm_text_is_utf8(text, strlen(text))) return PM_OK;
    pm_error_set(err, PM_BAD_CONFIG, "%s: expected %s in UTF-8, found other bytes", file, what);
    pm_error_hint(err, "save the source file as UTF-8");
    return PM_BAD_CONFIG;
}

/* Copies the table entry by entry, because the plugin's entries may be shorter or longer than ours. */
static PmStatus copy_params(const char *file, const PmTransform *t, PmParam **out, PmError *err)
{
    const char *from = (const char *)t->params;
    size_t count = t->param_count, stride = t->param_size;
    if (count == 0) return PM_OK;
    if (from == NULL || count > PM_PLUGIN_PARAMS_MAX || t->config_size > PM_PLUGIN_CONFIG_MAX) {
        pm_error_set(
            err, PM_BAD_CONFIG, "%s: expected at most %d parameters and %d bytes of config, found %zu%s and %zu", file,
            PM_PLUGIN_PARAMS_MAX, PM_PLUGIN_CONFIG_MAX, count, from == NULL ? " without a table" : "", t->config_size);
        pm_error_hint(err, "describe the table with PM_PARAMS()");
        return PM_BAD_CONFIG;
    }
    PmStatus status = check_size(file, "a PmParam", stride, param_size_min, err);
    if (status != PM_OK) return status;
    PmParam *params = calloc(count, sizeof *params);
    if (params == NULL) return pm_error_set(err, PM_LIMIT, "%s: out of memory", file);
    for (size_t i = 0; i < count; i++)
        memcpy(&params[i], from + i * stride, stride < sizeof *params ? stride : sizeof *params);
    *out = params;
    return PM_OK;
}

PmStatus pm_handshake(const char *file, const PmPlugin *plugin, PmLoaded *out, PmError *err)
{
    if (plugin == NULL) {
        pm_error_set(err, PM_BAD_CONFIG, "%s: expected pixmill_plugin() to return a descriptor, found NULL", file);
        pm_error_hint(err, "define pixmill_plugin() with PM_PLUGIN()");
        return PM_BAD_CONFIG;
    }
    PmStatus status = check_versions(file, plugin, err);
    if (status == PM_OK) status = check_size(file, "a PmPlugin", plugin->size, plugin_size_min, err);
    if (status != PM_OK) return status;
    PmPlugin own = {0};
    memcpy(&own, plugin, plugin->size < sizeof own ? plugin->size : sizeof own);

    status = check_vips(file, &own, err);
    if (status == PM_OK) status = check_size(file, "a PmTransform", own.transform_size, transform_size_min, err);
    if (status != PM_OK) return status;
    if (own.transform == NULL) {
        pm_error_set(err, PM_BAD_CONFIG, "%s: expected a PmTransform, found NULL", file);
        pm_error_hint(err, "name it in PM_PLUGIN()");
        return PM_BAD_CONFIG;
    }
    PmTransform t = {0};
    memcpy(&t, own.transform, own.transform_size < sizeof t ? own.transform_size : sizeof t);

    status = check_callbacks(file, &t, err);
    if (status == PM_OK) status = check_name(file, &t, err);
    if (status == PM_OK) status = check_text(file, "a summary", t.summary, err);
    if (status == PM_OK) status = check_text(file, "a version", own.version, err);
    if (status == PM_OK) status = check_words(file, "facts", t.facts, pm_word_ok, err);
    if (status == PM_OK) status = check_words(file, "regions", t.regions, pm_word_ok, err);
    if (status == PM_OK) status = check_words(file, "MIME types", t.mime_types, NULL, err);
    PmParam *params = NULL;
    if (status == PM_OK) status = copy_params(file, &t, &params, err);
    if (status == PM_OK) status = pm_params_check(file, params, t.param_count, t.config_size, err);
    if (status == PM_OK) {
        t.params = params;
        status = pm_shorthand_check(file, &t, err);
    }
    if (status != PM_OK) {
        free(params);
        return status;
    }
    t.params = params;
    t.param_size = sizeof(PmParam);
    if (t.summary == NULL) t.summary = "";
    out->version = own.version != NULL && own.version[0] != '\0' ? own.version : "0";
    out->transform = t;
    return PM_OK;
}

void pm_handshake_finish(PmLoaded *loaded)
{
    if (loaded == NULL) return;
    free((void *)loaded->transform.params);
    loaded->transform.params = NULL;
}
