/* Twenty times a second: count what the workers report (booking.c), tell watchers that keys changed, save what must
 * survive. Key state is saved half a second after a change, so that a storm of verdicts is one write.
 *
 * After a burst of connections memory goes back to the system. glibc keeps what was freed below something that is still
 * in use, and once a megabyte was freed in one piece it keeps twice that at the end of the heap: without help a process
 * stays for ever as large as its worst minute. malloc_trim() holds the lock of one of malloc's arenas after the other,
 * tens of milliseconds after thousands of streams; therefore only when a burst is over. */
#include <malloc.h>

#include "base/log.h"
#include "base/mem.h"
#include "booking.h"

enum { TICK_MS = 50, SAVE_AFTER_MS = 500, STICKY_AT_ONCE = 1000 };

void engine_drain_records(struct engine *g)
{
    mono_t now = mono_now();
    for (unsigned i = 0; i < g->worker_count; i++) {
        struct ring *ring = worker_records(g->workers[i]);
        struct record *r;
        while ((r = ring_peek(ring)) != NULL) {
            booking_add(g, r, now);
            ring_pop(ring);
        }
    }
    engine_pay(g);
}

void engine_keys_changed(struct engine *g)
{
    g->keys_dirty = true;
}

static void save_keys(struct engine *g)
{
    struct buf text = BUF_INIT(4 * 1024 * 1024);
    keypool_export_runtime(g->pool, &text);
    if (state_save_keys(g->state, g->disk, buf_take(&text))) g->keys_dirty = false;
}

static void save_bans(struct engine *g)
{
    size_t n = 0;
    char **models = xcalloc(g->bans.count, sizeof *models);
    MAP_FOR(slot, &g->bans) models[n++] = slot->key;
    if (state_save_bans(g->state, g->disk, models, n)) g->bans_dirty = false;
    free(models);
}

static void save_pool(struct engine *g)
{
    struct key_saved *keys;
    struct cooldown_saved *cooldowns;
    size_t key_count, cooldown_count;
    uint64_t generation = keypool_generation(g->pool);
    keypool_save(g->pool, mono_now(), wall_now(), &keys, &key_count, &cooldowns, &cooldown_count);
    if (state_save_pool(g->state, g->disk, keys, key_count, cooldowns, cooldown_count)) {
        g->saved_generation = generation;
        g->save_at = g->spent_save_at = (mono_t){0};
    } else {
        g->save_at = mono_add(loop_now(g->loop), 10 * SAVE_AFTER_MS);
        if (g->spent_save_at.ms) g->spent_save_at = g->save_at;
    }
}

/* What the map says is new, in pieces. False: nothing is left to save, or the disk takes no more now. */
static bool save_some_sticky(struct engine *g)
{
    if (!g->sticky_unsaved) {
        if (!sticky_has_changes(g->shared.sticky)) return false;
        g->sticky_unsaved = xcalloc(STICKY_AT_ONCE, sizeof *g->sticky_unsaved);
        g->sticky_unsaved_count = sticky_changes(g->shared.sticky, g->sticky_unsaved, STICKY_AT_ONCE);
    }
    if (!state_save_sticky(g->state, g->disk, g->sticky_unsaved, g->sticky_unsaved_count)) return false;
    g->sticky_unsaved = NULL;
    return true;
}

static void save_sticky(struct engine *g, mono_t now)
{
    if (now.ms < g->sticky_at.ms || (!g->sticky_unsaved && !sticky_has_changes(g->shared.sticky))) return;
    save_some_sticky(g);
    g->sticky_at = mono_add(now, SAVE_AFTER_MS);
}

static void save_what_changed(struct engine *g)
{
    mono_t now = loop_now(g->loop);
    if (keypool_generation(g->pool) != g->saved_generation && !g->save_at.ms) g->save_at = mono_add(now, SAVE_AFTER_MS);
    bool due = g->save_at.ms && now.ms >= g->save_at.ms;
    if (due || (g->spent_save_at.ms && now.ms >= g->spent_save_at.ms)) save_pool(g);
    if (g->keys_dirty) save_keys(g);
    if (g->bans_dirty) save_bans(g);
    save_sticky(g, now);
}

/* The database was damaged and a new one begun: it gets all that is known here. */
static void save_again(struct engine *g)
{
    g->saved_generation = 0;
    g->bans_dirty = true;
    if (!state_save_settings(g->state, g->disk)) log_msg(LOG_WARN, "the screen's settings could not be saved");
}

static void give_memory_back(struct engine *g)
{
    int64_t open = 0;
    for (unsigned i = 0; i < g->worker_count; i++) open += worker_connections(g->workers[i]);
    if (!burst_over(&g->connections, open, loop_now(g->loop))) return;
    int64_t began = mono_us();
    malloc_trim(0);
    log_msg(LOG_DEBUG, "a burst of connections is over: memory given back in %lld us", (long long)(mono_us() - began));
}

void engine_tick(void *arg)
{
    struct engine *g = arg;
    meter_set_day(g->meter, wall_day_cached(&g->day_cache, wall_now()));
    engine_drain_records(g);
    give_memory_back(g);
    models_take_observed(g->models);
    uint64_t generation = keypool_generation(g->pool);
    if (generation != g->seen_generation) {
        g->seen_generation = generation;
        control_changed(g->control);
    }
    if (state_was_replaced(g->state)) save_again(g);
    save_what_changed(g);
    ledger_tick(g->ledger, loop_now(g->loop));
    loop_timer_start(&g->tick, TICK_MS);
}

void engine_save_all(struct engine *g)
{
    if (keypool_generation(g->pool) != g->saved_generation || g->spent_save_at.ms) save_pool(g);
    if (g->keys_dirty) save_keys(g);
    if (g->bans_dirty) save_bans(g);
    while (save_some_sticky(g)) {
    }
}
