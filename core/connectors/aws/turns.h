/* SPDX-License-Identifier: Apache-2.0
 *
 * One after the other at the same key: who writes there looks and writes while nobody else of this process does. Hides
 * the queue. For some hundreds at the same time.
 */
#ifndef PM_CONNECTORS_AWS_TURNS_H
#define PM_CONNECTORS_AWS_TURNS_H

#include <stdbool.h>

/* Lies in what takes turns; all zero at first. */
typedef struct PmTurn {
    struct PmTurn *next;
    const void *place; /* borrowed, as is key, until pm_turn_end */
    const char *key;
    bool has; /* it is its turn */
    void (*begins)(void *data);
    void *data;
} PmTurn;

typedef struct PmTurns {
    PmTurn *first; /* in the order in which they came */
} PmTurns;

/* True: it is its turn, also when it has been before. False: `begins` will be called when it is, from pm_turn_end of
 * another. place and key together say where. */
bool pm_turn_take(PmTurns *turns, PmTurn *turn, const void *place, const char *key, void (*begins)(void *data),
                  void *data);

/* Ends its turn, or its waiting; nothing when it has neither. */
void pm_turn_end(PmTurns *turns, PmTurn *turn);

#endif
