/* SPDX-License-Identifier: Apache-2.0
 *
 * Credentials from a service: STS, the container endpoint, the instance metadata service.
 */
#include <arpa/inet.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "aws/provider.h"
#include "aws/xml.h"
#include "base/buffer.h"
#include "base/text.h"
#include "net/uri.h"

enum { ANSWER_MAX = 64 * 1024, METADATA_TIMEOUT_MS = 2000, CONTAINER_TIMEOUT_MS = 5000, STS_FIRST_BYTE_MS = 5000 };

static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

static bool overloaded(int status)
{
    return status >= 500 || status == 429;
}

/* --- STS --- */

static void add_field(PmBuffer *form, const char *name, const char *value)
{
    if (value == NULL) return;
    pm_buffer_addf(form, "&%s=", name);
    pm_uri_encode(form, value, false);
}

static void on_sts(void *data, const PmAwsResponse *response)
{
    PmSearch *search = data;
    PmError err = {0};
    if (pm_aws_error(response, "sts AssumeRole", &err) != PM_OK) {
        PmStatus status = err.status == PM_BAD_INPUT ? PM_BAD_CONFIG : err.status;
        char message[sizeof err.message];
        memcpy(message, err.message, sizeof message);
        pm_search_failed(search, status, "%.400s", message);
        return;
    }
    PmXml *xml = pm_xml_parse(response->http->body, response->http->body_size);
    const PmXml *result = pm_xml_child(xml, "AssumeRoleResult", 0);
    if (result == NULL) result = pm_xml_child(xml, "AssumeRoleWithWebIdentityResult", 0);
    const PmXml *keys = pm_xml_child(result, "Credentials", 0);
    bool ok = pm_found_set(&search->found, pm_xml_get(keys, "AccessKeyId"), pm_xml_get(keys, "SecretAccessKey"),
                           pm_xml_get(keys, "SessionToken"), pm_xml_get(keys, "Expiration"), search->scratch);
    pm_xml_free(xml);
    if (ok)
        pm_search_found(search);
    else
        pm_search_failed(search, PM_TRANSIENT, "sts AssumeRole: the answer holds no credentials");
}

void pm_provider_assume_role(PmSearch *search, const PmAssumeRole *role)
{
    const char *region = role->region[0] != '\0' ? role->region : "us-east-1";
    const char *endpoint = variable("AWS_ENDPOINT_URL_STS");
    char origin[512], session[64];
    if (role->source != NULL)
        search->sts_credentials = pm_credentials_fixed(role->source->access_key_id, role->source->secret_access_key,
                                                       role->source->session_token);
    search->sts = pm_aws_client_new(search->loop, search->http, search->sts_credentials);
    if (endpoint != NULL)
        pm_text_copy(origin, sizeof origin, endpoint);
    else
        snprintf(origin, sizeof origin, "https://sts.%s.amazonaws.com%s", region,
                 strncmp(region, "cn-", 3) == 0 ? ".cn" : "");
    size_t n = strlen(origin);
    while (n > 0 && origin[n - 1] == '/') origin[--n] = '\0';
    snprintf(session, sizeof session, "pixmill-%ld", (long)getpid());
    PmBuffer form;
    pm_buffer_init(&form, (size_t)4 * PM_TOKEN_FILE_MAX); /* every byte of the token may be encoded */
    pm_buffer_addf(&form, "Action=%s&Version=2011-06-15",
                   role->token != NULL ? "AssumeRoleWithWebIdentity" : "AssumeRole");
    add_field(&form, "RoleArn", role->role_arn);
    add_field(&form, "RoleSessionName", role->session_name != NULL ? role->session_name : session);
    add_field(&form, "ExternalId", role->external_id);
    add_field(&form, "WebIdentityToken", role->token);
    if (role->duration_s > 0) pm_buffer_addf(&form, "&DurationSeconds=%lld", (long long)role->duration_s);

    PmNameValue type = {"Content-Type", "application/x-www-form-urlencoded"};
    PmAwsRequest request = {.protocol = PM_AWS_QUERY,
                            .service = "sts",
                            .region = region,
                            .method = "POST",
                            .origin = origin,
                            .path = "/",
                            .headers = &type,
                            .header_count = 1,
                            .has_body = true,
                            .response_max = ANSWER_MAX,
                            .lane = PM_HTTP_CREDENTIALS,
                            .first_byte_timeout_ms = STS_FIRST_BYTE_MS,
                            .timeout_ms = 10000};
    PmError err = {0};
    PmAwsCall *call = NULL;
    size_t size = form.size;
    search->body = pm_buffer_steal(&form);
    if (search->body != NULL && search->sts != NULL && (role->source == NULL || search->sts_credentials != NULL)) {
        pm_text_copy(search->scratch, sizeof search->scratch, role->label);
        request.body = search->body;
        request.body_size = size;
        call = pm_aws_send(search->sts, &request, on_sts, search, &err);
    }
    if (call == NULL)
        pm_search_failed(search, err.status == PM_BAD_CONFIG ? PM_BAD_CONFIG : PM_TRANSIENT,
                         "sts AssumeRole: the request could not be built");
}

void pm_provider_web_identity(PmSearch *search)
{
    const char *file = variable("AWS_WEB_IDENTITY_TOKEN_FILE"), *role = variable("AWS_ROLE_ARN");
    const char *session = variable("AWS_ROLE_SESSION_NAME");
    if (file == NULL || role == NULL) {
        file = pm_profiles_get(search->profiles, search->profile, "web_identity_token_file");
        role = pm_profiles_get(search->profiles, search->profile, "role_arn");
    }
    if (file == NULL || role == NULL) {
        pm_search_absent(search, "web identity");
        return;
    }
    PmError err = {0};
    char *token = pm_provider_token_file(file, "the web identity token file", &err);
    if (token == NULL) {
        pm_search_failed(search, err.status, "%s", err.message);
        return;
    }
    PmAssumeRole assume = {
        .role_arn = role, .session_name = session, .token = token, .region = search->region, .label = "web identity"};
    pm_provider_assume_role(search, &assume);
    OPENSSL_cleanse(token, strlen(token));
    free(token);
}

/* --- containers (ECS, EKS Pod Identity) --- */

static void on_container(void *data, const PmHttpResponse *response)
{
    PmSearch *search = data;
    search->call = NULL;
    if (response->status == 200 &&
        pm_found_from_json(&search->found, response->body, response->body_size, "container role"))
        pm_search_found(search);
    else if (response->status == 0)
        pm_search_failed(search, PM_TRANSIENT, "the container credentials endpoint does not answer: %s",
                         response->error);
    else
        pm_search_failed(search, overloaded(response->status) ? PM_TRANSIENT : PM_BAD_CONFIG,
                         "the container credentials endpoint answered %d without credentials", response->status);
}

/* https anywhere; http only to loopback and the two addresses that ECS and EKS use. */
static bool allowed_endpoint(const char *url)
{
    if (strncasecmp(url, "https://", 8) == 0) return true;
    if (strncasecmp(url, "http://", 7) != 0) return false;
    char host[128];
    const char *begin = url + 7;
    size_t n = strcspn(begin, "/?#");
    if (n == 0 || n >= sizeof host || memchr(begin, '@', n) != NULL) return false;
    memcpy(host, begin, n);
    host[n] = '\0';
    if (host[0] == '[') {
        char *end = strchr(host, ']');
        if (end == NULL) return false;
        *end = '\0';
        struct in6_addr address, eks, loopback = IN6ADDR_LOOPBACK_INIT;
        inet_pton(AF_INET6, "fd00:ec2::23", &eks);
        return inet_pton(AF_INET6, host + 1, &address) == 1 &&
               (memcmp(&address, &eks, sizeof eks) == 0 || memcmp(&address, &loopback, sizeof loopback) == 0);
    }
    char *colon = strchr(host, ':');
    if (colon != NULL) *colon = '\0';
    struct in_addr address;
    if (strcasecmp(host, "localhost") == 0) return true;
    if (inet_pton(AF_INET, host, &address) != 1) return false;
    return (ntohl(address.s_addr) >> 24) == 127 || strcmp(host, "169.254.170.2") == 0 ||
           strcmp(host, "169.254.170.23") == 0;
}

void pm_provider_container(PmSearch *search)
{
    const char *relative = variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"),
               *full = variable("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    const char *file = variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"),
               *given = variable("AWS_CONTAINER_AUTHORIZATION_TOKEN");
    char url[1024];
    if (relative == NULL && full == NULL) {
        pm_search_absent(search, "container");
        return;
    }
    if (relative != NULL)
        snprintf(url, sizeof url, "http://169.254.170.2%s", relative);
    else
        pm_text_copy(url, sizeof url, full);
    if ((relative != NULL && relative[0] != '/') || !allowed_endpoint(url)) {
        pm_search_failed(
            search, PM_BAD_CONFIG,
            "AWS_CONTAINER_CREDENTIALS_FULL_URI may be https, or http to loopback, 169.254.170.2, 169.254.170.23 or "
            "[fd00:ec2::23]");
        return;
    }
    PmError err = {0};
    char *token = file != NULL ? pm_provider_token_file(file, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", &err) : NULL;
    if (file != NULL && token == NULL) {
        pm_search_failed(search, err.status, "%s", err.message);
        return;
    }
    PmHttpHeader header = {"Authorization", token != NULL ? token : given};
    PmHttpRequest request = {.method = "GET",
                             .url = url,
                             .headers = &header,
                             .header_count = header.value != NULL ? 1 : 0,
                             .response_max = ANSWER_MAX,
                             .lane = PM_HTTP_CREDENTIALS,
                             .connect_timeout_ms = 1000,
                             .timeout_ms = CONTAINER_TIMEOUT_MS,
                             .direct = true};
    search->call = pm_http_send(search->http, &request, on_container, search, &err);
    if (token != NULL) OPENSSL_cleanse(token, strlen(token));
    free(token);
    if (search->call == NULL) pm_search_failed(search, err.status, "container credentials: %.300s", err.message);
}

/* --- IMDSv2: token, role name, credentials --- */

static const char *imds_origin(void)
{
    const char *endpoint = variable("AWS_EC2_METADATA_SERVICE_ENDPOINT"),
               *mode = variable("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
    if (endpoint != NULL) return endpoint;
    return mode != NULL && strcasecmp(mode, "IPv6") == 0 ? "http://[fd00:ec2::254]" : "http://169.254.169.254";
}

static void imds_send(PmSearch *search, const char *method, const char *path, const PmHttpHeader *header,
                      PmHttpDone *done)
{
    char origin[512], url[1024];
    pm_text_copy(origin, sizeof origin, imds_origin());
    size_t n = strlen(origin);
    while (n > 0 && origin[n - 1] == '/') origin[--n] = '\0';
    snprintf(url, sizeof url, "%s%s", origin, path);
    PmHttpRequest request = {.method = method,
                             .url = url,
                             .headers = header,
                             .header_count = 1,
                             .has_body = strcmp(method, "PUT") == 0,
                             .response_max = ANSWER_MAX,
                             .lane = PM_HTTP_CREDENTIALS,
                             .connect_timeout_ms = 1000,
                             .timeout_ms = METADATA_TIMEOUT_MS,
                             .direct = true};
    PmError err = {0};
    search->call = pm_http_send(search->http, &request, done, search, &err);
    if (search->call == NULL) pm_search_failed(search, err.status, "instance metadata: %.300s", err.message);
}

static void on_imds_credentials(void *data, const PmHttpResponse *response)
{
    PmSearch *search = data;
    search->call = NULL;
    if (response->status == 200 &&
        pm_found_from_json(&search->found, response->body, response->body_size, "instance role"))
        pm_search_found(search);
    else
        pm_search_failed(search, PM_TRANSIENT, "instance metadata: no credentials in the answer (status %d)",
                         response->status);
}

static void on_imds_role(void *data, const PmHttpResponse *response)
{
    PmSearch *search = data;
    search->call = NULL;
    if (response->status == 404 || (response->status == 200 && response->body_size == 0)) {
        pm_search_absent(search, "instance metadata (the instance has no role)");
        return;
    }
    char role[256], path[512];
    pm_text_copy(role, sizeof role, response->body);
    role[strcspn(role, "\r\n")] = '\0';
    bool plain = role[0] != '\0' &&
                 strspn(role, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+=,.@_-") == strlen(role);
    if (response->status != 200 || !plain) {
        pm_search_failed(search, PM_TRANSIENT, "instance metadata: no role name in the answer (status %d)",
                         response->status);
        return;
    }
    snprintf(path, sizeof path, "/latest/meta-data/iam/security-credentials/%s", role);
    imds_send(search, "GET", path, &(PmHttpHeader){"X-aws-ec2-metadata-token", search->scratch}, on_imds_credentials);
}

static void on_imds_token(void *data, const PmHttpResponse *response)
{
    PmSearch *search = data;
    search->call = NULL;
    if (overloaded(response->status)) { /* it is one, and limits how often it is asked */
        pm_search_failed(search, PM_TRANSIENT, "instance metadata: no token in the answer (status %d)",
                         response->status);
        return;
    }
    if (response->status != 200 || response->body_size == 0) { /* no such service here: not an EC2 machine */
        pm_search_absent(search, "instance metadata");
        return;
    }
    pm_text_copy(search->scratch, sizeof search->scratch, response->body);
    search->scratch[strcspn(search->scratch, "\r\n")] = '\0';
    imds_send(search, "GET", "/latest/meta-data/iam/security-credentials/",
              &(PmHttpHeader){"X-aws-ec2-metadata-token", search->scratch}, on_imds_role);
}

void pm_provider_imds(PmSearch *search)
{
    const char *disabled = variable("AWS_EC2_METADATA_DISABLED");
    if (disabled != NULL && strcasecmp(disabled, "true") == 0) {
        pm_search_absent(search, "instance metadata (disabled)");
        return;
    }
    imds_send(search, "PUT", "/latest/api/token", &(PmHttpHeader){"X-aws-ec2-metadata-token-ttl-seconds", "21600"},
              on_imds_token);
}
