# Needs Python 3.11 or newer, git and make; everything else is installed into .venv.
# `make run PYTHON=python3.12` chooses the interpreter of a new .venv.

CANDIDATES := $(or $(PYTHON),python3.13 python3.12 python3.11 python3)
VENV       := .venv
# Tools are run as modules: the scripts in .venv/bin break when the folder moves.
VENV_PY    := $(VENV)/bin/python
PIP        := $(VENV_PY) -m pip --disable-pip-version-check --quiet
RUNTIME    := $(VENV)/.runtime-installed
DEV        := $(VENV)/.dev-installed

UI         := web/ui/dist/.built
UI_MODULES := web/ui/node_modules/.runtime-installed
UI_DEV     := web/ui/node_modules/.dev-installed
UI_SOURCES := $(shell find web/ui -type f -not -path '*/node_modules/*' -not -path '*/dist/*' 2>/dev/null)
NPM        := cd web/ui && sh npm.sh $(abspath $(VENV_PY))
NPM_CI     := $(NPM) ci --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error

.PHONY: run test test-long bench check schema screenshots ui pages venv
.DELETE_ON_ERROR:

run: $(RUNTIME) .env pages  ## the service, API and worker in one process
	@$(VENV_PY) main.py migrate
	@exec $(VENV_PY) main.py serve --link

test: $(DEV) pages  ## the test suite
	@$(VENV_PY) -m pytest -m "not long" --numprocesses 2 --dist loadfile

test-long: $(DEV) pages  ## the same with the full numbers
	@TEST_LONG=1 $(VENV_PY) -m pytest --timeout 1800

bench: $(DEV)  ## side by side with other tools
	@$(VENV_PY) -m bench
	@$(VENV_PY) -m bench.graphql
	@$(VENV_PY) -m bench.cluster

check: $(DEV) $(UI_DEV)  ## format, lint, types, import rules, printed schema, nothing broken unsaid
	@$(VENV_PY) -m ruff format --check .
	@$(VENV_PY) -m ruff check .
	@$(VENV_PY) -m mypy
	@$(VENV_PY) -c 'from importlinter.cli import lint_imports_command; lint_imports_command()' --no-logo
	@$(NPM) run --silent check
	@$(VENV_PY) -m tests.contract.breaking
	@$(VENV_PY) main.py schema | diff -u schema.graphql - || \
		{ echo "schema.graphql is not what the code prints; to rewrite it: make schema" >&2; exit 1; }

screenshots: $(DEV) $(UI)  ## the README's pictures, of a running service; needs Chromium
	@$(VENV_PY) -m tests.browser.screenshots

schema: $(DEV)  ## rewrites schema.graphql from the code
	@$(VENV_PY) main.py schema > schema.graphql.new && mv schema.graphql.new schema.graphql

ui: $(UI)  ## the pages
	@:

# Where they cannot be built, the service still serves: with plain ones.
pages: $(RUNTIME)
	@$(MAKE) --no-print-directory ui || echo "THE PAGES ARE NOT BUILT (see above): a plain one stands in." >&2

$(UI): $(RUNTIME) $(UI_MODULES) $(UI_SOURCES)
	@echo "Building the pages ..."
	@$(NPM) run --silent build
	@touch $@

$(UI_MODULES): $(RUNTIME) web/ui/package-lock.json
	@echo "Installing what the pages are built with into web/ui/node_modules ..."
	@$(NPM_CI) --omit=dev
	@touch $@

$(UI_DEV): $(RUNTIME) web/ui/package-lock.json
	@echo "Installing what the pages are checked with into web/ui/node_modules ..."
	@$(NPM_CI)
	@touch $(UI_MODULES) $@

.env: | $(RUNTIME)
	@umask 077 && $(VENV_PY) -c 'import secrets; print("JWT_SECRET_KEY=" + secrets.token_urlsafe(48))' > $@
	@echo "Made $@ with a random JWT_SECRET_KEY."

$(RUNTIME): requirements.txt
	@echo "Installing what the service needs into $(VENV) ..."
	@$(PIP) install --requirement requirements.txt
	@touch $@

$(DEV): requirements.txt requirements-dev.txt $(wildcard web/ui/requirements.txt)
	@echo "Installing what the tests and checks need into $(VENV) ..."
	@$(PIP) install --requirement requirements-dev.txt
	@touch $(RUNTIME) $@

# A venv that is missing, half made, too old, or whose interpreter has gone is made anew.
ifneq ($(shell $(VENV_PY) -c 'import pip, sys; print(sys.version_info >= (3, 11))' 2>/dev/null),True)
$(RUNTIME) $(DEV): venv
endif

venv:
	@for python in $(CANDIDATES); do \
		"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
		"$$python" -c 'import ensurepip, venv' 2>/dev/null || { bare="$$bare $$python"; continue; }; \
		exec "$$python" -m venv --clear $(VENV); \
	done; \
	if [ -n "$$bare" ]; then \
		echo "Python has no ensurepip ($${bare# }): install it, as in: apt install python3-venv" >&2; \
	else \
		echo "Python 3.11 or newer is needed and none of these is: $(CANDIDATES). Install one, or name it: make PYTHON=/path/to/python3" >&2; \
	fi; \
	exit 1
