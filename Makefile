# sfproxy: `make run` builds and starts it, `make test` runs every test. Both install missing Debian packages first.
# Modes: release (default), debug, asan, tsan; objects go to build/<mode>/, the binary of the mode to build/<mode>/sfproxy
# and, for release, to build/sfproxy.

MODE    ?= release
PREFIX  ?= /usr/local
VERSION := 0.1.0
B       := build/$(MODE)

BUILD_PACKAGES := gcc make pkg-config libcurl4-openssl-dev libncurses-dev libcjson-dev libevent-dev libsqlite3-dev libssl-dev
TEST_PACKAGES  := libcmocka-dev openssl util-linux python3 python3-pytest tmux curl nodejs npm chromium chromium-driver procps locales prometheus faketime
LINT_PACKAGES  := clang-format cppcheck
BENCH_PACKAGES := nginx haproxy

# --- packages: installed when missing; sudo when not root; without rights the exact command is printed ---
define need_packages
@missing=""; for p in $(1); do dpkg-query -W -f='$${Status}' $$p 2>/dev/null | grep -q 'install ok installed' || missing="$$missing $$p"; done; \
case " $$missing " in *" nodejs "*) command -v node >/dev/null && missing=$$(echo " $$missing " | sed 's/ nodejs / /');; esac; \
case " $$missing " in *" npm "*) command -v npm >/dev/null && missing=$$(echo " $$missing " | sed 's/ npm / /');; esac; \
missing=$$(echo $$missing); \
if [ -n "$$missing" ]; then \
  if ! command -v apt-get >/dev/null; then echo "please install: $$missing" >&2; exit 1; fi; \
  if [ "$$(id -u)" = 0 ]; then sudo=""; elif command -v sudo >/dev/null && sudo -n true 2>/dev/null || { [ -t 0 ] && command -v sudo >/dev/null; }; then sudo="sudo"; \
  else echo "missing packages; as root run: apt-get install -y --no-install-recommends $$missing" >&2; exit 1; fi; \
  echo "installing: $$missing"; \
  $$sudo apt-get update -qq && $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null || \
  { echo "could not install; as root run: apt-get install -y --no-install-recommends $$missing" >&2; exit 1; }; \
fi
endef

CC       ?= gcc
WARN     := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Wvla -Wformat=2
CPPFLAGS += -Isrc -I. -D_GNU_SOURCE -DSFPROXY_VERSION='"$(VERSION)"'
CFLAGS   += -std=gnu11 -g $(WARN) -MMD -MP
HARDEN   := -fPIE -fstack-protector-strong -fstack-clash-protection
LDHARDEN := -pie -Wl,-z,relro,-z,now
LIBS     := -lcurl -lncursesw -ltinfo -lcjson -levent_core -lsqlite3 -lcrypto -lpthread

ifeq ($(MODE),release)
  CFLAGS += -O2 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 $(HARDEN)
else ifeq ($(MODE),debug)
  CFLAGS += -O1 -Werror -DSFPROXY_DEBUG $(HARDEN)
else ifeq ($(MODE),asan)
  CFLAGS += -O1 -Werror -DSFPROXY_DEBUG -fPIE -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
  LDFLAGS += -fsanitize=address,undefined
else ifeq ($(MODE),tsan)
  CFLAGS += -O1 -Werror -Wno-tsan -DSFPROXY_DEBUG -fPIE -fno-omit-frame-pointer -fsanitize=thread
  LDFLAGS += -fsanitize=thread
else
  $(error MODE is release, debug, asan or tsan)
endif
LDFLAGS += $(LDHARDEN)

SRC      := $(sort $(wildcard src/*.c src/*/*.c ui/tui/*.c))
OBJ      := $(SRC:%.c=$(B)/%.o)
LIB_OBJ  := $(filter-out $(B)/src/main.o,$(OBJ))
UNIT_SRC := $(sort $(wildcard tests/unit/test_*.c))
UNIT_BIN := $(UNIT_SRC:tests/unit/%.c=$(B)/unit/%)

.PHONY: all deps test-deps run demo smoke test unit golden e2e asan tsan lint format bench fuzz fuzz-nightly torture soak install uninstall clean everything

all: deps
	@$(MAKE) --no-print-directory build/sfproxy

deps:
	$(call need_packages,$(BUILD_PACKAGES))

test-deps:
	$(call need_packages,$(BUILD_PACKAGES) $(TEST_PACKAGES))

build/sfproxy: $(B)/sfproxy
	@ln -f $< $@ 2>/dev/null || cp $< $@

$(B)/sfproxy: $(OBJ)
	$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)

$(B)/libsfproxy.a: $(LIB_OBJ)
	@rm -f $@
	ar rcs $@ $^

$(B)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

# Files that embed others by .incbin.
$(B)/src/admin/assets.o: $(wildcard ui/web/*)

$(B)/unit/%: tests/unit/%.c $(B)/libsfproxy.a
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $< $(B)/libsfproxy.a $(LIBS) -lcmocka

STANDIN_SRC := $(wildcard tests/upstream/*.c)
TRAFFIC_SRC := $(wildcard tests/upstream/traffic/*.c)

build/standin: $(STANDIN_SRC) $(wildcard tests/upstream/*.h)
	@mkdir -p build
	$(CC) -O2 -g -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -o $@ $(STANDIN_SRC) -lcjson -lcrypto

build/traffic: $(TRAFFIC_SRC)
	@mkdir -p build
	$(CC) -O2 -g -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -o $@ $(TRAFFIC_SRC) -lcjson -lcrypto

$(B)/fake_screen: tests/tui/fake_screen.c tests/tui/fake_data.h $(B)/libsfproxy.a
	$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $< $(B)/libsfproxy.a $(LIBS)

build/client/node_modules/.package-lock.json: tests/e2e/client/package.json
	@mkdir -p build/client && cp tests/e2e/client/package.json build/client/
	cd build/client && npm install --no-audit --no-fund --loglevel=error
	@touch $@

# --- running ---
run: all
	@build/sfproxy

# The whole thing moving without a key: sfproxy against the stand-in upstream with made traffic, own state.
demo: all build/standin build/traffic
	@tests/upstream/demo.sh

# Four requests on a free model to the real platform: make smoke KEYS=sk-...
smoke: all
	@tests/e2e/smoke.sh

# --- tests ---
PYTHON := $(shell for p in python3 /usr/bin/python3; do $$p -c 'import pytest' 2>/dev/null && { echo $$p; break; }; done)
PYTEST  = MODE=$(TEST_MODE) $(or $(PYTHON),/usr/bin/python3) -m pytest
TEST_MODE := $(if $(filter release,$(MODE)),debug,$(MODE))

# What the tests of a mode need.
.PHONY: built-for-tests
built-for-tests: $(B)/sfproxy $(UNIT_BIN) $(B)/fake_screen $(B)/fail_nth.so build/standin build/traffic build/client/node_modules/.package-lock.json

test: test-deps all
	@$(MAKE) --no-print-directory -j$$(nproc) MODE=$(TEST_MODE) built-for-tests
	$(PYTEST) tests

unit: test-deps
	@$(MAKE) --no-print-directory -j$$(nproc) MODE=$(TEST_MODE) built-for-tests
	$(PYTEST) tests/unit

e2e: test-deps
	@$(MAKE) --no-print-directory -j$$(nproc) MODE=$(TEST_MODE) built-for-tests
	$(PYTEST) tests/e2e tests/tui tests/web

asan tsan: test-deps
	@$(MAKE) --no-print-directory -j$$(nproc) MODE=$@ built-for-tests
	MODE=$@ $(or $(PYTHON),/usr/bin/python3) -m pytest tests/unit tests/e2e tests/tui tests/web

# Golden screens anew; look at the difference before it is committed.
golden: test-deps
	@$(MAKE) --no-print-directory -j$$(nproc) MODE=$(TEST_MODE) built-for-tests
	GOLDEN=1 $(PYTEST) tests/tui/test_golden.py

# --- fuzzing: make fuzz FUZZ_SECONDS=60 [FUZZ=head] ---
FUZZ_SECONDS ?= 30
FUZZ_LIMIT   ?= -max_total_time=$(FUZZ_SECONDS)
FUZZ_SRC := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZ     ?= $(FUZZ_SRC:tests/fuzz/fuzz_%.c=%)
fuzz:
	$(call need_packages,clang libclang-rt-14-dev)
	@set -e; for f in $(FUZZ); do mkdir -p build/fuzz/$$f; \
	  clang -g -O1 $(CPPFLAGS) -std=gnu11 -fsanitize=fuzzer,address,undefined -o build/fuzz/fuzz_$$f tests/fuzz/fuzz_$$f.c \
	    $(filter-out src/main.c,$(SRC)) $(LIBS); \
	  echo "== $$f"; build/fuzz/fuzz_$$f $(FUZZ_LIMIT) -print_final_stats=1 -artifact_prefix=build/fuzz/ build/fuzz/$$f \
	    tests/fuzz/seeds/$$f >build/fuzz/$$f.log 2>&1 || { tail -n 40 build/fuzz/$$f.log; exit 1; }; tail -n 8 build/fuzz/$$f.log; \
	done

# Every target for a million runs; what is found stays in build/fuzz.
FUZZ_RUNS ?= 1000000
fuzz-nightly:
	@$(MAKE) --no-print-directory fuzz FUZZ_LIMIT=-runs=$(FUZZ_RUNS)

# --- torture: make torture [TORTURE="--flows chat --families lib"]; sanitizers leave the allocations out ---
$(B)/fail_nth.so: tests/torture/fail_nth.c
	@mkdir -p $(@D)
	$(CC) -O1 -g -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -fPIC -ftls-model=initial-exec -shared $(if $(filter asan tsan,$(MODE)),-DNO_MEMORY) \
	  -o $@ $< -ldl

.PHONY: built-for-torture
built-for-torture: $(B)/sfproxy $(B)/fail_nth.so build/standin

torture: test-deps
	@$(MAKE) --no-print-directory -j$$(nproc) MODE=$(TEST_MODE) built-for-torture
	MODE=$(TEST_MODE) python3 tests/torture/torture.py $(TORTURE)

# --- soak: make soak [SOAK_SECONDS=120] [SOAK_RPS=400] ---
SOAK_SECONDS ?= 1800
SOAK_RPS     ?= 400
soak: all build/standin build/traffic
	$(call need_packages,python3)
	@python3 tests/bench/soak.py --seconds $(SOAK_SECONDS) --rps $(SOAK_RPS)

# --- lint: layers, lengths, calls, docs (pytest), cppcheck, formatting; make format changes the files ---
CHECKED     := $(wildcard src/*.c src/*/*.c ui/tui/*.c tests/bench/*.c tests/upstream/*.c tests/upstream/traffic/*.c)
FORMAT_SKIP := src/conf/options.h ui/tui/bindings.h # tables in macros that clang-format takes apart
FORMATTED    = $(filter-out $(FORMAT_SKIP),$(wildcard $(addsuffix /*.[ch],src src/* ui/tui tests/unit tests/fuzz tests/upstream \
               tests/upstream/traffic tests/bench tests/torture)))

lint:
	$(call need_packages,python3-pytest $(LINT_PACKAGES))
	$(or $(PYTHON),/usr/bin/python3) -m pytest -q -W ignore tests/lint
	@echo cppcheck; cppcheck --enable=warning,performance,portability --error-exitcode=1 --quiet --inline-suppr -j$$(nproc) --std=c11 \
	  --suppressions-list=tests/lint/cppcheck.txt --template='{file}:{line}: {severity}: {message} [{id}]' $(CPPFLAGS) $(CHECKED)
	@echo clang-format; clang-format --dry-run -Werror $(FORMATTED)

format:
	$(call need_packages,clang-format)
	@clang-format -i $(FORMATTED)

# --- bench: make bench [BENCH=a,b,c,d] [BENCH_REPS=3] [BENCH_STREAMS=1000,2000,9900] [BENCH_SECONDS=4] [BENCH_WRITE=1] ---
BENCH         ?= a,b,c,d
BENCH_REPS    ?= 3
BENCH_STREAMS ?= 1000
BENCH_SECONDS ?= 4

build/bench/load: tests/bench/load.c
	@mkdir -p build/bench
	$(CC) -O2 -g -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -o $@ $<

bench: all build/standin build/bench/load
	$(call need_packages,python3 $(BENCH_PACKAGES))
	@python3 tests/bench/bench.py --parts $(BENCH) --reps $(BENCH_REPS) --streams $(BENCH_STREAMS) --seconds $(BENCH_SECONDS) \
	  $(if $(BENCH_WRITE),--write) $(BENCH_MORE)

# --- installing ---
install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/doc/sfproxy
	install -m 755 build/sfproxy $(DESTDIR)$(PREFIX)/bin/sfproxy
	install -m 644 sfproxy.conf README.md LICENSE docs/*.md $(DESTDIR)$(PREFIX)/share/doc/sfproxy/

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/sfproxy
	rm -rf $(DESTDIR)$(PREFIX)/share/doc/sfproxy

clean:
	rm -rf build

-include $(OBJ:.o=.d) $(UNIT_BIN:=.d)
