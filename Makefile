# Everything a person needs, one word each. Needs Python 3.11 or newer, with venv, and make.
# It works in an environment of its own (.venv), made on first use and renewed when pyproject.toml changes.

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# Releases by their hashes, nothing else beside them (tools/lock.py); then this very tree.
LOCKED := $(PIP) install --no-deps --require-hashes
OURS := $(PIP) install --no-deps --no-build-isolation --editable .

# The first of these that is new enough and can make an environment. To choose: make PYTHON=/path/to/python3 …
CANDIDATES := $(or $(PYTHON),python3 python3.13 python3.12 python3.11 python3.14 python)
found = $(shell for p in $(CANDIDATES); do \
	$$p -c 'import sys; sys.version_info >= (3, 11) or sys.exit(1); import ensurepip, venv' \
	>/dev/null 2>&1 && { command -v $$p; break; }; done)
new_enough = $(shell for p in $(CANDIDATES); do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo $$p; break; }; done)
why_none = $(if $(new_enough),$(new_enough) can not make environments: \
	install its venv module (on Debian and Ubuntu: apt install python3-venv),Python 3.11 or newer is needed \
	and none was found: install one$(comma) or name it with make PYTHON=/path/to/python3)
comma := ,

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help demo test test-all lint format docs bench lock clean

help:
	@echo "make demo       decide the example case; reports go to build/"
	@echo "make test       the tests, those marked slow left out"
	@echo "make test-all   everything that has to hold: style, types, rooms, all tests"
	@echo "make lint       style, types and the direction of imports"
	@echo "make format     let the formatter have its way"
	@echo "make docs       write what is generated again: the reference, the catalogue, and the published effects"
	@echo "make bench      measure speed and memory, with the budgets beside"
	@echo "make lock       lock the newest releases within our ranges, with their hashes"
	@echo "make clean      remove all that make made, .venv too"

demo: $(VENV)/.report
	@mkdir -p build
	@$(BIN)/tuneworthy decide examples/task-api
	@$(BIN)/tuneworthy decide examples/task-api --format markdown --output build/report.md --force
	@$(BIN)/tuneworthy decide examples/task-api --format html --output build/report.html --force
	@$(BIN)/tuneworthy decide examples/task-api --format json --output build/report.json --force
	@$(BIN)/tuneworthy decide examples/task-api --format record --output build/record.md --force
	@echo
	@echo "Written: build/report.html (open it in a browser), build/report.md, build/report.json,"
	@echo "build/record.md"
	@echo
	@echo "To try every command on a case with data, offline: $(BIN)/tuneworthy demo"
	@echo "(with all it can use: $(PIP) install '.[all]')"

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n auto --dist worksteal -q

test-all: lint
	-@$(BIN)/python tools/makers.py
	$(BIN)/python -m pytest -n auto --dist worksteal --all

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python tools/house.py --far

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/.dev
	$(BIN)/python tools/facts.py
	$(BIN)/python evidence/published/effects.py
	$(BIN)/python tools/reference.py

bench: $(VENV)/.report
	@$(BIN)/python benchmarks/road.py

lock: $(VENV)/.made
	@$(PIP) install uv
	@$(BIN)/python tools/lock.py $(BIN)/uv

clean:
	rm -rf $(VENV) build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find benchmarks evidence src tests tools -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.made:
	$(if $(found),,$(error $(why_none)))
	@echo "Setting up $(VENV)"
	@$(found) -m venv --clear $(VENV)
	@touch $@

# What it takes to use Tuneworthy.
$(VENV)/.core: pyproject.toml requirements/core.txt $(VENV)/.made
	@echo "Installing Tuneworthy"
	@$(LOCKED) -r requirements/core.txt
	@$(OURS)
	@touch $@

# With the report as a page.
$(VENV)/.report: $(VENV)/.core requirements/report.txt
	@echo "Installing its report"
	@$(LOCKED) -r requirements/report.txt
	@touch $@

# What it takes to work on it.
$(VENV)/.dev: $(VENV)/.report requirements/dev.txt
	@echo "Installing the tools that check it"
	@$(LOCKED) -r requirements/dev.txt
	@touch $@

# The embedded model, with its weights in the cache folder of whoever runs this.
$(VENV)/.local: $(VENV)/.dev requirements/local.txt
	@echo "Installing the embedded model"
	@$(LOCKED) -r requirements/local.txt
	@$(BIN)/tuneworthy models pull local:smollm2
	@touch $@

# What trains on this machine, for pilots: about 1.4 GB. Not locked: pip brings the build of torch that fits.
$(VENV)/.pilot: $(VENV)/.local
	@echo "Installing what trains"
	@$(PIP) install --editable '.[pilot]'
	@touch $@

# To look at the report in a browser, too; the browser itself comes from the system.
$(VENV)/.browser: $(VENV)/.dev requirements/browser.txt
	@echo "Installing what drives a browser"
	@$(LOCKED) -r requirements/browser.txt
	@touch $@

# To measure on a Ray of this machine: about 70 MB to fetch, 260 MB on disk.
$(VENV)/.ray: $(VENV)/.dev requirements/ray.txt
	@echo "Installing Ray"
	@$(LOCKED) -r requirements/ray.txt
	@touch $@
