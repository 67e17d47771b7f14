# sfproxy: `make run` builds and starts it, `make test` runs every test. Both install missing Debian packages first.
# Modes: release (default), debug, asan, tsan; objects go to build/<mode>/, the binary of the mode to build/<mode>/sfproxy
# and, for release, to build/sfproxy.

MODE    ?= release
PREFIX  ?= /usr/local
VERSION := 0.1.0
B       := build/$(MODE)

BUILD_PACKAGES := gcc make pkg-config libcurl4-openssl-dev libncurses-dev libcjson-dev libevent-dev libsqlite3-dev libssl-dev
TEST_PACKAGES  := libcmocka-dev python3 python3-pytest tmux curl nodejs npm chromium chromium-driver procps locales
LINT_PACKAGES  := clang-format cppcheck
BENCH_PACKAGES := nginx-light haproxy

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

.PHONY: all deps test-deps run demo smoke test unit e2e asan tsan lint format bench fuzz install uninstall clean everything

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

$(B)/fake_screen: tests/tui/fake_screen.c $(B)/libsfproxy.a
	$(CC) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -o $@ $< $(B)/libsfproxy.a $(LIBS)

build/client/node_modules/.package-lock.json: tests/e2e/client/package.json
	@mkdir -p build/client && cp tests/e2e/client/package.json build/client/
	cd build/client && npm install --no-audit --no-fund --loglevel=error
	@touch $@

-include $(OBJ:.o=.d) $(UNIT_BIN:=.d)
