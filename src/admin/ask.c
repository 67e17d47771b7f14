/* The way of a question: worker (ask_control) -> control thread (on_done, copies the result into the mail) -> worker
 * (deliver). The call is held meanwhile, so that a client that leaves costs nothing but the answer. A worker whose
 * mailbox is closed takes nothing more: then the held call stays with the worker that is ending. */
#include "admin/ask.h"

#include "base/mem.h"

struct question {
    struct mail mail;
    struct loop *worker;
    struct local_call *lc; /* held; touched on the worker's thread only */
    ask_answer_fn *answer;
    void *extra;
    struct command_result result; /* owns its snapshot */
};

static void question_free(struct question *q)
{
    snapshot_put(q->result.snapshot);
    free(q->result.json);
    free(q->extra);
    free(q);
}

static void deliver(void *reader, struct mail *m)
{
    (void)reader;
    struct question *q = CONTAINER_OF(m, struct question, mail);
    struct local_call *lc = q->lc;
    q->answer(lc, &q->result, q->extra);
    local_release(lc);
    question_free(q);
}

static void on_done(struct command *c, const struct command_result *r)
{
    struct question *q = c->arg;
    q->result = *r;
    if (!loop_post(q->worker, &q->mail)) question_free(q);
}

void ask_control(struct control *c, struct local_call *lc, struct command *cmd, ask_answer_fn *answer, void *extra)
{
    struct question *q = xcalloc(1, sizeof *q);
    q->mail.deliver = deliver;
    q->worker = local_loop(lc);
    q->lc = local_hold(lc);
    q->answer = answer;
    q->extra = extra;
    cmd->done = on_done;
    cmd->arg = q;
    if (control_post(c, cmd)) return;
    command_free(cmd);
    local_reply_error(lc, 503, "draining", "sfproxy is shutting down");
    local_release(lc);
    question_free(q);
}
