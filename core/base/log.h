/* SPDX-License-Identifier: Apache-2.0
 *
 * Log lines on stderr: text for people on a terminal, one JSON object a line otherwise. Hides the
 * layout; control characters are escaped in both. Never pass a secret.
 */
#ifndef PM_BASE_LOG_H
#define PM_BASE_LOG_H

#include <pixmill/plugin.h>

typedef enum PmLogFormat {
    PM_LOG_AUTO,
    PM_LOG_TEXT,
    PM_LOG_JSON,
    PM_LOG_JSON_LAMBDA /* with the members that AWS Lambda looks for: timestamp, level, message, requestId */
} PmLogFormat;

/* `level` is PM_LOG_ERROR .. PM_LOG_DEBUG; lines beyond it are not written. PM_LOG_AUTO: text when stderr
 * is a terminal. */
void pm_log_setup(PmLogFormat format, int level);
bool pm_log_enabled(int level);
/* Between the level of pm_log_setup and debug, to and fro. True: debug now. */
bool pm_log_toggle_debug(void);

/* From now on no line waits for the reader of stderr: what cannot be written is kept, 256 KiB at most, and written from
 * this loop; lines beyond that are counted. NULL: the loop ends; each line from then on waits half a second at most. */
struct PmLoop;
void pm_log_attach(struct PmLoop *loop);

/* What every following line carries besides: the invocation and its trace. NULL or "": nothing. Copied. */
void pm_log_context(const char *request_id, const char *trace_id);

/* Writes one line. `event` is a short constant word for machines ("job.done"); then pairs of const char *
 * key and const char * value, ended by NULL: pm_log(PM_LOG_INFO, "job.done", "key", key, "ms", ms, NULL).
 * A pair whose value is NULL is left out. "msg" is the sentence for people. */
void pm_log(int level, const char *event, ...) __attribute__((sentinel));

#endif
