/* SPDX-License-Identifier: Apache-2.0
 *
 * The file: a header of one page, then pages of records. A path's page is told by the upper bits of its hash, so when
 * the pages double, each page's records go to two neighbours and the table is rewritten from front to back. The hash is
 * salted: nobody can choose names that fill one page.
 */
#include "connectors/file/seen.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/folder.h"

enum { PAGE = 4096, SLOTS = 128, PAGES_MIN = 16, PAGES_MAX = 65536, VERSION_BYTES = 12 };

static const char magic[16] = "pixmill seen 1\n";

typedef struct Header {
    char magic[16];
    unsigned char salt[16];
    uint32_t pages, generation;
    char digest[80];
} Header;

typedef struct Record {
    uint64_t path[2]; /* zero: free */
    unsigned char version[VERSION_BYTES];
    uint32_t generation; /* of the last scan that found it */
} Record;
_Static_assert(sizeof(Record) * SLOTS == PAGE, "a page holds whole records");

struct PmSeen {
    char *path;
    int fd;
    Header header;
    size_t count, found; /* records; those of this generation */
    bool wants_scan, full_told;
};

static PmStatus failed(PmError *err, const char *path)
{
    int e = errno;
    pm_error_set(err, PM_BAD_CONFIG, "cannot write the list of finished files %.300s: %s", path, strerror(e));
    pm_error_hint(err, "say where it may be written with trigger.directory.seen");
    return PM_BAD_CONFIG;
}

/* --- pages --- */

static bool read_page(const PmSeen *seen, uint32_t page, Record records[SLOTS])
{
    ssize_t n = pread(seen->fd, records, PAGE, (off_t)(page + 1) * PAGE);
    if (n < 0) return false;
    memset((char *)records + n, 0, PAGE - (size_t)n); /* not written yet, or cut off by somebody */
    return true;
}

static bool write_at(int fd, const void *bytes, size_t size, off_t where)
{
    ssize_t n = pwrite(fd, bytes, size, where);
    if (n >= 0 && (size_t)n != size) errno = ENOSPC;
    return n == (ssize_t)size;
}

static bool write_header(int fd, const Header *header)
{
    char page[PAGE] = {0};
    memcpy(page, header, sizeof *header);
    return write_at(fd, page, sizeof page, 0);
}

static uint32_t page_of(const Header *header, const Record *record)
{
    return (uint32_t)(((record->path[0] >> 32) * header->pages) >> 32);
}

static bool is_free(const Record *record)
{
    return record->path[0] == 0 && record->path[1] == 0;
}

static bool same_path(const Record *a, const Record *b)
{
    return a->path[0] == b->path[0] && a->path[1] == b->path[1];
}

/* False: no memory. */
static bool make_record(const PmSeen *seen, const char *key, const PmFileVersion *version, Record *out)
{
    unsigned char digest[32];
    uint64_t parts[] = {(uint64_t)version->inode, (uint64_t)version->size, (uint64_t)version->time.tv_sec,
                        (uint64_t)version->time.tv_nsec, (uint64_t)version->name_inode};
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool ok = md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 &&
              EVP_DigestUpdate(md, seen->header.salt, sizeof seen->header.salt) == 1 &&
              EVP_DigestUpdate(md, key, strlen(key)) == 1 && EVP_DigestFinal_ex(md, digest, NULL) == 1;
    if (ok) memcpy(out->path, digest, sizeof out->path);
    ok = ok && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 && EVP_DigestUpdate(md, parts, sizeof parts) == 1 &&
         EVP_DigestFinal_ex(md, digest, NULL) == 1;
    if (ok) memcpy(out->version, digest, sizeof out->version);
    out->generation = seen->header.generation;
    EVP_MD_CTX_free(md);
    return ok;
}

/* --- the file --- */

static int lock_new(const char *path, char temporary[4200])
{
    char name[PM_FOLDER_TEMPORARY];
    const char *slash = strrchr(path, '/');
    if (!pm_folder_temporary(name)) return -1;
    snprintf(temporary, 4200, "%.*s%s", slash != NULL ? (int)(slash - path + 1) : 0, path, name);
    int fd = open(temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
    int e = errno;
    unlink(temporary);
    close(fd);
    errno = e;
    return -1;
}

/* Puts a table in place of the present one: those of its records that `keep` this generation or all, on `pages`. What
 * was there is replaced by a rename: at any moment one of the two is whole. */
static bool rebuild(PmSeen *seen, const Header *header, bool only_found, bool empty)
{
    char temporary[4200];
    Record from[SLOTS], to[SLOTS];
    int fd = lock_new(seen->path, temporary);
    if (fd < 0) return false;
    size_t count = 0, found = 0;
    bool ok = write_header(fd, header) && ftruncate(fd, (off_t)(header->pages + 1) * PAGE) == 0;
    uint32_t source = UINT32_MAX;
    for (uint32_t page = 0; ok && !empty && page < header->pages; page++) {
        size_t n = 0;
        uint32_t first = (uint32_t)((uint64_t)page * seen->header.pages / header->pages);
        uint32_t last = (uint32_t)((((uint64_t)page + 1) * seen->header.pages - 1) / header->pages);
        memset(to, 0, sizeof to);
        for (uint32_t old = first; ok && old <= last; old++) {
            if (old != source) ok = read_page(seen, old, from);
            source = old;
            for (size_t i = 0; ok && i < SLOTS; i++) {
                if (is_free(&from[i]) || page_of(header, &from[i]) != page) continue;
                if (only_found && from[i].generation != seen->header.generation) continue;
                if (n == SLOTS) break; /* as rare as it gets; that file is done again */
                found += from[i].generation == header->generation;
                to[n++] = from[i];
            }
        }
        count += n;
        if (ok && n > 0) ok = write_at(fd, to, sizeof to, (off_t)(page + 1) * PAGE);
    }
    ok = ok && rename(temporary, seen->path) == 0;
    if (!ok) {
        int e = errno;
        unlink(temporary);
        close(fd);
        errno = e;
        return false;
    }
    if (seen->fd >= 0) close(seen->fd);
    seen->fd = fd;
    seen->header = *header;
    seen->count = count;
    seen->found = found;
    return true;
}

static bool start_anew(PmSeen *seen, const char *digest)
{
    Header header = {.pages = PAGES_MIN, .generation = 1};
    memcpy(header.magic, magic, sizeof magic);
    snprintf(header.digest, sizeof header.digest, "%s", digest);
    return getrandom(header.salt, sizeof header.salt, 0) == (ssize_t)sizeof header.salt &&
           rebuild(seen, &header, false, true);
}

static bool is_ours(const Header *header)
{
    return memcmp(header->magic, magic, sizeof magic) == 0 && header->pages >= PAGES_MIN &&
           header->pages <= PAGES_MAX && (header->pages & (header->pages - 1)) == 0 &&
           memchr(header->digest, '\0', sizeof header->digest) != NULL;
}

/* Another process may have replaced it between our open and our lock. */
static PmStatus lock(PmSeen *seen, bool *in_use, PmError *err)
{
    struct stat own, now;
    if (flock(seen->fd, LOCK_EX | LOCK_NB) == 0 && fstat(seen->fd, &own) == 0 && lstat(seen->path, &now) == 0 &&
        own.st_ino == now.st_ino)
        return PM_OK;
    if (in_use != NULL) *in_use = true;
    return pm_error_set(err, PM_BAD_CONFIG,
                        "the list of finished files %.300s is in use: does this pipeline run twice?", seen->path);
}

static PmStatus open_file(PmSeen *seen, bool *in_use, PmError *err)
{
    struct stat st;
    seen->fd = open(seen->path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (seen->fd < 0 && errno != ENOENT) return failed(err, seen->path);
    if (seen->fd >= 0 && (fstat(seen->fd, &st) != 0 || !S_ISREG(st.st_mode))) {
        errno = EINVAL;
        return failed(err, seen->path);
    }
    if (seen->fd >= 0 && lock(seen, in_use, err) != PM_OK) return err->status;
    if (seen->fd >= 0 && pread(seen->fd, &seen->header, sizeof seen->header, 0) == (ssize_t)sizeof seen->header &&
        is_ours(&seen->header))
        return PM_OK;
    /* Missing, or not written by us, in which case it is replaced and not written to: it may be a link to something
     * else. */
    return start_anew(seen, "") ? PM_OK : failed(err, seen->path);
}

PmSeen *pm_seen_open(const char *path, bool *in_use, PmError *err)
{
    PmSeen *seen = calloc(1, sizeof *seen);
    if (seen == NULL || (seen->path = strdup(path)) == NULL) {
        free(seen);
        pm_error_set(err, PM_TRANSIENT, "out of memory");
        return NULL;
    }
    if (open_file(seen, in_use, err) == PM_OK) return seen;
    pm_seen_close(seen);
    return NULL;
}

void pm_seen_close(PmSeen *seen)
{
    if (seen == NULL) return;
    if (seen->fd >= 0) close(seen->fd);
    free(seen->path);
    free(seen);
}

PmStatus pm_seen_begin(PmSeen *seen, const char *digest, PmError *err)
{
    Record records[SLOTS];
    if (strncmp(seen->header.digest, digest, sizeof seen->header.digest - 1) != 0) {
        seen->wants_scan = false;
        return start_anew(seen, digest) ? PM_OK : failed(err, seen->path);
    }
    seen->header.generation++;
    if (!write_header(seen->fd, &seen->header)) return failed(err, seen->path);
    seen->count = seen->found = 0;
    for (uint32_t page = 0; page < seen->header.pages && read_page(seen, page, records); page++)
        for (size_t i = 0; i < SLOTS; i++) seen->count += !is_free(&records[i]);
    return PM_OK;
}

/* --- records --- */

static size_t slot_of(const Record records[SLOTS], const Record *wanted)
{
    size_t i = 0;
    while (i < SLOTS && !same_path(&records[i], wanted)) i++;
    return i;
}

static bool write_record(PmSeen *seen, uint32_t page, size_t slot, const Record *record)
{
    return write_at(seen->fd, record, sizeof *record, (off_t)(page + 1) * PAGE + (off_t)(slot * sizeof *record));
}

bool pm_seen_has(PmSeen *seen, const char *key, const PmFileVersion *version)
{
    Record records[SLOTS], wanted;
    if (!make_record(seen, key, version, &wanted)) return false;
    uint32_t page = page_of(&seen->header, &wanted);
    if (!read_page(seen, page, records)) return false;
    size_t slot = slot_of(records, &wanted);
    if (slot == SLOTS || memcmp(records[slot].version, wanted.version, sizeof wanted.version) != 0) return false;
    if (records[slot].generation != wanted.generation && write_record(seen, page, slot, &wanted)) seen->found++;
    return true;
}

/* Half full on average: then no page of 128 is full. */
static bool make_room(PmSeen *seen)
{
    if (seen->count < (size_t)seen->header.pages * SLOTS / 2) return true;
    Header header = seen->header;
    header.pages *= 2;
    if (header.pages > PAGES_MAX || seen->count >= PM_SEEN_MAX) {
        errno = EFBIG;
        return false;
    }
    /* Who is still there is asked anew; those found until then keep their place. */
    if (!rebuild(seen, &header, false, false)) return false;
    seen->header.generation++;
    seen->found = 0;
    seen->wants_scan = true;
    return write_header(seen->fd, &seen->header);
}

bool pm_seen_add(PmSeen *seen, const char *key, const PmFileVersion *version, PmError *err)
{
    Record records[SLOTS], wanted;
    bool room = make_room(seen);
    int e = errno;
    if (!make_record(seen, key, version, &wanted)) {
        pm_error_set(err, PM_TRANSIENT, "out of memory");
        return false;
    }
    uint32_t page = page_of(&seen->header, &wanted);
    size_t slot = SLOTS;
    if (read_page(seen, page, records)) slot = slot_of(records, &wanted);
    bool is_new = slot == SLOTS;
    for (size_t i = 0; is_new && i < SLOTS && slot == SLOTS; i++)
        if (is_free(&records[i])) slot = i;
    if (is_new && (!room || slot == SLOTS)) {
        errno = room ? EFBIG : e;
        failed(err, seen->path);
        return false;
    }
    if (!write_record(seen, page, slot, &wanted)) {
        failed(err, seen->path);
        return false;
    }
    seen->found += is_new || records[slot].generation != wanted.generation;
    seen->count += is_new;
    return true;
}

bool pm_seen_wants_scan(const PmSeen *seen)
{
    return seen->wants_scan;
}

void pm_seen_scanned(PmSeen *seen)
{
    seen->wants_scan = false;
    if (seen->count < 2 * seen->found + SLOTS) return; /* not worth it */
    Header header = seen->header;
    while (header.pages > PAGES_MIN && seen->found < (size_t)header.pages * SLOTS / 8) header.pages /= 2;
    rebuild(seen, &header, true, false); /* or it stays as it is */
}

size_t pm_seen_count(const PmSeen *seen)
{
    return seen->count;
}
