/* SPDX-License-Identifier: Apache-2.0
 *
 * Where credentials come from and when they are renewed, with a credential_process that counts how often it runs.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>

#include "aws/client.h"
#include "aws/credentials.h"
#include "base/clock.h"
#include "net/stub.h"

#define OK           "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"
#define BARE(status) "HTTP/1.1 " status "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

typedef struct Fixture {
    PmLoop *loop;
    PmHttp *http;
    PmCredentials *credentials;
    PmAwsClient *client;
    Stub stub;
    char folder[64];
    /* what came back */
    bool answered;
    char id[64], message[800];
    PmStatus status;
    int attempts;
} Fixture;

static void path_of(const Fixture *f, const char *name, char out[200])
{
    snprintf(out, 200, "%s/%s", f->folder, name);
}

static void write_file(const Fixture *f, const char *name, const char *text, mode_t mode)
{
    char path[200];
    path_of(f, name, path);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    chmod(path, mode);
}

static int read_number(const Fixture *f, const char *name)
{
    char path[200];
    int number = 0;
    path_of(f, name, path);
    FILE *file = fopen(path, "re");
    if (file == NULL) return 0;
    if (fscanf(file, "%d", &number) != 1) number = 0;
    fclose(file);
    return number;
}

static int setup(void **state)
{
    static const char *const unset[] = {"AWS_ACCESS_KEY_ID",
                                        "AWS_SECRET_ACCESS_KEY",
                                        "AWS_SESSION_TOKEN",
                                        "AWS_PROFILE",
                                        "AWS_WEB_IDENTITY_TOKEN_FILE",
                                        "AWS_ROLE_ARN",
                                        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                                        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                                        "AWS_CONTAINER_AUTHORIZATION_TOKEN",
                                        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
                                        "AWS_EC2_METADATA_SERVICE_ENDPOINT",
                                        "AWS_ENDPOINT_URL_STS"};
    Fixture *f = calloc(1, sizeof *f);
    PmError err = {0};
    char path[200];
    for (size_t i = 0; i < sizeof unset / sizeof unset[0]; i++) unsetenv(unset[i]);
    setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
    snprintf(f->folder, sizeof f->folder, "/tmp/pixmill-credentials-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    path_of(f, "config", path);
    setenv("AWS_CONFIG_FILE", path, 1);
    path_of(f, "credentials", path);
    setenv("AWS_SHARED_CREDENTIALS_FILE", path, 1);
    f->loop = pm_loop_new(&err);
    f->http = pm_http_new(f->loop, NULL, &err);
    stub_start(&f->stub, f->loop);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    static const char *const files[] = {"config", "credentials", "script", "count", "left", "token"};
    Fixture *f = *state;
    char path[200];
    pm_aws_client_free(f->client);
    pm_credentials_free(f->credentials);
    pm_http_free(f->http);
    stub_stop(&f->stub);
    pm_loop_free(f->loop);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        path_of(f, files[i], path);
        unlink(path);
    }
    rmdir(f->folder);
    free(f);
    return 0;
}

static void use(Fixture *f, const PmCredentialsOptions *options)
{
    PmError err = {0};
    f->credentials = pm_credentials_new(f->loop, f->http, options, &err);
    assert_non_null(f->credentials);
}

/* A default profile with such a program; in it "$n" is how often it has run and "$folder" the test's own. */
static void use_process(Fixture *f, const char *script, int64_t timeout_ms)
{
    char text[2000];
    snprintf(
        text, sizeof text,
        "#!/bin/sh\nfolder=%s\nn=$(($(cat $folder/count 2>/dev/null || echo 0) + 1))\necho $n >$folder/count\n%s\n",
        f->folder, script);
    write_file(f, "script", text, 0700);
    snprintf(text, sizeof text, "[default]\ncredential_process = \"%s/script\"\n", f->folder);
    write_file(f, "config", text, 0600);
    use(f, &(PmCredentialsOptions){.process_timeout_ms = timeout_ms});
}

/* A line of shell that prints keys AKID1, AKID2, ... which expire in so many seconds. */
static const char *printing(int expires_in_s)
{
    static char line[300];
    char date[64];
    time_t at = time(NULL) + expires_in_s;
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", gmtime(&at));
    snprintf(line, sizeof line,
             "echo '{\"Version\":1,\"AccessKeyId\":\"AKID'$n'\",\"SecretAccessKey\":\"S\",\"SessionToken\":\"T\","
             "\"Expiration\":\"%s\"}'",
             date);
    return line;
}

static void on_ready(void *data, const PmSigningCredentials *found, const PmError *err)
{
    Fixture *f = data;
    f->answered = true;
    f->status = err != NULL ? err->status : PM_OK;
    snprintf(f->message, sizeof f->message, "%s", err != NULL ? err->message : "");
    snprintf(f->id, sizeof f->id, "%s", found != NULL ? found->access_key_id : "");
    pm_loop_stop(f->loop);
}

static void get(Fixture *f)
{
    f->answered = false;
    if (pm_credentials_get(f->credentials, on_ready, f) != NULL) pm_loop_run(f->loop);
    assert_true(f->answered);
}

static void on_pause(void *data)
{
    pm_loop_stop(((Fixture *)data)->loop);
}

static void pause_ms(Fixture *f, int64_t ms)
{
    pm_loop_after(f->loop, ms, on_pause, f);
    pm_loop_run(f->loop);
}

/* --- when they are renewed --- */

static void a_short_session_is_not_renewed_for_every_call(void **state)
{
    Fixture *f = *state;
    use_process(f, printing(600), 0);
    for (int i = 0; i < 20; i++) {
        get(f);
        assert_string_equal(f->id, "AKID1");
        pause_ms(f, 10);
    }
    assert_int_equal(read_number(f, "count"), 1);
}

/* In its last quarter, in the background: nobody waits. */
static void a_session_is_renewed_before_it_ends(void **state)
{
    Fixture *f = *state;
    int64_t began_ms = pm_clock_mono_ms();
    char script[400];
    snprintf(script, sizeof script, "if [ $n = 1 ]; then %s\n", printing(5));
    snprintf(script + strlen(script), sizeof script - strlen(script), "else sleep 0.2; %s; fi", printing(900));
    use_process(f, script, 0);
    do {
        get(f);
        assert_int_equal(f->status, PM_OK);
        pause_ms(f, 20);
    } while (strcmp(f->id, "AKID1") == 0);
    assert_string_equal(f->id, "AKID2");
    assert_true(pm_clock_mono_ms() - began_ms >= 2500);
    assert_int_equal(read_number(f, "count"), 2);
}

/* It may be our clock that is wrong: the service decides. */
static void credentials_that_look_expired_are_tried(void **state)
{
    Fixture *f = *state;
    use_process(f, printing(-3600), 0);
    for (int i = 0; i < 20; i++) {
        get(f);
        assert_string_equal(f->id, "AKID1");
    }
    assert_int_equal(read_number(f, "count"), 1);
}

static void a_provider_that_fails_is_not_asked_for_every_call(void **state)
{
    Fixture *f = *state;
    use_process(f, "exit 3", 0);
    int64_t began_ms = pm_clock_mono_ms();
    for (int i = 0; i < 50; i++) {
        get(f);
        assert_int_equal(f->status, PM_TRANSIENT);
        assert_string_equal(f->message, "profile default: credential_process ended with status 3");
        pause_ms(f, 5);
    }
    int64_t took_ms = pm_clock_mono_ms() - began_ms;
    assert_true(read_number(f, "count") <= 1 + (int)(took_ms / 1000));
}

/* --- the profile --- */

static void a_named_profile_has_to_exist(void **state)
{
    Fixture *f = *state;
    char url[200];
    snprintf(url, sizeof url, "%s/container", f->stub.origin);
    setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url, 1); /* whose role would sign instead */
    write_file(f, "config", "[profile other]\nregion = eu-west-1\n", 0600);
    use(f, &(PmCredentialsOptions){.profile = "photos"});
    get(f);
    assert_int_equal(f->status, PM_BAD_CONFIG);
    assert_string_equal(
        f->message,
        "profile photos (of aws.profile or AWS_PROFILE) is in neither ~/.aws/credentials nor ~/.aws/config");
    assert_int_equal(f->stub.request_count, 0);
    /* One that exists may leave the keys to the machine. */
    pm_credentials_free(f->credentials);
    stub_answer(&f->stub, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
                          "{\"AccessKeyId\":\"AKIDC\",\"SecretAccessKey\":\"S\",\"Token\":\"T\"}");
    use(f, &(PmCredentialsOptions){.profile = "other"});
    get(f);
    assert_string_equal(f->id, "AKIDC");
}

/* --- credential_process --- */

static void kill_left(const Fixture *f)
{
    int pid = read_number(f, "left");
    assert_true(pid > 1);
    kill(pid, SIGKILL);
}

static bool is_gone(int pid)
{
    char path[64], state = '\0';
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "re");
    if (file == NULL) return true;
    if (fscanf(file, "%*d %*s %c", &state) != 1) state = 'Z';
    fclose(file);
    return state == 'Z' || state == 'X';
}

static void what_a_program_leaves_running_is_not_waited_for(void **state)
{
    Fixture *f = *state;
    char script[400];
    snprintf(script, sizeof script, "sleep 30 & echo $! >$folder/left\n%s", printing(900));
    use_process(f, script, 0);
    int64_t began_ms = pm_clock_mono_ms();
    get(f);
    kill_left(f);
    assert_string_equal(f->id, "AKID1");
    assert_true(pm_clock_mono_ms() - began_ms < 15000);
}

static void a_program_that_hangs_is_ended_with_its_children(void **state)
{
    Fixture *f = *state;
    use_process(f, "sleep 30 & echo $! >$folder/left\nsleep 30", 500);
    get(f);
    assert_int_equal(f->status, PM_TRANSIENT);
    assert_string_equal(f->message, "profile default: credential_process did not end within 1 s");
    for (int i = 0; i < 200 && !is_gone(read_number(f, "left")); i++) pause_ms(f, 20);
    assert_true(is_gone(read_number(f, "left")));
}

static void a_program_that_closes_its_output_is_not_waited_for_either(void **state)
{
    Fixture *f = *state;
    use_process(f, "exec >&-\nsleep 30", 500);
    get(f);
    assert_string_equal(f->message, "profile default: credential_process did not end within 1 s");
}

static void what_a_program_may_do_wrong_is_told(void **state)
{
    Fixture *f = *state;
    static const struct {
        const char *script, *message;
        PmStatus status;
    } cases[] = {
        {"echo hello", "profile default: credential_process printed no credentials", PM_BAD_CONFIG},
        {":", "profile default: credential_process printed no credentials", PM_BAD_CONFIG},
        {"head -c 200000 /dev/zero", "profile default: credential_process printed more than 64 KiB", PM_BAD_CONFIG},
        {"kill -9 $$", "profile default: credential_process was ended by signal 9", PM_TRANSIENT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        use_process(f, cases[i].script, 5000);
        get(f);
        assert_int_equal(f->status, cases[i].status);
        assert_string_equal(f->message, cases[i].message);
        pm_credentials_free(f->credentials);
        f->credentials = NULL;
    }
    write_file(f, "config", "[default]\ncredential_process = /nowhere/at-all\n", 0600);
    use(f, NULL);
    get(f);
    assert_string_equal(f->message,
                        "profile default: credential_process \"/nowhere/at-all\": No such file or directory");
}

/* --- tokens in files --- */

static void a_web_identity_token_is_read_whole(void **state)
{
    Fixture *f = *state;
    char path[200], *token = calloc(1, 70000), expected[400];
    path_of(f, "token", path);
    setenv("AWS_WEB_IDENTITY_TOKEN_FILE", path, 1);
    setenv("AWS_ROLE_ARN", "arn:aws:iam::1:role/r", 1);
    setenv("AWS_ENDPOINT_URL_STS", f->stub.origin, 1);
    memset(token, 'a', 30000);
    token[29998] = 'z';
    token[29999] = '\n';
    write_file(f, "token", token, 0600);
    stub_answer(&f->stub,
                "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n<AssumeRoleWithWebIdentityResponse>"
                "<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>AKIDW</AccessKeyId><SecretAccessKey>S"
                "</SecretAccessKey><SessionToken>T</SessionToken></Credentials></AssumeRoleWithWebIdentityResult>"
                "</AssumeRoleWithWebIdentityResponse>");
    use(f, NULL);
    get(f);
    assert_string_equal(f->message, "");
    assert_string_equal(f->id, "AKIDW");
    const char *sent = strstr(f->stub.requests[0], "WebIdentityToken=");
    assert_non_null(sent);
    assert_int_equal(strspn(sent + 17, "a"), 29998);
    assert_int_equal(sent[17 + 29998], 'z');
    pm_credentials_free(f->credentials);

    memset(token, 'a', 69000);
    write_file(f, "token", token, 0600);
    use(f, NULL);
    get(f);
    assert_int_equal(f->status, PM_BAD_CONFIG);
    snprintf(expected, sizeof expected, "the web identity token file %s is longer than 64 KiB", path);
    assert_string_equal(f->message, expected);
    pm_credentials_free(f->credentials);

    write_file(f, "token", "\n", 0600);
    use(f, NULL);
    get(f);
    snprintf(expected, sizeof expected, "the web identity token file %s is empty", path);
    assert_string_equal(f->message, expected);
    pm_credentials_free(f->credentials);

    unlink(path);
    use(f, NULL);
    get(f);
    snprintf(expected, sizeof expected, "the web identity token file %s cannot be read: No such file or directory",
             path);
    assert_string_equal(f->message, expected);
    free(token);
}

static void a_container_s_token_is_read_whole(void **state)
{
    Fixture *f = *state;
    char url[400], path[200], *token = calloc(1, 10001);
    snprintf(url, sizeof url, "%s/container", f->stub.origin);
    path_of(f, "token", path);
    setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url, 1);
    setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", path, 1);
    memset(token, 'b', 10000);
    write_file(f, "token", token, 0600);
    stub_answer(&f->stub, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
                          "{\"AccessKeyId\":\"AKIDC\",\"SecretAccessKey\":\"S\",\"Token\":\"T\"}");
    use(f, NULL);
    get(f);
    assert_string_equal(f->id, "AKIDC");
    assert_int_equal(strspn(strstr(f->stub.requests[0], "Authorization: ") + 15, "b"), 10000);
    pm_credentials_free(f->credentials);

    write_file(f, "token", "two\nlines", 0600);
    use(f, NULL);
    get(f);
    snprintf(url, sizeof url, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE %s holds more than one line of text", path);
    assert_string_equal(f->message, url);
    free(token);
}

/* 429 and 5xx are answers of somebody who has credentials. */
static void an_overloaded_provider_is_not_an_absent_one(void **state)
{
    Fixture *f = *state;
    char url[200];
    setenv("AWS_EC2_METADATA_DISABLED", "false", 1);
    setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", f->stub.origin, 1);
    stub_answer(&f->stub, BARE("503 Slow"));
    use(f, NULL);
    get(f);
    assert_int_equal(f->status, PM_TRANSIENT);
    assert_string_equal(f->message, "instance metadata: no token in the answer (status 503)");
    pm_credentials_free(f->credentials);
    snprintf(url, sizeof url, "%s/container", f->stub.origin);
    setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url, 1);
    stub_answer(&f->stub, BARE("429 Many"));
    use(f, NULL);
    get(f);
    assert_int_equal(f->status, PM_TRANSIENT);
}

/* --- a service that refuses them --- */

static void on_done(void *data, const PmAwsResponse *response)
{
    Fixture *f = data;
    f->status = response->status;
    f->attempts = response->attempts;
    pm_loop_stop(f->loop);
}

static void head(Fixture *f)
{
    PmError err = {0};
    PmAwsRequest request = {.protocol = PM_AWS_S3,
                            .service = "s3",
                            .region = "us-east-1",
                            .method = "HEAD",
                            .origin = f->stub.origin,
                            .path = "/bucket/k",
                            .response_max = 1000};
    assert_non_null(pm_aws_send(f->client, &request, on_done, f, &err));
    pm_loop_run(f->loop);
}

static bool signed_by(const Fixture *f, size_t request, const char *id)
{
    char text[64];
    snprintf(text, sizeof text, "Credential=%s/", id);
    return request < f->stub.request_count && strstr(f->stub.requests[request], text) != NULL;
}

/* An expired token is a bare 400 to a HEAD: new ones are fetched, once. */
static void a_bare_refusal_of_head_renews_credentials_once(void **state)
{
    Fixture *f = *state;
    use_process(f, printing(3600), 0);
    f->client = pm_aws_client_new(f->loop, f->http, f->credentials);
    stub_answer(&f->stub, BARE("400 Bad"));
    stub_answer(&f->stub, OK);
    head(f);
    assert_int_equal(f->status, PM_OK);
    assert_true(signed_by(f, 0, "AKID1") && signed_by(f, 1, "AKID2"));
    stub_answer(&f->stub, BARE("403 No")); /* within the same minute: nothing newer is to be had */
    head(f);
    assert_int_equal(f->status, PM_BAD_CONFIG);
    assert_int_equal(f->attempts, 1);
    for (int i = 0; i < 3; i++) stub_answer(&f->stub, BARE("400 Bad"));
    head(f);
    assert_int_equal(f->status, PM_TRANSIENT);
    assert_int_equal(f->attempts, 3);
    assert_int_equal(read_number(f, "count"), 2);
}

static void a_renewal_that_fails_leaves_the_old_ones(void **state)
{
    Fixture *f = *state;
    char script[400];
    snprintf(script, sizeof script, "[ $n = 1 ] || exit 1\n%s", printing(3600));
    use_process(f, script, 0);
    f->client = pm_aws_client_new(f->loop, f->http, f->credentials);
    stub_answer(&f->stub, BARE("403 No"));
    stub_answer(&f->stub, BARE("403 No"));
    head(f);
    assert_int_equal(f->status, PM_BAD_CONFIG);
    stub_answer(&f->stub, OK);
    head(f);
    assert_int_equal(f->status, PM_OK);
    assert_true(signed_by(f, 2, "AKID1"));
    assert_int_equal(read_number(f, "count"), 2);
}

/* Calls that were signed before another call's renewal are sent again with its result, without one of their own. */
static void many_refusals_are_one_renewal(void **state)
{
    Fixture *f = *state;
    use_process(f, printing(3600), 0);
    get(f);
    unsigned generation = pm_credentials_generation(f->credentials);
    assert_true(pm_credentials_expire(f->credentials, generation));
    assert_true(pm_credentials_expire(f->credentials, generation));
    get(f);
    assert_string_equal(f->id, "AKID2");
    assert_true(pm_credentials_expire(f->credentials, generation));
    get(f);
    assert_string_equal(f->id, "AKID2");
    assert_false(pm_credentials_expire(f->credentials, generation + 1));
    assert_int_equal(read_number(f, "count"), 2);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_short_session_is_not_renewed_for_every_call),
        TEST(a_session_is_renewed_before_it_ends),
        TEST(credentials_that_look_expired_are_tried),
        TEST(a_provider_that_fails_is_not_asked_for_every_call),
        TEST(a_named_profile_has_to_exist),
        TEST(what_a_program_leaves_running_is_not_waited_for),
        TEST(a_program_that_hangs_is_ended_with_its_children),
        TEST(a_program_that_closes_its_output_is_not_waited_for_either),
        TEST(what_a_program_may_do_wrong_is_told),
        TEST(a_web_identity_token_is_read_whole),
        TEST(a_container_s_token_is_read_whole),
        TEST(an_overloaded_provider_is_not_an_absent_one),
        TEST(a_bare_refusal_of_head_renews_credentials_once),
        TEST(a_renewal_that_fails_leaves_the_old_ones),
        TEST(many_refusals_are_one_renewal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
