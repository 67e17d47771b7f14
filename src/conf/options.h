/* Every option, once: OPTION(section, name, TYPE, default, min, max, flags, help).
 * The table makes the struct's fields (`<section>_<name>`), the defaults, the checks, the environment names
 * (SFPROXY_<SECTION>_<NAME>), the shipped sfproxy.conf's completeness test and docs/config.md's.
 *
 * TYPE      text in the file                      field
 * TEXT      any                                   char * ("" when unset)
 * LIST      comma separated                       struct text_list
 * NUMBER    decimal                               int64_t
 * SIZE      64K, 32M                              int64_t (bytes)
 * DURATION  500ms, 30s, 20m, 1h, 7d               int64_t (milliseconds)
 * FLAG      yes | no                              bool
 * CHOICE    one of the words in `min`, "a|b|c"    int (index of the word)
 * min/max count in the field's unit; for TEXT and LIST they are the lengths allowed.
 * flags: SECRET never printed; RESTART a reload keeps the old value and says so. */
#define OPTION_TABLE(OPTION)                                                                                           \
    OPTION(server, listen, LIST, "127.0.0.1:7860", 1, 16, RESTART, "Addresses to serve clients on; several, comma separated; [::1]:7860 too") \
    OPTION(server, workers, NUMBER, "auto", 0, 64, RESTART, "Worker threads; 0 is one per CPU (the word auto means 0)") \
    OPTION(server, client_key, TEXT, "", 0, 4096, SECRET, "Key that clients must send; it is the client named default") \
    OPTION(server, allow_open, FLAG, "no", 0, 0, RESTART, "Serve an address that is not loopback without any client key") \
    OPTION(server, trusted_hosts, LIST, "", 0, 64, 0, "Host names, besides localhost and IP addresses, under which the page may be opened") \
    OPTION(server, drain, DURATION, "30s", 0, 3600000, 0, "How long streams may finish after a request to stop") \
    OPTION(server, timezone, TEXT, "Asia/Shanghai", 1, 64, RESTART, "Time zone of the display and of day boundaries") \
    OPTION(admin, token, TEXT, "", 0, 4096, SECRET, "Token for the web page; empty: made at first start and kept in the state directory") \
    OPTION(admin, open_on_loopback, FLAG, "no", 0, 0, 0, "Show the page without the token to browsers on this machine") \
    OPTION(admin, metrics_public, FLAG, "no", 0, 0, 0, "Show /metrics to everybody, without the token") \
    OPTION(upstream, base_url, TEXT, "https://api.siliconflow.cn", 8, 1024, 0, "The platform; with or without /v1") \
    OPTION(upstream, connect_timeout, DURATION, "10s", 100, 300000, 0, "DNS, TCP and TLS together") \
    OPTION(upstream, first_byte_timeout, DURATION, "300s", 100, 86400000, 0, "From the sent request to the first event or byte") \
    OPTION(upstream, gate_timeout, DURATION, "30s", 100, 86400000, 0, "An event stream with a good head and no event this long is passed on, with comments; retrying ends") \
    OPTION(upstream, idle_timeout, DURATION, "120s", 100, 86400000, 0, "Between two reads of a running answer") \
    OPTION(upstream, total_timeout, DURATION, "20m", 1000, 86400000, 0, "A whole request") \
    OPTION(upstream, max_attempts, NUMBER, "3", 1, 10, 0, "Tries of one request that may have done work upstream (5xx, reset, timeout)") \
    OPTION(upstream, max_refusals, NUMBER, "8", 0, 16, 0, "How often a request refused by one key (401, 402, 403, 429) may go on to the next") \
    OPTION(upstream, retry_stalls, FLAG, "no", 0, 0, 0, "Retry a request that got no first byte in time (it may be billed twice)") \
    OPTION(upstream, proxy, TEXT, "", 0, 1024, SECRET, "http://, https:// or socks5h:// proxy towards the platform; the environment's is never used") \
    OPTION(upstream, ca_file, TEXT, "", 0, 1024, 0, "CA bundle; empty: the system's") \
    OPTION(pool, keys_file, TEXT, "", 0, 1024, 0, "File of keys, one [label =] sk-... [account=A] [balance=N] a line; read again on reload") \
    OPTION(pool, strategy, CHOICE, "round_robin", "round_robin|least_busy|fill_first", 0, 0, "Which of the usable keys serves next") \
    OPTION(pool, wait_for_key, DURATION, "0s", 0, 3600000, 0, "How long a request may wait in line when every key is cooling; 0s: it is refused at once") \
    OPTION(models, ban, LIST, "", 0, 1024, 0, "Models that are neither listed nor served") \
    OPTION(models, test_model, TEXT, "Qwen/Qwen3-8B", 1, 256, 0, "Model of a deep key test (one token)") \
    OPTION(models, refresh, DURATION, "1h", 0, 604800000, 0, "How often the platform is asked for its list of models; 0: only by command") \
    OPTION(models, reasoning_aliases, FLAG, "yes", 0, 0, 0, "Offer X-thinking and X-openwebui for every model X that reasons") \
    OPTION(models, chat_images, CHOICE, "link", "link|inline", 0, 0, "How a picture made through chat comes back: its address, or the picture itself") \
    OPTION(models, probe, FLAG, "no", 0, 0, 0, "Find out with FREE_MODEL_TEST_KEY and one token whether an unknown model is free") \
    OPTION(limits, max_head, SIZE, "16K", 1024, 1048576, 0, "Request line and headers of a client") \
    OPTION(limits, max_line, SIZE, "8K", 256, 1048576, 0, "One line of them") \
    OPTION(limits, max_headers, NUMBER, "100", 8, 1000, 0, "Header fields") \
    OPTION(limits, head_timeout, DURATION, "10s", 100, 600000, 0, "To the end of the headers, from the first byte or from the accept") \
    OPTION(limits, max_body, SIZE, "32M", 1024, 4294967296, 0, "Request body") \
    OPTION(limits, max_upload, SIZE, "64M", 1024, 4294967296, 0, "Request body of an upload (audio, files)") \
    OPTION(limits, body_timeout, DURATION, "30s", 100, 600000, 0, "Between two reads of a request body; a longer one must come at 1 KiB/s at least") \
    OPTION(limits, keepalive_timeout, DURATION, "75s", 100, 3600000, 0, "An idle client connection") \
    OPTION(limits, write_timeout, DURATION, "60s", 100, 3600000, 0, "A client that takes nothing of its answer") \
    OPTION(limits, max_connections, NUMBER, "10000", 16, 1000000, RESTART, "Client connections; never more than the descriptor limit allows") \
    OPTION(limits, client_queue, SIZE, "64K", 4096, 16777216, 0, "Bytes waiting for a slow client before the platform is paused") \
    OPTION(limits, upload_memory, SIZE, "512M", 1048576, 1099511627776, 0, "Request bodies in memory, all together") \
    OPTION(limits, wait_queue, NUMBER, "256", 0, 10000, 0, "Requests waiting for a key, all together") \
    OPTION(limits, max_requests_per_client, NUMBER, "0", 0, 1000000, 0, "Requests of one client at the same time; 0: any number") \
    OPTION(limits, max_model_name, NUMBER, "256", 16, 256, 0, "Bytes of a model's name") \
    OPTION(limits, max_json_depth, NUMBER, "512", 16, 4096, 0, "Nesting of a request body") \
    OPTION(limits, login_failures, NUMBER, "10", 1, 1000, 0, "Wrong page logins a minute and address") \
    OPTION(store, dir, TEXT, "", 0, 1024, RESTART, "State directory; empty: $XDG_STATE_HOME/sfproxy, else ~/.local/state/sfproxy") \
    OPTION(store, queue, NUMBER, "10000", 16, 1000000, RESTART, "Writes, log lines and finished requests waiting for the disk, each at most so many") \
    OPTION(store, keep_requests, DURATION, "7d", 0, 315360000000, 0, "Finished requests are kept so long; sums per day stay for ever") \
    OPTION(ui, lang, CHOICE, "auto", "auto|en|zh", 0, 0, "Language of the screen; auto follows the locale") \
    OPTION(ui, theme, CHOICE, "auto", "auto|dark|light|mono", 0, 0, "Colours of the screen") \
    OPTION(ui, graph, CHOICE, "braille", "braille|ascii", 0, 0, "Dots of the graphs") \
    OPTION(ui, fps, NUMBER, "4", 1, 10, 0, "Frames a second when figures change") \
    OPTION(ui, on_hangup, CHOICE, "exit", "exit|keep", 0, 0, "When the terminal is gone: drain and exit, or go on without a screen") \
    OPTION(ui, mouse, FLAG, "yes", 0, 0, 0, "Wheel and click") \
    OPTION(ui, bell, FLAG, "no", 0, 0, 0, "Ring the terminal's bell when no key is usable any more") \
    OPTION(ui, title, FLAG, "no", 0, 0, 0, "Rate and requests in flight in the terminal's title") \
    OPTION(log, level, CHOICE, "info", "error|warn|info|debug", 0, 0, "Least important lines that are kept") \
    OPTION(log, file, TEXT, "", 0, 1024, RESTART, "Log file; empty: stderr when there is no screen") \
    OPTION(log, size, SIZE, "10M", 65536, 1073741824, RESTART, "A log file is set aside at this size") \
    OPTION(log, files, NUMBER, "5", 1, 100, RESTART, "Log files kept")
