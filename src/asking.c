/* Questions about usage, on their way: control thread (the question is understood) -> disk thread (it is answered from
 * the ledger and written as JSON) -> control thread (the command is answered). Nobody waits; at most 16 are under way.
 */
#include "admin/usage.h"
#include "base/map.h"
#include "base/mem.h"
#include "engine.h"

enum { ANSWER_MAX = 64 * 1024 * 1024 };

struct asking {
    struct ledger_question q;
    struct engine *g;
    struct command *cmd;
    int64_t balance_micro;
    char *json; /* NULL: it did not work, q.why */
};

static void asking_free(struct asking *a)
{
    usage_list_free(&a->q.list);
    free(a->json);
    free(a);
}

static void delivered(void *reader, struct mail *m)
{
    (void)reader;
    struct asking *a = CONTAINER_OF(m, struct asking, q.mail);
    if (a->json) {
        struct command_result r = {.ok = true, .status = 200, .json = a->json};
        a->json = NULL;
        control_answer_result(a->cmd, &r);
    } else {
        control_answer(a->cmd, 503, "%s", a->q.why);
    }
    asking_free(a);
}

/* On the disk thread. When the control thread takes no more mail, it is about to end, and the client's worker has. */
static void answered(struct ledger_question *q)
{
    struct asking *a = q->arg;
    struct buf out = BUF_INIT(ANSWER_MAX);
    if (q->ok && a->cmd->kind == CMD_USAGE) usage_json(&q->ask, &q->list, &out);
    if (q->ok && a->cmd->kind == CMD_BILLING)
        billing_json((enum billing_kind)a->cmd->number, &q->list, a->balance_micro, &out);
    if (q->ok && out.failed) snprintf(q->why, sizeof q->why, "the answer does not fit into memory");
    if (q->ok && !out.failed) a->json = buf_take(&out);
    buf_free(&out);
    q->mail.deliver = delivered;
    if (loop_post(a->g->loop, &q->mail)) return;
    command_free(a->cmd);
    asking_free(a);
}

static void send(struct engine *g, struct command *cmd, const struct usage_ask *ask, int64_t balance_micro)
{
    struct asking *a = xcalloc(1, sizeof *a);
    a->g = g;
    a->cmd = cmd;
    a->balance_micro = balance_micro;
    a->q.ask = *ask;
    a->q.done = answered;
    a->q.arg = a;
    if (ledger_ask(g->ledger, &a->q)) return;
    asking_free(a);
    control_answer(cmd, 503, "too many questions about usage at once, or the disk does not keep up");
}

void asking_usage(struct engine *g, struct command *cmd)
{
    struct usage_ask ask;
    char why[160];
    if (usage_ask_parse(str_of(cmd->text), wall_now(), &ask, why, sizeof why))
        send(g, cmd, &ask, 0);
    else
        control_answer(cmd, 400, "%s", why);
}

/* Each account once; what is not known counts as nothing. */
static int64_t known_balance(struct engine *g)
{
    size_t room = keypool_count(g->pool) + 8;
    struct key_view *views = xcalloc(room, sizeof *views);
    size_t n = MIN(keypool_view(g->pool, loop_now(g->loop), views, room), room);
    struct map seen = MAP_INIT;
    int64_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        const struct key_view *v = &views[i];
        if (v->balance_origin == BALANCE_UNKNOWN || map_put(&seen, str_of(*v->account ? v->account : v->id), g))
            continue;
        sum += MAX(v->balance_micro, 0);
    }
    map_free(&seen);
    free(views);
    return sum;
}

void asking_billing(struct engine *g, struct command *cmd)
{
    struct usage_ask ask;
    if (billing_ask_parse((enum billing_kind)cmd->number, str_of(cmd->text), wall_now(), &ask))
        send(g, cmd, &ask, known_balance(g));
    else
        control_answer(cmd, 400, "start_date and end_date are dates like 2026-11-01");
}
