/* SPDX-License-Identifier: Apache-2.0 */
#include "base/crash_point.h"

#ifdef PIXMILL_CRASH_POINTS

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The linker's names for both ends of the section; weak, because a program may have no point at all. */
extern const char *const points_begin[] __asm__("__start_pm_crash_points") __attribute__((weak));
extern const char *const points_end[] __asm__("__stop_pm_crash_points") __attribute__((weak));

static char chosen[64]; /* "": none */
static atomic_long left;

static void list(void)
{
    for (const char *const *point = points_begin; point < points_end; point++) puts(*point);
    fflush(stdout);
    _exit(0);
}

static bool is_known(const char *name)
{
    for (const char *const *point = points_begin; point < points_end; point++)
        if (strcmp(*point, name) == 0) return true;
    return false;
}

/* Before main, so that every program that has points obeys, without a line in its code. */
__attribute__((constructor)) static void read_environment(void)
{
    const char *text = getenv("PIXMILL_CRASH_AT");
    if (text == NULL) return;
    if (strcmp(text, "list") == 0) list();
    const char *colon = strchr(text, ':');
    int length = colon != NULL ? (int)(colon - text) : (int)strlen(text);
    snprintf(chosen, sizeof chosen, "%.*s", length, text);
    atomic_store(&left, colon != NULL ? strtol(colon + 1, NULL, 10) : 1);
    if (is_known(chosen)) return;
    fprintf(stderr, "PIXMILL_CRASH_AT=%s: this program has no such point\n", text);
    _exit(PM_CRASH_UNKNOWN);
}

void pm_crash_point(const char *name)
{
    if (strcmp(name, chosen) == 0 && atomic_fetch_sub(&left, 1) == 1) kill(getpid(), SIGKILL);
}

#endif
