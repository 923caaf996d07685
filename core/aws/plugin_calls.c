/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/plugin_calls.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* One byte that is not an image: it passes the model's limits, so that rights are looked at, and then no decoder. */
#define IMAGE    "{\"Image\":{\"Bytes\":\"AA==\"}}"
#define DOCUMENT "{\"Document\":{\"Bytes\":\"AA==\"}}"
#define ANALYSED "{\"Document\":{\"Bytes\":\"AA==\"},\"FeatureTypes\":[\"FORMS\"]}"

#define REKOGNITION(name)                                                           \
    {                                                                               \
        "rekognition", name, "RekognitionService." name, "rekognition:" name, IMAGE \
    }
#define TEXTRACT(name, probe)                                       \
    {                                                               \
        "textract", name, "Textract." name, "textract:" name, probe \
    }

static const PmAwsPluginCall calls[] = {
    REKOGNITION("DetectFaces"),
    REKOGNITION("DetectLabels"),
    REKOGNITION("DetectModerationLabels"),
    REKOGNITION("DetectProtectiveEquipment"),
    REKOGNITION("DetectText"),
    REKOGNITION("RecognizeCelebrities"),
    TEXTRACT("AnalyzeDocument", ANALYSED),
    TEXTRACT("DetectDocumentText", DOCUMENT),
};

enum { CALLS = sizeof calls / sizeof calls[0], NAME_MAX_BYTES = 100 };

const PmAwsPluginCall *pm_aws_plugin_call_at(size_t i)
{
    return i < CALLS ? &calls[i] : NULL;
}

const PmAwsPluginCall *pm_aws_plugin_call(const char *url, PmError *err)
{
    static const size_t scheme = sizeof PM_AWS_SCHEME - 1;
    char names[CALLS][NAME_MAX_BYTES], shown[NAME_MAX_BYTES];
    const char *near[CALLS + 1] = {NULL};
    for (size_t i = 0; i < CALLS; i++) {
        near[i] = names[i];
        snprintf(names[i], sizeof names[i], PM_AWS_SCHEME "%s/%s", calls[i].service, calls[i].operation);
        if (strcmp(names[i], url) == 0) return &calls[i];
    }
    pm_text_escape(shown, sizeof shown, strncmp(url, PM_AWS_SCHEME, scheme) == 0 ? url + scheme : url);
    pm_error_set(err, PM_BAD_CONFIG, "\"%s\" is not an operation of AWS that plugins may call", shown);
    const char *meant = pm_text_nearest(url, near);
    if (meant != NULL)
        pm_error_hint(err, "did you mean %s?", meant);
    else
        pm_error_hint(err, "docs/aws.md lists them; %s is one", names[0]);
    return NULL;
}

/* --- where --- */

static const char *environment(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

PmStatus pm_aws_plugin_call_origin(const PmAwsPluginCall *call, const char *region, const char *endpoint_url, bool fips,
                                   char *out, size_t size, PmError *err)
{
    char variable[NAME_MAX_BYTES];
    snprintf(variable, sizeof variable, "AWS_ENDPOINT_URL_%s", call->service);
    for (char *c = variable; *c != '\0'; c++) *c = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
    const char *given = environment(variable);
    if (given == NULL) given = endpoint_url;
    if (given == NULL) given = environment("AWS_ENDPOINT_URL");
    int length = 0;
    if (given == NULL) {
        length = snprintf(out, size, "https://%s%s.%s.amazonaws.com%s", call->service, fips ? "-fips" : "", region,
                          strncmp(region, "cn-", 3) == 0 ? ".cn" : "");
    } else {
        length = snprintf(out, size, "%s", given);
        while (length > 0 && (size_t)length < size && out[length - 1] == '/') out[--length] = '\0';
    }
    const char *host = strncmp(out, "http://", 7) == 0 ? out + 7 : strncmp(out, "https://", 8) == 0 ? out + 8 : "";
    if (length > 0 && (size_t)length < size && *host != '\0' && strpbrk(host, "/?#@ \t\r\n") == NULL) return PM_OK;
    pm_error_set(err, PM_BAD_CONFIG, "the endpoint of %s is not an http or https URL without a path", call->service);
    pm_error_hint(err, "see %s, aws.endpoint_url and AWS_ENDPOINT_URL", variable);
    return PM_BAD_CONFIG;
}
