/* SPDX-License-Identifier: Apache-2.0
 *
 * Sources that are files: read on the helper thread, since a disk may take its time.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ipc.h"
#include "base/text.h"
#include "connectors/digests.h"
#include "connectors/file/location.h"
#include "connectors/file/settings.h"
#include "connectors/file/stores.h"
#include "connectors/source.h"

typedef struct FileSource {
    PmSource base;
    PmHelper *helper;
    const PmPipeline *pipeline; /* or NULL */
} FileSource;

struct PmSourceCall {
    PmHelperJob *job;
    char *path;
    int64_t max;
    int fd;
    int64_t size;
    char etag[64];
    PmDigests *digests; /* or NULL: not asked for */
    PmFetchOutcome outcome;
    PmError err;
    PmSourceDone *done;
    void *data;
};

static PmStatus copy_all(int from, int to, int64_t size, PmError *err)
{
    while (size > 0) {
        ssize_t n = sendfile(to, from, NULL, size > 1 << 30 ? 1 << 30 : (size_t)size);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return pm_error_set(err, PM_TRANSIENT, "cannot read the file: %s", strerror(errno));
        if (n == 0) return pm_error_set(err, PM_TRANSIENT, "the file became shorter while it was read");
        size -= n;
    }
    return PM_OK;
}

/* What cannot be mapped here is for who reads the file to tell. */
static void digest(PmSourceCall *call)
{
    PmMapping map;
    if (call->digests == NULL || pm_memfd_map(call->fd, SIZE_MAX, &map, NULL) != PM_OK) return;
    pm_digests_add(call->digests, map.bytes, map.size);
    pm_memfd_unmap(&map);
}

/* On the helper thread. */
static void read_file(void *data)
{
    PmSourceCall *call = data;
    struct stat st;
    int64_t max = call->max;
    int fd = open(call->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
        call->outcome = PM_FETCH_GONE;
        return;
    }
    PmError *err = &call->err;
    if (fd < 0 || fstat(fd, &st) != 0) {
        pm_error_set(err, errno == EACCES || errno == ELOOP ? PM_BAD_INPUT : PM_TRANSIENT, "cannot read the file: %s",
                     strerror(errno));
    } else if (!S_ISREG(st.st_mode)) {
        pm_error_set(err, PM_BAD_INPUT, "is not a regular file");
    } else if (st.st_size > max) {
        char found[32], allowed[32];
        pm_text_bytes(found, sizeof found, st.st_size);
        pm_text_bytes(allowed, sizeof allowed, max);
        pm_error_set(err, PM_LIMIT, "the file has %s; limits.file_size allows %s", found, allowed);
    } else if ((call->fd = pm_memfd_open("source", err)) >= 0) {
        call->size = st.st_size;
        snprintf(call->etag, sizeof call->etag, "%llx-%llx",
                 (unsigned long long)st.st_mtim.tv_sec * 1000000000ULL + (unsigned long long)st.st_mtim.tv_nsec,
                 (unsigned long long)st.st_size);
        if (copy_all(fd, call->fd, st.st_size, err) == PM_OK && pm_memfd_seal(call->fd, err) == PM_OK) digest(call);
    }
    if (fd >= 0) close(fd);
    if (err->status != PM_OK) call->outcome = PM_FETCH_FAILED;
}

static void free_call(PmSourceCall *call)
{
    if (call->fd >= 0) close(call->fd);
    pm_digests_free(call->digests);
    free(call->path);
    free(call);
}

static void tell(void *data, bool cancelled)
{
    PmSourceCall *call = data;
    PmFetched fetched = {.outcome = call->outcome,
                         .fd = call->outcome == PM_FETCHED ? call->fd : -1,
                         .size = call->size,
                         .etag = call->etag,
                         .sha256 = call->digests != NULL ? pm_digests_sha256(call->digests) : NULL,
                         .err = call->outcome == PM_FETCH_FAILED ? &call->err : NULL};
    if (!cancelled && fetched.fd >= 0) call->fd = -1; /* given away */
    if (!cancelled) call->done(call->data, &fetched);
    free_call(call);
}

static PmSourceCall *get(PmSource *base, const PmObject *object, int64_t max, PmSourceDone *done, void *data,
                         PmError *err)
{
    FileSource *source = (FileSource *)base;
    PmSourceCall *call = calloc(1, sizeof *call);
    if (call == NULL) {
        pm_error_set(err, PM_TRANSIENT, "out of memory");
        return NULL;
    }
    *call = (PmSourceCall){.path = strdup(object->path), .max = max, .fd = -1, .done = done, .data = data};
    if (base->sha256) call->digests = pm_digests_new(false, true);
    if (call->path != NULL && (call->digests != NULL || !base->sha256))
        call->job = pm_helper_run(source->helper, read_file, tell, call);
    if (call->job != NULL) return call;
    free_call(call);
    pm_error_set(err, PM_TRANSIENT, "out of memory");
    return NULL;
}

static void cancel(PmSource *base, PmSourceCall *call)
{
    (void)base;
    if (call != NULL) pm_helper_cancel(call->job);
}

static void name_source(const PmSource *base, const PmObject *object, char *out, size_t size)
{
    const PmPipeline *pipeline = ((const FileSource *)base)->pipeline;
    const PmDirectoryTrigger *trigger = pipeline != NULL ? pm_pipeline_trigger(pipeline, &pm_kind_directory) : NULL;
    if (trigger != NULL)
        pm_location_name(pipeline->dir, trigger->path, true, out, size);
    else
        pm_location_name("", object->path, false, out, size);
}

static void free_source(PmSource *base)
{
    free(base);
}

PmSource *pm_source_file_new(PmHelper *helper, const PmPipeline *pipeline, PmError *err)
{
    static const PmSourceOps ops = {.get = get, .cancel = cancel, .name = name_source, .free = free_source};
    FileSource *source = calloc(1, sizeof *source);
    if (source == NULL) {
        pm_error_set(err, PM_TRANSIENT, "out of memory");
        return NULL;
    }
    source->base.ops = &ops;
    source->helper = helper;
    source->pipeline = pipeline;
    return &source->base;
}
