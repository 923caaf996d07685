/* SPDX-License-Identifier: Apache-2.0 */
#include "connectors/file/settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *const settles[] = {"move", "keep", NULL};

static const PmParam directory[] = {
    PM_PARAM_STRING(PmDirectoryTrigger, path, "path", .flags = PM_REQUIRED, .min = 1, .max = 4000,
                    .doc = "Folder that images arrive in."),
    PM_PARAM_BOOL(PmDirectoryTrigger, watch, "watch", .def = "true",
                  .doc = "After what is there, wait for more. `run --once` does not wait."),
    PM_PARAM_ENUM(PmDirectoryTrigger, settle, "settle", .def = "move", .choices = settles,
                  .doc = "move: a file goes to `done` or `failed` when it is finished. keep: it stays where it is."),
    PM_PARAM_STRING(PmDirectoryTrigger, done, "done", .min = 1, .max = 4000,
                    .doc = "Folder for finished files. Default: done inside the folder itself."),
    PM_PARAM_STRING(
        PmDirectoryTrigger, failed, "failed", .min = 1, .max = 4000,
        .doc =
            "Folder for files that cannot work, each with a .reason.json. Default: failed inside the folder itself."),
    PM_PARAM_STRING(PmDirectoryTrigger, seen, "seen", .min = 1, .max = 4000,
                    .doc = "settle: keep: file that lists what is finished, so that a restart does not do it again. "
                           "Default: .pixmill-NAME.seen inside the folder itself, with the pipeline's name."),
    PM_PARAM_BOOL(PmDirectoryTrigger, recursive, "recursive", .def = "false",
                  .doc = "Take files of folders below, too."),
    PM_PARAM_STRING(PmDirectoryTrigger, pattern, "pattern", .min = 1, .max = 1000,
                    .doc = "Take only files whose path below the folder matches, such as \"*.jpg\" or \"**.png\"."),
};

static const PmParam place_file[] = {
    PM_PARAM_STRING(PmFilePlace, path, "path", .flags = PM_REQUIRED, .min = 1, .max = 4000,
                    .doc =
                        "Path with {facts}, such as \"out/{dir}/{stem}_thumb.{ext}\"; relative to the pipeline file."),
};

static const PmParam notify_file[] = {
    PM_PARAM_STRING(PmFilePlace, path, "path", .flags = PM_REQUIRED, .min = 1, .max = 4000,
                    .doc = "Path of the record with {facts} of the source, such as \"records/{dir}/{name}.json\"."),
};

/* --- loops --- */

static bool begins_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Can a text that ends in `suffix`, whatever stands before, match the pattern? Only literal ends are looked at. */
static bool ends_fit(const char *pattern, const char *suffix)
{
    const char *end = pattern + strlen(pattern), *literal = end;
    while (literal > pattern && strchr("*?]", literal[-1]) == NULL) literal--;
    size_t p = (size_t)(end - literal), s = strlen(suffix), n = p < s ? p : s;
    return strncmp(end - n, suffix + s - n, n) == 0;
}

/* Would a file written by this template be picked up by the trigger? */
static bool lands_in_folder(const PmPipeline *pipeline, const PmDirectoryTrigger *trigger, const PmTemplate *tmpl,
                            const char *output)
{
    char *folder = pm_pipeline_clean_path(pipeline, trigger->path),
         *prefix = pm_pipeline_clean_path(pipeline, pm_template_prefix(tmpl));
    bool lands = false;
    if (folder != NULL && prefix != NULL) {
        size_t n = strlen(folder), m = strlen(prefix);
        char *inside = malloc(n + 2), *root = malloc(m + 2);
        if (inside != NULL && root != NULL) {
            snprintf(inside, n + 2, "%s/", folder);
            snprintf(root, m + 2, "%s/", prefix);
            bool below = begins_with(root, inside) && strlen(root) > strlen(inside); /* in a folder of the folder */
            lands = pm_template_reaches(tmpl, root, output, inside) && (trigger->recursive || !below) &&
                    (trigger->pattern == NULL || ends_fit(trigger->pattern, pm_template_suffix(tmpl)));
        }
        free(inside);
        free(root);
    }
    free(folder);
    free(prefix);
    return lands;
}

static void check_directory(const PmPipeline *pipeline, PmErrorList *errors)
{
    PmPlaceUse use;
    const PmDirectoryTrigger *trigger = pm_pipeline_trigger(pipeline, &pm_kind_directory);
    if (trigger == NULL || trigger->path == NULL) return;
    for (size_t i = 0; pm_pipeline_place(pipeline, i, &use); i++) {
        if (use.place->kind != &pm_kind_file || !lands_in_folder(pipeline, trigger, use.place->key, use.output))
            continue;
        PmError *err = pm_error_list_addf(
            errors, PM_BAD_CONFIG, pipeline->file, use.place->line, use.place->column, use.where,
            "can write into %s, the folder that the trigger watches: it would feed itself", trigger->path);
        if (err != NULL) pm_error_hint(err, "write to a folder beside it, such as out/{stem}.{ext}");
    }
}

static void warn_directory(const PmPipeline *p, PmErrorList *warnings)
{
    const PmDirectoryTrigger *trigger = pm_pipeline_trigger(p, &pm_kind_directory);
    char *path = trigger != NULL && trigger->path != NULL ? pm_pipeline_path(p, trigger->path) : NULL;
    struct stat info;
    const char *why = NULL;
    if (path != NULL && stat(path, &info) != 0)
        why = errno == ENOENT ? "is not there" : strerror(errno);
    else if (path != NULL && !S_ISDIR(info.st_mode))
        why = "is not a directory";
    if (why != NULL) {
        PmError *err = pm_error_list_addf(warnings, PM_BAD_CONFIG, p->file, p->trigger.line, p->trigger.column,
                                          "trigger: directory", "the folder %.300s %s", path, why);
        if (err != NULL) pm_error_hint(err, "`run` needs it; a path is relative to the pipeline file");
    }
    free(path);
}

static void add_address(const PmPlace *place, const char *key, PmBuffer *out)
{
    (void)place;
    pm_buffer_adds(out, key);
}

const PmKind pm_kind_directory = {
    .name = "directory",
    .trigger = PM_SECTION("trigger.directory", PmDirectoryTrigger, directory, "Images arrive as files in a folder."),
    .delivers = "file",
    .check = check_directory,
    .warn = warn_directory,
};

const PmKind pm_kind_file = {
    .name = "file",
    .source = {"source.file", "Sources are files.", NULL, 0, 0},
    .place = PM_SECTION("outputs.*.to.file", PmFilePlace, place_file, "The rendition becomes a file."),
    .quarantine_doc = "Rejected sources become files.",
    .notify = PM_SECTION("notify.file", PmFilePlace, notify_file, "A record of each finished source, as a JSON file."),
    .objects = "files",
    .key = "path",
    .key_kind = PM_TEMPLATE_PATH,
    .address = add_address,
};
