/* SPDX-License-Identifier: Apache-2.0
 *
 * Lines to a descriptor that somebody else reads, or does not read: never blocks, keeps what cannot be written in a
 * bounded buffer and drops whole lines beyond that. Hides how pipes, sockets, terminals and files are written to
 * without waiting, and without changing a mode that other processes share.
 */
#ifndef PM_BASE_WRITER_H
#define PM_BASE_WRITER_H

#include "base/loop.h"

typedef struct PmWriter PmWriter;

/* fd is borrowed and stays as it is. max: bytes kept at most. New; NULL: out of memory. */
PmWriter *pm_writer_new(int fd, size_t max);
void pm_writer_free(PmWriter *writer); /* what is left is lost; NULL is fine */

/* While attached, what is left is written as soon as somebody reads. NULL detaches; the loop outlives it till then. */
void pm_writer_attach(PmWriter *writer, PmLoop *loop);

/* Adds a newline. False: there is no room, and the line is dropped. A descriptor that is closed at the other end takes
 * everything. */
bool pm_writer_line(PmWriter *writer, const char *text, size_t size);
/* Waits until all is written, for as long as something is read every idle_ms. False: something is left. */
bool pm_writer_flush(PmWriter *writer, int idle_ms);

#endif
