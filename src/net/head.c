/* Request heads, line by line, the first fault in byte order wins.
 *
 * Invariant (tested at every cut): what head_parse() says of the first n bytes it says of any longer input, too, unless
 * it said 0 (incomplete). So a fault may be answered before the head is complete, and the answer does not depend on
 * how the network cut the bytes. That is why lengths are checked before contents, and why what needs the whole head
 * (Host, the two ways of framing) waits for the empty line.
 *
 * Where RFC 9112 lets a server choose between repairing and refusing, it refuses: two servers that repair differently
 * disagree where a request ends, which is request smuggling. */
#include "net/head.h"

enum { TCHAR = 1, VALUE = 2, TARGET = 4, ALL = TCHAR | VALUE | TARGET };

/* '#' is missing in TARGET: a fragment never belongs into a request. */
static const unsigned char classes[256] = {
    ['\t'] = VALUE,
    [' '] = VALUE,
    ['!'] = ALL,
    ['"'] = VALUE | TARGET,
    ['#'] = VALUE | TCHAR,
    ['$' ... '\''] = ALL,
    ['(' ... ')'] = VALUE | TARGET,
    ['*' ... '+'] = ALL,
    [','] = VALUE | TARGET,
    ['-' ... '.'] = ALL,
    ['/'] = VALUE | TARGET,
    ['0' ... '9'] = ALL,
    [':' ... '@'] = VALUE | TARGET,
    ['A' ... 'Z'] = ALL,
    ['[' ... ']'] = VALUE | TARGET,
    ['^' ... 'z'] = ALL,
    ['{'] = VALUE | TARGET,
    ['|'] = ALL,
    ['}'] = VALUE | TARGET,
    ['~'] = ALL,
    [0x80 ... 0xff] = VALUE,
};

enum { EMPTY_LINES_MAX = 4, METHOD_MAX = 32 };

/* What the fields said, judged once all of them were seen. */
struct facts {
    unsigned hosts, lengths, codings;
    bool bad_value; /* a Host or Content-Length that is none */
    bool bad_expect;
    bool close, keep_alive;
    struct str coding;
};

static bool all_of(struct str s, unsigned char class)
{
    for (size_t i = 0; i < s.n; i++)
        if (!(classes[(unsigned char)s.p[i]] & class)) return false;
    return true;
}

static struct str from(struct str s, size_t at)
{
    return (struct str){s.p + at, s.n - at};
}

static struct str upto(struct str s, size_t n)
{
    return (struct str){s.p, n};
}

/* Position of the first c, or s.n. */
static size_t find(struct str s, char c)
{
    const char *at = s.n ? memchr(s.p, c, s.n) : NULL;
    return at ? (size_t)(at - s.p) : s.n;
}

static struct str trim_blanks(struct str s)
{
    while (s.n && (s.p[0] == ' ' || s.p[0] == '\t')) s = from(s, 1);
    while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t')) s.n--;
    return s;
}

/* ---- lines ---- */

/* 1: *line is the next line, without its CRLF. 0: incomplete. < 0: minus a status. */
static int next_line(struct str data, size_t *pos, const struct head_limits *limits, int too_long, struct str *line)
{
    struct str rest = from(data, *pos);
    size_t room = *pos < limits->max_head ? limits->max_head - *pos : 0;
    room = MIN(room, limits->max_line + 2);
    size_t lf = find(upto(rest, MIN(rest.n, room)), '\n');
    if (lf == MIN(rest.n, room)) return rest.n >= room ? -too_long : 0;
    if (lf == 0 || rest.p[lf - 1] != '\r') return -400;
    *line = upto(rest, lf - 1);
    *pos += lf + 1;
    return 1;
}

/* Empty lines before the request line, which old clients send after a body. 1: passed; 0: incomplete; -400. */
static int skip_empty_lines(struct str data, size_t *pos)
{
    for (unsigned lines = 0;; lines++) {
        if (*pos == data.n) return 0;
        if (data.p[*pos] != '\r') return 1;
        if (*pos + 1 == data.n) return 0;
        if (data.p[*pos + 1] != '\n' || lines == EMPTY_LINES_MAX) return -400;
        *pos += 2;
    }
}

/* Judges the beginning of the request line before its end is there, so that a TLS hello is not waited for. */
static bool method_may_be(struct str line)
{
    for (size_t i = 0; i < line.n; i++) {
        if (line.p[i] == ' ') return i > 0;
        if (i == METHOD_MAX || !(classes[(unsigned char)line.p[i]] & TCHAR)) return false;
    }
    return true;
}

/* ---- request line ---- */

/* host [":" port], host a name, an IPv4 address or [IPv6]. */
static bool valid_host(struct str s)
{
    size_t i = 0;
    if (s.n && s.p[0] == '[') {
        for (i = 1; i < s.n && (ascii_alnum(s.p[i]) || s.p[i] == ':' || s.p[i] == '.'); i++) continue;
        if (i == 1 || i == s.n || s.p[i++] != ']') return false;
    } else {
        while (i < s.n && (ascii_alnum(s.p[i]) || s.p[i] == '-' || s.p[i] == '.' || s.p[i] == '_')) i++;
    }
    if (i == 0) return false;
    if (i == s.n) return true;
    struct str port = from(s, i + 1);
    uint64_t number;
    return s.p[i] == ':' && port.n <= 5 && (!port.n || (str_u64(port, &number) && number <= 65535));
}

static size_t scheme_length(struct str target)
{
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        size_t n = strlen(schemes[i]);
        if (target.n >= n && str_ieq(upto(target, n), str_of(schemes[i]))) return n;
    }
    return 0;
}

/* Cuts scheme and authority off an absolute target. */
static bool strip_absolute(struct head *h, struct str *path)
{
    size_t scheme = scheme_length(*path);
    if (!scheme) return false;
    struct str rest = from(*path, scheme);
    h->host = upto(rest, MIN(find(rest, '/'), find(rest, '?')));
    *path = from(rest, h->host.n);
    return valid_host(h->host);
}

static int parse_target(struct head *h)
{
    struct str path = h->target;
    if (!path.n || !all_of(path, TARGET)) return -400;
    if (str_is(path, "*")) {
        h->path = path;
        return str_is(h->method, "OPTIONS") ? 1 : -400;
    }
    if (path.p[0] != '/' && !strip_absolute(h, &path)) return -400;
    size_t mark = find(path, '?');
    h->path = mark ? upto(path, mark) : STR("/");
    if (mark < path.n) h->query = from(path, mark + 1);
    return 1;
}

static int parse_version(struct head *h, struct str v)
{
    if (v.n != 8 || !str_starts(v, "HTTP/") || !ascii_digit(v.p[5]) || v.p[6] != '.' || !ascii_digit(v.p[7]))
        return -400;
    if (v.p[5] != '1') return -505;
    h->minor = v.p[7] != '0'; /* 1.2 and above would be answered as 1.1 */
    return 1;
}

static int parse_request_line(struct head *h, struct str line)
{
    size_t sp = find(line, ' ');
    if (!sp || sp == line.n) return -400;
    h->method = upto(line, sp);
    h->is_head = str_is(h->method, "HEAD");
    line = from(line, sp + 1);
    sp = find(line, ' ');
    if (sp == line.n) return -400;
    h->target = upto(line, sp);
    int r = parse_version(h, from(line, sp + 1));
    return r < 0 ? r : parse_target(h);
}

/* ---- fields ---- */

static void see_host(struct head *h, struct facts *f, struct str v)
{
    f->hosts++;
    if (!valid_host(v) && !(v.n == 0 && h->minor == 0)) f->bad_value = true;
    if (!h->host.n) h->host = v; /* an absolute target has the last word */
}

static void see_length(struct head *h, struct facts *f, struct str v)
{
    uint64_t n;
    f->lengths++;
    if (!str_u64(v, &n) || n > INT64_MAX)
        f->bad_value = true;
    else
        h->content_length = (int64_t)n;
}

static void see_coding(struct head *h, struct facts *f, struct str v)
{
    f->codings++;
    f->coding = v;
    h->chunked = str_ieq(v, STR("chunked"));
}

static void see_connection(struct head *h, struct facts *f, struct str v)
{
    (void)h;
    struct str option;
    while (str_split(&v, ',', &option)) {
        option = trim_blanks(option);
        if (str_ieq(option, STR("close"))) f->close = true;
        if (str_ieq(option, STR("keep-alive"))) f->keep_alive = true;
    }
}

static void see_expect(struct head *h, struct facts *f, struct str v)
{
    if (!str_ieq(v, STR("100-continue")))
        f->bad_expect = true;
    else
        h->expect_continue = h->minor == 1;
}

static const struct {
    struct str name;
    void (*see)(struct head *, struct facts *, struct str value);
} known_fields[] = {
    {{"Host", 4}, see_host},
    {{"Expect", 6}, see_expect},
    {{"Connection", 10}, see_connection},
    {{"Content-Length", 14}, see_length},
    {{"Transfer-Encoding", 17}, see_coding},
};

static int parse_field(struct head *h, struct facts *f, struct str line, size_t max_fields)
{
    if (h->field_count >= max_fields) return -431;
    size_t colon = find(line, ':');
    struct str name = upto(line, colon);
    if (!colon || colon == line.n || !all_of(name, TCHAR)) return -400;
    struct str value = trim_blanks(from(line, colon + 1));
    if (!all_of(value, VALUE)) return -400;
    h->fields[h->field_count++] = (struct head_field){name, value};
    for (size_t i = 0; i < ARRAY_LEN(known_fields); i++)
        if (name.n == known_fields[i].name.n && str_ieq(name, known_fields[i].name)) known_fields[i].see(h, f, value);
    return 1;
}

/* ---- judgement ---- */

/* Transfer-Encoding is not exactly "chunked": 501 for a clean list of codings we don't have with chunked as the last
 * one, else 400, because nobody knows where the body ends (RFC 9112 §6.3). */
static int refuse_coding(struct str list)
{
    struct str coding;
    bool chunked_seen = false;
    if (!list.n || list.p[list.n - 1] == ',') return -400;
    while (str_split(&list, ',', &coding)) {
        coding = trim_blanks(coding);
        if (!coding.n || !all_of(coding, TCHAR) || chunked_seen) return -400;
        chunked_seen = str_ieq(coding, STR("chunked"));
    }
    return chunked_seen ? -501 : -400;
}

static int judge(struct head *h, const struct facts *f)
{
    if (f->bad_value || f->hosts > 1 || f->lengths > 1 || f->codings > 1) return -400;
    if (f->hosts == 0 && h->minor == 1) return -400;
    if (f->codings && (f->lengths || h->minor == 0)) return -400;
    if (f->codings && !h->chunked) return refuse_coding(f->coding);
    if (f->bad_expect) return -417;
    h->keep_alive = !f->close && (h->minor == 1 || f->keep_alive);
    return 1;
}

static int parse_fields(struct str data, size_t *pos, const struct head_limits *limits, struct head *h)
{
    struct facts facts = {0};
    struct str line;
    int r;
    while ((r = next_line(data, pos, limits, 431, &line)) > 0) {
        if (!line.n) return judge(h, &facts);
        r = parse_field(h, &facts, line, limits->max_fields);
        if (r < 0) return r;
    }
    return r;
}

int head_parse(const char *bytes, size_t n, const struct head_limits *limits, struct head_field *fields,
               struct head *out)
{
    struct str data = {bytes, n}, line;
    size_t pos = 0;
    *out = (struct head){.query = STR(""), .host = STR(""), .content_length = -1, .fields = fields};
    int r = skip_empty_lines(data, &pos);
    if (r <= 0) return r;
    if (!method_may_be(from(data, pos))) return -400;
    r = next_line(data, &pos, limits, 414, &line);
    if (r > 0) r = parse_request_line(out, line);
    if (r > 0) r = parse_fields(data, &pos, limits, out);
    return r > 0 ? (int)pos : r;
}

const struct head_field *head_find(const struct head *h, const char *name)
{
    struct str wanted = str_of(name);
    for (size_t i = 0; i < h->field_count; i++)
        if (str_ieq(h->fields[i].name, wanted)) return &h->fields[i];
    return NULL;
}

struct str head_value(const struct head *h, const char *name)
{
    const struct head_field *f = head_find(h, name);
    return f ? f->value : STR("");
}
