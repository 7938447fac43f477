# Builds settlementd and settlectl out of tree, below build/VARIANT/. `make help` lists the targets; V=1 shows commands.

VERSION := 0.2.0

VARIANT ?= release
VARIANTS := release debug asan tsan cov fuzz
ifeq ($(filter $(VARIANT),$(VARIANTS)),)
$(error VARIANT=$(VARIANT) is unknown; choose one of: $(VARIANTS))
endif

PREFIX      ?= /usr/local
bindir      ?= $(PREFIX)/bin
datadir     ?= $(PREFIX)/share
docdir      ?= $(datadir)/doc/settlementd
sysconfdir  ?= /etc
unitdir     ?= $(PREFIX)/lib/systemd/system
sysusersdir ?= $(PREFIX)/lib/sysusers.d
DESTDIR     ?=

PKG_CONFIG ?= pkg-config
INSTALL    ?= install

MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

# make's own default is cc; one given by the environment or the command line wins. libFuzzer is clang's.
ifeq ($(origin CC),default)
CC := $(if $(filter fuzz,$(VARIANT)),clang-14,gcc)
endif

ifeq ($(V),1)
Q :=
say = @:
else
Q := @
say = @printf '%-5s %s\n'
endif

# ---- sources -----------------------------------------------------------------------------------------------------
# By wildcard, so that a new file needs no line here. main.c stays out of the archives: the tests have one of their own.

COMMON_SOURCES := $(sort $(wildcard common/*.c common/db/*.c common/domain/*.c common/schedule/*.c))
ifeq ($(VARIANT),release)
COMMON_SOURCES := $(filter-out common/fault%.c,$(COMMON_SOURCES))
endif
ENGINE_SOURCES := $(filter-out daemon/main.c,$(sort $(wildcard daemon/*.c daemon/*/*.c)))
CLI_SOURCES    := $(filter-out cli/main.c,$(sort $(wildcard cli/*.c)))
UNIT_SOURCES   := $(sort $(wildcard tests/unit/*.c))
DB_SOURCES     := $(sort $(wildcard tests/db/*.c))
ASK_SOURCES    := $(wildcard tests/oracle/ask_timetable.c)
FUZZ_SOURCES   := $(filter-out tests/fuzz/replay.c tests/fuzz/fuzzer.c,$(sort $(wildcard tests/fuzz/*.c)))
MAIN_SOURCES   := $(wildcard daemon/main.c cli/main.c)
BENCH_SOURCES  := $(sort $(wildcard bench/*.c))
HEADERS        := $(sort $(wildcard common/*.h common/*/*.h daemon/*.h daemon/*/*.h cli/*.h tests/*/*.h bench/*.h))

B := build/$(VARIANT)
objects = $(patsubst %.c,$(B)/obj/%.o,$(1))

LIBRARIES := $(B)/libsettlement.a $(B)/libengine.a $(B)/libcli.a
PROGRAMS  := $(if $(wildcard daemon/main.c),$(B)/settlementd) $(if $(wildcard cli/main.c),$(B)/settlectl)
TESTS     := $(if $(UNIT_SOURCES),$(B)/test_unit) $(if $(DB_SOURCES),$(B)/test_db) \
	$(if $(ASK_SOURCES),$(B)/ask_timetable) $(if $(FUZZ_SOURCES),$(B)/test_fuzz)

# ---- libraries ---------------------------------------------------------------------------------------------------
# libcsv ships no .pc file. Headers come in with -isystem: warnings are for our own code.

PACKAGES := libmariadb libuv libconfig libsystemd jansson libcrypto

NEEDS_NO_LIBRARIES := help clean tidy format check uninstall
ifneq ($(filter-out $(NEEDS_NO_LIBRARIES),$(or $(MAKECMDGOALS),all)),)
ifneq ($(shell $(PKG_CONFIG) --exists $(PACKAGES) && echo found),found)
$(error a library is missing; script/bootstrap installs them. Looked for: $(PACKAGES))
endif
PACKAGE_CFLAGS := $(patsubst -I%,-isystem %,$(shell $(PKG_CONFIG) --cflags $(PACKAGES)))
PACKAGE_LIBS   := $(shell $(PKG_CONFIG) --libs $(PACKAGES)) -lcsv
CHECK_LIBS     := $(shell $(PKG_CONFIG) --libs check 2>/dev/null)
endif

# ---- flags -------------------------------------------------------------------------------------------------------

WARNINGS := -Wall -Wextra
WARNINGS += -Wconversion          # money and counters never narrow silently
WARNINGS += -Wshadow              # one name means one thing in a function
WARNINGS += -Wformat=2            # a format is a literal and agrees with its arguments
WARNINGS += -Wstrict-prototypes   # f() is not a prototype in C
WARNINGS += -Wmissing-prototypes  # a function is in a header or static
WARNINGS += -Wundef               # a misspelt macro in #if is not a quiet zero
WARNINGS += -Wvla                 # the stack is bounded
WARNINGS += -Wimplicit-fallthrough # a case falls through only where it says so
WARNINGS += -Wwrite-strings       # nobody writes into a literal
ifeq ($(WERROR),1)
WARNINGS += -Werror               # set by the tests
endif

# Hardening of the release, after the OpenSSF compiler guide.
HARDENING := -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3      # the C library checks buffer sizes, also computed ones
HARDENING += -fstack-protector-strong                   # a smashed stack ends the process
HARDENING += -fstack-clash-protection                   # a large frame cannot jump over the guard page
HARDENING += -ftrivial-auto-var-init=zero               # a forgotten initialiser is zero, not the last caller's data
HARDENING += -fno-delete-null-pointer-checks            # a check for NULL stays a check
HARDENING += -fPIE                                      # addresses are random
ifeq ($(shell uname -m),x86_64)
HARDENING += -fcf-protection=full                       # indirect jumps land where they may
else ifeq ($(shell uname -m),aarch64)
HARDENING += -mbranch-protection=standard               # likewise
endif
HARDENING_LINK := -pie -Wl,-z,relro -Wl,-z,now          # the tables of the linker are read-only before main
HARDENING_LINK += -Wl,-z,noexecstack -Wl,-z,nodlopen    # data is not code, and nobody loads us as a library

SANITIZE_asan := -fsanitize=address,undefined -fno-sanitize-recover=all
SANITIZE_tsan := -fsanitize=thread
SANITIZE_fuzz := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
# What the tests run under asan is counted, too: tests/coverage.py. -O0, so that a line is a line.
COUNT_LINES := --coverage -fprofile-update=atomic

CFLAGS_release := -O2 -g $(HARDENING)
CFLAGS_debug   := -Og -g3 -fno-omit-frame-pointer
CFLAGS_asan    := -O0 -g -fno-omit-frame-pointer $(SANITIZE_asan) $(COUNT_LINES)
CFLAGS_tsan    := -O1 -g -fno-omit-frame-pointer $(SANITIZE_tsan)
CFLAGS_fuzz    := -O1 -g -fno-omit-frame-pointer $(SANITIZE_fuzz)
CFLAGS_cov     := -O0 -g --coverage -fprofile-update=atomic

LDFLAGS_release := $(HARDENING_LINK)
LDFLAGS_asan    := $(SANITIZE_asan) $(COUNT_LINES)
LDFLAGS_tsan    := $(SANITIZE_tsan)
LDFLAGS_fuzz    := $(SANITIZE_fuzz)
LDFLAGS_cov     := --coverage

DEFINES := -D_GNU_SOURCE -DSETTLEMENTD_VERSION='"$(VERSION)"' \
	-DSETTLEMENTD_MIGRATIONS='"$(datadir)/settlementd/migrations"'

# Every variant but the release has the fault seam (common/fault.h), which the programs' own sources meet unawares.
ifneq ($(VARIANT),release)
DEFINES += -DSETTLEMENTD_TEST_SEAMS
seam = $(if $(filter-out common/fault%,$(filter common/% daemon/% cli/%,$(1))),-include common/fault_calls.h)
endif

# CFLAGS, CPPFLAGS and LDFLAGS stay the caller's; ours come first, so that the caller has the last word.
COMPILE = $(CC) -std=gnu17 -I. $(DEFINES) $(PACKAGE_CFLAGS) $(strip $(WARNINGS) $(CFLAGS_$(VARIANT))) -pthread \
	$(CPPFLAGS) $(CFLAGS)
LINK = $(CC) $(CFLAGS_$(VARIANT)) $(CFLAGS) -pthread -Wl,--as-needed $(LDFLAGS_$(VARIANT)) $(LDFLAGS)

# ---- targets for people ------------------------------------------------------------------------------------------

.PHONY: all programs tests help $(VARIANTS) check tidy analyse format install uninstall clean FORCE

all: programs ## The two programs, in build/release/ (VARIANT=debug|asan|tsan for another)

programs: $(PROGRAMS) $(LIBRARIES)

tests: $(TESTS) ## The test programs test_unit, test_db, test_fuzz and ask_timetable, in build/VARIANT/

release debug asan tsan cov: ## Programs and tests of that variant
	$(Q)$(MAKE) --no-print-directory VARIANT=$@ programs tests

fuzz: ## The fuzz targets with libFuzzer around them, build/fuzz/fuzzer; script/fuzz builds and runs it
	$(Q)$(MAKE) --no-print-directory VARIANT=fuzz build/fuzz/fuzzer

check: ## Run all tests (script/test; script/test unit|db|system|coverage|... for some)
	$(Q)script/test

tidy: ## Check the include law, lengths, banned calls and the format
	$(Q)tests/tidy.sh

analyse: ## clang-tidy and cppcheck over all C files; with -j, for it takes minutes
	$(say) DONE "$(words $(ANALYSED)) files analysed, nothing found"

format: ## Bring all C files into the format of .clang-format
	$(Q)find common daemon cli tests bench \( -name '*.c' -o -name '*.h' \) -exec clang-format -i {} +

# The unit in the tree names the default folders; installed, it names those that were chosen.
UNIT_PATHS = -e 's|/usr/local/bin/|$(bindir)/|g' -e 's|/usr/local/share/doc/settlementd/|$(docdir)/|g' \
	-e 's|/etc/settlementd/|$(sysconfdir)/settlementd/|g'

# Installed, the documents lie in one folder.
install_document = sed -e 's|](\(\.\./\)*tests/fuzz/README\.md|](fuzzing.md|g' \
	-e 's|](\(\.\./\)*\(docs/\)*\([A-Za-z-]*\.md\)|](\3|g' $(1) >"$(DESTDIR)$(docdir)/"$(2) \
	&& chmod 644 "$(DESTDIR)$(docdir)/"$(2)

install: programs ## Install below DESTDIR (PREFIX=/usr/local, sysconfdir=/etc); an existing configuration stays
	$(Q)$(INSTALL) -d "$(DESTDIR)$(bindir)" "$(DESTDIR)$(datadir)/settlementd/migrations" \
		"$(DESTDIR)$(sysconfdir)/settlementd" "$(DESTDIR)$(docdir)" "$(DESTDIR)$(unitdir)" "$(DESTDIR)$(sysusersdir)"
	$(Q)for file in $(PROGRAMS); do $(INSTALL) -m 755 "$$file" "$(DESTDIR)$(bindir)/" || exit 1; done
	$(Q)for file in migrations/*.sql; do \
		$(INSTALL) -m 644 "$$file" "$(DESTDIR)$(datadir)/settlementd/migrations/" || exit 1; done
	$(Q)for file in README.md CONTRIBUTING.md CHANGELOG.md docs/*.md; do \
		$(call install_document,"$$file","$$(basename "$$file")") || exit 1; done
	$(Q)$(call install_document,tests/fuzz/README.md,fuzzing.md)
	$(Q)$(INSTALL) -m 644 systemd/sysusers.d/settlementd.conf "$(DESTDIR)$(sysusersdir)/"
	$(Q)sed $(UNIT_PATHS) systemd/settlementd.service >"$(DESTDIR)$(unitdir)/settlementd.service"
	$(Q)chmod 644 "$(DESTDIR)$(unitdir)/settlementd.service"
	$(Q)target="$(DESTDIR)$(sysconfdir)/settlementd/settlementd.conf"; \
	test -e "$$target" || $(INSTALL) -m 644 conf/settlementd.conf "$$target"
	$(say) DONE "installed below $(DESTDIR)$(PREFIX)"

uninstall: ## Remove what install put there; the configuration stays
	$(Q)rm -f "$(DESTDIR)$(bindir)/settlementd" "$(DESTDIR)$(bindir)/settlectl" \
		"$(DESTDIR)$(unitdir)/settlementd.service" "$(DESTDIR)$(sysusersdir)/settlementd.conf"
	$(Q)rm -rf "$(DESTDIR)$(datadir)/settlementd" "$(DESTDIR)$(docdir)"

clean: ## Remove build/ and the sandbox (its server is stopped first)
	$(Q)test ! -e .sandbox || script/sandbox stop
	$(Q)rm -rf build .sandbox

help: ## This list
	@sed -n 's/^\([a-z][a-z ]*\):[^#]*## \(.*\)/\1|\2/p' Makefile | \
	while IFS='|' read -r target text; do printf '  %-29s %s\n' "$$target" "$$text"; done

# ---- rules -------------------------------------------------------------------------------------------------------

# Two notes of what the last build was made with. They change only when their content does, so that other flags compile
# everything anew and a file that came or went makes the archives anew.
$(B)/flags: export CONTENT = $(COMPILE) | $(LINK)
$(B)/sources: export CONTENT = $(COMMON_SOURCES) $(ENGINE_SOURCES) $(CLI_SOURCES) $(UNIT_SOURCES) $(DB_SOURCES) \
	$(FUZZ_SOURCES)
$(B)/flags $(B)/sources: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' "$$CONTENT" | cmp -s - $@ || printf '%s\n' "$$CONTENT" >$@

$(B)/obj/%.o: %.c $(B)/flags
	$(say) CC $<
	@mkdir -p $(@D)
	$(Q)rm -f $(@:.o=.gcda)
	$(Q)$(COMPILE) $(call seam,$<) -MMD -MP -c -o $@ $<

$(B)/libsettlement.a: $(call objects,$(COMMON_SOURCES))
$(B)/libengine.a: $(call objects,$(ENGINE_SOURCES))
$(B)/libcli.a: $(call objects,$(CLI_SOURCES))
$(LIBRARIES): $(B)/sources
	$(say) AR $@
	$(Q)rm -f $@
	$(Q)$(AR) rcs $@ $(filter %.o,$^)

$(B)/settlementd: $(B)/obj/daemon/main.o $(B)/libengine.a $(B)/libsettlement.a
$(B)/settlectl: $(B)/obj/cli/main.o $(B)/libcli.a $(B)/libsettlement.a
$(B)/settlementd $(B)/settlectl: $(B)/flags
	$(say) LD $@
	$(Q)$(LINK) -o $@ $(filter %.o %.a,$^) $(PACKAGE_LIBS)

$(B)/test_unit: $(call objects,$(UNIT_SOURCES)) $(B)/libcli.a $(B)/libengine.a $(B)/libsettlement.a
$(B)/test_db: $(call objects,$(DB_SOURCES)) $(B)/libcli.a $(B)/libengine.a $(B)/libsettlement.a
$(B)/test_unit $(B)/test_db: $(B)/flags $(B)/sources
	$(say) LD $@
	$(if $(CHECK_LIBS),,$(error the library check is missing; script/bootstrap installs it))
	$(Q)$(LINK) -o $@ $(filter %.o %.a,$^) $(PACKAGE_LIBS) $(CHECK_LIBS)

# ---- static analysis ---------------------------------------------------------------------------------------------
# One file at a time: with several, clang-tidy 14 takes each va_list for uninitialised. What was looked at is not looked at
# again until it changes, or a header, or what is looked for.

A := build/analysis
ANALYSED := $(COMMON_SOURCES) $(ENGINE_SOURCES) $(CLI_SOURCES) $(UNIT_SOURCES) $(DB_SOURCES) $(ASK_SOURCES) \
	$(MAIN_SOURCES) $(BENCH_SOURCES)
ANALYSIS_FLAGS := -std=gnu17 -I. $(DEFINES) -DSETTLEMENTD_TEST_SEAMS $(PACKAGE_CFLAGS)

analyse: $(patsubst %.c,$(A)/%.tidied,$(ANALYSED)) $(A)/checked

$(A)/%.tidied: %.c .clang-tidy tests/.clang-tidy $(HEADERS)
	$(say) TIDY $<
	@mkdir -p $(@D)
	$(Q)clang-tidy-14 --quiet $< -- $(ANALYSIS_FLAGS) >$@.said 2>/dev/null || { cat $@.said; exit 1; }
	$(Q)mv $@.said $@

$(A)/checked: $(ANALYSED) $(HEADERS) tests/cppcheck.txt
	$(say) CHECK "common daemon cli tests bench"
	@mkdir -p $(A)/cppcheck
	$(Q)cppcheck --quiet -j 2 --std=c11 --enable=warning,performance,portability --inline-suppr \
		--suppressions-list=tests/cppcheck.txt --cppcheck-build-dir=$(A)/cppcheck --error-exitcode=1 -I. \
		$(DEFINES) -DSETTLEMENTD_TEST_SEAMS $(ANALYSED)
	$(Q)touch $@

# What tests/oracle/test_timetable.py compares with its own calendar.
$(B)/ask_timetable: $(call objects,$(ASK_SOURCES)) $(B)/libsettlement.a $(B)/flags
	$(say) LD $@
	$(Q)$(LINK) -o $@ $(filter %.o %.a,$^)

# Comparisons in the targets themselves tell the fuzzer nothing new and cost most of the time.
ifeq ($(VARIANT),fuzz)
$(call objects,$(FUZZ_SOURCES)): CFLAGS += -fno-sanitize-coverage=trace-cmp
endif

# The fuzz targets: over the kept inputs with a plain main, and driven by libFuzzer, which brings a main of its own.
$(B)/test_fuzz: $(B)/obj/tests/fuzz/replay.o
$(B)/fuzzer: $(B)/obj/tests/fuzz/fuzzer.o
$(B)/test_fuzz $(B)/fuzzer: $(call objects,$(FUZZ_SOURCES)) $(B)/libcli.a $(B)/libsettlement.a $(B)/flags $(B)/sources
	$(say) LD $@
	$(Q)$(LINK) $(if $(filter %/fuzzer,$@),-fsanitize=fuzzer) -o $@ $(filter %.o %.a,$^) $(PACKAGE_LIBS)

-include $(patsubst %.o,%.d,$(call objects,$(COMMON_SOURCES) $(ENGINE_SOURCES) $(CLI_SOURCES) \
	$(UNIT_SOURCES) $(DB_SOURCES) $(ASK_SOURCES) $(FUZZ_SOURCES) $(MAIN_SOURCES) tests/fuzz/replay.c \
	tests/fuzz/fuzzer.c))
