# qtool: GNU make.  "make" builds; "make help" lists the targets.
# Variants build beside each other: make SAN=address | thread | fuzz, CC=clang, B=dir.

VERSION := 0.1.0
PREFIX  ?= /usr/local
DESTDIR ?=
UNITDIR ?= $(PREFIX)/lib/systemd/system
SAN     ?=
CC      := $(if $(filter fuzz,$(SAN)),clang,$(if $(filter default,$(origin CC)),gcc,$(CC)))
B       ?= build$(if $(SAN),-$(SAN))

LIBS    := sqlite3 libarchive libpcre2-8 libbsd-overlay libzstd libcrypto \
           libidn2 libpsl gmime-3.0 libseccomp
# Layers, lowest first: a file includes its own layer and those before it.
LAYERS  := base format source query change evidence

WARN    := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes \
           -Wmissing-prototypes -Wvla -Wformat=2
CFLAGS  ?= -O2 -g
comma   := ,
HARDEN  := -fstack-protector-strong $(if $(SAN),,-D_FORTIFY_SOURCE=2) -fPIE
SANFLAGS := $(if $(filter address,$(SAN)),-fsanitize=address$(comma)undefined -fno-sanitize-recover=all -fno-omit-frame-pointer) \
            $(if $(filter thread,$(SAN)),-fsanitize=thread -fno-omit-frame-pointer) \
            $(if $(filter fuzz,$(SAN)),-fsanitize=fuzzer-no-link$(comma)address$(comma)undefined -fno-sanitize-recover=all)
# What the libraries need is asked for once, when something is to be built.
PKG_CFLAGS = $(eval PKG_CFLAGS := $(shell pkg-config --cflags $(LIBS) | sed 's/-I/-isystem /g'))$(PKG_CFLAGS)
PKG_LIBS   = $(eval PKG_LIBS := $(shell pkg-config --libs $(LIBS)))$(PKG_LIBS)
BASEFLAGS = -std=gnu17 -D_GNU_SOURCE -DQTOOL_VERSION='"$(VERSION)"' $(WARN) $(CFLAGS) \
            $(HARDEN) $(SANFLAGS) -pthread -MMD -MP
LDFLAGS_ALL = $(LDFLAGS) $(SANFLAGS) -pthread -pie -Wl,-z,relro,-z,now

SRC     := $(foreach l,$(LAYERS),$(sort $(wildcard src/$(l)/*.c)))
CMD     := $(sort $(wildcard qtool/*.c))
LIBOBJ  := $(SRC:%.c=$(B)/%.o)
CMDOBJ  := $(CMD:qtool/%.c=$(B)/cmd/%.o)
TOOLS   := $(patsubst tests/tools/%.c,$(B)/tools/%,$(sort $(wildcard tests/tools/*.c)))
UNIT    := $(patsubst tests/unit/%.c,$(B)/unit/%,$(sort $(wildcard tests/unit/test_*.c)))
BENCH   := $(patsubst tests/bench/%.c,$(B)/bench/%,$(sort $(wildcard tests/bench/*.c)))
FUZZERS := $(patsubst tests/fuzz/fuzz_%.c,$(B)/fuzz/fuzz_%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
REPLAY  := $(patsubst tests/fuzz/fuzz_%.c,$(B)/replay/fuzz_%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))

.PHONY: all tools unit fuzzers replayers benches demo check check-full lint bench fuzz \
        install clean format deps help
all: $(B)/qtool                      ## build the command and the library

help:                                ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 14

deps:                                ## install what is missing (apt-get)
	@scripts/bootstrap

demo: deps                           ## a practice incident, step by step
	@$(MAKE) --no-print-directory -s all tools
	@scripts/demo $(B)

check: deps                          ## the whole test suite
	@scripts/check

check-full: deps                     ## the same with the long sweeps
	@scripts/check --full

lint: deps                           ## warnings, layers, man pages, scripts
	@scripts/lint

bench: deps                          ## ratios against the rivals
	@$(MAKE) --no-print-directory -s all tools benches
	@scripts/bench

fuzz: deps                           ## run every fuzz target (FUZZ_SECONDS each, 600)
	@$(MAKE) --no-print-directory -s SAN=fuzz fuzzers
	@B=build-fuzz scripts/fuzz

tools: $(TOOLS)
unit: $(UNIT)
benches: $(BENCH)
fuzzers: $(FUZZERS)
replayers: $(REPLAY)

$(B)/libqtool.a: $(LIBOBJ)
	@rm -f $@
	ar rcs $@ $^

$(B)/qtool: $(CMDOBJ) $(B)/libqtool.a
	$(CC) $(LDFLAGS_ALL) -o $@ $^ $(PKG_LIBS)

# The command sees the public headers alone.
$(B)/cmd/%.o: qtool/%.c
	@mkdir -p $(@D)
	$(CC) $(BASEFLAGS) -Iinclude $(PKG_CFLAGS) -c -o $@ $<
$(B)/src/%.o: src/%.c
	@mkdir -p $(@D)
	$(CC) $(BASEFLAGS) -Iinclude -Isrc $(PKG_CFLAGS) -c -o $@ $<

TESTFLAGS = $(BASEFLAGS) -Iinclude -Isrc -Itests $(PKG_CFLAGS)
$(B)/tools/%: tests/tools/%.c $(B)/libqtool.a
	@mkdir -p $(@D)
	$(CC) $(TESTFLAGS) $(LDFLAGS_ALL) -o $@ $< $(B)/libqtool.a $(PKG_LIBS)
$(B)/bench/%: tests/bench/%.c $(B)/libqtool.a
	@mkdir -p $(@D)
	$(CC) $(TESTFLAGS) $(LDFLAGS_ALL) -o $@ $< $(B)/libqtool.a $(PKG_LIBS)
$(B)/unit/%: tests/unit/%.c $(B)/libqtool.a
	@mkdir -p $(@D)
	$(CC) $(TESTFLAGS) $(LDFLAGS_ALL) -o $@ $< $(B)/libqtool.a $(PKG_LIBS) -lcmocka

# Fuzz targets: with libFuzzer (SAN=fuzz), and as plain programs that replay files.
$(B)/fuzz/%: tests/fuzz/%.c $(B)/libqtool.a
	@mkdir -p $(@D)
	$(CC) $(TESTFLAGS) $(LDFLAGS_ALL) -fsanitize=fuzzer -o $@ $< $(B)/libqtool.a $(PKG_LIBS)
$(B)/replay/%: tests/fuzz/%.c tests/fuzz/replay_main.c $(B)/libqtool.a
	@mkdir -p $(@D)
	$(CC) $(TESTFLAGS) $(LDFLAGS_ALL) -o $@ $< tests/fuzz/replay_main.c $(B)/libqtool.a $(PKG_LIBS)

install: all                         ## DESTDIR and PREFIX are honoured
	install -d $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/share/man/man1 \
	    $(DESTDIR)$(PREFIX)/share/man/man5 $(DESTDIR)$(PREFIX)/share/man/man7 \
	    $(DESTDIR)$(UNITDIR)
	install -m 755 $(B)/qtool $(DESTDIR)$(PREFIX)/sbin/qtool
	for p in man/*.1; do install -m 644 $$p $(DESTDIR)$(PREFIX)/share/man/man1/; done
	for p in man/*.5; do install -m 644 $$p $(DESTDIR)$(PREFIX)/share/man/man5/; done
	for p in man/*.7; do install -m 644 $$p $(DESTDIR)$(PREFIX)/share/man/man7/; done
	sed 's|@sbindir@|$(PREFIX)/sbin|g' scripts/qtool-recover.service \
	    >$(DESTDIR)$(UNITDIR)/qtool-recover.service
	chmod 644 $(DESTDIR)$(UNITDIR)/qtool-recover.service

format:                              ## clang-format in place
	clang-format -i $(SRC) $(CMD) $(wildcard include/qtool/*.h src/*/*.h qtool/*.h tests/*/*.c tests/*/*.h)

clean:                               ## remove every build directory
	rm -rf build build-*

-include $(LIBOBJ:.o=.d) $(CMDOBJ:.o=.d) $(addsuffix .d,$(TOOLS) $(UNIT) $(BENCH))
