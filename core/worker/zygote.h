/* SPDX-License-Identifier: Apache-2.0
 *
 * The zygote: loads the pipeline and its plugins once, then forks children that do jobs, and buries them. Never reads
 * a byte of an upload itself.
 */
#ifndef PM_WORKER_ZYGOTE_H
#define PM_WORKER_ZYGOTE_H

/* Serves the control channel `sock` until the broker is gone. Returns the exit code. */
int pm_zygote_run(int sock);

#endif
