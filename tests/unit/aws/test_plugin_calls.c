/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "aws/plugin_calls.h"

static const PmAwsPluginCall *faces(void)
{
    PmError err = {0};
    return pm_aws_plugin_call("aws://rekognition/DetectFaces", &err);
}

static void every_row_is_whole(void **state)
{
    (void)state;
    const PmAwsPluginCall *call;
    size_t count = 0;
    for (; (call = pm_aws_plugin_call_at(count)) != NULL; count++) {
        char url[200], action[200];
        PmError err = {0};
        snprintf(url, sizeof url, "aws://%s/%s", call->service, call->operation);
        snprintf(action, sizeof action, "%s:%s", call->service, call->operation);
        assert_ptr_equal(pm_aws_plugin_call(url, &err), call);
        assert_string_equal(call->action, action);
        assert_string_equal(strchr(call->target, '.') + 1, call->operation);
        json_t *probe = json_loads(call->probe, 0, NULL);
        assert_true(json_is_object(probe));
        json_decref(probe);
        /* what looks, and no more */
        assert_true(strncmp(call->operation, "Detect", 6) == 0 || strncmp(call->operation, "Recognize", 9) == 0 ||
                    strncmp(call->operation, "Analyze", 7) == 0);
    }
    assert_true(count >= 6);
}

static void others_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *url, *message, *hint;
    } cases[] = {
        {"aws://s3/DeleteBucket", "\"s3/DeleteBucket\" is not an operation of AWS that plugins may call",
         "docs/aws.md lists them; aws://rekognition/DetectFaces is one"},
        {"aws://rekognition/DetectFace", "\"rekognition/DetectFace\" is not an operation of AWS that plugins may call",
         "did you mean aws://rekognition/DetectFaces?"},
        {"aws://rekognition/\x1b[2J", "\"rekognition/\\x1b[2J\" is not an operation of AWS that plugins may call",
         "docs/aws.md lists them; aws://rekognition/DetectFaces is one"},
        {"https://x/", "\"https://x/\" is not an operation of AWS that plugins may call",
         "docs/aws.md lists them; aws://rekognition/DetectFaces is one"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        PmError err = {0};
        assert_null(pm_aws_plugin_call(cases[i].url, &err));
        assert_int_equal(err.status, PM_BAD_CONFIG);
        assert_string_equal(err.message, cases[i].message);
        assert_string_equal(err.hint, cases[i].hint);
    }
    assert_null(pm_aws_plugin_call("aws://rekognition/X", NULL));
}

static const char *origin(const char *region, const char *endpoint_url, bool fips)
{
    static char out[200];
    PmError err = {0};
    if (pm_aws_plugin_call_origin(faces(), region, endpoint_url, fips, out, sizeof out, &err) == PM_OK) return out;
    assert_int_equal(err.status, PM_BAD_CONFIG);
    assert_string_equal(err.message, "the endpoint of rekognition is not an http or https URL without a path");
    assert_string_equal(err.hint, "see AWS_ENDPOINT_URL_REKOGNITION, aws.endpoint_url and AWS_ENDPOINT_URL");
    return "refused";
}

static void where_a_service_is(void **state)
{
    (void)state;
    unsetenv("AWS_ENDPOINT_URL");
    unsetenv("AWS_ENDPOINT_URL_REKOGNITION");
    assert_string_equal(origin("eu-west-1", NULL, false), "https://rekognition.eu-west-1.amazonaws.com");
    assert_string_equal(origin("us-east-1", NULL, true), "https://rekognition-fips.us-east-1.amazonaws.com");
    assert_string_equal(origin("cn-north-1", NULL, false), "https://rekognition.cn-north-1.amazonaws.com.cn");
    setenv("AWS_ENDPOINT_URL", "http://all:1/", 1);
    assert_string_equal(origin("eu-west-1", NULL, false), "http://all:1");
    assert_string_equal(origin("eu-west-1", "https://file", false), "https://file");
    setenv("AWS_ENDPOINT_URL_REKOGNITION", "http://one:2//", 1);
    assert_string_equal(origin("eu-west-1", "https://file", false), "http://one:2");
    setenv("AWS_ENDPOINT_URL_REKOGNITION", "", 1);
    assert_string_equal(origin("eu-west-1", "https://file", false), "https://file");
    static const char *const bad[] = {"x",          "http://",    "ftp://x",   "http://x/path",
                                      "http://u@x", "http://x?y", "http://x y"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_string_equal(origin("eu-west-1", bad[i], false), "refused");
    unsetenv("AWS_ENDPOINT_URL");
    unsetenv("AWS_ENDPOINT_URL_REKOGNITION");
    char small[20];
    PmError err = {0};
    assert_int_equal(pm_aws_plugin_call_origin(faces(), "eu-west-1", NULL, false, small, sizeof small, &err),
                     PM_BAD_CONFIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_whole),
        cmocka_unit_test(others_are_refused),
        cmocka_unit_test(where_a_service_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
