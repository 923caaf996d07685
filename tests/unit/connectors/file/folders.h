/* SPDX-License-Identifier: Apache-2.0
 *
 * What tests of files share: a folder that goes away, files in it, a tiny file system where we may mount one.
 */
#ifndef PM_TESTS_BROKER_FOLDERS_H
#define PM_TESTS_BROKER_FOLDERS_H

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static inline char *new_folder(void)
{
    char *path = strdup("/tmp/pixmill-test-XXXXXX");
    assert_non_null(path);
    assert_non_null(mkdtemp(path));
    return path;
}

static inline void remove_folder(char *path)
{
    char *roots[] = {path, NULL};
    FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    for (FTSENT *e; tree != NULL && (e = fts_read(tree)) != NULL;)
        if (e->fts_info == FTS_DP)
            rmdir(e->fts_path);
        else if (e->fts_info != FTS_D)
            unlink(e->fts_path);
    if (tree != NULL) fts_close(tree);
    free(path);
}

/* "FOLDER/NAME"; one of eight buffers. */
static inline const char *at(const char *folder, const char *name)
{
    static char paths[8][4096];
    static size_t next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static inline void write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (int)strlen(text));
    close(fd);
}

/* What is in the file; "" also when there is none. One buffer. */
static inline const char *read_text(const char *path)
{
    static char text[65536];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : 0;
    if (fd >= 0) close(fd);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

static inline bool is_there(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

/* A file system of its own at `path`: options as for tmpfs. The test is skipped where nothing can be mounted. */
static inline void mount_tiny(const char *path, const char *options)
{
    if (mount("pixmill-test", path, "tmpfs", 0, options) == 0) return;
    print_message("skipped: cannot mount a tmpfs: %s\n", strerror(errno));
    skip();
}

#endif
