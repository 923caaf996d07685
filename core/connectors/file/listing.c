/* SPDX-License-Identifier: Apache-2.0 */
#include "connectors/file/listing.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "pipeline/sniff.h"

enum { FILES_MAX = 1000000, LOOK_BYTES = 4096 };

/* What a listing is made with. */
typedef struct Maker {
    PmListing *listing;
    const PmLimits *limits;
    struct stat out; /* of the folder that renditions go to */
    bool has_out;
} Maker;

static bool same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* --- what is an image --- */

/* A damaged photo is an image that fails, not a file to pass over. */
bool pm_listing_is_image_name(const char *name)
{
    return pm_format_from_ending(name) != PM_FORMAT_UNKNOWN;
}

static bool let_in(const PmLimits *limits, const char *format)
{
    for (size_t i = 0; i < limits->formats.count; i++)
        if (strcmp(limits->formats.items[i], format) == 0) return true;
    return false;
}

/* A file that cannot be read is told by the run. */
static void judge(const Maker *maker, PmListed *listed)
{
    char bytes[LOOK_BYTES];
    int fd = open(listed->object.path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    ssize_t n = fd >= 0 ? read(fd, bytes, sizeof bytes) : -1;
    if (fd >= 0) close(fd);
    if (n < 0) return;
    PmFormat format = pm_sniff(bytes, (size_t)n);
    if (format == PM_FORMAT_UNKNOWN && !pm_listing_is_image_name(listed->object.path))
        pm_text_copy(listed->skipped, sizeof listed->skipped, "not an image");
    else if (format != PM_FORMAT_UNKNOWN && !let_in(maker->limits, pm_format_name(format)))
        snprintf(listed->skipped, sizeof listed->skipped, "%s is not among limits.formats", pm_format_name(format));
}

/* --- entries --- */

static PmListed *add(PmListing *listing, const char *path, const char *key, const struct stat *st)
{
    if (listing->count == FILES_MAX) return NULL;
    if (listing->count == listing->room) {
        size_t room = listing->room > 0 ? listing->room * 2 : 64;
        PmListed *items = realloc(listing->items, room * sizeof *items);
        if (items == NULL) return NULL;
        listing->items = items;
        listing->room = room;
    }
    PmListed *listed = &listing->items[listing->count++];
    *listed = (PmListed){.object = {.key = strdup(key),
                                    .path = strdup(path),
                                    .size = st->st_size,
                                    .time_ms = st->st_mtim.tv_sec * 1000LL},
                         .device = st->st_dev,
                         .inode = st->st_ino};
    return listed->object.key != NULL && listed->object.path != NULL ? listed : NULL;
}

static PmStatus too_many(const char *where, PmError *err)
{
    return pm_error_set(err, PM_BAD_CONFIG, "%s holds more than %d files", where, (int)FILES_MAX);
}

static bool add_root(PmListing *listing, char *root)
{
    char **roots = realloc(listing->roots, (listing->root_count + 1) * sizeof *roots);
    if (roots == NULL || root == NULL) {
        if (roots != NULL) listing->roots = roots;
        free(root);
        return false;
    }
    listing->roots = roots;
    listing->roots[listing->root_count++] = root;
    return true;
}

/* --- folders --- */

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static const char *below(const char *path, size_t root)
{
    path += root;
    while (*path == '/') path++;
    return path;
}

static PmStatus walk(Maker *maker, FTS *tree, const char *root, bool *holds_out, PmError *err)
{
    size_t length = strlen(root);
    while (length > 0 && root[length - 1] == '/') length--;
    for (FTSENT *e; (e = fts_read(tree)) != NULL;) {
        if (e->fts_level > 0 && e->fts_name[0] == '.') {
            fts_set(tree, e, FTS_SKIP);
            continue;
        }
        struct stat st = *e->fts_statp;
        const char *key = below(e->fts_path, length);
        if (e->fts_info == FTS_D && maker->has_out && same(&st, &maker->out)) {
            if (e->fts_level == 0) {
                pm_error_set(err, PM_BAD_CONFIG,
                             "%s is read and written at once: the next run would take the renditions "
                             "for sources",
                             root);
                pm_error_hint(err, "choose another folder for --out; one inside of %s will do", root);
                return err->status;
            }
            fts_set(tree, e, FTS_SKIP);
            *holds_out = true;
            char name[4096];
            snprintf(name, sizeof name, "%s/", key);
            PmListed *listed = add(maker->listing, e->fts_path, name, &st);
            if (listed == NULL) return too_many(root, err);
            pm_text_copy(listed->skipped, sizeof listed->skipped, "it is where the renditions go");
            continue;
        }
        /* A link to a file is a file; one to a folder could lead in a circle. */
        if (e->fts_info == FTS_SL && (stat(e->fts_path, &st) != 0 || !S_ISREG(st.st_mode))) continue;
        if (e->fts_info != FTS_F && e->fts_info != FTS_SL) continue;
        if (!S_ISREG(st.st_mode)) continue;
        PmListed *listed = add(maker->listing, e->fts_path, key, &st);
        if (listed == NULL) return too_many(root, err);
        judge(maker, listed);
    }
    return PM_OK;
}

static PmStatus add_tree(Maker *maker, const char *root, PmError *err)
{
    char *roots[] = {(char *)root, NULL}; /* fts takes it as it is and changes nothing */
    FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, by_name);
    if (tree == NULL) return pm_error_set(err, PM_BAD_CONFIG, "%s: %s", root, strerror(errno));
    bool holds_out = false;
    PmStatus status = walk(maker, tree, root, &holds_out, err);
    fts_close(tree);
    if (status == PM_OK && !holds_out && !add_root(maker->listing, realpath(root, NULL)))
        status = pm_error_set(err, PM_TRANSIENT, "out of memory");
    return status;
}

static PmStatus add_path(Maker *maker, const char *path, PmError *err)
{
    struct stat st;
    if (stat(path, &st) != 0) return pm_error_set(err, PM_BAD_CONFIG, "%s: %s", path, strerror(errno));
    if (S_ISDIR(st.st_mode)) return add_tree(maker, path, err);
    const char *slash = strrchr(path, '/');
    return add(maker->listing, path, slash != NULL ? slash + 1 : path, &st) != NULL ? PM_OK
                                                                                    : too_many("the command line", err);
}

/* --- by identity --- */

static int compare(const PmListed *a, dev_t device, ino_t inode)
{
    if (a->device != device) return a->device < device ? -1 : 1;
    return a->inode < inode ? -1 : a->inode > inode;
}

static int by_identity(const void *a, const void *b, void *data)
{
    const PmListing *listing = data;
    const PmListed *x = &listing->items[*(const size_t *)a], *y = &listing->items[*(const size_t *)b];
    int order = compare(x, y->device, y->inode);
    return order != 0 ? order : x < y ? -1 : x > y;
}

/* The same file under the same key. Under another one it can have other renditions. */
static void skip_repeated(PmListing *listing)
{
    for (size_t i = 1; i < listing->count; i++) {
        const PmListed *before = &listing->items[listing->by_identity[i - 1]];
        PmListed *again = &listing->items[listing->by_identity[i]];
        if (compare(before, again->device, again->inode) == 0 && strcmp(before->object.key, again->object.key) == 0)
            pm_text_copy(again->skipped, sizeof again->skipped, "given twice");
    }
}

static bool index_listing(PmListing *listing)
{
    listing->by_identity = calloc(listing->count + 1, sizeof *listing->by_identity);
    if (listing->by_identity == NULL) return false;
    for (size_t i = 0; i < listing->count; i++) listing->by_identity[i] = i;
    qsort_r(listing->by_identity, listing->count, sizeof *listing->by_identity, by_identity, listing);
    skip_repeated(listing);
    for (size_t i = 0; i < listing->count; i++) listing->images += listing->items[i].skipped[0] == '\0';
    return true;
}

const PmListed *pm_listing_find(const PmListing *listing, dev_t device, ino_t inode)
{
    size_t low = 0, high = listing->by_identity != NULL ? listing->count : 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const PmListed *listed = &listing->items[listing->by_identity[middle]];
        int order = compare(listed, device, inode);
        if (order == 0) return listed;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const char *pm_listing_root(const PmListing *listing, const char *location)
{
    for (size_t i = 0; i < listing->root_count; i++) {
        const char *root = listing->roots[i];
        size_t n = strlen(root);
        while (n > 0 && root[n - 1] == '/') n--;
        if (strncmp(location, root, n) == 0 && location[n] == '/') return root;
    }
    return NULL;
}

/* --- life --- */

PmStatus pm_listing_make(PmListing *listing, const char *const *paths, size_t count, const char *out_dir,
                         const PmLimits *limits, PmError *err)
{
    *listing = (PmListing){0};
    Maker maker = {.listing = listing, .limits = limits};
    if (out_dir != NULL) {
        maker.has_out = stat(out_dir, &maker.out) == 0;
        listing->out = realpath(out_dir, NULL);
        if (listing->out == NULL) return pm_error_set(err, PM_BAD_CONFIG, "%s: %s", out_dir, strerror(errno));
    }
    for (size_t i = 0; i < count; i++)
        if (add_path(&maker, paths[i], err) != PM_OK) return err->status;
    return index_listing(listing) ? PM_OK : pm_error_set(err, PM_TRANSIENT, "out of memory");
}

void pm_listing_finish(PmListing *listing)
{
    if (listing == NULL) return;
    for (size_t i = 0; i < listing->count; i++) pm_object_finish(&listing->items[i].object);
    for (size_t i = 0; i < listing->root_count; i++) free(listing->roots[i]);
    free(listing->items);
    free(listing->roots);
    free(listing->out);
    free(listing->by_identity);
    *listing = (PmListing){0};
}
