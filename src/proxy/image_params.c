/* One walk over the top-level members finds the ones that matter (find_fields); decide() says what is put in; write()
 * goes over the members once more and leaves out those that are not the platform's. Values are raw JSON throughout. */
#include "proxy/image_params.h"

#include "base/json_text.h"

/* --- models ---------------------------------------------------------------------------------------------------- */

enum size_kind {
    SIZE_IMAGE_SIZE,   /* "image_size": "WxH" */
    SIZE_NONE,         /* the picture that is edited decides */
    SIZE_ASPECT,       /* "aspect_ratio": "W:H" */
    SIZE_WIDTH_HEIGHT, /* "width", "height" */
};

/* API page of the platform, 2026-10. First row whose `part` is in the id (lower case) counts. */
static const struct image_model {
    const char *part;
    enum size_kind size;
    const char *usual_size; /* for "auto", and where a size is due and none was given; "" none known */
    bool size_due;          /* the platform refuses a request without one */
    const char *steps;      /* its name for num_inference_steps; NULL: it has none */
    unsigned high_steps;    /* for quality "hd" and "high"; 0 not known */
    const char *picture;    /* member for the picture to edit; NULL */
} models[] = {
    {"qwen-image-edit", SIZE_NONE, "", false, "num_inference_steps", 50, "image"},
    {"qwen-image", SIZE_IMAGE_SIZE, "1328x1328", true, "num_inference_steps", 50, NULL},
    {"kolors", SIZE_IMAGE_SIZE, "1024x1024", true, "num_inference_steps", 50, NULL},
    {"z-image", SIZE_IMAGE_SIZE, "", false, NULL, 0, NULL},
    {"flux.2-flex", SIZE_IMAGE_SIZE, "", false, "steps", 50, NULL},
    {"flux.2", SIZE_IMAGE_SIZE, "", false, NULL, 0, NULL},
    {"kontext", SIZE_ASPECT, "", false, NULL, 0, "input_image"},
    {"flux-1.1-pro", SIZE_WIDTH_HEIGHT, "", false, NULL, 0, NULL},
    {"flux.1-schnell", SIZE_IMAGE_SIZE, "1024x1024", false, NULL, 0, NULL},
    {"flux.1-dev", SIZE_IMAGE_SIZE, "1024x1024", false, "num_inference_steps", 30, NULL},
    {"image-edit", SIZE_IMAGE_SIZE, "", false, "num_inference_steps", 0, "image"},
    {"", SIZE_IMAGE_SIZE, "", false, "num_inference_steps", 0, NULL},
};

static const struct image_model *model_row(struct str model)
{
    const struct image_model *m = models;
    while (m->part[0] && !str_icontains(model, m->part)) m++;
    return m;
}

/* --- members --------------------------------------------------------------------------------------------------- */

enum field {
    FIELD_OTHER,
    FIELD_N,
    FIELD_SIZE,
    FIELD_RESPONSE_FORMAT,
    FIELD_QUALITY,
    FIELD_STEPS,
    FIELD_DROPPED, /* means nothing to the platform */
    FIELD_MODEL,
    FIELD_MESSAGES,
    FIELD_STREAM_OPTIONS,
    FIELD_NATIVE_SIZE,
    FIELD_NATIVE_STEPS,
    FIELD_NATIVE_PICTURE,
    FIELD_NATIVE, /* others of the platform's image models: kept out of a chat request too */
    FIELD_COUNT
};

static const struct {
    const char *name;
    enum field field;
} names[] = {
    {"n", FIELD_N},
    {"size", FIELD_SIZE},
    {"response_format", FIELD_RESPONSE_FORMAT},
    {"quality", FIELD_QUALITY},
    {"steps", FIELD_STEPS},
    {"style", FIELD_DROPPED},
    {"user", FIELD_DROPPED},
    {"background", FIELD_DROPPED},
    {"moderation", FIELD_DROPPED},
    {"model", FIELD_MODEL},
    {"messages", FIELD_MESSAGES},
    {"stream_options", FIELD_STREAM_OPTIONS},
    {"image_size", FIELD_NATIVE_SIZE},
    {"aspect_ratio", FIELD_NATIVE_SIZE},
    {"width", FIELD_NATIVE_SIZE},
    {"height", FIELD_NATIVE_SIZE},
    {"num_inference_steps", FIELD_NATIVE_STEPS},
    {"image", FIELD_NATIVE_PICTURE},
    {"input_image", FIELD_NATIVE_PICTURE},
    {"image2", FIELD_NATIVE},
    {"image3", FIELD_NATIVE},
    {"image_prompt", FIELD_NATIVE},
    {"negative_prompt", FIELD_NATIVE},
    {"guidance_scale", FIELD_NATIVE},
    {"cfg", FIELD_NATIVE},
    {"seed", FIELD_NATIVE},
    {"prompt_enhancement", FIELD_NATIVE},
    {"prompt_upsampling", FIELD_NATIVE},
    {"safety_tolerance", FIELD_NATIVE},
    {"interval", FIELD_NATIVE},
    {"output_format", FIELD_NATIVE},
};

static bool name_is(struct str raw, const char *name)
{
    char plain[32];
    int n = raw.n > 6 * sizeof plain ? -1 : json_text_unescape(raw, plain, sizeof plain);
    return n >= 0 && str_is((struct str){plain, (size_t)n}, name);
}

static enum field field_of(struct str raw, const struct image_model *m)
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (!name_is(raw, names[i].name)) continue;
        bool own_name = names[i].field == FIELD_STEPS && m->steps && strcmp(m->steps, "steps") == 0;
        return own_name ? FIELD_NATIVE_STEPS : names[i].field;
    }
    return FIELD_OTHER;
}

struct fields {
    struct str value[FIELD_COUNT]; /* raw; p NULL: absent. Of two equal names the last one */
};

static bool find_fields(struct str body, const struct image_model *m, struct fields *f, struct image_ask *ask)
{
    struct json_walk w;
    struct json_item item;
    *f = (struct fields){.value = {{NULL, 0}}};
    json_walk_init(&w, body);
    while (json_walk_next(&w, &item)) f->value[field_of(item.name, m)] = item.value;
    if (w.bad) snprintf(ask->why, sizeof ask->why, "the body is nested too deeply for a request about pictures");
    return !w.bad;
}

static bool given(const struct fields *f, enum field field)
{
    return f->value[field].p && !str_is(f->value[field], "null");
}

/* The inside of a string value; p NULL when it is none. */
static struct str inside(struct str value)
{
    if (value.n < 2 || value.p[0] != '"') return (struct str){NULL, 0};
    return (struct str){value.p + 1, value.n - 2};
}

static bool text_is(struct str value, const char *text)
{
    struct str raw = inside(value);
    return raw.p && name_is(raw, text);
}

/* --- what the client asks of us -------------------------------------------------------------------------------- */

static bool read_n(const struct fields *f, struct image_ask *ask)
{
    uint64_t n;
    if (!given(f, FIELD_N)) return true;
    if (!str_u64(f->value[FIELD_N], &n) || n < 1) {
        snprintf(ask->why, sizeof ask->why, "'n' must be a whole number from 1 to %d", IMAGE_N_MAX);
        return false;
    }
    if (n > IMAGE_N_MAX) {
        snprintf(ask->why, sizeof ask->why,
                 "'n' is at most %d here: the platform makes one picture a call; send further requests", IMAGE_N_MAX);
        return false;
    }
    ask->n = (unsigned)n;
    return true;
}

static bool read_format(const struct fields *f, struct image_ask *ask)
{
    struct str value = f->value[FIELD_RESPONSE_FORMAT];
    if (!given(f, FIELD_RESPONSE_FORMAT) || text_is(value, "url")) return true;
    ask->b64 = text_is(value, "b64_json");
    if (!ask->b64) snprintf(ask->why, sizeof ask->why, "'response_format' must be \"url\" or \"b64_json\"");
    return ask->b64;
}

/* --- what is put in ---------------------------------------------------------------------------------------------- */

/* `,"name":` in front of a value. */
static void put_name(struct buf *out, const char *name)
{
    buf_printf(out, "%s\"%s\":", out->len > 1 ? "," : "", name);
}

static void put_text(struct buf *out, const char *name, const char *value)
{
    put_name(out, name);
    buf_printf(out, "\"%s\"", value);
}

/* "1024x768" -> 1024, 768; also with '*' or ':'. */
static bool read_size(struct str value, uint64_t *w, uint64_t *h)
{
    struct str raw = inside(value);
    size_t i = 0;
    while (i < raw.n && ascii_digit(raw.p[i])) i++;
    if (i == raw.n || !memchr("xX*:", raw.p[i], 4)) return false;
    bool numbers = str_u64((struct str){raw.p, i}, w) && str_u64((struct str){raw.p + i + 1, raw.n - i - 1}, h);
    return numbers && *w >= 1 && *h >= 1 && *w <= 65536 && *h <= 65536;
}

static void put_size(struct buf *out, enum size_kind kind, struct str value)
{
    uint64_t w, h, a, b;
    if (kind == SIZE_IMAGE_SIZE || !read_size(value, &w, &h)) {
        put_name(out, "image_size");
        buf_add_str(out, value); /* the platform's own words about it are the best */
        return;
    }
    if (kind == SIZE_WIDTH_HEIGHT) {
        put_name(out, "width");
        buf_printf(out, "%llu,\"height\":%llu", (unsigned long long)w, (unsigned long long)h);
        return;
    }
    for (a = w, b = h; b;) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    put_name(out, "aspect_ratio");
    buf_printf(out, "\"%llu:%llu\"", (unsigned long long)(w / a), (unsigned long long)(h / a));
}

static void add_size(struct buf *out, const struct image_model *m, const struct fields *f, bool always)
{
    if (m->size == SIZE_NONE || f->value[FIELD_NATIVE_SIZE].p) return;
    bool automatic = text_is(f->value[FIELD_SIZE], "auto");
    if (given(f, FIELD_SIZE) && !automatic)
        put_size(out, m->size, f->value[FIELD_SIZE]);
    else if (m->usual_size[0] && (automatic || m->size_due || always))
        put_text(out, "image_size", m->usual_size);
}

static void add_steps(struct buf *out, const struct image_model *m, const struct fields *f)
{
    bool high = text_is(f->value[FIELD_QUALITY], "hd") || text_is(f->value[FIELD_QUALITY], "high");
    if (f->value[FIELD_NATIVE_STEPS].p || !m->steps) return;
    if (given(f, FIELD_STEPS)) {
        put_name(out, m->steps);
        buf_add_str(out, f->value[FIELD_STEPS]);
    } else if (high && m->high_steps) {
        put_name(out, m->steps);
        buf_printf(out, "%u", m->high_steps);
    }
}

/* --- images/generations ----------------------------------------------------------------------------------------- */

static bool goes_up(enum field field)
{
    return field == FIELD_OTHER || field >= FIELD_MODEL;
}

static bool goes_up_from_chat(enum field field)
{
    return field == FIELD_MODEL || field >= FIELD_NATIVE_SIZE;
}

/* The members that stay, byte for byte. True when one was left out. */
static bool put_members(struct str body, const struct image_model *m, bool (*stays)(enum field), struct buf *out)
{
    struct json_walk w;
    struct json_item item;
    bool left_out = false;
    json_walk_init(&w, body);
    while (json_walk_next(&w, &item)) {
        if (!stays(field_of(item.name, m))) {
            left_out = true;
            continue;
        }
        if (out->len > 1) buf_putc(out, ',');
        buf_add(out, item.at, (size_t)(item.value.p + item.value.n - item.at));
    }
    return left_out;
}

bool image_params(struct str body, struct str model, struct image_ask *ask, struct buf *out)
{
    const struct image_model *m = model_row(model);
    struct fields f;
    *ask = (struct image_ask){.n = 1};
    if (!find_fields(body, m, &f, ask) || !read_n(&f, ask) || !read_format(&f, ask)) return false;
    buf_putc(out, '{');
    ask->changed = put_members(body, m, goes_up, out);
    size_t kept = out->len;
    add_size(out, m, &f, false);
    add_steps(out, m, &f);
    ask->changed = ask->changed || out->len > kept;
    buf_putc(out, '}');
    return true;
}

/* --- chat/completions -------------------------------------------------------------------------------------------- */

struct conversation {
    struct buf *prompt; /* raw */
    struct str picture; /* raw string, quotes included; p NULL none */
};

static struct str member(struct str object, const char *name)
{
    struct json_walk w;
    struct json_item item;
    struct str value = {NULL, 0};
    json_walk_init(&w, object);
    while (json_walk_next(&w, &item))
        if (w.object && name_is(item.name, name)) value = item.value;
    return value;
}

static void add_words(struct conversation *c, struct str value)
{
    struct str raw = inside(value);
    if (!raw.p || !raw.n) return;
    if (c->prompt->len) buf_putc(c->prompt, ' ');
    buf_add_str(c->prompt, raw);
}

static void read_part(struct conversation *c, struct str part)
{
    struct str type = member(part, "type");
    if (text_is(type, "text")) {
        add_words(c, member(part, "text"));
    } else if (text_is(type, "image_url")) {
        struct str url = member(part, "image_url");
        if (url.n && url.p[0] == '{') url = member(url, "url");
        if (inside(url).p) c->picture = url;
    }
}

static void read_message(struct conversation *c, struct str message)
{
    struct json_walk w;
    struct json_item item;
    if (!text_is(member(message, "role"), "user")) return;
    struct str content = member(message, "content");
    add_words(c, content);
    if (!content.n || content.p[0] != '[') return;
    json_walk_init(&w, content);
    while (json_walk_next(&w, &item)) read_part(c, item.value);
}

static void read_messages(struct conversation *c, struct str messages)
{
    struct json_walk w;
    struct json_item item;
    if (!messages.n || messages.p[0] != '[') return;
    json_walk_init(&w, messages);
    while (json_walk_next(&w, &item)) read_message(c, item.value);
}

bool image_params_of_chat(struct str body, struct str model, struct image_ask *ask, struct buf *out)
{
    const struct image_model *m = model_row(model);
    struct fields f;
    struct buf prompt = BUF_INIT(out->cap);
    struct conversation c = {.prompt = &prompt};
    *ask = (struct image_ask){.n = 1, .changed = true};
    if (!find_fields(body, m, &f, ask)) return false;
    ask->usage = str_is(member(f.value[FIELD_STREAM_OPTIONS], "include_usage"), "true");
    read_messages(&c, f.value[FIELD_MESSAGES]);
    buf_putc(out, '{');
    put_members(body, m, goes_up_from_chat, out);
    put_name(out, "prompt");
    buf_putc(out, '"');
    buf_add_str(out, buf_str(&prompt));
    buf_putc(out, '"');
    if (m->picture && c.picture.p && !f.value[FIELD_NATIVE_PICTURE].p) {
        put_name(out, m->picture);
        buf_add_str(out, c.picture);
    }
    add_size(out, m, &f, true);
    add_steps(out, m, &f);
    buf_putc(out, '}');
    out->failed = out->failed || prompt.failed;
    buf_free(&prompt);
    return true;
}
