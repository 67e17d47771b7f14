#include "proxy/owned.h"

#include "proxy/slices.h"

enum { PATH_ID = -1, NO_ID = -2 };
enum { TEXT_REQUEST_ID, TEXT_INPUT_FILE, TEXT_URI, TEXT_VOICE };

struct learned {
    enum sticky_kind kind;
    const char *name; /* of a member of the answer, or of the object in its `data` */
};

struct owned_row {
    const char *method; /* NULL any */
    const char *path;   /* "batches/": what is below it */
    enum owned_rule rule;
    enum sticky_kind kind;
    int id_from; /* PATH_ID, NO_ID, or a TEXT_ */
    bool may_ask_around, deletes;
    struct learned learns[4]; /* up to the first without a name */
};

#define LEARN_VIDEO                                                                                                    \
    {                                                                                                                  \
        STICKY_VIDEO, "requestId"                                                                                      \
    }
#define LEARN_FILE                                                                                                     \
    {                                                                                                                  \
        STICKY_FILE, "id"                                                                                              \
    }
#define LEARN_VOICE                                                                                                    \
    {                                                                                                                  \
        STICKY_VOICE, "uri"                                                                                            \
    }
#define LEARN_BATCH                                                                                                    \
    {STICKY_BATCH, "id"}, {STICKY_FILE, "input_file_id"}, {STICKY_FILE, "output_file_id"},                             \
    {                                                                                                                  \
        STICKY_FILE, "error_file_id"                                                                                   \
    }
#define LEARN_NOTHING                                                                                                  \
    {                                                                                                                  \
        STICKY_VIDEO, NULL                                                                                             \
    }

static const struct owned_row rows[] = {
    {"POST", "video/submit", OWNED_MAKE, STICKY_VIDEO, NO_ID, false, false, {LEARN_VIDEO}},
    {"POST", "video/status", OWNED_USE, STICKY_VIDEO, TEXT_REQUEST_ID, true, false, {LEARN_NOTHING}},
    {"GET", "files", OWNED_LIST, STICKY_FILE, NO_ID, false, false, {LEARN_FILE}},
    {"POST", "files", OWNED_MAKE, STICKY_FILE, NO_ID, false, false, {LEARN_FILE}},
    {"GET", "files/", OWNED_USE, STICKY_FILE, PATH_ID, true, false, {LEARN_NOTHING}},
    {"DELETE", "files/", OWNED_USE, STICKY_FILE, PATH_ID, false, true, {LEARN_NOTHING}},
    {NULL, "files/", OWNED_USE, STICKY_FILE, PATH_ID, false, false, {LEARN_NOTHING}},
    {"GET", "batches", OWNED_LIST, STICKY_BATCH, NO_ID, false, false, {LEARN_BATCH}},
    {"POST", "batches", OWNED_USE, STICKY_FILE, TEXT_INPUT_FILE, false, false, {LEARN_BATCH}},
    {"GET", "batches/", OWNED_USE, STICKY_BATCH, PATH_ID, true, false, {LEARN_BATCH}},
    {NULL, "batches/", OWNED_USE, STICKY_BATCH, PATH_ID, false, false, {LEARN_BATCH}},
    {"POST", "uploads/audio/voice", OWNED_MAKE, STICKY_VOICE, NO_ID, false, false, {LEARN_VOICE}},
    {"GET", "audio/voice/list", OWNED_LIST, STICKY_VOICE, NO_ID, false, false, {LEARN_VOICE}},
    {"POST", "audio/voice/deletions", OWNED_USE, STICKY_VOICE, TEXT_URI, false, true, {LEARN_NOTHING}},
    {"POST", "audio/speech", OWNED_USE, STICKY_VOICE, TEXT_VOICE, false, false, {LEARN_NOTHING}},
};

void owned_texts(struct scan_text texts[OWNED_TEXTS])
{
    static const char *const names[OWNED_TEXTS] = {[TEXT_REQUEST_ID] = "requestId",
                                                   [TEXT_INPUT_FILE] = "input_file_id",
                                                   [TEXT_URI] = "uri",
                                                   [TEXT_VOICE] = "voice"};
    for (size_t i = 0; i < OWNED_TEXTS; i++) texts[i] = (struct scan_text){.name = names[i], .value = ""};
}

static bool path_fits(const struct owned_row *r, const char *path)
{
    size_t n = strlen(r->path);
    if (r->path[n - 1] != '/') return strcmp(path, r->path) == 0;
    return strncmp(path, r->path, n) == 0 && path[n] != '\0';
}

static bool method_fits(const struct owned_row *r, struct str method)
{
    return !r->method || str_is(method, r->method) || (str_is(method, "HEAD") && strcmp(r->method, "GET") == 0);
}

bool owned_may_be(const char *path)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (path_fits(&rows[i], path)) return true;
    return false;
}

/* The id the request names; empty when it names none. */
static struct str id_of(const struct owned_row *r, const char *path, const struct scan_text texts[OWNED_TEXTS])
{
    if (r->id_from == PATH_ID) {
        const char *id = path + strlen(r->path);
        return (struct str){id, strcspn(id, "/")};
    }
    struct str id = str_of(texts[r->id_from].value);
    /* The platform's own voices are "<model>:alex". */
    if (r->id_from == TEXT_VOICE && !str_starts(id, "speech:")) id.n = 0;
    return id;
}

void owned_find(struct str method, const char *path, const struct scan_text texts[OWNED_TEXTS], struct owned_want *out)
{
    *out = (struct owned_want){.rule = OWNED_NOT};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct owned_row *r = &rows[i];
        if (!path_fits(r, path) || !method_fits(r, method)) continue;
        struct str id = r->id_from == NO_ID ? STR("") : id_of(r, path, texts);
        if (r->id_from != NO_ID && (!id.n || id.n > STICKY_ID_MAX)) return;
        *out = (struct owned_want){.rule = r->rule, .kind = r->kind, .may_ask_around = r->may_ask_around, .row = r};
        str_copy(out->id, sizeof out->id, id);
        return;
    }
}

void owned_answer(const struct owned_want *w, struct str body,
                  void (*learn)(void *arg, enum sticky_kind kind, struct str id), void *arg)
{
    if (!w->row) return;
    for (size_t i = 0; i < ARRAY_LEN(w->row->learns) && w->row->learns[i].name; i++) {
        const struct learned *l = &w->row->learns[i];
        char id[STICKY_ID_MAX + 1];
        struct str value = slice_member(body, l->name);
        if (!value.n) value = slice_member(slice_member(body, "data"), l->name);
        slice_text(value, id, sizeof id);
        if (id[0]) learn(arg, l->kind, str_of(id));
    }
}

bool owned_was_deleted(const struct owned_want *w)
{
    return w->row && w->row->deletes;
}

struct str owned_hint(const struct owned_want *w)
{
    struct str rest = str_of(w->id), part = {"", 0};
    if (w->kind != STICKY_VOICE || w->rule != OWNED_USE) return part;
    for (int i = 0; i < 3; i++)
        if (!str_split(&rest, ':', &part)) return STR("");
    return rest.n ? part : STR("");
}
