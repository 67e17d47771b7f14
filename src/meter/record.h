/* What workers tell the control thread, in fixed-size records through one ring per worker: a request was admitted, a
 * try began, a request is over. Admission and settlement happen exactly once per request; DONE carries all tries. */
#ifndef SFPROXY_METER_RECORD_H
#define SFPROXY_METER_RECORD_H

#include "base/clock.h"
#include "pool/keypool.h"

enum { RECORD_TRIES = 24, MODEL_NAME_MAX = 256, CLIENT_NAME_MAX = 48 };

enum record_kind { RECORD_ADMITTED, RECORD_TRY, RECORD_DONE };

/* END(id, name, is_error): how a request ended, seen from the client. */
#define END_TABLE(END)                                                                                                 \
    END(OK, "ok", false)                                                                                               \
    END(CLIENT_ERROR, "client_error", false)    /* the platform refused the request itself (4xx) */                    \
    END(UPSTREAM_ERROR, "upstream_error", true) /* no try succeeded */                                                 \
    END(NO_KEY, "no_key", true)                 /* nothing could serve it: cooling, none, banned */                    \
    END(STREAM_BROKEN, "stream_broken", true)                                                                          \
    END(TIMEOUT, "timeout", true)                                                                                      \
    END(CLIENT_ABORT, "client_abort", false)                                                                           \
    END(CLIENT_STALLED, "client_stalled", false)                                                                       \
    END(KILLED, "killed", true) /* shutdown, or cancelled by hand */

enum end_reason {
#define END_ENUM(id, name, is_error) END_##id,
    END_TABLE(END_ENUM) END_COUNT
};
const char *end_name(enum end_reason r);
bool end_is_error(enum end_reason r);

struct try_record {
    char key_id[KEY_ID_LEN + 1];
    uint8_t verdict;        /* enum verdict */
    int16_t status;         /* 0: none came */
    int32_t at_ms, took_ms; /* from the request's start; length */
    char message[72];       /* cleaned, what the platform said */
};

struct usage {
    bool known;
    int64_t in, out, cached, reasoning; /* tokens, each in [0, 2^53) */
    int64_t units; /* pictures made, videos submitted, UTF-8 bytes of a text to speak; 0 none. Whether `known` or not */
};

struct record {
    enum record_kind kind;
    uint64_t id;                      /* of the request, unique in this process */
    wall_t wall;                      /* when it was admitted */
    mono_t at;                        /* when this record was made */
    char model[MODEL_NAME_MAX + 1];   /* that was served and is paid for */
    char asked[MODEL_NAME_MAX + 1];   /* by the client, when that is another name for it; "" else */
    bool model_known;                 /* in the catalogue, or the platform accepted it: gets entries of its own */
    char client[CLIENT_NAME_MAX + 1]; /* name of the client, or its address */
    char key_id[KEY_ID_LEN + 1];      /* TRY, DONE: of the (last) key, "" none */
    /* DONE: */
    char method[8], path[64];
    bool stream;
    int status; /* sent to the client; 0 none was */
    enum end_reason end;
    struct usage usage;
    int64_t cost_micro;           /* CNY; -1 not known. The control thread fills it before it is booked */
    int32_t ttft_ms, duration_ms; /* ttft -1: no byte came */
    int32_t gen_ms;               /* first to last token, for tokens per second */
    uint64_t bytes_up, bytes_down;
    uint8_t tries;
    struct try_record try_list[RECORD_TRIES];
};

#endif
