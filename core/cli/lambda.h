/* SPDX-License-Identifier: Apache-2.0
 *
 * What is different when AWS Lambda starts pixmill: where the pipeline lies, how logs are written, where errors are
 * reported.
 */
#ifndef PM_CLI_LAMBDA_H
#define PM_CLI_LAMBDA_H

#include "session/session.h"

/* "address:port" of the Runtime API, or NULL outside Lambda. */
const char *pm_lambda_host(void);

/* The pipeline of a function that names none: PIXMILL_PIPELINE, else the handler in the function's folder when it is a
 * YAML file, else pipeline.yaml there. */
void pm_lambda_pipeline(char *out, size_t size);

/* The function's log settings, where it has any. */
void pm_lambda_log(int *format, int *level);

/* One log line for each image. */
void pm_lambda_log_result(void *data, const PmJobResult *result);

/* Reports to Lambda that the function cannot start. Nothing outside Lambda. */
void pm_lambda_init_error(const PmErrorList *errors);

#endif
