/* SPDX-License-Identifier: Apache-2.0
 *
 * /status for people: a page that reads the JSON of the same address every two seconds. It loads nothing else.
 */
#ifndef PM_CLI_STATUS_PAGE_H
#define PM_CLI_STATUS_PAGE_H

extern const char pm_status_page[];

#endif
