/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/command.h"
#include "cli/print.h"
#include "connectors/aws/blocking_call.h"
#include "connectors/aws/settings.h"
#include "pipeline/decode_params.h"

static const PmCommandOption options[] = {
    {"expires", "DURATION", "How long the URL works, 1s to 7d; 15m by default.", 'e'},
    {"region", "REGION", "The bucket's region; AWS_REGION or the profile's by default.", 0},
    {"endpoint-url", "URL", "For a service other than AWS's own.", 0},
    {"path-style", NULL, "Put the bucket into the path.", 0},
    {NULL, NULL, NULL, 0},
};

enum { MINUTE_MS = 60 * 1000, EXPIRES_MS = 15 * MINUTE_MS };

typedef struct Presign {
    PmBlockingCall *blocking;
    const char *method, *bucket, *key;
    int64_t expires_s;
    const PmAwsConfig *config;
    PmBuffer url;
    PmError err;
} Presign;

/* Credentials are lent for the call only: it is here that the URL is made. */
static void on_credentials(void *data, const PmSigningCredentials *found, const PmError *err)
{
    Presign *presign = data;
    if (err != NULL) {
        presign->err = *err;
    } else {
        PmS3 *s3 = pm_aws_session_s3(presign->blocking->session, NULL, NULL, false, PM_CHECKSUM_NONE, &presign->err);
        if (s3 != NULL)
            pm_s3_presign(s3, presign->method, presign->bucket, presign->key, presign->expires_s,
                          pm_clock_wall_ms() / 1000, found, &presign->url, &presign->err);
    }
    pm_loop_stop(presign->blocking->loop);
}

static int presign(Presign *presign)
{
    PmBlockingCall blocking;
    pm_buffer_init(&presign->url, 16 * 1024);
    presign->blocking = &blocking;
    if (pm_blocking_open(&blocking, presign->config, &presign->err) == PM_OK &&
        pm_credentials_get(pm_aws_session_credentials(blocking.session), on_credentials, presign) != NULL)
        pm_loop_run(blocking.loop);
    pm_blocking_close(&blocking);
    bool good = presign->err.status == PM_OK && !presign->url.failed;
    if (good)
        puts(presign->url.data);
    else
        pm_print_error(&presign->err);
    pm_buffer_finish(&presign->url);
    return good ? PM_EXIT_FINE : PM_EXIT_USAGE;
}

static int run(const PmArguments *arguments)
{
    const char *method = arguments->values[0], *address = arguments->values[1],
               *expires = pm_arguments_get(arguments, "expires");
    char bucket[256];
    int64_t expires_ms = EXPIRES_MS;
    if (strcmp(method, "get") != 0 && strcmp(method, "put") != 0)
        return pm_cli_usage("to read or to write: get or put", "presign what? \"%s\" is neither get nor put", method);
    const char *slash = strncmp(address, "s3://", 5) == 0 ? strchr(address + 5, '/') : NULL;
    size_t n = slash != NULL ? (size_t)(slash - address - 5) : 0;
    if (n == 0 || n >= sizeof bucket || slash[1] == '\0')
        return pm_cli_usage("an object's address is written s3://BUCKET/KEY", "\"%s\" is not the address of an object",
                            address);
    memcpy(bucket, address + 5, n);
    bucket[n] = '\0';
    char why[200];
    if (expires != NULL && !pm_parse_duration(expires, &expires_ms, why, sizeof why))
        return pm_cli_usage("such as 15m or 2h", "--expires: \"%s\": %s", expires, why);
    if (expires_ms < 1000 || expires_ms > INT64_C(1000) * PM_SIGV4_EXPIRES_MAX)
        return pm_cli_usage("S3 allows 7 days at most", "--expires must be from 1s to 7d, not \"%s\"", expires);
    PmAwsConfig config = {.region = pm_arguments_get(arguments, "region"),
                          .endpoint_url = pm_arguments_get(arguments, "endpoint-url"),
                          .path_style = pm_arguments_get(arguments, "path-style") != NULL};
    Presign request = {.method = strcmp(method, "get") == 0 ? "GET" : "PUT",
                       .bucket = bucket,
                       .key = slash + 1,
                       .expires_s = expires_ms / 1000,
                       .config = &config};
    return presign(&request);
}

const PmCommand pm_command_presign = {
    .name = "presign",
    .usage = "get|put s3://BUCKET/KEY [--expires 15m]",
    .summary = "Print a URL with which anyone may read or write one object for a while.",
    .text = "The URL is signed here; nobody is asked. It works as long as the credentials do that signed it.\n"
            "\n"
            "Examples:\n"
            "  pixmill presign get s3://renditions/processed/cat_thumb.webp\n"
            "  curl --upload-file cat.jpg \"$(pixmill presign put s3://uploads/incoming/cat.jpg --expires 1h)\"",
    .options = options,
    .least = 2,
    .most = 2,
    .run = run,
};
