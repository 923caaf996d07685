/* SPDX-License-Identifier: Apache-2.0
 *
 * The pipeline file on disk, and paths that start at it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "pipeline/pipeline.h"

static PmStatus refuse(PmError *err, const char *file, const char *why)
{
    pm_error_set(err, PM_BAD_CONFIG, "%s", why);
    if (err != NULL && err->file[0] == '\0') snprintf(err->file, sizeof err->file, "%s", file);
    return PM_BAD_CONFIG;
}

/* Some editors' "Unicode" is UTF-16, which begins with its own byte order mark. */
static PmStatus refuse_binary(PmError *err, const char *file, const PmBuffer *text)
{
    bool utf16 = text->size >= 2 && (memcmp(text->data, "\xFF\xFE", 2) == 0 || memcmp(text->data, "\xFE\xFF", 2) == 0);
    refuse(err, file, utf16 ? "the file is UTF-16" : "the file is not text: it contains NUL bytes");
    if (utf16) pm_error_hint(err, "save it as UTF-8");
    return PM_BAD_CONFIG;
}

static PmStatus read_all(int fd, const char *file, PmBuffer *out, PmError *err)
{
    char chunk[65536];
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return refuse(err, file, strerror(errno));
        if (n == 0) return PM_OK;
        if (!pm_buffer_add(out, chunk, (size_t)n)) return refuse(err, file, "the file is larger than 1 MiB");
    }
}

static char *folder_of(const char *file)
{
    char *real = realpath(file, NULL);
    char *slash = real != NULL ? strrchr(real, '/') : NULL;
    if (slash != NULL) slash[slash == real] = '\0';
    return real;
}

PmStatus pm_pipeline_load_text(const char *file, char **text, size_t *size, char **dir, PmError *err)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        char why[300];
        snprintf(why, sizeof why, "cannot open the file: %s", strerror(errno));
        return refuse(err, file, why);
    }
    struct stat st;
    PmBuffer buffer;
    pm_buffer_init(&buffer, PM_TREE_TEXT_MAX);
    char *folder = NULL;
    PmStatus status = PM_OK;
    bool known = fstat(fd, &st) == 0;
    /* A pipe (process substitution) is fine; a folder is a slip. */
    if (known && S_ISDIR(st.st_mode))
        status = refuse(err, file, "is a folder, not a pipeline file");
    else
        status = read_all(fd, file, &buffer, err);
    if (status == PM_OK) pm_buffer_add(&buffer, "", 0);
    if (status == PM_OK && buffer.size > 0 && memchr(buffer.data, '\0', buffer.size) != NULL)
        status = refuse_binary(err, file, &buffer);
    if (status == PM_OK) {
        folder = known && S_ISREG(st.st_mode) ? folder_of(file) : realpath(".", NULL);
        if (folder == NULL) status = refuse(err, file, "cannot tell the file's folder");
    }
    if (status == PM_OK) {
        *size = buffer.size;
        *text = pm_buffer_steal(&buffer);
        *dir = folder;
        if (*text == NULL) status = refuse(err, file, "out of memory");
    }
    if (status != PM_OK) free(folder);
    pm_buffer_finish(&buffer);
    close(fd);
    return status;
}

char *pm_pipeline_path(const PmPipeline *pipeline, const char *path)
{
    if (path[0] == '/') return strdup(path);
    size_t n = strlen(pipeline->dir) + strlen(path) + 2;
    char *joined = malloc(n);
    if (joined != NULL) snprintf(joined, n, "%s/%s", pipeline->dir, path);
    return joined;
}

static char *clean_path(const char *path)
{
    size_t n = strlen(path);
    char *out = malloc(n + 2);
    if (out == NULL) return NULL;
    size_t used = 0;
    for (const char *p = path; *p != '\0';) {
        while (*p == '/') p++;
        size_t length = strcspn(p, "/");
        if (length == 2 && strncmp(p, "..", 2) == 0) {
            while (used > 0 && out[used - 1] != '/') used--;
            if (used > 0) used--;
        } else if (length > 0 && !(length == 1 && *p == '.')) {
            out[used++] = '/';
            memmove(out + used, p, length);
            used += length;
        }
        p += length;
    }
    out[used] = '\0';
    return out;
}

char *pm_pipeline_clean_path(const PmPipeline *pipeline, const char *path)
{
    char *joined = pm_pipeline_path(pipeline, path);
    char *clean = joined != NULL ? clean_path(joined) : NULL;
    free(joined);
    return clean;
}
