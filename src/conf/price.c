#include "conf/price.h"

static const struct {
    const char *word, *shown;
    enum price_unit unit;
    int64_t size; /* units for one price */
} units[] = {
    {"image", "image", PRICE_IMAGE, 1},
    {"video", "video", PRICE_VIDEO, 1},
    {"kb", "kB", PRICE_KBYTE, 1000},
};

static struct str rest_from(struct str s, size_t at)
{
    return str_trim((struct str){s.p + at, s.n - at});
}

/* An amount in CNY at the front; blanks behind it are skipped. */
static bool take_amount(struct str *s, int64_t *micro)
{
    size_t n = 0;
    while (n < s->n && (ascii_digit(s->p[n]) || s->p[n] == '.')) n++;
    if (!n || !str_micro((struct str){s->p, n}, micro) || *micro > PRICE_AMOUNT_MAX) return false;
    *s = rest_from(*s, n);
    return true;
}

static bool take_text(struct str *s, const char *text)
{
    size_t n = strlen(text);
    if (s->n < n || !str_ieq_bytes(s->p, text, n)) return false;
    *s = rest_from(*s, n);
    return true;
}

/* "128K": a thousand, as the platform's pages count. */
static bool parse_tokens(struct str s, int64_t *out)
{
    uint64_t v, factor = 1;
    char last = s.n ? ascii_lower(s.p[s.n - 1]) : '\0';
    if (last == 'k') factor = 1000;
    if (last == 'm') factor = 1000000;
    if (factor > 1) s.n--;
    if (!str_u64(s, &v) || v == 0 || v > 1000000000 / factor) return false;
    *out = (int64_t)(v * factor);
    return true;
}

/* "image", "video", "kB" after "/" or "per". */
static bool parse_unit(struct str s, struct price *p)
{
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (!str_ieq(s, str_of(units[i].word))) continue;
        p->unit = units[i].unit;
        return true;
    }
    return false;
}

/* What may follow the first amount: two more amounts, and up to which input the step goes. */
static bool parse_rates(struct str s, struct price_step *step)
{
    bool has_out = take_text(&s, "/");
    if (has_out && !take_amount(&s, &step->out)) return false;
    if (!has_out) step->out = step->in;
    step->cached = step->in;
    if (has_out && take_text(&s, "/") && !take_amount(&s, &step->cached)) return false;
    step->up_to = INT64_MAX;
    if (take_text(&s, "<=")) return parse_tokens(s, &step->up_to);
    return s.n == 0;
}

static bool parse_step(struct str s, struct price *p)
{
    struct price_step *step = &p->step[p->steps];
    if (p->steps == PRICE_STEPS_MAX || p->unit > PRICE_TOKENS || !take_amount(&s, &step->in)) return false;
    struct str unit = s;
    if (p->steps++ == 0 && (take_text(&unit, "/") || take_text(&unit, "per ")) && parse_unit(unit, p)) {
        step->up_to = INT64_MAX;
        return true;
    }
    p->unit = PRICE_TOKENS;
    if (!parse_rates(s, step)) return false;
    return p->steps == 1 || step->up_to > step[-1].up_to;
}

bool price_parse(struct str text, struct price *out)
{
    struct str rest = str_trim(text), part;
    bool grows = str_ends(rest, "and up");
    *out = (struct price){.unit = PRICE_UNKNOWN};
    if (grows) rest = str_trim((struct str){rest.p, rest.n - strlen("and up")});
    bool good = rest.n && rest.p[rest.n - 1] != ',';
    while (good && str_split(&rest, ',', &part)) good = parse_step(str_trim(part), out);
    out->grows = grows;
    good = good && out->steps && !(grows && out->unit != PRICE_TOKENS);
    if (!good) *out = (struct price){.unit = PRICE_UNKNOWN};
    return good;
}

struct text {
    char *at;
    size_t room;
};

static void put(struct text *t, const char *s)
{
    size_t n = strlen(s);
    if (t->room) str_copy(t->at, t->room, (struct str){s, n});
    n = MIN(n, t->room ? t->room - 1 : 0);
    t->at += n;
    t->room -= n;
}

static void put_amount(struct text *t, int64_t micro)
{
    char s[40];
    int n = snprintf(s, sizeof s, "%lld.%06lld", (long long)(micro / 1000000), (long long)(micro % 1000000));
    while (s[n - 1] == '0') s[--n] = '\0';
    if (s[n - 1] == '.') s[--n] = '\0';
    put(t, s);
}

static void put_tokens(struct text *t, int64_t n)
{
    char s[40];
    bool mega = n % 1000000 == 0, kilo = n % 1000 == 0;
    snprintf(s, sizeof s, "%lld%s",
             (long long)(mega   ? n / 1000000
                         : kilo ? n / 1000
                                : n),
             mega   ? "M"
             : kilo ? "K"
                    : "");
    put(t, s);
}

static void put_step(struct text *t, const struct price_step *step)
{
    put_amount(t, step->in);
    if (step->out != step->in || step->cached != step->in) {
        put(t, " / ");
        put_amount(t, step->out);
    }
    if (step->cached != step->in) {
        put(t, " / ");
        put_amount(t, step->cached);
    }
    if (step->up_to == INT64_MAX) return;
    put(t, " <=");
    put_tokens(t, step->up_to);
}

void price_text(const struct price *p, char *out, size_t size)
{
    struct text t = {out, size};
    if (size) out[0] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (units[i].unit != p->unit) continue;
        put_amount(&t, p->step[0].in);
        put(&t, " per ");
        put(&t, units[i].shown);
    }
    for (unsigned i = 0; p->unit == PRICE_TOKENS && i < p->steps; i++) {
        if (i) put(&t, ", ");
        put_step(&t, &p->step[i]);
    }
    if (p->grows) put(&t, " and up");
}

/* `product` is a count times a price; to the nearest. */
static int64_t divided(__int128 product, int64_t by)
{
    __int128 v = (product + by / 2) / by;
    return v > INT64_MAX ? INT64_MAX : (int64_t)v;
}

static int64_t cost_of_units(const struct price *p, int64_t count)
{
    int64_t size = 1;
    for (size_t i = 0; i < ARRAY_LEN(units); i++)
        if (units[i].unit == p->unit) size = units[i].size;
    return count > 0 ? divided((__int128)count * p->step[0].in, size) : -1;
}

static int64_t cost_of_tokens(const struct price *p, const struct price_use *u)
{
    const struct price_step *step = p->step;
    int64_t in = MAX(u->in, 0), out = MAX(u->out, 0), cached = MIN(MAX(u->cached, 0), in);
    while (step < p->step + p->steps && in > step->up_to) step++;
    if (step == p->step + p->steps) {
        if (!p->grows) return -1;
        step--;
    }
    __int128 sum = (__int128)(in - cached) * step->in + (__int128)cached * step->cached + (__int128)out * step->out;
    return divided(sum, 1000000);
}

int64_t price_cost(const struct price *p, const struct price_use *u)
{
    if (p->unit == PRICE_UNKNOWN) return -1;
    if (price_is_free(p)) return 0;
    if (p->unit != PRICE_TOKENS) return cost_of_units(p, u->units);
    return u->known ? cost_of_tokens(p, u) : -1;
}

bool price_is_free(const struct price *p)
{
    bool costs = p->unit == PRICE_UNKNOWN || p->grows || p->step[p->steps - 1].up_to != INT64_MAX;
    for (unsigned i = 0; i < p->steps; i++) costs |= p->step[i].in || p->step[i].out || p->step[i].cached;
    return !costs;
}

int64_t money_add(int64_t a, int64_t b)
{
    int64_t sum;
    if (!__builtin_add_overflow(a, b, &sum)) return sum;
    return a < 0 ? INT64_MIN : INT64_MAX;
}
