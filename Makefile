# Every task of the project. `make` lists them. Each sets up what it needs: a machine with Python 3.11 or newer, Rust,
# Java 17 or newer with Maven (for the tests on Apache Kafka) and make is enough.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Outside the clone, so that a second clone, or `git clean`, does not compile all crates again.
export CARGO_TARGET_DIR ?= $(HOME)/.cache/headrace/target
# pip settings of the machine that would send packages elsewhere than into the environment; index and certificates stay.
export PIP_USER := 0
export PIP_REQUIRE_VIRTUALENV := 0
unexport PIP_TARGET PIP_PREFIX PIP_CONSTRAINT PIP_REQUIREMENT VIRTUAL_ENV PYTHONPATH PYTHONHOME
# Without compiled bytecode a command starts two seconds later.
unexport PYTHONDONTWRITEBYTECODE

NATIVE := src/headrace/_native.abi3.so
RUST_SOURCES := $(shell find native -name '*.rs' -o -name 'Cargo.*')
PYTHON_SOURCES := src tests benchmarks examples
# Cargo has a job server of its own.
CARGO := cd native && env -u MAKEFLAGS -u MFLAGS cargo
PYTEST := $(BIN)/python -m pytest

##@ Use

.PHONY: help
help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: native ## run the vessel example on generated data, on the embedded log
	@$(BIN)/headrace demo $(ARGS)

.PHONY: bench
bench: native ## measure the pipeline and programs with state on a real Kafka and print the tables
	$(BIN)/python -m benchmarks.pipeline $(ARGS)
	$(BIN)/python -m benchmarks.state $(STATE_ARGS)

.PHONY: bench-nexmark
bench-nexmark: native ## run Nexmark's queries on a real Kafka and compare the results with DuckDB's
	$(BIN)/python -m benchmarks.nexmark $(ARGS)

.PHONY: bench-peers
bench-peers: native ## measure the same programs in Kafka Streams, Flink SQL and Quix Streams too
	$(BIN)/python -m benchmarks.peers $(ARGS)

##@ Check

# Formatting, lint and types side by side first: they are quick and find most faults. Then everything that runs.
.PHONY: test
test: native ## everything: format, lint, types, contracts, all tests, real Kafka too
	@$(MAKE) -j2 --output-sync=target fmt-check lint type rust-test guard
	$(PYTEST) -n 8 $(ARGS)

.PHONY: fmt
fmt: setup ## format Python and Rust
	$(BIN)/ruff check --select I --fix $(PYTHON_SOURCES)
	$(BIN)/ruff format $(PYTHON_SOURCES)
	$(CARGO) fmt

.PHONY: fmt-check
fmt-check: setup ## say what is not formatted
	$(BIN)/ruff format --check $(PYTHON_SOURCES)
	$(CARGO) fmt --check

.PHONY: lint
lint: setup ## ruff, import contracts, spelling, clippy
	$(BIN)/ruff check $(PYTHON_SOURCES)
	$(BIN)/lint-imports
	$(BIN)/codespell *.md Makefile pyproject.toml src native benchmarks examples docs changes
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings

.PHONY: type
type: native ## mypy --strict, and the stub of the native module against the module
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest headrace._native

.PHONY: unit
unit: native ## unit tests and golden cases: no broker
	$(PYTEST) -n 2 -m 'not kafka' tests/unit tests/cases $(ARGS)

.PHONY: cases
cases: native ## golden cases
	$(PYTEST) -m 'not kafka' -k case tests/unit $(ARGS)

.PHONY: cases-update
cases-update: native ## write the present results into the golden cases; read the diff before you commit
	HEADRACE_UPDATE_CASES=1 $(PYTEST) -m 'not kafka' -k case tests/unit $(ARGS)

.PHONY: kafka
kafka: native ## tests on real Apache Kafka
	$(PYTEST) -n 4 -m kafka $(ARGS)

# An hour or more on two cores: EXAMPLES and ARGS make it shorter or longer.
EXAMPLES ?= 2000
KILLS ?= 200
.PHONY: soak
soak: native ## long runs: kernels beside oracles, cases in every variant, 200 random kills
	HEADRACE_FUZZ_EXAMPLES=$(EXAMPLES) $(PYTEST) -n 2 tests/unit/state tests/unit/formats $(ARGS)
	HEADRACE_ALL_VARIANTS=1 $(PYTEST) -n 2 tests/unit/test_run_cases.py tests/recovery/test_killed_cases.py $(ARGS)
	$(BIN)/python -m tests.recovery.soak --kills $(KILLS)

.PHONY: guard
guard: setup ## instructions of hot paths, where valgrind is there; GUARD_ARGS=--update writes them down
	$(BIN)/python -m benchmarks.micro.guard $(GUARD_ARGS)

.PHONY: rust-test
rust-test: ## tests of the Rust crates
	$(CARGO) test --locked --workspace --exclude headrace-python

##@ Build

.PHONY: setup
setup: $(VENV)/.locked ## make .venv with the locked packages

.PHONY: native
native: $(NATIVE) ## build the native module

.PHONY: docs
docs: native ## write the generated reference
	$(BIN)/python -m headrace.cli.reference docs/reference

.PHONY: lock
lock: setup ## resolve the packages anew and write the lock files
	$(BIN)/uv pip compile --quiet --upgrade $(LOCK_OPTIONS) requirements/uv.in --output-file requirements/uv.lock
	$(BIN)/uv pip compile --quiet --upgrade $(LOCK_OPTIONS) pyproject.toml --group dev --output-file requirements/dev.lock
	$(CARGO) update

.PHONY: clean
clean: ## remove the environment, the native module and caches of this clone
	rm -rf $(VENV) $(NATIVE) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find $(PYTHON_SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +

# A lock file names versions and hashes, never the host they came from.
LOCK_OPTIONS := --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links

# uv does not read pip's settings: where pip has a mirror, uv is told of it.
$(VENV)/.locked: requirements/uv.lock requirements/dev.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version.split()[0])'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/uv.lock
	@export UV_DEFAULT_INDEX="$${UV_DEFAULT_INDEX:-$${PIP_INDEX_URL:-$$($(BIN)/python -m pip config get global.index-url 2>/dev/null || true)}}"; \
	$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --require-hashes --build-constraints requirements/dev.lock --requirement requirements/dev.lock
	@touch $@

$(NATIVE): $(VENV)/.locked pyproject.toml $(RUST_SOURCES)
	@command -v cargo >/dev/null || { echo 'cargo not found: install Rust 1.90 or newer (https://rustup.rs)' >&2; exit 1; }
	VIRTUAL_ENV=$(CURDIR)/$(VENV) PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/maturin develop --quiet --release --locked --uv
	@touch $@
