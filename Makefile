# `make` alone lists the targets.
PORT ?= 8000
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SERVICE := $(VENV)/.service
DEV := $(VENV)/.dev
TESTS ?= tests
COVERAGE ?= term:skip-covered
NODE := $(patsubst %,%/node_modules/.package-lock.json,tests/e2e tests/e2e/nextjs tests/api/typescript)

.DEFAULT_GOAL := help
.PHONY: help run test test-environment service-test lint format clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST) | sort

# Installs what requirements/NAME.txt lists, nothing else, and checks it: $(1) is the environment, $(2) the NAME,
# $(3) every NAME that the environment holds.
define install
$(1)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement requirements/$(2).txt
$(1)/bin/python scripts/check_environment.py $(3:%=requirements/%.txt)
endef

# An environment that venv leaves unfinished, without pip for example, would pass for a finished one.
%/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || { \
	  echo 'Visage needs Python 3.11, 3.12 or 3.13, and $(PYTHON) is none of them. Name one: make run PYTHON=python3.12' >&2; exit 1; }
	$(PYTHON) -m venv $* || { rm -rf $*; exit 1; }

$(SERVICE): requirements/service.txt | $(BIN)/python
	$(call install,$(VENV),service,service)
	@touch $@

$(DEV): requirements/dev.txt $(SERVICE)
	$(call install,$(VENV),dev,dev)
	@touch $@

# The tests of accessibility, of generated clients and of Next.js use them; without npm, or where this fails, they are
# skipped.
%/node_modules/.package-lock.json: %/package.json
	-cd $* && npm $(if $(wildcard $*/package-lock.json),ci,install --no-package-lock) --silent --no-audit --no-fund --ignore-scripts

run: $(SERVICE) ## Serve on $PORT (8000)
	PORT=$(PORT) $(BIN)/python -m app

test: ## Run every test
	$(MAKE) --no-print-directory service-test
	$(MAKE) --no-print-directory clients-test
	$(MAKE) --no-print-directory reviews-test

test-environment: $(DEV) $(if $(shell command -v npm),$(NODE)) ## Install what the tests of the service use

# Where the machine pauses, a test may wait in vain: what fails runs once more, and the end of the output lists it.
service-test: test-environment ## Run the tests of the service (TESTS=tests/api: some of them)
	$(BIN)/python -m pytest --reruns 1 -r fER --cov --cov-report=$(COVERAGE) $(TESTS)

lint: $(DEV) ## Check style, types and the directions of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --config-file clients/python/pyproject.toml clients/python/src
	$(BIN)/mypy --config-file examples/reviews/pyproject.toml
	$(BIN)/lint-imports

format: $(DEV) ## Rewrite the code in the project's style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

-include ops.mk train.mk drills.mk bench.mk clients.mk bulk.mk examples.mk

clean: ## Remove what the targets made
	rm -rf $(VENV) .venv-* clients/*/node_modules clients/*/dist examples/*/node_modules examples/*/.next examples/*/.venv examples/*/.data tests/*/node_modules tests/*/*/node_modules tests/e2e/nextjs/.next tests/e2e/nextjs/app tests/e2e/nextjs/*.ts examples/nextjs/public/edge examples/nextjs/public/samples examples/nextjs/test-results examples/nextjs/next-env.d.ts examples/nextjs/*.tsbuildinfo app/web/edge app/web/.edge-* build htmlcov .hypothesis .schemathesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache */*/.ruff_cache .coverage .coverage.*
