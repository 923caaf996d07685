/* SPDX-License-Identifier: Apache-2.0 */
#include "session/claims.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"

/* Two generations of this many: 2 x (2^16 entries of 32 bytes and at most 8 MiB of names), 20 MiB. */
enum { SLOTS = 1 << 16, FILL = SLOTS / 4 * 3, NAMES_MAX_BYTES = 8 * 1024 * 1024 };

typedef struct Entry {
    uint64_t location; /* hash; 0: empty */
    uint64_t owner;    /* hash of source and output */
    char *name;        /* owned: the source's, for messages */
    unsigned writes;   /* under way */
} Entry;

typedef struct Generation {
    Entry *slots;
    size_t used, name_bytes;
} Generation;

struct PmClaims {
    PmTrigger *trigger; /* or NULL */
    Generation young, old;
};

/* FNV-1a. Who chooses keys to collide gets his own image refused. */
static uint64_t hash(uint64_t seed, const char *text)
{
    uint64_t h = 0xcbf29ce484222325ULL ^ seed;
    for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) h = (h ^ *p) * 0x100000001b3ULL;
    h ^= h >> 29;
    return h != 0 ? h : 1;
}

static Entry *slot_of(const Generation *generation, uint64_t location)
{
    size_t i = (size_t)location & (SLOTS - 1);
    while (generation->slots[i].location != 0 && generation->slots[i].location != location) i = (i + 1) & (SLOTS - 1);
    return &generation->slots[i];
}

static Entry *find(const PmClaims *claims, uint64_t location)
{
    const Generation *generations[] = {&claims->young, &claims->old};
    for (size_t i = 0; i < 2; i++) {
        Entry *entry = generations[i]->slots != NULL ? slot_of(generations[i], location) : NULL;
        if (entry != NULL && entry->location != 0) return entry;
    }
    return NULL;
}

static void forget(Generation *generation)
{
    for (size_t i = 0; generation->slots != NULL && i < SLOTS; i++) free(generation->slots[i].name);
    free(generation->slots);
    *generation = (Generation){0};
}

static bool add(PmClaims *claims, const Entry *entry, const char *name)
{
    Generation *young = &claims->young;
    if (young->used >= FILL || young->name_bytes > NAMES_MAX_BYTES) {
        forget(&claims->old);
        claims->old = *young;
        *young = (Generation){0};
    }
    if (young->slots == NULL) young->slots = calloc(SLOTS, sizeof *young->slots);
    char *copy = young->slots != NULL ? strdup(name) : NULL;
    if (copy == NULL) return false;
    Entry *slot = slot_of(young, entry->location);
    *slot = *entry;
    slot->name = copy;
    young->used++;
    young->name_bytes += strlen(name);
    return true;
}

/* The place of a rendition that was removed since is free again. */
static bool is_gone(const char *location)
{
    return location[0] == '/' && access(location, F_OK) != 0 && errno == ENOENT;
}

static PmStatus refuse(const Entry *entry, const char *location, const char *source, PmError *err)
{
    if (strcmp(entry->name, source) == 0) {
        pm_error_set(err, PM_BAD_INPUT, "%.300s was written by another output of the same image", location);
        pm_error_hint(err, "put {output} into the path");
        return PM_BAD_INPUT;
    }
    pm_error_set(err, PM_BAD_INPUT, "%.300s was written from %.200s in this run; another image does not replace it",
                 location, entry->name);
    pm_error_hint(err, "put {source_ext}, {name} or {dir} into the path, or remove that rendition first");
    return PM_BAD_INPUT;
}

PmStatus pm_claims_take(PmClaims *claims, const char *location, const PmObject *source, const char *output,
                        uint64_t *claim, PmError *err)
{
    const char *name = source->path != NULL ? source->path : source->key;
    PmTrigger *trigger = claims->trigger;
    *claim = 0;
    PmStatus status =
        trigger != NULL && trigger->ops->guard != NULL ? trigger->ops->guard(trigger, location, err) : PM_OK;
    if (status != PM_OK) return status;
    Entry wanted = {.location = hash(0, location), .owner = hash(hash(0, output), name), .writes = 1};
    Entry *entry = find(claims, wanted.location);
    if (entry == NULL) {
        if (!add(claims, &wanted, name)) status = pm_error_set(err, PM_TRANSIENT, "out of memory");
    } else if (entry->owner == wanted.owner) {
        entry->writes++;
    } else if (entry->writes == 0 && is_gone(location)) {
        char *copy = strdup(name);
        if (copy == NULL) {
            status = pm_error_set(err, PM_TRANSIENT, "out of memory");
        } else {
            free(entry->name);
            *entry = wanted;
            entry->name = copy;
        }
    } else {
        status = refuse(entry, location, name, err);
    }
    if (status == PM_OK) *claim = wanted.location;
    return status;
}

void pm_claims_end(PmClaims *claims, uint64_t claim)
{
    Entry *entry = claims != NULL && claim != 0 ? find(claims, claim) : NULL;
    if (entry != NULL && entry->writes > 0) entry->writes--;
}

PmClaims *pm_claims_new(PmTrigger *trigger)
{
    PmClaims *claims = calloc(1, sizeof *claims);
    if (claims == NULL) return NULL;
    *claims = (PmClaims){.trigger = trigger};
    return claims;
}

void pm_claims_free(PmClaims *claims)
{
    if (claims == NULL) return;
    forget(&claims->young);
    forget(&claims->old);
    free(claims);
}
