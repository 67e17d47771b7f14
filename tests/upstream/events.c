/* Streams are walked by one number, exchange.step:
 *
 *   chat       role | reasoning × n_reason | content × n_text (or the tool call's pieces) | finish | (usage) | [DONE]
 *   text       content × n_text | finish | [DONE]
 *   messages   message_start | (thinking block) | text or tool_use block | message_delta | message_stop
 *
 * Each content or reasoning chunk is worth tokens_per_chunk tokens. */
#include "events.h"

#include <stdio.h>
#include <string.h>

static const char *const words[] = {"你好",  "！",    "这是", "硅基流动",  "的", "替身",   "回答",   "，",
                                    "Hello", " from", " the", " stand-in", "：", "一二三", "四五六", "。"};
static const char *const thoughts[] = {"嗯", "，", "用户", "在", "测试", "，", "我", "想一想", "。"};
static const char *const tool_pieces[] = {"{\\\"", "location", "\\\": \\\"", "北京", "\\\"}"};

enum { N_TOOL_PIECES = 5 };

const char *const tool_arguments = "{\\\"location\\\": \\\"北京\\\"}";

void text_piece(struct buf *b, int i, long bytes, bool reasoning)
{
    if (bytes <= 0) {
        buf_puts(b, reasoning ? thoughts[i % 9] : words[i % 16]);
        return;
    }
    for (; bytes >= 3; bytes -= 3) buf_add(b, i & 1 ? "流" : "中", 3);
    buf_add(b, "abc", (size_t)bytes);
}

void text_all(struct buf *b, int n, long bytes, bool reasoning)
{
    for (int i = 0; i < n; i++) text_piece(b, i, bytes, reasoning);
}

void tokens_all(struct exchange *x)
{
    x->tokens_reason = x->n_reason * x->tokens_per_chunk;
    x->tokens_out = x->tokens_reason + x->n_text * x->tokens_per_chunk;
}

static bool odd_usage(const struct exchange *x, struct buf *b)
{
    switch (x->act ? x->act->usage : USAGE_GOOD) {
    case USAGE_GOOD: return false;
    case USAGE_MISSING: return true;
    case USAGE_NEGATIVE:
        buf_puts(b, ",\"usage\":{\"prompt_tokens\":-5,\"completion_tokens\":-7,\"total_tokens\":-12}");
        return true;
    case USAGE_STRING:
        buf_puts(b, ",\"usage\":{\"prompt_tokens\":\"12\",\"completion_tokens\":\"many\",\"total_tokens\":\"\"}");
        return true;
    case USAGE_HUGE:
        buf_puts(b, ",\"usage\":{\"prompt_tokens\":1e308,\"completion_tokens\":99999999999999999999,"
                    "\"total_tokens\":1e999}");
        return true;
    case USAGE_NESTED:
        buf_puts(b, ",\"usage\":{\"prompt_tokens\":{\"n\":[1]},\"completion_tokens\":[2],\"total_tokens\":true}");
        return true;
    case USAGE_NULL: buf_puts(b, ",\"usage\":null"); return true;
    }
    return false;
}

void usage_member(const struct exchange *x, struct buf *b)
{
    if (odd_usage(x, b)) return;
    long long in = x->tokens_in, out = x->tokens_out;
    buf_printf(b, ",\"usage\":{\"prompt_tokens\":%lld,\"completion_tokens\":%lld,\"total_tokens\":%lld", in, out,
               in + out);
    if (x->tokens_reason)
        buf_printf(b, ",\"completion_tokens_details\":{\"reasoning_tokens\":%lld}", (long long)x->tokens_reason);
    buf_printf(b,
               ",\"prompt_tokens_details\":{\"cached_tokens\":0},\"prompt_cache_hit_tokens\":0,"
               "\"prompt_cache_miss_tokens\":%lld}",
               in);
}

void tool_calls(struct buf *b)
{
    buf_printf(b,
               "\"tool_calls\":[{\"id\":\"019bda90bb06ea1f88f140889ff0916b\",\"type\":\"function\",\"function\":"
               "{\"name\":\"get_current_weather\",\"arguments\":\"%s\"}}]",
               tool_arguments);
}

static const char *finish(const struct exchange *x)
{
    return x->by_length ? "length" : x->tools ? "tool_calls" : "stop";
}

static void chat_head(const struct exchange *x, struct buf *b)
{
    buf_printf(b, "{\"id\":\"%s\",\"object\":\"chat.completion.chunk\",\"created\":%ld,\"model\":\"", x->id,
               x->created);
    buf_add(b, buf_data(&x->model_raw), buf_size(&x->model_raw));
    buf_puts(b, "\",\"choices\":[");
}

static void chat_tail(const struct exchange *x, struct buf *b)
{
    buf_puts(b, "],\"system_fingerprint\":\"\"");
    usage_member(x, b);
    buf_putc(b, '}');
}

static void chat_tool(struct buf *b, int i)
{
    buf_puts(
        b,
        "{\"index\":0,\"delta\":{\"content\":null,\"reasoning_content\":null,\"role\":\"assistant\",\"tool_calls\":[");
    if (i == 0)
        buf_puts(b, "{\"index\":0,\"id\":\"functions.get_current_weather:0\",\"type\":\"function\",\"function\":"
                    "{\"name\":\"get_current_weather\",\"arguments\":\"\"}}");
    else
        buf_printf(b, "{\"index\":0,\"id\":null,\"type\":null,\"function\":{\"arguments\":\"%s\"}}",
                   tool_pieces[i - 1]);
    buf_puts(b, "]},\"finish_reason\":null}");
}

static void chat_delta(struct exchange *x, struct buf *b, int i, bool reasoning)
{
    x->tokens_out += x->tokens_per_chunk;
    if (reasoning) {
        x->tokens_reason += x->tokens_per_chunk;
        buf_puts(b, "{\"index\":0,\"delta\":{\"content\":null,\"reasoning_content\":\"");
        text_piece(b, i, x->chunk_bytes, true);
        buf_puts(b, "\",\"role\":\"assistant\"},\"finish_reason\":null}");
        return;
    }
    buf_puts(b, "{\"index\":0,\"delta\":{\"content\":\"");
    text_piece(b, i, x->chunk_bytes, false);
    buf_puts(b, x->reasons ? "\",\"reasoning_content\":null,\"role\":\"assistant\"},\"finish_reason\":null}"
                           : "\",\"reasoning_content\":null},\"finish_reason\":null}");
}

static bool chat_event(struct exchange *x, struct buf *b)
{
    int i = x->step++, n = x->tools ? 1 + N_TOOL_PIECES : x->n_text;
    if (i > x->n_reason + n + 1 + x->include_usage) {
        if (i > x->n_reason + n + 2 + x->include_usage || (x->act && x->act->no_done)) return false;
        buf_puts(b, "[DONE]");
        return true;
    }
    chat_head(x, b);
    if (i == 0)
        buf_printf(b,
                   "{\"index\":0,\"delta\":{\"content\":%s,\"reasoning_content\":%s,\"role\":\"assistant\"},"
                   "\"finish_reason\":null}",
                   x->reasons ? "null" : "\"\"", x->reasons ? "\"\"" : "null");
    else if (i <= x->n_reason)
        chat_delta(x, b, i - 1, true);
    else if (i <= x->n_reason + n && x->tools) {
        x->tokens_out += x->tokens_per_chunk;
        chat_tool(b, i - x->n_reason - 1);
    } else if (i <= x->n_reason + n)
        chat_delta(x, b, i - x->n_reason - 1, false);
    else if (i == x->n_reason + n + 1)
        buf_printf(b, "{\"index\":0,\"delta\":{\"content\":\"\",\"reasoning_content\":null},\"finish_reason\":\"%s\"}",
                   finish(x));
    chat_tail(x, b);
    return true;
}

static bool text_event(struct exchange *x, struct buf *b)
{
    int i = x->step++;
    if (i > x->n_text) {
        if (i > x->n_text + 1 || (x->act && x->act->no_done)) return false;
        buf_puts(b, "[DONE]");
        return true;
    }
    buf_printf(b, "{\"id\":\"%s\",\"object\":\"text_completion\",\"created\":%ld,\"model\":\"", x->id, x->created);
    buf_add(b, buf_data(&x->model_raw), buf_size(&x->model_raw));
    buf_puts(b, "\",\"choices\":[{\"index\":0,\"text\":\"");
    if (i < x->n_text) {
        x->tokens_out += x->tokens_per_chunk;
        text_piece(b, i, x->chunk_bytes, false);
        buf_puts(b, "\",\"finish_reason\":null,\"logprobs\":null}");
    } else {
        buf_printf(b, "\",\"finish_reason\":\"%s\",\"logprobs\":null}", finish(x));
    }
    chat_tail(x, b);
    return true;
}

static void message_start(const struct exchange *x, struct buf *b)
{
    buf_printf(b,
               "{\"type\":\"message_start\",\"message\":{\"id\":\"msg_%s\",\"type\":\"message\",\"role\":\"assistant\","
               "\"content\":[],\"model\":\"",
               x->id + 8);
    buf_add(b, buf_data(&x->model_raw), buf_size(&x->model_raw));
    buf_printf(b,
               "\",\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":%lld,\"output_tokens\":0}}}",
               (long long)x->tokens_in);
}

/* One block: start, n deltas, (signature), stop. Takes its steps off *i; true when the event was in it. */
static bool message_block(struct exchange *x, struct buf *b, const char **name, int *i, int index, bool thinking)
{
    int n = thinking ? x->n_reason : x->tools ? N_TOOL_PIECES : x->n_text;
    if (*i == 0) {
        *name = "content_block_start";
        buf_printf(b, "{\"type\":\"content_block_start\",\"index\":%d,\"content_block\":%s}", index,
                   thinking   ? "{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}"
                   : x->tools ? "{\"type\":\"tool_use\",\"id\":\"019bdb1ed691c01625ab101a1727c885\","
                                "\"name\":\"get_weather\",\"input\":{}}"
                              : "{\"type\":\"text\",\"text\":\"\"}");
        return true;
    }
    if (*i <= n) {
        *name = "content_block_delta";
        x->tokens_out += x->tokens_per_chunk;
        buf_printf(b, "{\"type\":\"content_block_delta\",\"index\":%d,\"delta\":{\"type\":\"%s\",\"%s\":\"", index,
                   thinking   ? "thinking_delta"
                   : x->tools ? "input_json_delta"
                              : "text_delta",
                   thinking   ? "thinking"
                   : x->tools ? "partial_json"
                              : "text");
        if (!thinking && x->tools)
            buf_puts(b, tool_pieces[*i - 1]);
        else
            text_piece(b, *i - 1, x->chunk_bytes, thinking);
        buf_puts(b, "\"}}");
        return true;
    }
    if (*i == n + 1) {
        *name = "content_block_stop";
        buf_printf(b, "{\"type\":\"content_block_stop\",\"index\":%d}", index);
        return true;
    }
    *i -= n + 2;
    return false;
}

static bool message_event(struct exchange *x, struct buf *b, const char **name)
{
    int i = x->step++;
    if (i == 0) {
        *name = "message_start";
        message_start(x, b);
        return true;
    }
    i--;
    if (x->n_reason && message_block(x, b, name, &i, 0, true)) return true;
    if (message_block(x, b, name, &i, x->n_reason ? 1 : 0, false)) return true;
    if (i == 0) {
        *name = "message_delta";
        buf_printf(b, "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"%s\",\"stop_sequence\":null}",
                   x->by_length ? "max_tokens"
                   : x->tools   ? "tool_use"
                                : "end_turn");
        if (!odd_usage(x, b))
            buf_printf(b, ",\"usage\":{\"input_tokens\":%lld,\"output_tokens\":%lld}", (long long)x->tokens_in,
                       (long long)x->tokens_out);
        buf_putc(b, '}');
        return true;
    }
    if (i > 1 || (x->act && x->act->no_done)) return false;
    *name = "message_stop";
    buf_puts(b, "{\"type\":\"message_stop\"}");
    return true;
}

/* A bench chunk carries the time it was made, and is as long as was asked for. */
static bool bench_event(struct exchange *x, struct buf *b)
{
    int i = x->step++;
    if (i >= x->n_text) {
        if (i > x->n_text) return false;
        buf_puts(b, "[DONE]");
        return true;
    }
    size_t from = b->len;
    buf_puts(b, "{\"id\":\"bench\",\"object\":\"chat.completion.chunk\",\"created\":0,\"model\":\"bench\",\"choices\":"
                "[{\"index\":0,\"delta\":{\"content\":\"");
    buf_printf(b, "%019lld ", (long long)clock_ns());
    size_t now = b->len - from, tail = 100;
    if (x->chunk_bytes > 0 && (size_t)x->chunk_bytes > now + tail)
        buf_fill(b, 'x', (size_t)x->chunk_bytes - now - tail);
    x->tokens_out++;
    buf_printf(
        b, "\"},\"finish_reason\":%s}],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":%d,\"total_tokens\":%d}}",
        i == x->n_text - 1 ? "\"stop\"" : "null", i + 1, i + 2);
    return true;
}

void event_around(struct exchange *x, struct buf *before, struct buf *after)
{
    chat_head(x, before);
    buf_puts(before, "{\"index\":0,\"delta\":{\"content\":\"");
    buf_puts(after, "\"},\"finish_reason\":null}");
    chat_tail(x, after);
}

static bool bytes_event(struct exchange *x, struct buf *b)
{
    int i = x->step++;
    if (i >= x->n_text) return false;
    long n = x->chunk_bytes > 0 ? x->chunk_bytes : 1000;
    char *at = buf_room(b, (size_t)n);
    for (long k = 0; k < n; k++) at[k] = (char)((i * 31 + k) & 255);
    b->len += (size_t)n;
    return true;
}

bool event_next(struct exchange *x, struct buf *b, const char **name)
{
    *name = NULL;
    switch (x->flow) {
    case FLOW_CHAT: return chat_event(x, b);
    case FLOW_TEXT: return text_event(x, b);
    case FLOW_MESSAGES: return message_event(x, b, name);
    case FLOW_BYTES: return bytes_event(x, b);
    case FLOW_BENCH: return bench_event(x, b);
    case FLOW_PLAIN: break;
    }
    return false;
}
