/* SPDX-License-Identifier: Apache-2.0
 *
 * A bundle's programs start through this one: it takes nothing from the machine but the kernel. The kernel looks for a
 * program's dynamic linker at a fixed place, and a bundle may lie anywhere and on a machine with another libc, or none;
 * so this program, which needs none, starts the bundle's own dynamic linker with the bundle's libraries.
 *
 *   ROOT/bootstrap              this; stands for bin/pixmill (AWS Lambda starts it under that name)
 *   ROOT/bin/pixmill            this; bin/pixmill.real is the program
 *   ROOT/libexec/.../NAME       this; NAME.real is the program
 *   ROOT/lib/ld.so              the dynamic linker; the libraries lie beside it
 */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "base/spawn.h"

enum { FOLDERS_UP_MAX = 4, OWN_ARGUMENTS = 7, EXIT_CANNOT_START = 127 };

__attribute__((noreturn, format(printf, 1, 2))) static void die(const char *fmt, ...)
{
    char text[2 * PATH_MAX];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    dprintf(STDERR_FILENO, "pixmill: %s\n", text);
    _exit(EXIT_CANNOT_START);
}

/* Never freed where the path goes into the new program. */
static char *path_of(const char *folder, const char *name)
{
    char *path = NULL;
    if (asprintf(&path, "%s%s", folder, name) < 0) die("no memory to start");
    return path;
}

/* The folder above `own` that has lib/ld.so. */
static char *find_root(const char *own)
{
    char *root = path_of(own, "");
    for (int i = 0; i < FOLDERS_UP_MAX; i++) {
        char *slash = strrchr(root, '/');
        if (slash == NULL) break;
        *slash = '\0';
        char *linker = path_of(root, "/lib/ld.so");
        int there = access(linker, X_OK);
        free(linker);
        if (there == 0) return root;
    }
    die("%s is part of a bundle and starts with what lies there in lib; it was copied without it", own);
}

static void set_default(const char *name, const char *value)
{
    if (setenv(name, value, 0) != 0) die("no memory to start");
}

/* What the programs ask the environment for, where the machine's owner does not say otherwise. */
static void prepare_environment(const char *root)
{
    /* These name libraries of the machine, which do not go with the bundle's libc. */
    unsetenv("LD_PRELOAD");
    unsetenv("LD_LIBRARY_PATH");
    unsetenv("LD_AUDIT");
    set_default("PIXMILL_BUNDLE", root);
    if (getenv("FONTCONFIG_PATH") == NULL) set_default("FONTCONFIG_FILE", path_of(root, "/etc/fonts/fonts.conf"));
}

/* Ends with NULL. Never freed. */
static char **arguments_of(const char *root, const char *program, const char *name, size_t count, char **more)
{
    char *linker = path_of(root, "/lib/ld.so"), *libraries = path_of(root, "/lib");
    char *const own[OWN_ARGUMENTS] = {linker,         (char *)"--inhibit-cache", (char *)"--library-path",
                                      libraries,      (char *)"--argv0",         (char *)name,
                                      (char *)program};
    char **arguments = calloc(OWN_ARGUMENTS + count + 1, sizeof *arguments);
    if (arguments == NULL) die("no memory to start");
    memcpy(arguments, own, sizeof own);
    if (count > 0) memcpy(arguments + OWN_ARGUMENTS, more, count * sizeof *more);
    return arguments;
}

/* A function is asked for as soon as it can answer, and its first image needs a worker: that starts now, while pixmill
 * is still being loaded. Should it fail, pixmill starts one itself, and says why that fails. */
static void start_worker(const char *root)
{
    char *worker[] = {PM_SPAWN_ARGUMENTS};
    char *program = path_of(root, "/libexec/pixmill/pixmill-worker.real");
    char **arguments = arguments_of(root, program, worker[0], sizeof worker / sizeof worker[0] - 1, worker + 1);
    int sock;
    pid_t pid;
    if (pm_spawn_worker(arguments[0], arguments, &sock, &pid) == 0 && pm_spawn_hand_over(sock, pid) != 0)
        die("no memory to start");
}

int main(int argc, char **argv)
{
    const char *started = (const char *)getauxval(AT_EXECFN);
    char *own = started != NULL ? realpath(started, NULL) : NULL;
    if (own == NULL) die("cannot tell where %s lies: %s", started != NULL ? started : "it", strerror(errno));
    char *root = find_root(own);
    const char *name = strrchr(own, '/') + 1;
    char *program = strcmp(name, "bootstrap") == 0 ? path_of(root, "/bin/pixmill.real") : path_of(own, ".real");
    prepare_environment(root);
    bool function = argc < 2 && getenv("AWS_LAMBDA_RUNTIME_API") != NULL;
    if (function && getenv("PIXMILL_WORKER") == NULL) start_worker(root);

    size_t count = argc > 1 ? (size_t)argc - 1 : 0;
    char **arguments = arguments_of(root, program, argc > 0 ? argv[0] : own, count, argv + 1);
    execv(arguments[0], arguments);
    die("cannot start %s: %s", arguments[0], strerror(errno));
}
