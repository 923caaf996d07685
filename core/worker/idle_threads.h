/* SPDX-License-Identifier: Apache-2.0
 *
 * libvips keeps its worker threads for 15 idle seconds, and a process with threads cannot be forked: in the child
 * libvips would hand work to threads that are not there. Some plugins do compute in create() (convert writes a tiny
 * picture to know that the encoder works), and nobody wants to wait.
 *
 * So this module stands in front of the two GLib functions that such a thread sleeps in, and can make them return
 * early. It works because executables come first when symbols are looked up; where they do not, only time is lost.
 */
#ifndef PM_WORKER_IDLE_THREADS_H
#define PM_WORKER_IDLE_THREADS_H

/* From now on idle threads look every few milliseconds whether they are to end. Before they come to be. */
void pm_idle_threads_watch(void);

/* Lets them end. No libvips operation may run until pm_idle_threads_leave, or its task could meet a thread that is on
 * its way out. */
void pm_idle_threads_end(void);

/* Back to GLib's own behaviour; in the children. */
void pm_idle_threads_leave(void);

#endif
