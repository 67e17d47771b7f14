/* The steps of a request's life (docs/states.md has the picture). One function, exchange_step(), changes them. */
#ifndef SFPROXY_PROXY_STEPS_H
#define SFPROXY_PROXY_STEPS_H

/* STEP(id, name, meaning) */
#define STEP_TABLE(STEP)                                                                                               \
    STEP(ADMIT, "admit", "head read: route, credentials, limits")                                                      \
    STEP(READ_BODY, "read_body", "the client is sending its body")                                                     \
    STEP(SCAN, "scan", "looking for model and stream")                                                                 \
    STEP(WAIT, "wait", "in line for a key, or the upstream's address is not known yet")                                \
    STEP(PICK, "pick", "asking the pool for a key")                                                                    \
    STEP(SEND, "send", "connecting and sending the request")                                                           \
    STEP(AWAIT, "await", "sent; no complete head, or an answer that is still being judged")                            \
    STEP(BACKOFF, "backoff", "between two tries")                                                                      \
    STEP(PARTS, "parts", "served by several calls: its parts go through the steps from pick on")                       \
    STEP(STREAM, "stream", "the gate is open: bytes go to the client")                                                 \
    STEP(SETTLE, "settle", "over; being counted")                                                                      \
    STEP(GONE, "gone", "counted; memory goes back at the end of the turn")

enum step {
#define STEP_ENUM(id, name, meaning) STEP_##id,
    STEP_TABLE(STEP_ENUM) STEP_COUNT
};

const char *step_name(enum step s);

#endif
