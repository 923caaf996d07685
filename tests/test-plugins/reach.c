/* SPDX-License-Identifier: Apache-2.0
 *
 * Plugins that reach for what is not theirs while they are loaded, before there is an image or a child: in create(), or
 * with -DIN_CONSTRUCTOR as soon as they are opened. What the attempt came to is the message of create().
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pixmill/plugin.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>
#include <vips/vips.h>

typedef struct Config {
    const char *what, *below;
} Config;

static const PmParam params[] = {
    PM_PARAM_STRING(Config, what, "what", .def = "", .doc = "What to reach for."),
    PM_PARAM_STRING(Config, below, "below", .def = "/etc", .doc = "Where files are looked for."),
};

static int result(long answer)
{
    return answer < 0 ? errno : 0;
}

static int open_below(const char *folder, const char *name, int flags)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return result(open(path, flags, 0600));
}

static int write_to_the_log(void)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) != 0) return errno;
    return result(sendto(pair[0], "x", 1, 0, (struct sockaddr *)&to, sizeof to)) == EPERM ? EPERM : 0;
}

static int run_in_a_fork(void)
{
    pid_t pid = fork();
    if (pid < 0) return errno;
    if (pid == 0) {
        char *const args[] = {(char *)"true", NULL};
        execve("/bin/true", args, NULL);
        _exit(1);
    }
    int status = -1;
    (void)!syscall(SYS_wait4, pid, &status, 0, NULL);
    return status == 0 ? 0 : EPERM;
}

/* 0: it could be done; else errno. */
static int reach(const char *what, const char *below)
{
    char path[64];
    snprintf(path, sizeof path, "%d/environ", (int)getppid());
    if (strcmp(what, "passwd") == 0) return open_below("/etc", "passwd", O_RDONLY);
    if (strcmp(what, "credentials") == 0) return open_below(below, ".aws/credentials", O_RDONLY);
    if (strcmp(what, "folder") == 0) return open_below(below, ".", O_RDONLY | O_DIRECTORY);
    if (strcmp(what, "environment") == 0) return open_below("/proc", path, O_RDONLY);
    if (strcmp(what, "write") == 0) return open_below("/tmp", "pixmill-test-reach", O_WRONLY | O_CREAT);
    if (strcmp(what, "mode") == 0) return result(chmod(below, 0777));
    if (strcmp(what, "inet") == 0) return result(socket(AF_INET, SOCK_STREAM, 0));
    if (strcmp(what, "unix") == 0) return result(socket(AF_UNIX, SOCK_STREAM, 0));
    if (strcmp(what, "log") == 0) return write_to_the_log();
    if (strcmp(what, "exec") == 0) return result(execve("/bin/true", (char *[]){(char *)"true", NULL}, NULL));
    if (strcmp(what, "fork-exec") == 0) return run_in_a_fork();
    if (strcmp(what, "ptrace") == 0) return result(ptrace(PTRACE_ATTACH, getppid(), NULL, NULL));
    if (strcmp(what, "kill") == 0) return result(kill(getppid(), SIGKILL));
    if (strcmp(what, "signal") == 0) return result(kill(getppid(), SIGUSR1));
    if (strcmp(what, "mount") == 0) return result(mount("none", "/tmp", "tmpfs", 0, NULL));
    return 0;
}

static int in_constructor = -1;

#ifdef IN_CONSTRUCTOR
__attribute__((constructor)) static void load(void)
{
    in_constructor = reach(IN_CONSTRUCTOR, "/root");
}
#endif

static PmStatus create(const PmHost *host, PmJob *job, const void *data, void **self)
{
    const Config *config = data;
    (void)self;
    int error = in_constructor >= 0 ? in_constructor : reach(config->what, config->below);
    return host->fail(job, PM_BAD_CONFIG, "cannot start: %s", error == 0 ? "but could reach it" : strerror(error));
}

static PmStatus plan(void *self, PmJob *job, const PmShape *in, PmPlan *out)
{
    (void)self, (void)job, (void)in, (void)out;
    return PM_OK;
}

static PmStatus apply(void *self, PmJob *job, const PmShape *shape, VipsImage *in, VipsImage **out)
{
    (void)self, (void)job, (void)shape;
    return vips_copy(in, out, NULL) == 0 ? PM_OK : PM_BAD_INPUT;
}

static const PmTransform transform = {
    .name = NAME,
    .summary = "Reaches for what is not its own, for tests.",
    PM_PARAMS(Config, params),
    .create = create,
    .plan = plan,
    .apply = apply,
};

PM_PLUGIN(transform, "1.0.0")
