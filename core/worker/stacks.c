/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/stacks.h"

#include <pthread.h>
#include <semaphore.h>
#include <stddef.h>

/* glibc keeps 40 MiB of stacks for reuse and unmaps the rest. Half of the usual size is plenty: the deepest that is
 * known of, librsvg at 300 nested <use>, takes 3 MiB. */
enum { STACK_BYTES = 4 * 1024 * 1024 };

_Static_assert(PM_STACKS_READY *(STACK_BYTES + 64 * 1024) < 40 * 1024 * 1024, "more than glibc keeps");

void pm_stacks_size(void)
{
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0) return;
    if (pthread_attr_setstacksize(&attributes, STACK_BYTES) == 0) pthread_setattr_default_np(&attributes);
    pthread_attr_destroy(&attributes);
}

static void *wait_for_end(void *data)
{
    sem_t *end = data;
    while (sem_wait(end) != 0) {
    }
    return NULL;
}

/* All at once, or they would share one stack. */
void pm_stacks_reserve(void)
{
    pthread_t threads[PM_STACKS_READY];
    size_t count = 0;
    sem_t end;
    if (sem_init(&end, 0, 0) != 0) return;
    while (count < PM_STACKS_READY && pthread_create(&threads[count], NULL, wait_for_end, &end) == 0) count++;
    for (size_t i = 0; i < count; i++) sem_post(&end);
    for (size_t i = 0; i < count; i++) pthread_join(threads[i], NULL);
    sem_destroy(&end);
}
