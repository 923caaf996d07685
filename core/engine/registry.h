/* SPDX-License-Identifier: Apache-2.0
 *
 * Plugins: found by name, opened, shaken hands with, copied into structs of the host's own size. Hides dlopen
 * and every ABI difference: the holder of a PmLoaded sees today's structs, whatever the plugin was built with.
 */
#ifndef PM_ENGINE_REGISTRY_H
#define PM_ENGINE_REGISTRY_H

#include <jansson.h>

#include "base/error.h"

typedef struct PmLoaded {
    const char *file;      /* absolute path of the shared object */
    const char *version;   /* the plugin's own */
    PmTransform transform; /* copied, zero-extended; params points to a copied, zero-extended array */
    char digest[65];       /* SHA-256 of the file, hex */
    bool draws_text;       /* calls vips_text(): fonts are needed */
    void *handle;          /* of the dynamic linker; never closed */
    uintptr_t begin, end;  /* where its code is mapped: for naming the plugin that crashed */
} PmLoaded;

typedef struct PmRegistry PmRegistry;

/* New. `dirs` (copied): absolute folders, NULL-terminated, searched in order for NAME.so. */
PmRegistry *pm_registry_new(const char *const *dirs);
void pm_registry_free(
    PmRegistry *registry); /* shared objects stay open: they may have left threads and atexit handlers */

/* For who runs under a debugger, before anything is opened: files are opened by their names, which may lead elsewhere
 * by then. Otherwise the dynamic linker is given /proc/self/fd/N, and a debugger that follows it looks at its own N:
 * gdb then waits for ever for what a pipe of its own will say. */
void pm_registry_open_by_path(PmRegistry *registry);

/* The plugin called `name`, opened when it is not yet. Borrowed from the registry. NULL with PM_BAD_CONFIG: not found
 * (did you mean, and where was looked), a file, folder or folder above that others can
 * write to, or a handshake rule broken (file, expected, found, fix).
 * Handshake in this order: magic, ABI major, ABI minor, libvips version, required callbacks, name, parameter table. */
const PmLoaded *pm_registry_load(PmRegistry *registry, const char *name, PmError *err);

/* Whether a plugin that was loaded draws text. */
bool pm_registry_draws_text(const PmRegistry *registry);

/* As pm_registry_load for a file anywhere (plugin check); the folder's owner and mode are not looked at. */
const PmLoaded *pm_registry_load_file(PmRegistry *registry, const char *file, PmError *err);

/* Names of all plugins in the folders, sorted, without opening them: new array of strings. */
json_t *pm_registry_names(const PmRegistry *registry);

/* {name, kind, summary, version, file, params, facts, mime_types}: new. */
json_t *pm_registry_describe(const PmLoaded *loaded);

/* The plugin whose code contains `address`, or NULL. Async-signal-safe. */
const PmLoaded *pm_registry_at(const PmRegistry *registry, uintptr_t address);

#endif
