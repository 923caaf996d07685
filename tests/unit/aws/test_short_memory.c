/* SPDX-License-Identifier: Apache-2.0
 *
 * Credentials from each provider that a machine can have, once for each allocation of ours on the way, which fails:
 * an error that is tried again, or the credentials that are meant, whole; never those of the next provider.
 */
#include "failing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "aws/credentials.h"
#include "net/stub.h"

enum { PATIENCE_MS = 60000, RUNS_MAX = 2000 };

#define TOKEN "a-token-that-is-somewhat-longer-than-what-a-parser-keeps-at-first"
#define KEYS  "{\"Version\":1,\"AccessKeyId\":\"AKID\",\"SecretAccessKey\":\"SECRET\",\"Token\":\"" TOKEN "\"}"

typedef struct Scene {
    PmLoop *loop;
    PmHttp *http;
    PmCredentials *credentials;
    Stub stub;
    int calls;
    PmError err;
    char id[64], secret[64], token[200];
} Scene;

static char folder[64];

static void path_of(const char *name, char out[200])
{
    snprintf(out, 200, "%s/%s", folder, name);
}

static void write_file(const char *name, const char *text, mode_t mode)
{
    char path[200];
    path_of(name, path);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    chmod(path, mode);
}

static int setup(void **state)
{
    (void)state;
    static const char *const unset[] = {"AWS_ACCESS_KEY_ID",
                                        "AWS_SECRET_ACCESS_KEY",
                                        "AWS_SESSION_TOKEN",
                                        "AWS_PROFILE",
                                        "AWS_WEB_IDENTITY_TOKEN_FILE",
                                        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                                        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                                        "AWS_CONTAINER_AUTHORIZATION_TOKEN",
                                        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"};
    char path[200];
    for (size_t i = 0; i < sizeof unset / sizeof unset[0]; i++) unsetenv(unset[i]);
    setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
    snprintf(folder, sizeof folder, "/tmp/pixmill-short-XXXXXX");
    assert_non_null(mkdtemp(folder));
    path_of("config", path);
    setenv("AWS_CONFIG_FILE", path, 1);
    path_of("credentials", path);
    setenv("AWS_SHARED_CREDENTIALS_FILE", path, 1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    static const char *const files[] = {"config", "credentials", "script", "token"};
    char path[200];
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        path_of(files[i], path);
        unlink(path);
    }
    rmdir(folder);
    return 0;
}

static void on_ready(void *data, const PmSigningCredentials *found, const PmError *err)
{
    Scene *s = data;
    s->calls++;
    if (err != NULL) s->err = *err;
    if (found != NULL) {
        snprintf(s->id, sizeof s->id, "%s", found->access_key_id);
        snprintf(s->secret, sizeof s->secret, "%s", found->secret_access_key);
        snprintf(s->token, sizeof s->token, "%s", found->session_token != NULL ? found->session_token : "");
    }
    pm_loop_stop(s->loop);
}

static void on_late(void *data)
{
    (void)data;
    fail_msg("not within %d ms; the allocation that failed was asked for at %p", (int)PATIENCE_MS, failing_caller());
}

static void on_pause(void *data)
{
    pm_loop_stop(data);
}

static bool get_once(size_t n, const char *answer)
{
    static Scene s;
    PmError err = {0};
    memset(&s, 0, sizeof s);
    s.loop = pm_loop_new(&err);
    s.http = pm_http_new(s.loop, NULL, &err);
    stub_start(&s.stub, s.loop);
    if (answer != NULL) {
        stub_answer(&s.stub, answer);
        setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", s.stub.origin, 1);
    }
    PmTimer *late = pm_loop_after(s.loop, PATIENCE_MS, on_late, NULL);
    failing_nth(n);
    s.credentials = pm_credentials_new(s.loop, s.http, NULL, &s.err);
    if (s.credentials != NULL && pm_credentials_get(s.credentials, on_ready, &s) != NULL) pm_loop_run(s.loop);
    bool failed = failing_stop();
    assert_int_equal(s.calls, s.credentials != NULL);
    if (s.err.status == PM_OK) {
        assert_string_equal(s.id, "AKID");
        assert_string_equal(s.secret, "SECRET");
        assert_string_equal(s.token, TOKEN);
    } else if (s.err.status != PM_TRANSIENT) {
        fail_msg("%p: status %d, \"%s\"", failing_caller(), (int)s.err.status, s.err.message);
    }
    pm_loop_cancel(late);
    pm_credentials_free(s.credentials);
    pm_http_free(s.http);
    if (answer != NULL) { /* the server sees its connections end */
        pm_loop_after(s.loop, 5, on_pause, s.loop);
        pm_loop_run(s.loop);
    }
    stub_stop(&s.stub);
    pm_loop_free(s.loop);
    return failed;
}

static void sweep(const char *answer)
{
    size_t n = 1;
    while (n < RUNS_MAX && get_once(n, answer)) n++;
    print_message("    %zu allocations\n", n - 1);
    assert_in_range(n, 4, RUNS_MAX - 1);
}

static void from_the_environment(void **state)
{
    (void)state;
    setenv("AWS_ACCESS_KEY_ID", "AKID", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "SECRET", 1);
    setenv("AWS_SESSION_TOKEN", TOKEN, 1);
    sweep(NULL);
}

static void from_a_profile(void **state)
{
    (void)state;
    write_file("config", "[profile other]\nregion = eu-west-1\n[default]\nregion = us-east-1\n", 0600);
    write_file("credentials",
               "[default]\naws_access_key_id = AKID\naws_secret_access_key = SECRET\n"
               "aws_session_token = " TOKEN "\n",
               0600);
    sweep(NULL);
}

static void from_a_program(void **state)
{
    (void)state;
    char text[300];
    write_file("script", "#!/bin/sh\necho '" KEYS "'\n", 0700);
    snprintf(text, sizeof text, "[default]\ncredential_process = \"%s/script\"\n", folder);
    write_file("config", text, 0600);
    sweep(NULL);
}

static void from_a_container(void **state)
{
    (void)state;
    static char answer[600];
    char path[200];
    write_file("token", "authorization\n", 0600);
    path_of("token", path);
    setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", path, 1);
    snprintf(answer, sizeof answer, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
             sizeof KEYS - 1, KEYS);
    sweep(answer);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(from_the_environment),
        TEST(from_a_profile),
        TEST(from_a_program),
        TEST(from_a_container),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
