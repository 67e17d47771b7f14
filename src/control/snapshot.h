/* What may be seen: one immutable, reference-counted picture of the whole process, without any secret. The screen, the
 * page, the admin API, `sfproxy status` and the tests read it and nothing else. Built by the control thread. */
#ifndef SFPROXY_CONTROL_SNAPSHOT_H
#define SFPROXY_CONTROL_SNAPSHOT_H

#include <stdatomic.h>

#include "base/json.h"
#include "base/log.h"
#include "meter/meter.h"
#include "pool/sticky.h"

enum { SNAP_LIVE_MAX = 1000, SNAP_JOBS_MAX = 200, SNAP_LOG_MAX = 500, SNAP_CELLS_MAX = 2000 };

struct snap_key {
    struct key_view view;
    struct meter_key meter;
    int64_t spent_today_micro;          /* by this key; -1 not known */
    int64_t balance_left_micro;         /* of the account, what was spent since taken off */
    enum balance_origin balance_origin; /* METERED: something was taken off, so that it is "at most" */
};

struct snap_model {
    char id[MODEL_NAME_MAX + 1];
    char type[16], sub_type[24], price[96], evidence[16];
    enum model_cost cost; /* unknown is listed with the paid ones */
    unsigned context;
    bool banned, ban_from_file;
    bool in_catalog;
    bool other; /* no model of its own: the names that were never accepted, counted together */
    struct rates rates;
    uint64_t ok, failed, requests, tokens; /* since start */
    int64_t ttft_ms;                       /* -1 unknown */
    int64_t spent_today_micro;             /* -1 not known */
    unsigned keys_usable;
    char breaker[16];          /* "closed", "open", "half-open"; "" not known */
    char trouble[48];          /* why it is not closed; "" it is */
    enum verdict trouble_kind; /* the same, for words in another language */
    int64_t probe_ms;          /* open: to the next probe when the snapshot was made */
    unsigned waiting;          /* requests in line for a key */
};

/* What the platform limits: a model of an account. */
struct snap_cell {
    char account[64], model[MODEL_NAME_MAX + 1];
    unsigned in_flight;
    uint64_t rpm, tpm;                 /* of the last 60 s */
    int64_t limit_rpm, limit_tpm;      /* -1 not known */
    char limit_origin[12];             /* "config", "learned", "" */
    enum verdict reason, last_verdict; /* reason: why it cools */
    int64_t ms_left;                   /* of the cooldown; 0 none */
    int64_t idle_s;                    /* since its last lease */
};

/* STEP names of a running request (proxy/steps.h), or "done". */
struct snap_request {
    struct record r; /* a running one: what is known so far */
    bool live;
    char state[16]; /* "await", "stream" ... ; "done" */
    int64_t age_ms; /* live: since it began */
};

struct snap_progress { /* a long job */
    bool running;
    char what[32]; /* "test" */
    unsigned done, total, failed;
};

struct snapshot {
    atomic_uint refs;
    uint64_t seq; /* grows with every one built */
    char version[24];
    wall_t time;
    mono_t made;
    int64_t uptime_s;
    char listen[256];   /* "127.0.0.1:7860, [::1]:7860" */
    char base_url[280]; /* for clients: "http://127.0.0.1:7860/v1" */
    char upstream_url[1024];
    char upstream_trouble[200];                /* why the platform cannot be reached; "" fine */
    char breaker[16];                          /* of the whole upstream: "closed", "open", "half-open"; "" not known */
    enum verdict breaker_kind;                 /* unless closed: what every account got */
    int64_t breaker_open_ms, breaker_probe_ms; /* open for so long; to the next probe */
    unsigned waiting;                          /* requests in line for a key */
    char state_dir[512], conf_path[512];
    bool draining;
    int64_t drain_left_ms;
    bool readonly;
    char alarm[200];         /* disk full, queue dropped, clock ...; "" none */
    char conf_error[300];    /* last failed reload; "" none */
    uint64_t writes_dropped; /* by the disk since start: saves and log lines */

    struct meter_totals totals;
    uint64_t in_flight; /* requests admitted and not settled */
    uint64_t leases, connections;
    /* Series of the total: newest last; -1 = no data. requests and tokens per bucket. */
    int64_t req_1s[RING_SECONDS], tok_1s[RING_SECONDS];
    int64_t req_10s[RING_TENS], tok_10s[RING_TENS];
    int64_t req_60s[RING_MINUTES], tok_60s[RING_MINUTES];

    struct snap_key *keys;
    size_t key_count;
    struct snap_model *models; /* free first, then by id */
    size_t model_count;
    struct snap_cell *cells; /* most recently used first, SNAP_CELLS_MAX at most */
    size_t cell_count;
    struct meter_client *clients;
    size_t client_count;
    struct snap_request *requests; /* live ones newest first, then finished ones newest first */
    size_t request_count, live_count;
    struct sticky_row *jobs;      /* what accounts own (video jobs, files, batches, voices): used last first */
    size_t job_count, jobs_known; /* listed here; known in all */
    struct log_line *log;         /* oldest first */
    size_t log_count;
    struct snap_progress progress;
    struct {                     /* of the disk thread; see also writes_dropped */
        uint64_t queued, errors; /* waiting; failed since start */
        bool failing;
    } store;
};

/* Zeroed, one reference; arrays are the caller's to fill (malloc'ed, freed with it). */
struct snapshot *snapshot_new(void);
struct snapshot *snapshot_get(struct snapshot *s); /* any thread */
void snapshot_put(struct snapshot *s);             /* any thread; NULL is fine */

/* JSON with the names of the API ("totals", "keys", "models", "requests", "series", "log", ...). */
void snapshot_json(const struct snapshot *s, struct buf *out);
void snapshot_rates_json(const struct rates *r, struct json *j); /* four members of an open object */
void snapshot_keys_json(const struct snapshot *s, struct json *j);
void snapshot_models_json(const struct snapshot *s, struct json *j);
void snapshot_requests_json(const struct snapshot *s, struct json *j);

#endif
