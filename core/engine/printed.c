/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/printed.h"

#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

enum { CHUNK_BYTES = 4096, PIPE_CHUNKS = 16 /* what a pipe holds */, LINE_BYTES = 512 };

static int source = -1;
static bool taking; /* a log that goes to stderr must not feed itself */

void pm_printed_from(int fd)
{
    source = fd;
}

void pm_printed_take(PmPrintedLine *line, void *data)
{
    char chunk[CHUNK_BYTES], text[LINE_BYTES];
    size_t used = 0;
    ssize_t n;
    if (source < 0 || taking) return;
    taking = true;
    fflush(stdout); /* half a line, or more, if the plugin has given it a buffer */
    for (int i = 0; i < PIPE_CHUNKS && (n = read(source, chunk, sizeof chunk)) > 0; i++) {
        for (ssize_t k = 0; k < n; k++) {
            if (chunk[k] != '\n' && chunk[k] != '\0') text[used++] = chunk[k];
            if (chunk[k] != '\n' && used < sizeof text - 1) continue;
            text[used] = '\0';
            if (used > 0) line(data, text);
            used = 0;
        }
    }
    text[used] = '\0';
    if (used > 0) line(data, text);
    taking = false;
}
