# Two commands for a newcomer: `make demo` and `make test`. Both set up what they need in .venv first.
VENV := .venv
PYTHON := $(VENV)/bin/python
.DEFAULT_GOAL := help
.PHONY: help demo test test-all lint format docs benchmark clean

help: ## show this list
	@grep -hE '^[a-z_ -]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 22

$(VENV)/.ready: pyproject.toml requirements-dev.lock scripts/setup.sh
	@scripts/setup.sh $(VENV)

demo: $(VENV)/.ready ## see networks work on this machine, and a node die (about a minute)
	@$(PYTHON) examples/demo.py

test: $(VENV)/.ready ## run the tests of every room, the examples and the pages (five minutes)
	$(PYTHON) -m pytest -m "not long" -n 2 --dist worksteal --durations=10

test-all: test $(VENV)/.ansible ## then the long tests as well: faults on real hosts, chaos, memory, mutants (half an hour)
	$(PYTHON) -m pytest -m "long or hypothesis" --hypothesis-profile thorough --durations=10
	$(PYTHON) -m pytest benchmarks/tests

lint: $(VENV)/.ready ## check style, types and the rules between the rooms
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	MYPYPATH=src:benchmarks/networks:tests $(VENV)/bin/mypy --explicit-package-bases benchmarks tests/lab tests/chaoskit
	$(VENV)/bin/lint-imports

format: $(VENV)/.ready ## put the code into its standard form
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

docs: $(VENV)/.ready ## build the documentation into site/
	$(VENV)/bin/mkdocs build --strict

benchmark: $(VENV)/.ready ## measure against the peers (about 25 minutes; ARGS=--quick for less)
	$(PYTHON) -m benchmarks $(ARGS)

clean: ## remove everything that was made
	rm -rf $(VENV) site build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

include ansible/targets.mk
