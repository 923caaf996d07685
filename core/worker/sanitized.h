/* SPDX-License-Identifier: Apache-2.0
 *
 * PM_SANITIZED: built with AddressSanitizer, which needs terabytes of address space and reads files when it reports.
 */
#ifndef PM_WORKER_SANITIZED_H
#define PM_WORKER_SANITIZED_H

#if defined(__SANITIZE_ADDRESS__)
#define PM_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PM_SANITIZED 1
#endif
#endif

#endif
