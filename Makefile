# `make` alone lists the targets.
PORT ?= 8000
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SERVICE := $(VENV)/.service
DEV := $(VENV)/.dev

.DEFAULT_GOAL := help
.PHONY: help run test lint types format check clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST) | sort

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(SERVICE): requirements/service.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	@touch $@

$(DEV): requirements/dev.txt $(SERVICE)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	@touch $@

run: $(SERVICE) ## Serve on $PORT (8000)
	PORT=$(PORT) $(BIN)/python -m app

test: $(DEV) ## Run every test
	$(BIN)/python -m pytest --cov --cov-report=term:skip-covered

lint: $(DEV) ## Check style, types and the directions of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(DEV) ## Rewrite the code in the project's style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

-include ops.mk train.mk drills.mk bench.mk

clean: ## Remove what the targets made
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .coverage
