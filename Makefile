# Every target installs what it lacks and says what it is doing.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Downloads and tools of the tests, kept outside the clone.
export WATERSHED_CACHE ?= $(HOME)/.cache/watershed
TARGET := $(or $(CARGO_TARGET_DIR),target)

say = @printf '\n\033[1m== %s\033[0m\n' "$(1)"

.PHONY: help setup setup-test demo test bench lint fuzz

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 24

setup: ## install what building and the demo need
	$(call say,setup: compiler and libraries)
	@tools/setup.sh build demo

setup-test:
	$(call say,setup: servers and load generators for the tests)
	@tools/setup.sh build demo test

demo: setup ## small real services, load on them, and their live map
	$(call say,building watershed (the first time takes 10 to 20 minutes on two cores))
	cargo build --release --bin watershed
	@$(TARGET)/release/watershed demo $(DEMO_FLAGS)

test: setup-test ## everything that can be tested on this machine
	$(call say,formatting)
	cargo fmt --all --check
	$(call say,building the program and all tests (the first time takes about 10 minutes on two cores))
	cargo test --workspace --no-run
	$(call say,tests)
	cargo test --workspace --no-fail-fast

bench: setup-test ## the figures: benches, comparisons with DuckDB and dbsp, then on live servers
	$(call say,criterion benches)
	cargo bench --workspace
	$(call say,one-shot questions against DuckDB)
	@$(WATERSHED_CACHE)/venv/bin/python benches/one_shot.py
	$(call say,update of a grouped view against dbsp)
	cargo run --release --manifest-path benches/dbsp/Cargo.toml
	$(call say,live comparison: nginx with and without the agent)
	cargo build --release --bin watershed
	@benches/live/compare.py $(TARGET)/release/watershed
	$(call say,from a closed time to its committed Kafka record)
	WATERSHED_BIN=$(abspath $(TARGET))/release/watershed cargo test -p watershed-integration --test kafka_lag -- --ignored --nocapture
	$(call say,names from a cluster of 5000 pods)
	WATERSHED_BIN=$(abspath $(TARGET))/release/watershed cargo test -p watershed-integration --test names_scale -- --ignored --nocapture
	$(call say,faults injected into live traffic and what the detectors make of them (50 minutes))
	@benches/detectors.py $(TARGET)/release/watershed

lint: setup ## formatting, clippy, licences and confined dependencies
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	@command -v cargo-deny >/dev/null || { echo "installing cargo-deny"; cargo install --locked cargo-deny; }
	cargo deny --all-features check bans licenses sources

# Optimised, but with checks of overflow: what wraps is a mistake too.
fuzz: export CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS = true
fuzz: export CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS = true
fuzz: export CARGO_PROFILE_RELEASE_LTO = off
fuzz: ## 10 million mutated inputs through every parser and the recording reader, a million random PxL programs
	$(call say,fuzzing: 10 million inputs each)
	WATERSHED_FUZZ_ITERATIONS=10000000 cargo test --release --target-dir $(TARGET)/fuzz -p watershed-protocols -p watershed-ingest --test fuzz -- --nocapture
	$(call say,a million random PxL programs)
	WATERSHED_PXL_PROGRAMS=1000000 cargo test --release --target-dir $(TARGET)/fuzz -p watershed-query programs_from_a_grammar -- --nocapture
