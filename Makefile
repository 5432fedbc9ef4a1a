# The only door: `make help` lists every target. Each one does its own set-up.
# Needs: make, and Python 3.11 or newer with its venv module (Debian, Ubuntu: python3-venv). Nothing else.

SHELL := /bin/sh
.DEFAULT_GOAL := help

# The first of these that is new enough makes .venv; `make install PYTHON=/path/to/python` decides it yourself.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo "$$p"; break; }; done)

# Hundreds of processes are started here: without bytecode each would compile all of the hub anew, a third of its start.
export PYTHONDONTWRITEBYTECODE :=

WORKERS ?= 5
SEEDS ?= 10000
ARGS ?=

BIN := .venv/bin
PY := $(BIN)/python
PIP := $(PY) -m pip --disable-pip-version-check --no-input
STAMP := .venv/.installed
CODE := hub routing connectors tests

PIP_TOOLS := pip-tools==7.6.2
LOCK_BIN := .venv-lock/bin
COMPILE = CUSTOM_COMPILE_COMMAND="make lock" $(LOCK_BIN)/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host $(if $(UPGRADE),--upgrade)

# The stamp names the folder that .venv was made in: a copied or moved checkout, or one whose Python has gone, sets up anew.
ifneq ($(shell test -x $(PY) && cat $(STAMP) 2>/dev/null),$(CURDIR))
.PHONY: $(STAMP)
endif

.PHONY: help install run test check format sim chaos scenarios bench engines engines-stop lock clean

help: ## list the targets (the default)
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "  Options: make test ARGS='-k name' WORKERS=8 · make sim SEEDS=10000 · make run, chaos, bench, sim ARGS='...'"

install: $(STAMP) ## make .venv with everything, and the command .venv/bin/ocpi-hub
	@echo "ready: $(BIN)/ocpi-hub --help"

run: $(STAMP) ## the hub and two sample parties, live; Ctrl-C ends everything
	@$(PY) -m hub.demo $(ARGS)

test: $(STAMP) ## the whole test suite; also on a real Kafka and MongoDB where they can be had
	@$(PY) -m tests.engines fetch
	@$(PY) -m tests.interop.environment
	@$(PY) -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

check: $(STAMP) ## ruff, format, mypy strict, import rules, dependencies, house rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/deptry .
	$(PY) -m pytest -p no:cacheprovider tests/test_house.py

format: $(STAMP) ## put the code into its one form, and mend what ruff can mend
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

sim: $(STAMP) ## seeded schedules in virtual time: make sim SEEDS=10000
	@$(PY) -m tests.sim --seeds $(SEEDS) $(ARGS)

chaos: $(STAMP) ## kill -9, SIGTERM, SIGSTOP under load, engines too, then judge every promise
	@$(PY) -m tests.chaos $(ARGS)

scenarios: $(STAMP) ## judge any hub from outside: make scenarios URL=its/versions TOKENS=NL-TNM:CPO:token,DE-EMS:EMSP:token,...
	@$(PY) -m tests.scenarios.outside --url '$(URL)' --tokens '$(TOKENS)' $(ARGS)

bench: $(STAMP) ## the figures beside their references; fails where one is missed
	@$(PY) -m tests.bench $(ARGS)

engines: $(STAMP) ## a real Kafka and MongoDB below .hub/engines: fetch what is missing, start, say the addresses
	@$(PY) -m tests.engines start

engines-stop: $(STAMP) ## end exactly those
	@$(PY) -m tests.engines stop

lock: $(LOCK_BIN)/pip-compile ## write both locks anew from pyproject.toml (UPGRADE=1: newest versions)
	@$(LOCK_BIN)/python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { \
		echo "The locks are made with Python 3.11, the oldest that the hub supports, so that they hold for newer ones too." >&2; \
		echo "Say: rm -rf .venv-lock && make lock PYTHON=python3.11" >&2; exit 1; }
	@echo "locking what the hub runs on: requirements.lock"
	@$(COMPILE) --output-file requirements.lock pyproject.toml
	@echo "locking what its development adds: requirements-dev.lock"
	@$(COMPILE) --extra dev --constraint requirements.lock --output-file requirements-dev.lock pyproject.toml

clean: ## remove .venv, caches and build results (never a hub's data)
	rm -rf .venv .venv-lock .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +

# --- set-up ----------------------------------------------------------------------------------------------------------

# Sentences for the three ways in which a machine may not be ready.
define PYTHON_IS_READY
	if [ -z "$(PYTHON)" ]; then \
		echo "The hub needs Python 3.11 or newer, and there is none here ($$(python3 --version 2>/dev/null || echo 'no python3 at all'))." >&2; \
		echo "Debian 12, Ubuntu 24.04 and newer: sudo apt-get install python3 python3-venv; then say make again." >&2; \
		echo "A Python elsewhere: make install PYTHON=/path/to/python3" >&2; exit 1; fi; \
	if ! "$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then \
		echo "PYTHON=$(PYTHON) is not Python 3.11 or newer." >&2; exit 1; fi; \
	if ! "$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null; then \
		echo "$$("$(PYTHON)" --version) is here, but without its venv module." >&2; \
		echo "Debian, Ubuntu: sudo apt-get install python3-venv; then say make again." >&2; exit 1; fi
endef

$(STAMP): pyproject.toml requirements-dev.lock
	@set -eu; \
	if [ -d .venv ] && { [ "$$(cat $(STAMP) 2>/dev/null)" != "$(CURDIR)" ] || ! $(PY) -m pip --version >/dev/null 2>&1; }; then \
		rm -rf .venv; fi; \
	if [ -d .venv ]; then echo "setting up .venv again, since the lock or pyproject.toml changed ..."; else \
		$(PYTHON_IS_READY); \
		echo "setting up .venv (once, about a minute) ..."; \
		"$(PYTHON)" -m venv .venv; fi; \
	rm -f $(STAMP); \
	$(PIP) install --quiet --require-hashes --requirement requirements-dev.lock || { \
		echo "The dependencies could not be installed: pip's own words are above. Nothing but the package index is needed." >&2; exit 1; }; \
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .; \
	printf '%s' "$(CURDIR)" > $(STAMP)

$(LOCK_BIN)/pip-compile: Makefile
	@$(PYTHON_IS_READY); \
	echo "setting up .venv-lock ..."; \
	rm -rf .venv-lock && "$(PYTHON)" -m venv .venv-lock && \
	$(LOCK_BIN)/python -m pip --disable-pip-version-check --no-input install --quiet "$(PIP_TOOLS)" && touch $@
