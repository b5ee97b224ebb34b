# labmw: everything is installed into .venv, from the locked files, with hashes.
PYTHON ?= python3
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Tests wait for daemons and kills as much as they compute: twice as many processes as cores.
WORKERS ?= $(shell echo $$((2 * $$(nproc 2>/dev/null || echo 2))))
PIP := .venv/bin/python -m pip install --quiet

.PHONY: help demo demo-interlab history run test explore check lint types contracts bench torture clean

help:  ## what there is to make
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 16

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "labmw needs Python 3.11 or newer; set PYTHON=/path/to/python3")'
	$(PYTHON) -m venv .venv

.venv/.runtime: .venv/bin/python requirements.lock pyproject.toml
	$(PIP) --require-hashes -r requirements.lock
	$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

.venv/.test: .venv/.runtime requirements-test.lock
	$(PIP) --require-hashes -r requirements-test.lock
	@touch $@

demo: .venv/.runtime  ## a morning in the laboratory, counted from three sides
	labmw demo

demo-interlab: .venv/.runtime  ## forty tubes between two laboratories, counted from both sides
	labmw interlab demo

history: build/history.parquet  ## a year of invented results, for labmw rules replay

build/history.parquet: .venv/.runtime simulators/history.py simulators/population.py simulators/mishaps.py simulators/patients.py
	python -m simulators.history --out $@

run: .venv/.runtime  ## the daemon with deploy/labmw.toml, or CONFIG=file
	labmw serve --config $(or $(CONFIG),deploy/labmw.toml)

test: .venv/.test  ## all tests
	pytest -n $(WORKERS) --dist loadgroup $(ARGS)

explore: .venv/.test  ## property tests with examples that nobody has seen, many more of them
	LABMW_EXPLORE=1 pytest -n $(WORKERS) --dist loadgroup -m hypothesis $(ARGS)

lint: .venv/.test
	ruff format --check .
	ruff check .

types: .venv/.test
	mypy

contracts: .venv/.test
	lint-imports --no-logo

check: lint types contracts test  ## the whole gate, as CI runs it

bench: .venv/.test .venv-peers/.stamp  ## ratios against peers and a reference, measured in one run
	python -m tests.benchmarks $(ARGS)

torture: .venv/.test  ## kill -9, lost power, a store and a LIS that fail: what is lost, what is twice
	python -m tests.torture $(ARGS)

.venv-peers/.stamp: tests/benchmarks/peers.sh tests/benchmarks/peers.lock
	PYTHON=$(PYTHON) sh tests/benchmarks/peers.sh .venv-peers

clean:  ## remove what make has made
	rm -rf .venv .venv-peers build .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
