# The commands of the README. Everything lands in .venv and instance/; nothing needs root, Node or Docker.
# The first Python that really runs and is new enough: a version manager's shim may stand on the path and do neither.
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11; do \
	$$name -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$name && break; done)
BIN := .venv/bin
.DEFAULT_GOAL := run
.PHONY: run setup setup-dev test test-all lint bench clean

run: setup  ## the whole product on PORT (8000), with sandbox gateways and demo data
	@SANDBOX=$${SANDBOX:-1} LOG_FORMAT=$${LOG_FORMAT:-console} exec $(BIN)/python -m app.launch

setup: .venv/.installed
setup-dev: .venv/.installed-dev

.venv/.installed: requirements.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed, with venv; set PYTHON=/path/to/python3" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

.venv/.installed-dev: .venv/.installed requirements-dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

test: setup-dev  ## every test this machine can carry; names what it skipped and why
	@$(BIN)/python -m pytest $(ARGS)

test-all: setup-dev  ## what CI runs, part by part, nothing skipped; PARTS="ruff sqlite" runs some of it
	@$(BIN)/python -m tests.everything $(PARTS)

lint: setup-dev  ## formatting, types, floors, templates
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/djlint --lint --quiet app/templates

bench: setup-dev  ## the benchmark table, each figure as a ratio to a floor of the same run
	@$(BIN)/python -m tests.bench

clean:
	rm -rf .venv instance
