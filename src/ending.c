/* Ways to stop. drain: listeners close, idle connections close, streams finish within server.drain, what is left gets
 * an error event. stop: the same with no time. hangup: the terminal is gone; ui.on_hangup decides. All of them end the
 * control thread's loop; engine.c then takes everything down. */
#include "engine.h"

enum { DRAIN_CHECK_MS = 50, KILL_GRACE_MS = 2000 };

void engine_close_listeners(struct engine *g)
{
    for (size_t i = 0; i < g->listener_count; i++) listener_free(g->listeners[i]);
    g->listener_count = 0;
}

static void drain_proxy(struct proxy *p, void *arg)
{
    (void)arg;
    proxy_drain(p);
}

static void kill_proxy(struct proxy *p, void *arg)
{
    (void)arg;
    proxy_kill_all(p, "sfproxy was stopped before the answer was complete");
}

static void call_workers(struct engine *g, void (*fn)(struct proxy *, void *))
{
    for (unsigned i = 0; i < g->worker_count; i++)
        if (!worker_call(g->workers[i], fn, NULL)) return;
}

static bool all_idle(struct engine *g)
{
    for (unsigned i = 0; i < g->worker_count; i++)
        if (worker_in_flight(g->workers[i]) || worker_connections(g->workers[i])) return false;
    return true;
}

void engine_drain_check(void *arg)
{
    struct engine *g = arg;
    mono_t now = loop_now(g->loop);
    if (all_idle(g)) {
        loop_stop(g->loop);
        return;
    }
    if (now.ms >= g->drain_until.ms) {
        if (g->stopping) {
            loop_stop(g->loop);
            return;
        }
        g->stopping = true;
        log_msg(LOG_WARN, "the drain time is over: what still runs is ended");
        call_workers(g, kill_proxy);
        g->drain_until = mono_add(now, KILL_GRACE_MS);
    }
    control_changed(g->control);
    loop_timer_start(&g->drain_timer, DRAIN_CHECK_MS);
}

static void begin_end(struct engine *g, int64_t ms)
{
    g->draining = true;
    atomic_store(&g->shared.draining, true);
    g->drain_until = mono_add(loop_now(g->loop), ms);
    engine_close_listeners(g);
    call_workers(g, drain_proxy);
    loop_timer_start(&g->drain_timer, 0);
    control_changed(g->control);
}

void engine_drain(struct engine *g)
{
    if (g->draining) return;
    log_msg(LOG_INFO, "draining: no new requests, running ones may finish within %lld s",
            (long long)g->conf->server_drain / 1000);
    begin_end(g, g->conf->server_drain);
}

void engine_stop(struct engine *g, int code)
{
    g->exit_code = code;
    if (!g->draining) begin_end(g, 0);
    g->drain_until = loop_now(g->loop);
    loop_timer_start(&g->drain_timer, 0);
}

void engine_interrupt(struct engine *g)
{
    if (g->draining)
        engine_stop(g, 130);
    else
        engine_drain(g);
}

void engine_ui_stop(struct engine *g)
{
    struct ui *ui = g->ui;
    g->ui = NULL;
    if (ui) ui_stop(ui);
    disk_log_to_stderr(g->disk, true);
}

void engine_hangup(struct engine *g)
{
    engine_ui_stop(g);
    if (g->conf->ui_on_hangup == HANGUP_KEEP) {
        log_msg(LOG_WARN, "the terminal is gone; going on without a screen");
        return;
    }
    log_msg(LOG_WARN, "the terminal is gone");
    engine_drain(g);
}
