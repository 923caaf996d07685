/* SPDX-License-Identifier: Apache-2.0 */
#include "connectors/aws/turns.h"

#include <stddef.h>
#include <string.h>

static bool is_same(const PmTurn *a, const PmTurn *b)
{
    return a->place == b->place && a->key != NULL && b->key != NULL && strcmp(a->key, b->key) == 0;
}

bool pm_turn_take(PmTurns *turns, PmTurn *turn, const void *place, const char *key, void (*begins)(void *data),
                  void *data)
{
    if (turn->key != NULL) return turn->has;
    *turn = (PmTurn){.place = place, .key = key, .has = true, .begins = begins, .data = data};
    PmTurn **last = &turns->first;
    for (; *last != NULL; last = &(*last)->next)
        if (is_same(*last, turn)) turn->has = false;
    *last = turn;
    return turn->has;
}

void pm_turn_end(PmTurns *turns, PmTurn *turn)
{
    PmTurn **at = &turns->first;
    if (turn->key == NULL) return;
    while (*at != NULL && *at != turn) at = &(*at)->next;
    if (*at == NULL) return;
    *at = turn->next;
    PmTurn *next = turn->has ? turns->first : NULL;
    while (next != NULL && !is_same(next, turn)) next = next->next;
    turn->key = NULL;
    turn->has = false;
    if (next == NULL) return;
    next->has = true;
    next->begins(next->data);
}
