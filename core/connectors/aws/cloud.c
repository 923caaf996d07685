/* SPDX-License-Identifier: Apache-2.0 */
#include "connectors/aws/cloud.h"

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

struct PmCloud {
    PmLoop *loop;
    const PmAwsConfig *config;
    PmHttp *http;
    PmCredentials *credentials;
    PmAwsClient *client;
    char region[64];
    Client clients[CLIENTS_MAX];
    size_t count;
};

PmCloud *pm_cloud_new(PmLoop *loop, const PmAwsConfig *config, PmError *err)
{
    PmCloud *cloud = calloc(1, sizeof *cloud);
    if (cloud == NULL) {
        pm_error_set(err, PM_TRANSIENT, "out of memory");
        return NULL;
    }
    cloud->loop = loop;
    cloud->config = config;
    if (cloud->config->region != NULL)
        pm_text_copy(cloud->region, sizeof cloud->region, cloud->config->region);
    else if (!pm_aws_region(cloud->config->profile, cloud->region, sizeof cloud->region))
        pm_text_copy(cloud->region, sizeof cloud->region, "us-east-1");
    cloud->http = pm_http_new(loop, &(PmHttpOptions){.ca_file = cloud->config->ca_bundle}, err);
    if (cloud->http != NULL) {
        PmCredentialsOptions options = {.profile = cloud->config->profile, .region = cloud->region};
        cloud->credentials = pm_credentials_new(loop, cloud->http, &options, err);
    }
    if (cloud->credentials != NULL) cloud->client = pm_aws_client_new(loop, cloud->http, cloud->credentials);
    if (cloud->client != NULL) return cloud;
    pm_error_set(err, PM_TRANSIENT, "out of memory");
    pm_cloud_free(cloud);
    return NULL;
}

void pm_cloud_free(PmCloud *cloud)
{
    if (cloud == NULL) return;
    for (size_t i = 0; i < cloud->count; i++) {
        pm_s3_free(cloud->clients[i].s3);
        free(cloud->clients[i].region);
        free(cloud->clients[i].endpoint);
    }
    pm_aws_client_free(cloud->client);
    pm_credentials_free(cloud->credentials);
    pm_http_free(cloud->http);
    free(cloud);
}

PmHttp *pm_cloud_http(PmCloud *cloud)
{
    return cloud->http;
}

PmCredentials *pm_cloud_credentials(PmCloud *cloud)
{
    return cloud->credentials;
}

static bool same(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

PmS3 *pm_cloud_s3(PmCloud *cloud, const char *region, const char *endpoint_url, bool path_style, int checksum,
                  PmError *err)
{
    if (region == NULL) region = cloud->region;
    if (endpoint_url == NULL) endpoint_url = cloud->config->endpoint_url;
    path_style = path_style || cloud->config->path_style;
    for (size_t i = 0; i < cloud->count; i++) {
        const Client *client = &cloud->clients[i];
        if (same(client->region, region) && same(client->endpoint, endpoint_url) && client->path_style == path_style &&
            client->checksum == checksum)
            return client->s3;
    }
    if (cloud->count == CLIENTS_MAX) {
        pm_error_set(err, PM_BUG, "too many different S3 settings");
        return NULL;
    }
    PmS3Options options = {.region = region,
                           .endpoint_url = endpoint_url,
                           .addressing = path_style ? PM_ADDRESSING_PATH : PM_ADDRESSING_AUTO,
                           .checksum = (PmChecksum)checksum,
                           .fips = cloud->config->fips,
                           .dualstack = cloud->config->dualstack};
    PmS3 *s3 = pm_s3_new(cloud->loop, cloud->client, &options, err);
    if (s3 == NULL) return NULL;
    cloud->clients[cloud->count++] = (Client){.region = strdup(region),
                                              .endpoint = endpoint_url != NULL ? strdup(endpoint_url) : NULL,
                                              .path_style = path_style,
                                              .checksum = checksum,
                                              .s3 = s3};
    return s3;
}

PmS3 *pm_cloud_s3_of_place(PmCloud *cloud, const PmS3Place *place, PmError *err)
{
    return pm_cloud_s3(cloud, place->region, place->endpoint_url, place->path_style, place->checksum, err);
}

PmS3 *pm_cloud_s3_of_source(PmCloud *cloud, const PmS3Source *source, PmError *err)
{
    return pm_cloud_s3(cloud, source->region, source->endpoint_url, source->path_style, PM_CHECKSUM_CRC32, err);
}

PmSqs *pm_cloud_sqs(PmCloud *cloud, const char *queue_url, const char *region, const char *endpoint_url, PmError *err)
{
    PmSqsOptions options = {.queue_url = queue_url,
                            .region = region,
                            .endpoint_url = endpoint_url != NULL ? endpoint_url : cloud->config->endpoint_url};
    bool aws = strstr(queue_url, ".amazonaws.com") != NULL;
    if (options.region == NULL && !aws) options.region = cloud->region;
    return pm_sqs_new(cloud->loop, cloud->client, &options, err);
}
