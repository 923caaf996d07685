/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

bool pm_file_read(const char *path, int64_t max, const char *limit, void **bytes, size_t *size, char *why,
                  size_t why_size)
{
    bool good = false;
    char *data = NULL;
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &info) != 0) {
        snprintf(why, why_size, "%s", strerror(errno));
        goto out;
    }
    if (!S_ISREG(info.st_mode)) {
        snprintf(why, why_size, "it is not a regular file");
        goto out;
    }
    if (max > 0 && info.st_size > max) {
        char found[32], allowed[32];
        pm_text_bytes(found, sizeof found, info.st_size);
        pm_text_bytes(allowed, sizeof allowed, max);
        snprintf(why, why_size, "it has %s, more than the %s of %s", found, allowed, limit);
        goto out;
    }
    data = malloc((size_t)info.st_size + 1);
    size_t have = 0;
    while (data != NULL && have < (size_t)info.st_size) {
        ssize_t n = read(fd, data + have, (size_t)info.st_size - have);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) snprintf(why, why_size, "%s", strerror(errno));
        if (n < 0) goto out;
        if (n == 0) break;
        have += (size_t)n;
    }
    if (data == NULL || have == 0) {
        snprintf(why, why_size, "%s", data == NULL ? "no memory" : "it is empty");
        goto out;
    }
    *bytes = data;
    *size = have;
    data = NULL;
    good = true;
out:
    free(data);
    if (fd >= 0) close(fd);
    return good;
}
