/* SPDX-License-Identifier: Apache-2.0 */
#include "connectors/file/dead_files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/folder.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "connectors/file/directory.h"
#include "connectors/file/disposition.h"
#include "connectors/file/folder_scan.h"

#define REASON_ENDING ".reason.json"

enum { REASON_BYTES_MAX = 65536 };

typedef struct Visit {
    char *root, *failed;
    const char *reason; /* redrive only these; NULL: all */
    bool redrives;
    int64_t started_ms;
    size_t max, count, left;
    PmDeadLetterSeen *seen;
    void *data;
    PmError *err;
} Visit;

/* One file with its reason, by descriptor of the folder that both lie in. */
typedef struct Dead {
    int folder;
    char key[PATH_MAX]; /* below `failed` */
    char *name;         /* of the file, in `folder` */
    char reason[NAME_MAX + 1];
    int64_t written_ms; /* the reason */
    json_t *json;
} Dead;

static const char *text_of(const json_t *json, const char *name)
{
    const char *text = json_string_value(json_object_get(json, name));
    return text != NULL ? text : "";
}

/* Another program's file must not hold us up, nor fill our memory. NULL: it is not a reason that we wrote. */
static json_t *read_reason(Dead *dead)
{
    struct stat st;
    char *text = NULL;
    json_t *json = NULL;
    int fd = pm_folder_open_file(dead->folder, dead->reason, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
    if (fd < 0) return NULL;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= REASON_BYTES_MAX &&
        (text = malloc((size_t)st.st_size + 1)) != NULL) {
        ssize_t n = read(fd, text, (size_t)st.st_size);
        bool no_memory = false;
        if (n > 0) json = pm_json_read(text, (size_t)n, 0, NULL, &no_memory);
        dead->written_ms = st.st_mtim.tv_sec * INT64_C(1000) + st.st_mtim.tv_nsec / 1000000;
    }
    free(text);
    close(fd);
    return json;
}

/* Opens what a reason is about; false: there is no such pair. */
static bool open_dead(const Visit *visit, const char *key, Dead *dead)
{
    struct stat st;
    PmError ignored = {0};
    size_t n = strlen(key), ending = strlen(REASON_ENDING);
    *dead = (Dead){.folder = -1};
    if (n <= ending || strcmp(key + n - ending, REASON_ENDING) != 0) return false;
    snprintf(dead->key, sizeof dead->key, "%.*s", (int)(n - ending), key);
    char *rest = strdup(dead->key);
    int root = open(visit->failed, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (rest != NULL && root >= 0) {
        dead->folder = pm_folder_below(root, rest, false, &dead->name, &ignored);
        root = -1;
    }
    if (root >= 0) close(root);
    if (dead->folder >= 0) {
        dead->name = strrchr(dead->key, '/') != NULL ? strrchr(dead->key, '/') + 1 : dead->key;
        pm_text_copy(dead->reason, sizeof dead->reason, key + (dead->name - dead->key));
        /* Without its file a reason is about nothing: the broker is just moving it, or was killed before it could. */
        if (fstatat(dead->folder, dead->name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            (S_ISREG(st.st_mode) || S_ISLNK(st.st_mode)))
            dead->json = read_reason(dead);
    }
    free(rest);
    return dead->json != NULL;
}

static void close_dead(Dead *dead)
{
    if (dead->folder >= 0) close(dead->folder);
    json_decref(dead->json);
}

static PmDeadLetter letter_of(const Dead *dead)
{
    const char *tag = text_of(dead->json, "tag");
    return (PmDeadLetter){.id = dead->key,
                          .reason = tag[0] != '\0' ? tag : text_of(dead->json, "status"),
                          .message = text_of(dead->json, "message"),
                          .source = text_of(dead->json, "source"),
                          .where = text_of(dead->json, "where"),
                          .sent_ms = dead->written_ms,
                          .receive_count = (int)json_integer_value(json_object_get(dead->json, "attempts"))};
}

/* The file first, then its reason: at worst a reason is left without a file, which counts for nothing. */
static PmStatus redrive(const Visit *visit, const Dead *dead, PmError *err)
{
    const char *key = text_of(dead->json, "key");
    char rest[PATH_MAX], target[PM_DISPOSITION_NAME_SIZE], *name = NULL;
    snprintf(rest, sizeof rest, "%s", key[0] != '\0' ? key : dead->key);
    int folder = open(visit->root, O_PATH | O_DIRECTORY | O_CLOEXEC), moved = -1;
    if (folder < 0) return pm_folder_failed(err, "open the folder", visit->root);
    folder = pm_folder_below(folder, rest, true, &name, err);
    if (folder < 0) return err->status;
    errno = EEXIST;
    for (int n = 0; moved != 0 && errno == EEXIST && n < PM_DISPOSITION_NAMES; n++) {
        pm_disposition_name(name, n, target);
        moved = pm_folder_rename_new(dead->folder, dead->name, folder, target);
    }
    if (moved != 0) pm_folder_failed(err, "move back", dead->key);
    close(folder);
    if (moved != 0) return err->status;
    PM_CRASH_POINT("redrive.moved");
    if (unlinkat(dead->folder, dead->reason, 0) != 0 && errno != ENOENT) pm_folder_failed(err, "remove", dead->reason);
    return err->status;
}

static bool on_folder(void *data, const char *key, const struct stat *st)
{
    (void)key, (void)st;
    return ((const Visit *)data)->err->status == PM_OK;
}

static void on_file(void *data, const char *key)
{
    Visit *visit = data;
    Dead dead;
    if (visit->err->status != PM_OK || (!visit->redrives && visit->count == visit->max)) return;
    if (open_dead(visit, key, &dead)) {
        PmDeadLetter message = letter_of(&dead);
        PmError err = {0};
        /* A broker that works beside us may have set it aside again meanwhile. */
        bool wanted = visit->count < visit->max &&
                      (visit->reason == NULL || strcmp(visit->reason, message.reason) == 0) &&
                      (!visit->redrives || dead.written_ms <= visit->started_ms);
        if (wanted && visit->redrives && redrive(visit, &dead, &err) == PM_BAD_INPUT) {
            pm_log(PM_LOG_WARN, "dlq.redrive", "file", dead.key, "msg", err.message, NULL);
            wanted = false; /* this one's own trouble */
        } else if (err.status != PM_OK) {
            *visit->err = err;
            wanted = false;
        }
        if (wanted) {
            visit->count++;
            visit->seen(visit->data, &message);
        } else {
            visit->left++;
        }
    }
    close_dead(&dead);
}

static PmStatus run_visit(Visit *visit, const PmPipeline *pipeline)
{
    const PmDirectoryTrigger *config = pm_pipeline_trigger(pipeline, &pm_kind_directory);
    if (config->settle == PM_SETTLE_KEEP)
        return pm_error_set(visit->err, PM_BAD_CONFIG,
                            "%s: its trigger keeps files where they are (settle: keep), so none is set aside",
                            pipeline->file);
    visit->root = pm_pipeline_path(pipeline, config->path);
    visit->failed = visit->root != NULL ? pm_directory_place(pipeline, visit->root, config->failed, "failed") : NULL;
    visit->started_ms = pm_clock_wall_ms();
    if (visit->failed == NULL)
        pm_error_set(visit->err, PM_TRANSIENT, "out of memory");
    else
        pm_folder_scan(visit->failed, "", on_folder, on_file, visit);
    free(visit->failed);
    free(visit->root);
    return visit->err->status;
}

PmStatus pm_dead_files_list(const PmPipeline *pipeline, size_t max, PmDeadLetterSeen *seen, void *data, PmError *err)
{
    Visit visit = {.max = max, .seen = seen, .data = data, .err = err};
    return run_visit(&visit, pipeline);
}

PmStatus pm_dead_files_redrive(const PmPipeline *pipeline, const char *reason, size_t max, PmDeadLetterSeen *seen,
                               void *data, size_t *left, PmError *err)
{
    Visit visit = {.reason = reason, .redrives = true, .max = max, .seen = seen, .data = data, .err = err};
    PmStatus status = run_visit(&visit, pipeline);
    *left = visit.left;
    return status;
}
