# Everything a newcomer needs is here: each target makes .venv when it is missing, or when PYTHON=… names another version.
# `demo` installs what Conduit itself needs, the others everything for development; either may come first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEMO_STAMP := $(VENV)/.installed-for-demo
NATIVE := $(wildcard src/conduit/_native/*.c src/conduit/_native/*.h)
# Two processes for each of two cores, since a third of their time is waiting. Long tests use both cores themselves.
WORKERS := 4
PYTEST := $(BIN)/pytest --dist worksteal
VERSIONS :=
SECONDS := 120
SEED :=

# Containers often set it: each of thousands of programs that the tests start would then compile Conduit anew.
unexport PYTHONDONTWRITEBYTECODE

# A .venv of another version is replaced when PYTHON was given on the command line, and kept otherwise.
ifeq ($(origin PYTHON),command line)
VERSION_OF = $(shell $(1) -c 'import sys; print(sys.version.split()[0])' 2>/dev/null)
ifneq ($(call VERSION_OF,$(BIN)/python),$(call VERSION_OF,$(PYTHON)))
$(shell rm -f $(STAMP) $(DEMO_STAMP))
CLEAR := --clear
endif
endif

.PHONY: help demo docs reference test test-long test-all test-install test-pythons fuzz lint types architecture format clean

help: ## what can be made
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r name purpose; do printf '  make %-14s %s\n' "$$name" "$$purpose"; done

# The command with which $(1), the arguments of pip, come into $(VENV); other versions of Python are refused first.
define install
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "conduit needs Python 3.11 or later; found %d.%d. Say which one with make PYTHON=python3.12" % sys.version_info[:2])'
@echo "$(2), and nothing is printed until it is done"
$(PYTHON) -m venv $(CLEAR) $(VENV)
$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable $(1)
endef

$(STAMP): pyproject.toml setup.py $(NATIVE)
	$(call install,'.[dev]',making $(VENV) with everything for development: about a minute)
	@touch $@ $(DEMO_STAMP)

$(DEMO_STAMP): pyproject.toml setup.py $(NATIVE)
	$(call install,.,making $(VENV) with what Conduit itself needs: about 20 seconds)
	@touch $@

demo: $(DEMO_STAMP) ## sets up .venv, collects a real API and asks it a few questions
	@$(BIN)/python examples/demo.py

test: lint types architecture ## format, lint, types, architecture, tests with their coverage
	$(PYTEST) -n $(WORKERS) --cov --cov-report=

test-long: $(STAMP) ## the tests that take long: tutorials, histories of repositories, large documents
	$(PYTEST) -n 2 -m long

test-all: lint types architecture ## everything in `test`, the long tests, and those that take minutes
	$(PYTEST) -n 2 -m ''

test-install: ## wheel and sdist into empty environments, on every supported Python found, with and without a compiler
	$(PYTHON) .ci/test-install

test-pythons: ## what depends on the interpreter, on 3.11 to 3.15 where found, or VERSIONS="3.14 3.15"
	$(PYTHON) .ci/test-pythons $(VERSIONS)

fuzz: $(STAMP) ## damaged inputs of every kind for two minutes, or SECONDS=600 SEED=1
	$(BIN)/python -m tests.fuzz --seconds $(SECONDS) $(if $(SEED),--seed $(SEED))

lint: $(STAMP) ## ruff: format and rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(STAMP) ## mypy, strictly
	$(BIN)/mypy

architecture: $(STAMP) ## which package may import which
	$(BIN)/lint-imports

reference: $(STAMP) ## writes docs/reference/commands anew from each --help
	$(BIN)/python docs/reference_pages.py

docs: $(STAMP) ## builds the site into docs/_build/html
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

format: $(STAMP) ## formats the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## removes $(VENV) and everything built
	rm -rf $(VENV) build dist *.egg-info src/*.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
