/* SPDX-License-Identifier: Apache-2.0
 *
 * The 38 official vectors, each in header and query form, from ../shared/vectors/sigv4 beside the repository.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <dirent.h>
#include <jansson.h>

#include "aws/sigv4.h"
#include "net/uri.h"

#define VECTORS PM_SOURCE_DIR "/../shared/vectors/sigv4"

static char *read_text(const char *folder, const char *file)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s/%s", VECTORS, folder, file);
    FILE *f = fopen(path, "rb");
    if (f == NULL) return NULL;
    char *text = calloc(1, 65536);
    size_t n = fread(text, 1, 65535, f);
    fclose(f);
    text[n] = '\0';
    return text;
}

typedef struct Case {
    json_t *context;
    char *request, *body;
    char method[16], path[1024], payload_hash[65];
    PmNameValue query[16], headers[32];
    size_t query_count, header_count;
    char *decoded[32];
    size_t decoded_count;
    PmSigning signing;
    PmSigningCredentials credentials;
    int64_t expires;
} Case;

static char *decode(Case *c, const char *text, size_t size)
{
    PmBuffer buffer;
    pm_buffer_init(&buffer, 4096);
    assert_true(pm_uri_decode(&buffer, text, size, false));
    pm_buffer_add(&buffer, "", 0);
    char *result = pm_buffer_steal(&buffer);
    c->decoded[c->decoded_count++] = result;
    return result;
}

static void parse_query(Case *c, char *query)
{
    while (query != NULL && *query != '\0') {
        char *next = strchr(query, '&');
        size_t n = next != NULL ? (size_t)(next - query) : strlen(query);
        char *equals = memchr(query, '=', n);
        size_t k = equals != NULL ? (size_t)(equals - query) : n;
        c->query[c->query_count].name = decode(c, query, k);
        c->query[c->query_count++].value = equals != NULL ? decode(c, equals + 1, n - k - 1) : "";
        query = next != NULL ? next + 1 : NULL;
    }
}

/* Splits request.txt in place: request line, headers (folded ones kept with their newlines), body. */
static void parse_request(Case *c)
{
    char *end = strstr(c->request, "\n\n");
    c->body = end != NULL ? end + 2 : c->request + strlen(c->request);
    if (end != NULL) *end = '\0';
    char *line = strchr(c->request, '\n');
    if (line != NULL) *line++ = '\0';
    char *space = strchr(c->request, ' ');
    *space = '\0';
    snprintf(c->method, sizeof c->method, "%s", c->request);
    char *target = space + 1;
    char *version = strstr(target, " HTTP/");
    *version = '\0';
    char *question = strchr(target, '?');
    if (question != NULL) *question = '\0';
    snprintf(c->path, sizeof c->path, "%s", target);
    parse_query(c, question != NULL ? question + 1 : NULL);
    while (line != NULL && *line != '\0') {
        char *next = strchr(line, '\n');
        while (next != NULL && (next[1] == ' ' || next[1] == '\t')) next = strchr(next + 1, '\n');
        if (next != NULL) *next++ = '\0';
        char *colon = strchr(line, ':');
        *colon = '\0';
        c->headers[c->header_count++] = (PmNameValue){line, colon + 1};
        line = next;
    }
}

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static bool load(const char *folder, bool presign, Case *c)
{
    memset(c, 0, sizeof *c);
    char *context = read_text(folder, "context.json");
    if (context == NULL) return false;
    c->context = json_loads(context, 0, NULL);
    free(context);
    c->request = read_text(folder, "request.txt");
    parse_request(c);

    const json_t *credentials = json_object_get(c->context, "credentials");
    c->credentials = (PmSigningCredentials){text_of(credentials, "access_key_id"),
                                            text_of(credentials, "secret_access_key"), text_of(credentials, "token")};
    c->expires = json_integer_value(json_object_get(c->context, "expiration_in_seconds"));
    struct tm tm = {0};
    assert_non_null(strptime(text_of(c->context, "timestamp"), "%Y-%m-%dT%H:%M:%SZ", &tm));
    pm_sha256_hex(c->body, strlen(c->body), c->payload_hash);
    if (json_is_true(json_object_get(c->context, "sign_body")) && !presign)
        c->headers[c->header_count++] = (PmNameValue){"x-amz-content-sha256", c->payload_hash};
    c->signing = (PmSigning){.method = c->method,
                             .path = c->path,
                             .encode_path = true,
                             .normalize = json_is_true(json_object_get(c->context, "normalize")),
                             .query = c->query,
                             .query_count = c->query_count,
                             .headers = c->headers,
                             .header_count = c->header_count,
                             .payload_hash = c->payload_hash,
                             .service = text_of(c->context, "service"),
                             .region = text_of(c->context, "region"),
                             .time_s = timegm(&tm),
                             .token_after_signing = json_is_true(json_object_get(c->context, "omit_session_token"))};
    return true;
}

static void unload(Case *c)
{
    json_decref(c->context);
    free(c->request);
    for (size_t i = 0; i < c->decoded_count; i++) free(c->decoded[i]);
}

static void expect(const char *folder, const char *file, const char *actual)
{
    char *expected = read_text(folder, file);
    assert_non_null(expected);
    size_t n = strlen(expected);
    while (n > 0 && expected[n - 1] == '\n') expected[--n] = '\0';
    if (strcmp(expected, actual) != 0) print_error("%s/%s\n", folder, file);
    assert_string_equal(actual, expected);
    free(expected);
}

static void check_vector(const char *folder, bool presign)
{
    Case c;
    assert_true(load(folder, presign, &c));
    PmError err = {0};
    PmBuffer canonical, to_sign, query;
    pm_buffer_init(&canonical, PM_SIGV4_REQUEST_MAX);
    pm_buffer_init(&to_sign, 4096);
    pm_buffer_init(&query, PM_SIGV4_REQUEST_MAX);
    int64_t expires = presign ? c.expires : 0;
    assert_int_equal(pm_sigv4_canonical_request(&c.signing, &c.credentials, expires, &canonical, &err), PM_OK);
    expect(folder, presign ? "query-canonical-request.txt" : "header-canonical-request.txt", canonical.data);
    assert_int_equal(pm_sigv4_string_to_sign(&c.signing, canonical.data, &to_sign, &err), PM_OK);
    expect(folder, presign ? "query-string-to-sign.txt" : "header-string-to-sign.txt", to_sign.data);
    PmSigningKey key = {0};
    if (presign) {
        assert_int_equal(pm_sigv4_presign(&c.signing, &c.credentials, expires, &key, &query, &err), PM_OK);
        const char *last = strstr(query.data, "&X-Amz-Signature=");
        assert_non_null(last);
        expect(folder, "query-signature.txt", last + strlen("&X-Amz-Signature="));
    } else {
        PmSignature signature;
        for (int pass = 0; pass < 2; pass++) { /* the second from the cached key */
            assert_int_equal(pm_sigv4_sign(&c.signing, &c.credentials, &key, &signature, &err), PM_OK);
            expect(folder, "header-signature.txt", signature.signature);
        }
        char *signed_request = read_text(folder, "header-signed-request.txt");
        assert_non_null(strstr(signed_request, signature.authorization));
        free(signed_request);
    }
    pm_buffer_finish(&canonical);
    pm_buffer_finish(&to_sign);
    pm_buffer_finish(&query);
    unload(&c);
}

static void check_all(bool presign)
{
    DIR *dir = opendir(VECTORS);
    if (dir == NULL) {
        print_message("SKIP: no %s\n", VECTORS);
        skip();
        return;
    }
    int count = 0;
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char context[600];
        snprintf(context, sizeof context, VECTORS "/%s/context.json", entry->d_name);
        FILE *f = fopen(context, "rb");
        if (f == NULL) continue;
        fclose(f);
        check_vector(entry->d_name, presign);
        count++;
    }
    closedir(dir);
    assert_int_equal(count, 38);
}

static void headers_match_the_vectors(void **state)
{
    (void)state;
    check_all(false);
}

static void queries_match_the_vectors(void **state)
{
    (void)state;
    check_all(true);
}

static void presigning_refuses_more_than_a_week(void **state)
{
    (void)state;
    PmSigning request = {.method = "GET",
                         .path = "/",
                         .payload_hash = PM_SIGV4_UNSIGNED_PAYLOAD,
                         .service = "s3",
                         .region = "us-east-1"};
    PmSigningCredentials credentials = {"AKID", "SECRET", NULL};
    PmBuffer query;
    pm_buffer_init(&query, 4096);
    PmError err = {0};
    assert_int_equal(pm_sigv4_presign(&request, &credentials, 604801, NULL, &query, &err), PM_BAD_CONFIG);
    assert_string_equal(err.message, "a presigned URL lives 1 second to 7 days, not 604801 seconds");
    pm_error_clear(&err);
    assert_int_equal(pm_sigv4_presign(&request, &credentials, 604800, NULL, &query, &err), PM_OK);
    pm_buffer_finish(&query);
}

static void transport_headers_are_not_signed(void **state)
{
    (void)state;
    PmNameValue headers[] = {{"Host", "h"},
                             {"Expect", "100-continue"},
                             {"User-Agent", "x"},
                             {"Proxy-Connection", "y"},
                             {"X-Amzn-Trace-Id", "z"},
                             {"Content-Type", "text/plain"}};
    PmSigning request = {.method = "PUT",
                         .path = "/k",
                         .headers = headers,
                         .header_count = 6,
                         .payload_hash = "x",
                         .service = "s3",
                         .region = "us-east-1"};
    PmSigningCredentials credentials = {"AKID", "SECRET", "TOKEN"};
    PmSignature signature;
    PmError err = {0};
    assert_int_equal(pm_sigv4_sign(&request, &credentials, NULL, &signature, &err), PM_OK);
    assert_non_null(
        strstr(signature.authorization, "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token,"));
}

static void a_changed_secret_is_not_served_from_the_cache(void **state)
{
    (void)state;
    PmNameValue host = {"Host", "h"};
    PmSigning request = {.method = "GET",
                         .path = "/",
                         .headers = &host,
                         .header_count = 1,
                         .payload_hash = "x",
                         .service = "s3",
                         .region = "us-east-1"};
    PmSigningKey key = {0};
    PmSignature one, two, fresh;
    PmError err = {0};
    pm_sigv4_sign(&request, &(PmSigningCredentials){"AKID", "ONE", NULL}, &key, &one, &err);
    pm_sigv4_sign(&request, &(PmSigningCredentials){"AKID", "TWO", NULL}, &key, &two, &err);
    pm_sigv4_sign(&request, &(PmSigningCredentials){"AKID", "TWO", NULL}, NULL, &fresh, &err);
    assert_string_not_equal(one.signature, two.signature);
    assert_string_equal(two.signature, fresh.signature);
    request.region = "eu-west-1";
    pm_sigv4_sign(&request, &(PmSigningCredentials){"AKID", "TWO", NULL}, &key, &one, &err);
    assert_string_not_equal(one.signature, two.signature);
}

static void decoding_refuses_what_is_no_encoding(void **state)
{
    (void)state;
    PmBuffer out;
    pm_buffer_init(&out, 64);
    assert_true(pm_uri_decode(&out, "a+b%2Bc", 7, true));
    assert_string_equal(out.data, "a b+c");
    pm_buffer_clear(&out);
    assert_true(pm_uri_decode(&out, "a+b", 3, false));
    assert_string_equal(out.data, "a+b");
    assert_false(pm_uri_decode(&out, "%4", 2, false));
    assert_false(pm_uri_decode(&out, "%zz", 3, false));
    assert_false(pm_uri_decode(&out, "%00", 3, false));
    pm_buffer_finish(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_match_the_vectors),
        cmocka_unit_test(queries_match_the_vectors),
        cmocka_unit_test(presigning_refuses_more_than_a_week),
        cmocka_unit_test(transport_headers_are_not_signed),
        cmocka_unit_test(a_changed_secret_is_not_served_from_the_cache),
        cmocka_unit_test(decoding_refuses_what_is_no_encoding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
