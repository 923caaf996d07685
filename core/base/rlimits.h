/* SPDX-License-Identifier: Apache-2.0
 *
 * What the kernel lets us have, used to the full.
 */
#ifndef PM_BASE_RLIMITS_H
#define PM_BASE_RLIMITS_H

/* Raises the soft limit of open descriptors to the hard one. It also bounds how many descriptors of this user may be on
 * their way through sockets when we send one (unix(7), ETOOMANYREFS). Children that are forked inherit it. */
void pm_rlimits_raise_descriptors(void);

#endif
