/* SPDX-License-Identifier: Apache-2.0 */
#include "connectors/file/arrivals.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { BUCKETS_MIN = 64 };

typedef struct List {
    PmArrival *first, *last;
} List;

struct PmArrivals {
    List lists[2]; /* by state; those taken are in none */
    size_t counts[3];
    size_t max, bucket_count; /* a power of two */
    PmArrival **buckets;
    uint64_t seed; /* nobody can choose names that meet in one bucket */
};

static size_t bucket_of(const PmArrivals *arrivals, const char *key)
{
    uint64_t hash = arrivals->seed;
    for (; *key != '\0'; key++) hash = (hash ^ (unsigned char)*key) * UINT64_C(0x9E3779B97F4A7C15);
    return (size_t)(hash >> 32) & (arrivals->bucket_count - 1);
}

PmArrivals *pm_arrivals_new(size_t max)
{
    PmArrivals *arrivals = calloc(1, sizeof *arrivals);
    if (arrivals == NULL) return NULL;
    arrivals->max = max;
    arrivals->bucket_count = BUCKETS_MIN;
    while (arrivals->bucket_count < max) arrivals->bucket_count *= 2;
    arrivals->buckets = calloc(arrivals->bucket_count, sizeof(PmArrival *));
    if (getrandom(&arrivals->seed, sizeof arrivals->seed, GRND_NONBLOCK) < 0) arrivals->seed = (uintptr_t)arrivals;
    if (arrivals->buckets != NULL) return arrivals;
    free(arrivals);
    return NULL;
}

static void free_one(PmArrival *arrival)
{
    free(arrival->key);
    free(arrival);
}

void pm_arrivals_free(PmArrivals *arrivals)
{
    if (arrivals == NULL) return;
    for (size_t i = 0; i < arrivals->bucket_count; i++)
        for (PmArrival *arrival = arrivals->buckets[i], *next; arrival != NULL; arrival = next) {
            next = arrival->chain;
            free_one(arrival);
        }
    free(arrivals->buckets);
    free(arrivals);
}

PmArrival *pm_arrivals_find(const PmArrivals *arrivals, const char *key)
{
    PmArrival *arrival = arrivals->buckets[bucket_of(arrivals, key)];
    while (arrival != NULL && strcmp(arrival->key, key) != 0) arrival = arrival->chain;
    return arrival;
}

static void leave(PmArrivals *arrivals, PmArrival *arrival)
{
    arrivals->counts[arrival->state]--;
    if (arrival->state == PM_ARRIVAL_TAKEN) return;
    List *list = &arrivals->lists[arrival->state];
    if (arrival->previous != NULL)
        arrival->previous->next = arrival->next;
    else
        list->first = arrival->next;
    if (arrival->next != NULL)
        arrival->next->previous = arrival->previous;
    else
        list->last = arrival->previous;
    arrival->previous = arrival->next = NULL;
}

static void enter(PmArrivals *arrivals, PmArrival *arrival, PmArrivalState state)
{
    arrival->state = state;
    arrivals->counts[state]++;
    if (state == PM_ARRIVAL_TAKEN) return;
    List *list = &arrivals->lists[state];
    arrival->next = NULL;
    arrival->previous = list->last;
    if (list->last != NULL)
        list->last->next = arrival;
    else
        list->first = arrival;
    list->last = arrival;
}

PmArrival *pm_arrivals_add(PmArrivals *arrivals, const char *key)
{
    if (arrivals->counts[0] + arrivals->counts[1] + arrivals->counts[2] >= arrivals->max) return NULL;
    PmArrival *arrival = calloc(1, sizeof *arrival);
    if (arrival == NULL || (arrival->key = strdup(key)) == NULL) {
        free(arrival);
        return NULL;
    }
    size_t bucket = bucket_of(arrivals, key);
    arrival->attempt = 1;
    arrival->chain = arrivals->buckets[bucket];
    arrivals->buckets[bucket] = arrival;
    enter(arrivals, arrival, PM_ARRIVAL_READY);
    return arrival;
}

void pm_arrivals_ready(PmArrivals *arrivals, PmArrival *arrival)
{
    leave(arrivals, arrival);
    enter(arrivals, arrival, PM_ARRIVAL_READY);
}

void pm_arrivals_later(PmArrivals *arrivals, PmArrival *arrival, int64_t due_ms)
{
    leave(arrivals, arrival);
    arrival->due_ms = due_ms;
    enter(arrivals, arrival, PM_ARRIVAL_LATER);
}

PmArrival *pm_arrivals_take(PmArrivals *arrivals)
{
    PmArrival *arrival = arrivals->lists[PM_ARRIVAL_READY].first;
    if (arrival == NULL) return NULL;
    leave(arrivals, arrival);
    enter(arrivals, arrival, PM_ARRIVAL_TAKEN);
    return arrival;
}

void pm_arrivals_drop(PmArrivals *arrivals, PmArrival *arrival)
{
    PmArrival **at = &arrivals->buckets[bucket_of(arrivals, arrival->key)];
    while (*at != arrival) at = &(*at)->chain;
    *at = arrival->chain;
    leave(arrivals, arrival);
    free_one(arrival);
}

int64_t pm_arrivals_ripen(PmArrivals *arrivals, int64_t now_ms)
{
    int64_t due = INT64_MAX;
    for (PmArrival *arrival = arrivals->lists[PM_ARRIVAL_LATER].first, *next; arrival != NULL; arrival = next) {
        next = arrival->next;
        if (arrival->due_ms <= now_ms)
            pm_arrivals_ready(arrivals, arrival);
        else if (arrival->due_ms < due)
            due = arrival->due_ms;
    }
    return due;
}

static int by_key(const void *a, const void *b)
{
    return strcmp((*(PmArrival *const *)a)->key, (*(PmArrival *const *)b)->key);
}

void pm_arrivals_sort(PmArrivals *arrivals)
{
    size_t count = arrivals->counts[PM_ARRIVAL_READY], n = 0;
    PmArrival **sorted = count > 1 ? malloc(count * sizeof(PmArrival *)) : NULL;
    if (sorted == NULL) return;
    for (PmArrival *arrival = arrivals->lists[PM_ARRIVAL_READY].first; arrival != NULL; arrival = arrival->next)
        sorted[n++] = arrival;
    qsort(sorted, n, sizeof(PmArrival *), by_key);
    for (size_t i = 0; i < n; i++) pm_arrivals_ready(arrivals, sorted[i]);
    free(sorted);
}

size_t pm_arrivals_count(const PmArrivals *arrivals, PmArrivalState state)
{
    return arrivals->counts[state];
}
