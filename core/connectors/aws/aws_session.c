/* SPDX-License-Identifier: Apache-2.0 */
#include "connectors/aws/aws_session.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum { CLIENTS_MAX = 130 }; /* one for each output and some more */

typedef struct Client {
    char *region, *endpoint;
    bool path_style;
    int checksum;
    PmS3 *s3;
} Client;

struct PmAwsSession {
    PmLoop *loop;
    const PmAwsConfig *config;
    PmHttp *http;
    PmCredentials *credentials;
    PmAwsClient *client;
    char region[64];
    bool region_set;
    Client clients[CLIENTS_MAX];
    size_t count;
};

PmAwsSession *pm_aws_session_new(PmLoop *loop, const PmAwsConfig *config, PmError *err)
{
    PmAwsSession *session = calloc(1, sizeof *session);
    if (session == NULL) {
        pm_error_set(err, PM_TRANSIENT, "out of memory");
        return NULL;
    }
    session->loop = loop;
    session->config = config;
    session->region_set = session->config->region != NULL;
    if (session->region_set)
        pm_text_copy(session->region, sizeof session->region, session->config->region);
    else
        session->region_set = pm_aws_region(session->config->profile, session->region, sizeof session->region);
    if (!session->region_set) pm_text_copy(session->region, sizeof session->region, "us-east-1");
    session->http = pm_http_new(loop, &(PmHttpOptions){.ca_file = session->config->ca_bundle}, err);
    if (session->http != NULL) {
        PmCredentialsOptions options = {.profile = session->config->profile, .region = session->region};
        session->credentials = pm_credentials_new(loop, session->http, &options, err);
    }
    if (session->credentials != NULL) session->client = pm_aws_client_new(loop, session->http, session->credentials);
    if (session->client != NULL) return session;
    pm_error_set(err, PM_TRANSIENT, "out of memory");
    pm_aws_session_free(session);
    return NULL;
}

void pm_aws_session_free(PmAwsSession *session)
{
    if (session == NULL) return;
    for (size_t i = 0; i < session->count; i++) {
        pm_s3_free(session->clients[i].s3);
        free(session->clients[i].region);
        free(session->clients[i].endpoint);
    }
    pm_aws_client_free(session->client);
    pm_credentials_free(session->credentials);
    pm_http_free(session->http);
    free(session);
}

void pm_aws_session_use_helper(PmAwsSession *session, PmHelper *helper)
{
    pm_aws_client_use_helper(session->client, helper);
}

PmHttp *pm_aws_session_http(PmAwsSession *session)
{
    return session->http;
}

PmAwsClient *pm_aws_session_client(PmAwsSession *session)
{
    return session->client;
}

const PmAwsConfig *pm_aws_session_config(const PmAwsSession *session)
{
    return session->config;
}

const char *pm_aws_session_region(const PmAwsSession *session)
{
    return session->region_set ? session->region : NULL;
}

PmCredentials *pm_aws_session_credentials(PmAwsSession *session)
{
    return session->credentials;
}

static bool same(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

PmS3 *pm_aws_session_s3(PmAwsSession *session, const char *region, const char *endpoint_url, bool path_style,
                        int checksum, PmError *err)
{
    if (region == NULL) region = session->region;
    if (endpoint_url == NULL) endpoint_url = session->config->endpoint_url;
    path_style = path_style || session->config->path_style;
    for (size_t i = 0; i < session->count; i++) {
        const Client *client = &session->clients[i];
        if (same(client->region, region) && same(client->endpoint, endpoint_url) && client->path_style == path_style &&
            client->checksum == checksum)
            return client->s3;
    }
    if (session->count == CLIENTS_MAX) {
        pm_error_set(err, PM_BUG, "too many different S3 settings");
        return NULL;
    }
    PmS3Options options = {.region = region,
                           .endpoint_url = endpoint_url,
                           .addressing = path_style ? PM_ADDRESSING_PATH : PM_ADDRESSING_AUTO,
                           .checksum = (PmChecksum)checksum,
                           .fips = session->config->fips,
                           .dualstack = session->config->dualstack};
    PmS3 *s3 = pm_s3_new(session->loop, session->client, &options, err);
    if (s3 == NULL) return NULL;
    session->clients[session->count++] = (Client){.region = strdup(region),
                                                  .endpoint = endpoint_url != NULL ? strdup(endpoint_url) : NULL,
                                                  .path_style = path_style,
                                                  .checksum = checksum,
                                                  .s3 = s3};
    return s3;
}

PmS3 *pm_aws_session_s3_of_place(PmAwsSession *session, const PmS3Place *place, PmError *err)
{
    return pm_aws_session_s3(session, place->region, place->endpoint_url, place->path_style, place->checksum, err);
}

PmS3 *pm_aws_session_s3_of_source(PmAwsSession *session, const PmS3Source *source, PmError *err)
{
    return pm_aws_session_s3(session, source->region, source->endpoint_url, source->path_style, PM_CHECKSUM_CRC32, err);
}

PmSqs *pm_aws_session_sqs(PmAwsSession *session, const char *queue_url, const char *region, const char *endpoint_url,
                          PmError *err)
{
    PmSqsOptions options = {.queue_url = queue_url,
                            .region = region,
                            .endpoint_url = endpoint_url != NULL ? endpoint_url : session->config->endpoint_url};
    bool aws = strstr(queue_url, ".amazonaws.com") != NULL;
    if (options.region == NULL && !aws) options.region = session->region;
    return pm_sqs_new(session->loop, session->client, &options, err);
}
