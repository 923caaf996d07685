/* SPDX-License-Identifier: Apache-2.0 */
#include "connectors/file/folder_scan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/folder.h"
#include "base/log.h"

enum { DEPTH_MAX = 64 }; /* a descriptor each */

typedef struct Scan {
    PmFolderScanEnter *enter;
    PmFolderScanFile *file;
    void *data;
    char key[PATH_MAX];
    bool whole;
} Scan;

static void unreadable(Scan *scan, const char *why)
{
    pm_log(PM_LOG_WARN, "trigger.unreadable", "msg", "a folder cannot be read, and what is in it is not taken",
           "folder", scan->key[0] != '\0' ? scan->key : ".", "why", why, NULL);
    scan->whole = false;
}

static bool is_folder(int folder, const struct dirent *entry)
{
    struct stat st;
    if (entry->d_type != DT_UNKNOWN) return entry->d_type == DT_DIR;
    return fstatat(folder, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

/* Takes fd. */
static void walk(Scan *scan, int fd, int depth);

static void walk_below(Scan *scan, int fd, const char *name, int depth)
{
    int next = depth < DEPTH_MAX ? pm_folder_open_file(fd, name, O_RDONLY | O_DIRECTORY | O_NONBLOCK, 0) : -1;
    if (next >= 0)
        walk(scan, next, depth + 1);
    else if (depth >= DEPTH_MAX)
        unreadable(scan, "it lies too deep");
    else if (errno != ENOENT)
        unreadable(scan, strerror(errno));
}

static void walk(Scan *scan, int fd, int depth)
{
    struct stat st;
    struct dirent *entry;
    size_t n = strlen(scan->key);
    bool enter = fstat(fd, &st) == 0 && scan->enter(scan->data, scan->key, &st);
    DIR *stream = enter ? fdopendir(fd) : NULL;
    if (stream == NULL) {
        close(fd);
        if (enter) unreadable(scan, strerror(errno));
        return;
    }
    while (errno = 0, (entry = readdir(stream)) != NULL) {
        if (entry->d_name[0] == '.') continue;
        if (n + strlen(entry->d_name) + 2 > sizeof scan->key) continue; /* no path can name it */
        snprintf(scan->key + n, sizeof scan->key - n, "%s%s", n > 0 ? "/" : "", entry->d_name);
        if (is_folder(fd, entry))
            walk_below(scan, fd, entry->d_name, depth);
        else if (entry->d_type == DT_REG || entry->d_type == DT_LNK || entry->d_type == DT_UNKNOWN)
            scan->file(scan->data, scan->key);
        scan->key[n] = '\0';
    }
    if (errno != 0) unreadable(scan, strerror(errno));
    closedir(stream);
}

bool pm_folder_scan(const char *root, const char *key, PmFolderScanEnter *enter, PmFolderScanFile *file, void *data)
{
    static Scan scan; /* large; scans do not nest */
    scan = (Scan){.enter = enter, .file = file, .data = data, .whole = true};
    PmError err = {0};
    char rest[PATH_MAX], *name = NULL;
    int fd = open(root, O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        if (errno != ENOENT) unreadable(&scan, strerror(errno));
        return false;
    }
    if (key[0] == '\0') {
        walk(&scan, fd, 0);
        return scan.whole;
    }
    snprintf(rest, sizeof rest, "%s", key);
    fd = pm_folder_below(fd, rest, false, &name, &err);
    if (fd < 0) return false; /* moved away again */
    snprintf(scan.key, sizeof scan.key, "%s", key);
    walk_below(&scan, fd, name, 0);
    close(fd);
    return scan.whole;
}
