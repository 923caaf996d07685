/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/printed.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK_BYTES = 4096, PIPE_CHUNKS = 16 /* what a pipe holds */, LINE_BYTES = 512 };

static int source = -1;
static bool taking; /* a log that goes to stderr must not feed itself */

void pm_printed_from(int fd)
{
    source = fd;
}

/* Nothing can be written in the sandbox, and Fontconfig says so, with a line for each of its folders: not a plugin's
 * words, and nothing to mend. */
static void pass_on(PmPrintedLine *line, void *data, const char *text, bool *folders)
{
    static const char no_cache[] = "Fontconfig error: No writable cache directories";
    bool says_so = strncmp(text, no_cache, sizeof no_cache - 1) == 0;
    *folders = says_so || (*folders && text[0] == '\t');
    if (!*folders) line(data, text);
}

void pm_printed_take(PmPrintedLine *line, void *data)
{
    char chunk[CHUNK_BYTES], text[LINE_BYTES];
    bool folders = false; /* those that Fontconfig lists follow */
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
            if (used > 0) pass_on(line, data, text, &folders);
            used = 0;
        }
    }
    text[used] = '\0';
    if (used > 0) pass_on(line, data, text, &folders);
    taking = false;
}
