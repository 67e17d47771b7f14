/* Reply heads. libcurl checks the grammar of the status line and the framing; this keeps the final head, bounds what
 * may come before it, and refuses what would be ambiguous to whoever reads our answer. */
#include "net/reply.h"

enum { KEEP_ROOM = 8192 };

void reply_init(struct reply *r)
{
    *r = (struct reply){.interim = 0};
    buf_init(&r->bytes, REPLY_HEAD_MAX);
}

void reply_reset(struct reply *r)
{
    if (r->bytes.room > KEEP_ROOM) buf_free(&r->bytes);
    buf_reset(&r->bytes);
    r->interim = 0;
    r->complete = false;
}

void reply_free(struct reply *r)
{
    buf_free(&r->bytes);
}

static bool is_status_line(struct str line)
{
    return str_starts(line, "HTTP/");
}

/* "HTTP/1.1 200 OK" -> 200; 0 when there is no such number. */
static int status_of(struct str line)
{
    struct str rest = line, version, code;
    uint64_t n;
    if (!str_split(&rest, ' ', &version) || !str_split(&rest, ' ', &code)) return 0;
    return code.n == 3 && str_u64(code, &n) ? (int)n : 0;
}

static bool take_length(struct call_head *head, struct str value)
{
    uint64_t n;
    if (!str_u64(value, &n) || n > INT64_MAX) return false;
    if (head->content_length >= 0 && (uint64_t)head->content_length != n) return false;
    head->content_length = (int64_t)n;
    return true;
}

static bool take_field(struct call_head *head, struct str line)
{
    const char *colon = memchr(line.p, ':', line.n);
    if (!colon || colon == line.p || ascii_space(line.p[0])) return true; /* folded, or no field: not passed on */
    struct str name = {line.p, (size_t)(colon - line.p)};
    struct str value = str_trim((struct str){colon + 1, line.n - name.n - 1});
    if (memchr(value.p, '\0', value.n)) return false;
    if (str_ieq(name, STR("content-length")) && !take_length(head, value)) return false;
    if (str_ieq(name, STR("content-type")) && head->content_type.n == 0) head->content_type = value;
    if (head->field_count < ARRAY_LEN(head->fields))
        head->fields[head->field_count++] = (struct head_field){name, value};
    return true;
}

static bool read_head(struct str text, struct call_head *head)
{
    struct str line;
    head->content_type = STR("");
    head->content_length = -1;
    head->field_count = 0;
    head->status = 0;
    while (str_split(&text, '\n', &line)) {
        line = (struct str){line.p, line.n > 0 && line.p[line.n - 1] == '\r' ? line.n - 1 : line.n};
        if (head->status == 0)
            head->status = status_of(line);
        else if (line.n > 0 && !take_field(head, line))
            return false;
    }
    return true;
}

static enum reply_step bad(const char **why, const char *sentence)
{
    *why = sentence;
    return REPLY_BAD;
}

static enum reply_step head_end(struct reply *r, struct call_head *head, const char **why)
{
    if (!read_head(buf_str(&r->bytes), head)) return bad(why, "the reply head has a bad or contradictory field");
    if (head->status >= 200 && head->status <= 599) {
        r->complete = true;
        return REPLY_FINAL;
    }
    if (head->status < 100 || head->status > 199 || head->status == 101) return bad(why, "the reply has an odd status");
    if (++r->interim > REPLY_INTERIM_MAX) return bad(why, "more than 16 interim replies");
    buf_reset(&r->bytes);
    return REPLY_MORE;
}

enum reply_step reply_line(struct reply *r, struct str line, struct call_head *head, const char **why)
{
    if (r->complete) return REPLY_MORE;
    if (is_status_line(line)) buf_reset(&r->bytes);
    if (!buf_add_str(&r->bytes, line)) return bad(why, "the reply head is larger than 64 KiB");
    bool blank = line.n == 0 || str_is(line, "\r\n") || str_is(line, "\n");
    return blank ? head_end(r, head, why) : REPLY_MORE;
}
