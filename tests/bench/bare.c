// SPDX-License-Identifier: Apache-2.0
//
// What pixmill is measured against: the shortest C program that does the same work with libvips and nothing around it.
//
//     bench_bare JOBS RULE OUT SIZE[,SIZE...] FILE...
//
// JOBS processes share the files. RULE is "fast" or "balanced": each rendition is made from a picture at least 1 or 2
// times its size. SIZE is 720 (the longer side), or 300x300 (cover). JPEG, quality 80. One decode, shrunk as far as the
// rule allows; each rendition starts from the smallest one that is large enough. A file is written without a name,
// synced and linked, and its folder synced, as pixmill promises.
#include <fcntl.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vips/vips.h>

enum { SIZES_MAX = 16 };

typedef struct Rendition {
    int box, cover;    // px; cover 0: inside a box of that side
    int width, height; // of the picture scaled, before it is cut
    int need_width, need_height;
    int from, users; // index of the rendition it is made from, -1: the decoded picture; how many start from it
    VipsImage *image;
} Rendition;

static Rendition renditions[SIZES_MAX];
static int count, times, folder;

static void die(const char *what, const char *file)
{
    fprintf(stderr, "bench_bare: %s %s: %s\n", what, file, vips_error_buffer());
    exit(1);
}

static void measure(Rendition *r, int width, int height)
{
    double side = r->cover ? (width < height ? width : height) : (width > height ? width : height);
    double scale = r->box / side;
    r->width = (int)(width * scale + 0.5);
    r->height = (int)(height * scale + 0.5);
    r->need_width = times * r->width < width ? times * r->width : width;
    r->need_height = times * r->height < height ? times * r->height : height;
}

static bool serves(const Rendition *giver, const Rendition *taker)
{
    return !giver->cover && giver->width >= taker->need_width && giver->height >= taker->need_height;
}

// As pixmill's choose_shrink(): how many times what is needed must be there before the decoder shrinks.
static int shrink_for(int width, int height, const Rendition *largest)
{
    static const struct {
        int shrink;
        double fast, balanced;
    } steps[] = {{8, 9, 32}, {4, 5, 14}, {2, 3, 2.5}};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        double least = times > 1 ? steps[i].balanced : steps[i].fast;
        if (width >= least * largest->need_width && height >= least * largest->need_height) return steps[i].shrink;
    }
    return 1;
}

// Sizes come largest first. Returns how far the decoder may shrink; *trunk_users: how many start from what it gives.
static int plan(int width, int height, int *trunk_users)
{
    *trunk_users = 0;
    for (int i = 0; i < count; i++) {
        renditions[i].users = 0;
        measure(&renditions[i], width, height);
    }
    for (int i = 0; i < count; i++) {
        renditions[i].from = -1;
        for (int j = 0; j < i; j++)
            if (serves(&renditions[j], &renditions[i])) renditions[i].from = j;
        if (renditions[i].from < 0)
            ++*trunk_users;
        else
            renditions[renditions[i].from].users++;
    }
    return shrink_for(width, height, &renditions[0]);
}

static void store(const char *file, int box, const void *bytes, size_t size)
{
    char name[512], self[64];
    const char *base = strrchr(file, '/');
    snprintf(name, sizeof name, "%s_%d.jpg", base != NULL ? base + 1 : file, box);
    int fd = openat(folder, ".", O_TMPFILE | O_WRONLY, 0666);
    if (fd < 0 || write(fd, bytes, size) != (ssize_t)size || fsync(fd) != 0) die("cannot write", name);
    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    unlinkat(folder, name, 0);
    if (linkat(AT_FDCWD, self, folder, name, AT_SYMLINK_FOLLOW) != 0) die("cannot name", name);
    close(fd);
    fsync(folder);
}

static void hold(VipsImage **image, const char *file)
{
    VipsImage *memory = vips_image_copy_memory(*image);
    if (memory == NULL) die("cannot decode", file);
    g_object_unref(*image);
    *image = memory;
}

static void render(Rendition *r, VipsImage *in, const char *file)
{
    VipsImage *scaled = NULL, *cut = NULL;
    if (vips_resize(in, &scaled, (double)r->width / in->Xsize, "vscale", (double)r->height / in->Ysize, NULL) != 0)
        die("cannot resize", file);
    if (r->cover) {
        int x = (r->width - r->box + 1) / 2, y = (r->height - r->box + 1) / 2;
        if (vips_crop(scaled, &cut, x, y, r->box, r->box, NULL) != 0) die("cannot cut", file);
        g_object_unref(scaled);
        scaled = cut;
    }
    if (r->users > 0) hold(&scaled, file);
    void *bytes = NULL;
    size_t size = 0;
    if (vips_jpegsave_buffer(scaled, &bytes, &size, "Q", 80, NULL) != 0) die("cannot encode", file);
    store(file, r->box, bytes, size);
    g_free(bytes);
    r->image = scaled;
}

static void mill(const char *file)
{
    struct stat st;
    int fd = open(file, O_RDONLY), trunk_users;
    if (fd < 0 || fstat(fd, &st) != 0) die("cannot open", file);
    void *bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    VipsImage *trunk = NULL;
    if (bytes == MAP_FAILED || vips_jpegload_buffer(bytes, (size_t)st.st_size, &trunk, "access", VIPS_ACCESS_SEQUENTIAL,
                                                    "fail_on", VIPS_FAIL_ON_TRUNCATED, NULL))
        die("cannot read", file);
    int shrink = plan(trunk->Xsize, trunk->Ysize, &trunk_users);
    if (shrink > 1) {
        g_object_unref(trunk);
        trunk = NULL;
        if (vips_jpegload_buffer(bytes, (size_t)st.st_size, &trunk, "access", VIPS_ACCESS_SEQUENTIAL, "fail_on",
                                 VIPS_FAIL_ON_TRUNCATED, "shrink", shrink, NULL))
            die("cannot read", file);
    }
    if (trunk_users > 1) hold(&trunk, file);
    for (int i = 0; i < count; i++) {
        int from = renditions[i].from;
        render(&renditions[i], from < 0 ? trunk : renditions[from].image, file);
    }
    for (int i = 0; i < count; i++) g_clear_object(&renditions[i].image);
    g_object_unref(trunk);
    munmap(bytes, (size_t)st.st_size);
}

int main(int argc, char **argv)
{
    if (argc < 6 || VIPS_INIT(argv[0]) != 0) return 2;
    int jobs = atoi(argv[1]);
    times = strcmp(argv[2], "fast") == 0 ? 1 : 2;
    folder = open(argv[3], O_RDONLY | O_DIRECTORY);
    for (char *size = strtok(argv[4], ","); size != NULL && count < SIZES_MAX; size = strtok(NULL, ","))
        renditions[count++] = (Rendition){.box = atoi(size), .cover = strchr(size, 'x') != NULL};
    if (folder < 0 || jobs < 1) return 2;
    vips_cache_set_max(0);
    vips_concurrency_set(1);
    for (int job = 0; job < jobs; job++) {
        pid_t pid = fork();
        if (pid < 0) return 1;
        if (pid > 0) continue;
        for (int i = 5 + job; i < argc; i += jobs) mill(argv[i]);
        _exit(0);
    }
    int status, failed = 0;
    while (wait(&status) > 0) failed |= status;
    return failed != 0;
}
