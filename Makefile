# `make help` lists the targets. Everything runs in .venv, which is rebuilt only when the lock changes.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

comma := ,
PYTHON ?= python3
BIN := .venv/bin
# Flags for GNU's linker; others are left alone.
REPRODUCIBLE := $(if $(filter Linux,$(shell uname)),-Wl$(comma)--strip-debug$(comma)--build-id=none)
JOBS ?= $(shell nproc 2> /dev/null || echo 1)
# The catalogue's folder must not pass for the package `datasets`.
export PYTHONSAFEPATH := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# What set-up runs says nothing unless it fails: pip warns much, and none of it is for who sets up.
LOG := .venv/setup.log
QUIETLY = >> $(LOG) 2>&1 || { cat $(LOG) >&2; echo "setup: failed, see the lines above (also in $(LOG))" >&2; exit 1; }

setup: .venv/done  ## make .venv with every dependency at its locked version

.venv/done: requirements.lock
	@command -v $(PYTHON) > /dev/null || { echo "setup: no $(PYTHON); install Python 3.11 or newer, or name it: make setup PYTHON=python3.12" >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "setup: $(PYTHON) is $$($(PYTHON) -V 2>&1); 3.11 or newer is needed: make setup PYTHON=python3.12" >&2; exit 2; }
	@command -v $${CXX:-c++} > /dev/null || { echo "setup: no C++ compiler, which hnswlib is built with; on Debian: apt-get install g++" >&2; exit 2; }
	@$(PYTHON) -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))' || { echo "setup: no Python.h, which hnswlib is built with; on Debian: apt-get install python3-dev" >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || { echo "setup: $(PYTHON) cannot make virtual environments; on Debian: apt-get install python3-venv" >&2; exit 2; }
	@echo "setup: making .venv; this takes a few minutes the first time" >&2
	@rm -rf .venv
	@$(PYTHON) -m venv .venv
	@# What builds hnswlib and this package comes first, at its locked version.
	@sed -e '/--hash=/d' -e 's/ *\\$$//' requirements.lock > .venv/constraints.txt
	@$(BIN)/python -m pip install --quiet -c .venv/constraints.txt \
		setuptools wheel pybind11 numpy hatchling editables $(QUIETLY)
	@# One compiler makes the same bytes of hnswlib anywhere, so that a gate can tell that it is the same engine: without
	@# the paths of its build, and not from pip's cache, where it may lie with them.
	@sed -n '/^hnswlib==/,/[^\]$$/p' requirements.lock > .venv/hnswlib.txt
	@LDFLAGS="$(REPRODUCIBLE) $${LDFLAGS:-}" $(BIN)/python -m pip install --quiet --no-cache-dir --require-hashes \
		--no-build-isolation --no-deps -r .venv/hnswlib.txt $(QUIETLY)
	@$(BIN)/python -m pip install --quiet --require-hashes --no-build-isolation -r requirements.lock $(QUIETLY)
	@$(BIN)/python -m pip install --quiet --no-build-isolation --no-deps --editable . $(QUIETLY)
	@touch $@

bench: setup  ## the main job: recall by insertion order, on real and synthetic data, in one to two minutes
	@$(BIN)/bench run default

engines: setup .venv/engines  ## every engine that the harness drives, at its locked version, beside the others

.venv/engines: requirements-engines.lock .venv/done
	@echo "setup: installing every engine; this takes minutes" >&2
	@$(BIN)/python -m pip install --quiet --require-hashes --no-build-isolation -r requirements-engines.lock $(QUIETLY)
	@touch $@

test: setup  ## all tests; those that need an engine, a browser or real data skip without it
	@# Every core has a process of tests already: more threads would only wait for each other
	OMP_NUM_THREADS=1 $(BIN)/pytest -n $(JOBS) --dist loadfile

golden: setup  ## the complete output that tests compare with (tests/golden), written again after a change of wording
	$(BIN)/pytest -q --renew-golden tests/test_golden.py

lint: setup  ## format, style, types, and the rule that data flows one way
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

speed: setup  ## what the harness costs beside the plain library calls
	PYTHONPATH=tests $(BIN)/python tests/tools/speed.py

jitter: setup  ## whether moving rows by a few places replicates builds as a seed does (half an hour; needs BENCH_MIRROR)
	PYTHONPATH=tests $(BIN)/python tests/tools/jitter.py --jobs $(JOBS)

pictures: setup  ## the committed page of clinc150, and the pictures in the guides (needs BENCH_MIRROR, chromium)
	$(BIN)/bench run clinc150 --jobs $(JOBS)
	$(BIN)/python tests/tools/pictures.py

gate: setup  ## hold recall against the committed baseline of the default experiment
	@$(BIN)/bench gate default --jobs $(JOBS)

calibrate: setup  ## whether intervals, verdicts and the gate hold what they promise (over an hour; QUICK=1: a minute)
	PYTHONPATH=tests $(BIN)/python tests/tools/calibrate.py --jobs $(JOBS) $(QUICK:%=--quick --store $(or $(TMPDIR),/tmp)/calibrate-quick.sqlite)
	PYTHONPATH=tests $(BIN)/python tests/tools/calibrate_gate.py --jobs $(JOBS) $(QUICK:%=--quick --store $(or $(TMPDIR),/tmp)/calibrate-quick.sqlite)
	PYTHONPATH=tests $(BIN)/python tests/tools/calibrate_doctor.py --jobs $(JOBS) $(QUICK:%=--quick)

lock: setup  ## pin every dependency again (needs uv)
	uv pip compile --quiet --upgrade --universal --generate-hashes --python-version 3.11 --extra dev --no-header \
		pyproject.toml --output-file requirements.lock
	uv pip compile --quiet --upgrade --universal --generate-hashes --python-version 3.11 --extra all-engines --no-header \
		--constraint requirements.lock pyproject.toml --output-file requirements-engines.lock

clean:  ## remove .venv, caches and local results; baselines, the catalogue and downloads stay
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis dist results/*.sqlite*
	find datasets/cache -mindepth 1 -maxdepth 1 ! -name downloads -exec rm -rf {} + 2> /dev/null || true
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

help:  ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 12

.PHONY: setup engines bench gate golden pictures test lint speed jitter calibrate lock clean help
