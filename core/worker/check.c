/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/check.h"

#include <libgen.h>
#include <limits.h>
#include <stdlib.h>

#include "base/text.h"
#include "engine/check/check.h"
#include "pipeline/decode_params.h"
#include "pipeline/sections.h"
#include "worker/fault.h"
#include "worker/warmup.h"

/* The leaks question holds some open to see that they are given back. */
enum { DESCRIPTORS = 32 };

typedef struct Room {
    PmLoad *load;
    PmLimits limits; /* what a pipeline has that says nothing of them */
} Room;

static PmLimits default_limits(void)
{
    const PmSection *section = pm_section(PM_KEY_LIMITS);
    PmLimits limits = {0};
    PmErrorList errors = {0};
    PmArena *arena = pm_arena_new();
    PmDecodeContext context = {.file = "", .where = "", .errors = &errors};
    pm_decode_params(&context, NULL, section->params, section->count, &limits, arena);
    limits.formats = (PmList){0}; /* lies in the arena */
    pm_arena_free(arena);
    pm_error_list_finish(&errors);
    return limits;
}

static PmStatus confine(void *data, const char *file, PmProgress *page, PmError *err)
{
    const Room *room = data;
    char path[PATH_MAX];
    pm_text_copy(path, sizeof path, file);
    const char *folders[] = {dirname(path), NULL};
    PmStatus status = pm_fault_install(page, err);
    return status == PM_OK ? pm_load_confine(room->load, folders, err) : status;
}

static PmStatus enter(void *data, bool fonts, PmError *err)
{
    const Room *room = data;
    const PmSandbox *sandbox = &room->load->sandbox;
    (void)pm_warm_up(fonts);
    PmSandboxLimits limits = {.memory_bytes = room->limits.memory,
                              .mapped_bytes = pm_sandbox_mapped_bytes(sandbox),
                              .descriptors = DESCRIPTORS,
                              .guard = -1,
                              .fonts = fonts,
                              .new_code = pm_warm_up_jit()};
    return pm_sandbox_enter(sandbox, &limits, err);
}

json_t *pm_worker_check(PmLoad *load, const json_t *body, PmError *err)
{
    const char *path = json_string_value(json_object_get(body, "path"));
    const char *params = json_string_value(json_object_get(body, "params"));
    if (path == NULL) {
        pm_error_set(err, PM_BUG, "CHECK without a path");
        return NULL;
    }
    pm_load_probe(load);
    Room room = {load, default_limits()};
    PmCheckRoom where = {.data = &room, .confine = confine, .enter = enter, .tier = load->sandbox.tier};
    return pm_check_plugin(path, params, &where);
}
