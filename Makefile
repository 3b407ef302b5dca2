# Each target does all of its own set-up, works as root or as an ordinary user, twice in a row, and leaves nothing
# running.
#
#   make setup   system packages (installs them as root; otherwise names what is missing)
#   make build   the lockflight command for development, and the agent that it brings to hosts
#   make agent   the agent alone: one static executable in .build-agent/out
#   make release PRODUCT=lockflight   the command as operators run it: optimised, with Swift's libraries inside
#   make install PREFIX=$HOME/.local   that command and the agent, to PREFIX/bin and PREFIX/libexec/lockflight
#   make demo    a lab of eight SSH hosts, one upgrade verified, one held and rolled back
#   make test    every test, and which took longest (FILTER=REGEX: only those that match)
#   make test-quick   within three minutes of an edit: units, 200 seeds, one story in a lab
#   make test-loaded TIMES=10   the end-to-end tests in a row on a machine that has other work for every core
#   make check   formatting and the house rules
#   make docs    pages for developers from the comments in the code, in .build/docs; a warning fails it
#   make simulate SEEDS=5000 FROM=1   whole runs in virtual time, each from a seed, with faults
#   make mutants   known ways to break a promise, each of which the simulation must catch
#   make bench   Lockflight beside its peers; writes bench/RESULTS.md
#   make bench-quick   the same in small, with goals of its own, within 3 minutes after its builds; for every change
#   make fuzz SECONDS=60   what reads bytes of others, under libFuzzer and AddressSanitizer; SECONDS for all together
#   make sinks SECONDS=60   hostile texts on every way out, read by the real readers at the other end
#   make sanitize   the tests, without the end-to-end ones, under ThreadSanitizer and AddressSanitizer
#   make soak ROLLOUTS=200 SEED=1   lab rollouts in a row with random faults; fails on whatever leaks
#   make nightly   all that takes long, with one summary

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := build
.NOTPARALLEL:
.PHONY: setup build release install agent demo test test-quick test-loaded check simulate mutants bench bench-quick format fuzz sinks \
	sanitize soak nightly docs

# The same for build, test and check: other flags would compile everything again.
export SWIFT_BUILD_FLAGS := --explicit-target-dependency-import-check error
# Whatever runs optimised shares one build: what operators install, the agent, the simulator, and the bench's programs. C by
# the function, so that what nobody calls is left out.
export SWIFT_RELEASE_FLAGS := -c release $(SWIFT_BUILD_FLAGS) --static-swift-stdlib -Xcc -ffunction-sections -Xcc -fdata-sections
# What the formatter reads.
SWIFT_SOURCES := Package.swift Sources Tests agent coordinator inventory bench
AGENT := .build-agent/out/lockflight-agent-$(shell uname -m)
AGENT_SOURCES := Package.swift agent Sources/SafeText Sources/UpgradeDomain Sources/ContentDigest Sources/AgentProtocol Sources/Failpoints \
	Sources/CLinux

export LOCKFLIGHT_AGENT_DIRECTORY := $(CURDIR)/.build-agent/out

setup:
	@scripts/setup.sh

build: setup agent
	swift build $(SWIFT_BUILD_FLAGS) --product lockflight

# Built again only when a source is newer than the executable.
agent: setup
	@if [ ! -e $(AGENT).gz ] || [ -n "$$(find $(AGENT_SOURCES) -newer $(AGENT).gz -print -quit)" ]; then \
		swift build $(SWIFT_RELEASE_FLAGS) --product lockflight-agent; \
		agent/packaging/package-agent.sh .build/release/lockflight-agent .build-agent/out; fi

PRODUCT := lockflight
release: setup
	swift build $(SWIFT_RELEASE_FLAGS) --product $(PRODUCT)

PREFIX ?= $(HOME)/.local
install: release agent
	install -D -t $(PREFIX)/bin .build/release/lockflight
	strip --strip-debug $(PREFIX)/bin/lockflight
	install -D -t $(PREFIX)/libexec/lockflight .build-agent/out/lockflight-agent-*

# On this machine only, so the agent need not be static and everything is of the one build that is there first.
DEMO_AGENTS := .build/debug/agents
demo: setup
	swift build $(SWIFT_BUILD_FLAGS) --product lockflight
	swift build $(SWIFT_BUILD_FLAGS) --product lockflight-agent
	mkdir -p $(DEMO_AGENTS)
	strip -o $(DEMO_AGENTS)/lockflight-agent-$(shell uname -m) .build/debug/lockflight-agent
	LOCKFLIGHT_AGENT_DIRECTORY=$(DEMO_AGENTS) scripts/demo.sh .build/debug/lockflight

FILTER :=
test: setup agent
	swift build $(SWIFT_BUILD_FLAGS) --build-tests
	scripts/test.py $(if $(FILTER),--filter '$(FILTER)')

test-quick: setup agent
	swift build $(SWIFT_BUILD_FLAGS) --build-tests
	scripts/test.py --quick

TIMES := 10
test-loaded: setup agent
	swift build $(SWIFT_BUILD_FLAGS) --build-tests
	scripts/test.py --loaded $(TIMES)

check: setup
	swift format lint --strict --recursive $(SWIFT_SOURCES)
	swift build $(SWIFT_BUILD_FLAGS) --build-tests
	scripts/test.py --filter TidyTests

docs: setup
	swift build $(SWIFT_BUILD_FLAGS) --build-tests
	scripts/docs.sh

SEEDS := 5000
FROM := 1
simulate: setup
	swift build $(SWIFT_RELEASE_FLAGS) --product lockflight-simulate
	.build/release/lockflight-simulate --seeds $(SEEDS) --from $(FROM) --jobs $(shell nproc)

mutants: setup
	scripts/mutants.py .build-mutants

format:
	swift format --in-place --recursive $(SWIFT_SOURCES)

bench: setup agent
	bench/run.py

bench-quick: setup agent
	python3 -m unittest discover bench
	bench/run.py --quick

# Shared out among the entries.
SECONDS := 60
fuzz: setup
	scripts/fuzz.sh $(SECONDS)

sinks: setup
	swift build $(SWIFT_BUILD_FLAGS) --product lockflight-sinks
	scripts/sinks.py .build/debug/lockflight-sinks $(SECONDS)

sanitize: setup
	scripts/sanitize.sh

ROLLOUTS := 200
SEED := 1
soak: release agent
	scripts/soak.py .build/release/lockflight $(ROLLOUTS) $(SEED)

nightly: setup
	scripts/nightly.sh
