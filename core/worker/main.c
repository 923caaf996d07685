/* SPDX-License-Identifier: Apache-2.0
 *
 * pixmill-worker: the process that may die. Started by pixmill, which talks to it over a socket.
 */
#include <fcntl.h>
#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pipeline/decode_params.h"
#include "worker/sanitized.h"
#include "worker/stacks.h"
#include "worker/try.h"
#include "worker/zygote.h"

enum { EXIT_USAGE = 2, PICTURE_BYTES = 4 * 1024 * 1024, KEPT_BYTES = 4 * PICTURE_BYTES };

static void print_help(FILE *out)
{
    fputs("pixmill-worker is started by pixmill; there is no need to run it by hand.\n"
          "\n"
          "Usage: pixmill-worker --fd N\n"
          "\n"
          "  --fd N      serve the socket that pixmill has opened as descriptor N\n"
          "  --version   print the version\n"
          "  --help      print this\n"
          "\n"
          "It loads the plugins and decodes images in sandboxed child processes. To try a plugin or a\n"
          "pipeline, use: pixmill apply PIPELINE FILE... --out DIR\n",
          out);
}

static int serve(const char *text)
{
    int64_t fd = -1;
    char why[128];
    int type = 0;
    socklen_t size = sizeof type;
    if (!pm_parse_int(text, &fd, why, sizeof why) || fd < 0 || fd > INT32_MAX ||
        getsockopt((int)fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_SEQPACKET ||
        fcntl((int)fd, F_SETFD, FD_CLOEXEC) != 0) {
        fprintf(stderr, "pixmill-worker: --fd %s: no socket that pixmill has opened\n", text);
        return EXIT_USAGE;
    }
    /* One arena for all threads: each more would reserve 64 MiB of the address space that is limited in children, or
     * could not, and what is free in one would be no use to the other. */
    mallopt(M_ARENA_MAX, 1);
    pm_stacks_size();
    /* libvips takes and frees its strips of pixels time and again: unless they stay here, the kernel clears them each
     * time. Whole pictures go back at once. */
    mallopt(M_MMAP_THRESHOLD, PICTURE_BYTES);
    mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
    /* No home directory: libraries that look for one must not query a name service. */
    setenv("HOME", "/nonexistent", 1);
    return pm_zygote_run((int)fd);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"fd", required_argument, NULL, 'f'},
                                            {"try", no_argument, NULL, 't'},
                                            {"plugin-dirs", required_argument, NULL, 'd'},
                                            {"version", no_argument, NULL, 'v'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    const char *fd = NULL, *folders = NULL;
    bool tries = false;
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 'f':
            fd = optarg;
            break;
        case 't':
            tries = true;
            break;
        case 'd':
            folders = optarg;
            break;
        case 'v':
            puts("pixmill-worker " PIXMILL_VERSION);
            return EXIT_SUCCESS;
        case 'h':
            print_help(stdout);
            return EXIT_SUCCESS;
        default:
            fputs("try: pixmill-worker --help\n", stderr);
            return EXIT_USAGE;
        }
    }
    if (tries && argc - optind >= 3) {
        PmTry try = {.plugin = argv[optind],
                     .in = argv[optind + 1],
                     .out = argv[optind + 2],
                     .settings = argv + optind + 3,
                     .folders = folders};
        int code = pm_try_run(&try);
        fflush(NULL);
#ifndef PM_SANITIZED
        /* As below; and those of other libraries can hang under a preloaded sanitizer. Our own looks for leaks there.
         */
        _exit(code);
#endif
        return code;
    }
    if (fd == NULL || optind < argc) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    /* _exit: neither libvips' nor plugins' exit handlers have anything to do for us. */
    int code = serve(fd);
    fflush(NULL);
    _exit(code);
}
