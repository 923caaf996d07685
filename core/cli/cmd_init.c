/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/describe.h"
#include "cli/embedded.h"
#include "cli/print.h"
#include "connectors/connector.h"
#include "pipeline/schema.h"

#define SCHEMA "pixmill.schema.json"

/* What there is to begin with, and what else its file needs. */
static const struct {
    const char *name, *doc, *asset, *next;
} starters[] = {
    {"photos", "a large picture and a thumbnail; the one that is meant without a name", NULL, NULL},
    {"avatar", "square pictures of at most 20 KiB", NULL, NULL},
    {"srcset", "three widths in three formats for web pages", NULL, " --json | pixmill srcset"},
    {"watermark", "a logo in the corner, a text all over", "logo.png", NULL},
    {"moderation", "a classifier, and what follows from its answer", NULL, NULL},
    {"s3", "a worker on S3 and SQS", NULL, NULL},
    {"lambda", "a Lambda function that S3 calls", NULL, NULL},
};
enum { STARTERS = sizeof starters / sizeof starters[0] };

static const PmCommandOption options[] = {
    {"out", "DIR", "The folder to write to, made when needed; the current one by default.", 'o'},
    {NULL, NULL, NULL, 0},
};

static bool write_file(int folder, const char *name, const void *bytes, size_t size)
{
    int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    size_t done = 0;
    while (fd >= 0 && done < size) {
        ssize_t n = write(fd, (const char *)bytes + done, size - done);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        done += (size_t)n;
    }
    bool good = fd >= 0 && done == size;
    int why = errno;
    if (fd >= 0 && close(fd) != 0) good = false;
    if (fd >= 0 && !good) unlinkat(folder, name, 0); /* ours, and only a part */
    if (!good) pm_cli_usage(NULL, "cannot write %s: %s", name, strerror(why));
    return good;
}

/* The schema of the plugins that are found here; new, NULL after an error was printed. */
static char *schema_text(const PmArguments *arguments)
{
    PmError err = {0};
    json_t *answer = pm_describe_plugins(&arguments->pool, NULL, 0, &err);
    json_t *schema = answer != NULL ? pm_schema_pipeline(pm_kinds, json_object_get(answer, "plugins")) : NULL;
    char *text = schema != NULL ? pm_json_text(schema, JSON_INDENT(2)) : NULL;
    if (text == NULL) {
        pm_error_set(&err, PM_TRANSIENT, "out of memory");
        pm_print_error(&err);
    }
    json_decref(schema);
    json_decref(answer);
    return text;
}

static bool is_there(int folder, const char *name)
{
    struct stat st;
    return fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Writes all of it, or says what is in the way before anything is written. */
static int write_starter(const PmArguments *arguments, size_t which, int folder, const char *dir)
{
    char name[64];
    snprintf(name, sizeof name, "%s.yaml", starters[which].name);
    const char *files[] = {name, starters[which].asset};
    for (size_t i = 0; i < 2; i++)
        if (files[i] != NULL && is_there(folder, files[i]))
            return pm_cli_usage("nothing was written; give another folder: --out DIR", "%s is there already in %s",
                                files[i], dir);
    bool keeps_schema = is_there(folder, SCHEMA); /* the same for all of the folder's files */
    char *schema = keeps_schema ? NULL : schema_text(arguments);
    bool good = keeps_schema || schema != NULL;
    for (size_t i = 0; good && i < 2; i++) {
        const PmEmbeddedFile *file = files[i] != NULL ? pm_embedded_find(files[i]) : NULL;
        if (file != NULL) good = write_file(folder, file->name, file->bytes, file->size);
    }
    if (good && schema != NULL) good = write_file(folder, SCHEMA, schema, strlen(schema));
    free(schema);
    if (!good) return PM_EXIT_FAILED;
    bool here = strcmp(dir, ".") == 0;
    printf("%s%s%s: %s\n\nTry it:\n  pixmill apply %s%s%s PICTURE --out .%s\n", here ? "" : dir, here ? "" : "/", name,
           starters[which].doc, here ? "" : dir, here ? "" : "/", name,
           starters[which].next != NULL ? starters[which].next : "");
    return PM_EXIT_FINE;
}

static int run(const PmArguments *arguments)
{
    const char *wanted = arguments->count > 0 ? arguments->values[0] : starters[0].name;
    const char *dir = pm_arguments_get(arguments, "out"), *names[STARTERS + 1];
    if (dir == NULL) dir = ".";
    size_t which = 0;
    for (size_t i = 0; i < STARTERS; i++) names[i] = starters[i].name;
    names[STARTERS] = NULL;
    while (which < STARTERS && strcmp(starters[which].name, wanted) != 0) which++;
    if (which == STARTERS) {
        char hint[200], all[160];
        const char *near = pm_text_nearest(wanted, names);
        pm_text_join(names, ", ", all, sizeof all);
        if (near != NULL)
            snprintf(hint, sizeof hint, "did you mean \"%s\"?", near);
        else
            snprintf(hint, sizeof hint, "there are %s", all);
        return pm_cli_usage(hint, "there is nothing called \"%s\" to begin with", wanted);
    }
    if (mkdir(dir, 0777) != 0 && errno != EEXIST)
        return pm_cli_usage(NULL, "cannot make the folder %s: %s", dir, strerror(errno));
    int folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return pm_cli_usage(NULL, "cannot open the folder %s: %s", dir, strerror(errno));
    int code = write_starter(arguments, which, folder, dir);
    close(folder);
    return code;
}

const PmCommand pm_command_init = {
    .name = "init",
    .usage = "[photos | avatar | srcset | watermark | moderation | s3 | lambda] [--out DIR]",
    .summary = "Write a pipeline file to begin with.",
    .text =
        "It has comments, runs as it is, and names the schema that editors complete by, which is written beside it\n"
        "(pixmill.schema.json), as is a logo where one is needed. Nothing is overwritten.\n"
        "\n"
        "Examples:\n"
        "  pixmill init avatar && pixmill apply avatar.yaml me.jpg --out .\n"
        "  pixmill init s3 --out deploy",
    .options = options,
    .most = 1,
    .run = run,
};
