# Everything runs from a fresh clone with Python >= 3.11 and make; nothing is left outside the
# checkout and the home. The Kafka tests and `kafka-up` want a JDK 17+ with Maven, or Docker.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
ROOMS := shared services/licensing services/numbers
PIP := PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore $(BIN)/python -m pip --quiet
# PYTHON=python3.12 names the interpreter to build with; else the first that is new enough.
PYTHONS := $(or $(PYTHON),python3 python3.13 python3.12 python3.11)
NEW_ENOUGH := import sys, venv; sys.exit(sys.version_info < (3, 11))
# Three test processes: one of them mostly waits for brokers, two keep two cores busy. JOBS=0 runs all tests in one.
JOBS ?= 3
# Hundreds of processes start in a test run; each would compile all that it imports anew, for most of a second.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## List the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  %-11s %s\n", $$1, $$2}' Makefile

.PHONY: venv
venv: $(STAMP) ## Create .venv from requirements.lock and install the three distributions

# Third parties first, each checked against its hash; then the three, without asking any index.
$(STAMP): requirements.lock $(ROOMS:%=%/pyproject.toml)
	@echo "venv: installing into $(VENV)"
	@for python in $(PYTHONS); do \
	    [ ! -x $(BIN)/python ] || break; \
	    ! $$python -c '$(NEW_ENOUGH)' 2>/dev/null || $$python -m venv $(VENV); \
	done
	@[ -x $(BIN)/python ] || { echo "venv: Python 3.11 or newer is needed, with its venv module; tried: $(PYTHONS)" >&2; exit 1; }
	@$(PIP) install --require-hashes -r requirements.lock
	@$(PIP) install --no-deps --no-build-isolation $(ROOMS:%=-e %)
	@touch $@

.PHONY: demo
demo: $(STAMP) ## Tell the story: numbers assigned, expired, reserved, released, on a test clock
	@$(BIN)/trunkline demo

.PHONY: test
test: $(STAMP) ## Run the tests (ARGS="-k name" chooses)
	@$(BIN)/pytest -q -n $(JOBS) $(ARGS)

.PHONY: lint
lint: $(STAMP) ## Check style, types, import rules and that the schemas are those of the code
	@echo "lint: style"
	@$(BIN)/ruff check --quiet .
	@echo "lint: format"
	@$(BIN)/ruff format --quiet --check . || { $(BIN)/ruff format --check .; exit 1; }
	@echo "lint: types"
	@$(BIN)/mypy --no-error-summary
	@echo "lint: imports"
	@output=$$($(BIN)/lint-imports --no-logo 2>&1) || { echo "$$output"; exit 1; }
	@echo "lint: schemas"
	@$(BIN)/python -m trunkline.contracts.generate --check

.PHONY: format
format: $(STAMP) ## Let ruff put the code into its form
	@$(BIN)/ruff check --quiet --fix .
	@$(BIN)/ruff format --quiet .

.PHONY: bench
bench: $(STAMP) ## Measure everything in the same run as its baseline (ONLY=B1 runs one)
	@$(BIN)/python -m bench $(if $(ONLY),--only $(ONLY))

.PHONY: kafka-up
kafka-up: $(STAMP) ## Start a real Kafka, in a container or on the JDK, kept by the home; prints what to export
	@echo "kafka-up: fetching the broker if it is not there, and starting it" >&2
	@$(BIN)/python -m deploy.local_servers.servers up

.PHONY: kafka-down
kafka-down: $(STAMP) ## Stop the Kafka of the home
	@$(BIN)/python -m deploy.local_servers.servers down

.PHONY: audit
audit: $(STAMP) ## Ask whether a locked package has a known vulnerability
	@$(BIN)/pip-audit --require-hashes --disable-pip -r requirements.lock

# The lock holds names, versions and hashes of third parties only. LOCK="--upgrade" takes what is new.
.PHONY: lock
lock: $(STAMP) ## Write requirements.lock anew from the pyproject files
	@$(BIN)/python -m venv $(VENV)/lock
	@PIP_DISABLE_PIP_VERSION_CHECK=1 $(VENV)/lock/bin/python -m pip --quiet install uv
	@$(VENV)/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	    $(LOCK) shared/pyproject.toml --group dev --output-file requirements.lock
	@rm -rf $(VENV)/lock

.PHONY: clean
clean: ## Remove the environment and what the tools left; homes stay
	@rm -rf $(VENV) $(ROOMS:%=%/build) $(ROOMS:%=%/*.egg-info) bench/out
	@rm -rf .pytest_cache .hypothesis .mypy_cache .ruff_cache .import_linter_cache .schemathesis
	@find $(ROOMS) tests bench deploy -type d -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true
