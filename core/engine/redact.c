/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/redact.h"

#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/text.h"

enum { SECRET_MIN_BYTES = 4 };

static void replace(char *text, size_t size, const char *secret, size_t length, const char *by)
{
    if (length < SECRET_MIN_BYTES || memmem(text, strlen(text), secret, length) == NULL) return;
    PmBuffer out;
    pm_buffer_init(&out, size * strlen(by) + 1);
    const char *rest = text, *found;
    while ((found = memmem(rest, strlen(rest), secret, length)) != NULL) {
        pm_buffer_add(&out, rest, (size_t)(found - rest));
        pm_buffer_adds(&out, by);
        rest = found + length;
    }
    pm_buffer_adds(&out, rest);
    pm_text_copy(text, size, out.failed || out.data == NULL ? "(not shown: it holds a secret)" : out.data);
    pm_buffer_finish(&out);
}

static void hide(char *text, size_t size, const char *secret)
{
    if (secret != NULL) replace(text, size, secret, strlen(secret), "***");
}

/* The whole URL first, then the parts of it that a plugin may have cut out: user and password, query. */
static void hide_url(char *text, size_t size, const char *url)
{
    if (url == NULL || strncmp(url, "aws://", 6) == 0) return; /* the name of an operation, no secret */
    char origin[300];
    pm_text_origin(origin, sizeof origin, url);
    replace(text, size, url, strlen(url), origin);
    const char *host = strstr(url, "://"), *query = strchr(url, '?');
    host = host != NULL ? host + 3 : url;
    const char *path = host + strcspn(host, "/?#"), *at = NULL;
    for (const char *p = host; p < path; p++)
        if (*p == '@') at = p;
    if (at != NULL) replace(text, size, host, (size_t)(at - host), "***");
    if (path[0] == '/' && path[1] != '\0') hide(text, size, path);
    if (query != NULL) hide(text, size, query + 1);
}

void pm_redact(const PmInstance *instance, char *text, size_t size)
{
    if (instance == NULL || instance->config == NULL) return;
    const PmTransform *transform = &instance->plugin->transform;
    for (size_t i = 0; i < transform->param_count; i++) {
        const PmParam *param = &transform->params[i];
        const void *field = (const char *)instance->config + param->offset;
        /* Whole URLs first: a secret may be part of one. */
        if (param->type == PM_ENDPOINT) hide_url(text, size, *(const char *const *)field);
    }
    for (size_t i = 0; i < transform->param_count; i++) {
        const PmParam *param = &transform->params[i];
        const void *field = (const char *)instance->config + param->offset;
        bool secret = (param->flags & PM_SECRET) != 0;
        if (secret && (param->type == PM_STRING || param->type == PM_ASSET)) {
            hide(text, size, *(const char *const *)field);
        } else if (secret && param->type == PM_LIST) {
            const PmList *list = field;
            for (size_t k = 0; k < list->count; k++) hide(text, size, list->items[k]);
        }
    }
}
