/* SPDX-License-Identifier: Apache-2.0
 *
 * Deliveries as people look at them: what is under way, where, and for how long.
 */
#include "base/clock.h"
#include "session/delivery_internal.h"

static const char *stage_of(const Item *item)
{
    if (item->why != NULL) return "held";
    if (item->notice != NULL) return "notify";
    return item->job != NULL ? pm_job_stage(item->job) : "queue";
}

static json_t *describe(const Item *item, int64_t now)
{
    char label[1400];
    pm_object_label(item->object, label, sizeof label);
    return json_pack("{ss ss sf}", "object", label, "stage", stage_of(item), "age_s",
                     (double)(now - item->taken_ms) / 1000);
}

json_t *pm_deliveries_in_flight(const PmDeliveries *all, size_t most)
{
    json_t *list = json_array();
    int64_t now = pm_clock_mono_ms();
    for (const Delivery *delivery = all->first; delivery != NULL; delivery = delivery->next)
        for (size_t i = 0; i < delivery->event->count; i++)
            if (!delivery->items[i].left && json_array_size(list) < most)
                json_array_append_new(list, describe(&delivery->items[i], now));
    return list;
}
