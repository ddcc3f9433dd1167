# The two commands are `make run` and `make test`; `make help` lists the rest.
#
# Meson builds (meson.build); this file installs what is missing, names the build directories and
# keeps the long command lines. BUILD is what users run, SANITIZE the same code under clang's
# address and undefined-behaviour sanitizers, with the fuzz targets, THREADS under its thread sanitizer,
# AARCH64 for another processor, with Debian's libraries for it in $(AARCH64)-root.

BUILD ?= build
SANITIZE = $(BUILD)/sanitize
THREADS = $(BUILD)/threads
AARCH64 = $(BUILD)/aarch64
# The unit tests that start threads: they run under the thread sanitizer, too.
THREADED = io ring waiters page volume_readers https https_answers https_limits https_trust https_wire cas_attest cas_refusals kbs
JOBS ?= $(shell nproc)
PREFIX ?= /usr/local
DESTDIR ?=
# In CI every warning is an error.
WERROR ?= $(if $(filter true,$(CI)),true,false)
# Seconds for each fuzz target in `make fuzz`; rounds in `make soak`, and random steps on a volume in each.
FUZZ_SECONDS ?= 600
SOAK_ROUNDS ?= 20
SOAK_STEPS ?= 100000
# What a stage or a test is called, for `make test ONLY='unit/* check/layers'`.
ONLY ?=

.DEFAULT_GOAL = all
.PHONY: all run test soak fuzz bench data check format sanitize aarch64 install clean help deps

all: deps $(BUILD)/build.ninja ## build into build/
	@scripts/set-werror $(BUILD) $(WERROR)
	ninja -C $(BUILD) -j $(JOBS)
	@scripts/code-size --build $(BUILD)

run: all ## build, then run the main job (the ECG workflow) and print its tables
	scripts/run-main-job $(BUILD)

test: all sanitize aarch64 ## build, then run every test; the last line counts them
	@tests/run --build $(BUILD) --sanitize $(SANITIZE) --threads $(THREADS) --aarch64 $(AARCH64) $(ONLY)

soak: all ## what fails rarely: volumes by other random steps, then the unit and integration tests (SOAK_ROUNDS=20)
	@for seed in $$(seq 2 $$(($(SOAK_ROUNDS) + 1))); do for mix in model mishaps; do \
		VOLUME_SEED=$$seed VOLUME_STEPS=$(SOAK_STEPS) $(BUILD)/tests/unit/test_volume_$$mix || exit 1; \
	done; done
	@tests/run --build $(BUILD) --repeat $(SOAK_ROUNDS) 'unit/*' 'integration/*'

fuzz: sanitize ## run each fuzz target for FUZZ_SECONDS (600)
	@tests/run --sanitize $(SANITIZE) --fuzz-seconds $(FUZZ_SECONDS) 'fuzz/*'

bench: all ## measure this machine: kernels, programs, start, tasks, ecg
	$(BUILD)/cella bench all

data: deps ## fetch the ECG recordings from PhysioNet into data/ecg2017 (95 MB; needs the internet)
	scripts/fetch-ecg-data data/ecg2017

check: all ## only the static checks: layers, style, layout, clang-tidy
	@tests/run --build $(BUILD) 'check/*'

format: deps ## lay out every C file by .clang-format
	scripts/c-files | xargs clang-format-19 -i

aarch64: all $(AARCH64)/build.ninja ## cross-compile everything for aarch64 into build/aarch64
	@scripts/aarch64-root $(AARCH64)-root
	@scripts/set-werror $(AARCH64) $(WERROR)
	ninja -C $(AARCH64) -j $(JOBS)

install: all ## install into $(DESTDIR)$(PREFIX)
	meson configure $(BUILD) -Dprefix=$(PREFIX)
	DESTDIR=$(DESTDIR) meson install -C $(BUILD)

clean: ## remove the build directory
	rm -rf $(BUILD)

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

deps:
	@scripts/install-deps

sanitize: deps $(SANITIZE)/build.ninja $(THREADS)/build.ninja
	@scripts/set-werror $(SANITIZE) $(WERROR)
	@scripts/set-werror $(THREADS) $(WERROR)
	ninja -C $(SANITIZE) -j $(JOBS) test-programs
	ninja -C $(THREADS) -j $(JOBS) $(THREADED:%=tests/unit/test_%)

$(BUILD)/build.ninja: | deps
	meson setup $(BUILD) -Dwerror=$(WERROR)

$(SANITIZE)/build.ninja: | deps
	CC=clang-19 meson setup $(SANITIZE) -Dwerror=$(WERROR) -Dfuzz=true \
		-Dbuildtype=debugoptimized -Db_sanitize=address,undefined -Db_lundef=false

$(THREADS)/build.ninja: | deps
	CC=clang-19 meson setup $(THREADS) -Dwerror=$(WERROR) \
		-Dbuildtype=debugoptimized -Db_sanitize=thread -Db_lundef=false

$(AARCH64)/build.ninja: | deps
	scripts/aarch64-root $(AARCH64)-root
	meson setup $(AARCH64) --cross-file $(AARCH64)-root/cross.ini -Dwerror=$(WERROR)
