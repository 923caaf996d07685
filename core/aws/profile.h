/* SPDX-License-Identifier: Apache-2.0
 *
 * ~/.aws/credentials and ~/.aws/config: sections with keys. Hides the INI dialect. Read afresh on each load, so that a
 * rotated file is seen.
 */
#ifndef PM_AWS_PROFILE_H
#define PM_AWS_PROFILE_H

#include "base/error.h"

typedef struct PmProfiles PmProfiles;

enum { PM_PROFILE_FILE_MAX = 1024 * 1024 };

/* New: both files, or those that AWS_SHARED_CREDENTIALS_FILE and AWS_CONFIG_FILE name; a missing file is an empty one.
 * NULL: out of memory; never a part of them. */
PmProfiles *pm_profiles_load(void);
/* New, from texts (NULL: empty): for tests. */
PmProfiles *pm_profiles_parse(const char *credentials, const char *config);
void pm_profiles_free(PmProfiles *profiles);

bool pm_profiles_has(const PmProfiles *profiles, const char *profile);
/* The value of a key of a profile, credentials before config; NULL when absent. Borrowed. */
const char *pm_profiles_get(const PmProfiles *profiles, const char *profile, const char *key);

/* `profile` itself, else AWS_PROFILE, else "default". */
const char *pm_profile_name(const char *profile);

#endif
