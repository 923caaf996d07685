/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/kind.h"

const PmSection *pm_kind_section(const PmKind *kind, PmKindRole role)
{
    const PmSection *const sections[] = {[PM_ROLE_TRIGGER] = &kind->trigger,
                                         [PM_ROLE_SOURCE] = &kind->source,
                                         [PM_ROLE_PLACE] = &kind->place,
                                         [PM_ROLE_NOTIFY] = &kind->notify};
    return sections[role]->path != NULL ? sections[role] : NULL;
}
