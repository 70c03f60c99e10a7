# Two lines are enough: `make demo` sets everything up and runs the loop on a virtual lab,
# `make test` sets everything up and runs the tests.

# The first Python that will do; name another with make install PYTHON=/path/to/python3.11.
PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3; do \
  $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && exit; \
  done; echo python3)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# PyTorch with CUDA is some gigabytes: only for a machine whose NVIDIA driver is there, or for who says
# TORCH=cuda. Elsewhere the CPU build: of the address in TORCH_INDEX, of what pip is set up with, or, where
# neither has one, by uv, which knows where PyTorch keeps them.
TORCH ?= $(shell { command -v nvidia-smi || test -e /proc/driver/nvidia/version; } >/dev/null 2>&1 \
  && echo cuda || echo cpu)
TORCH_PIN := $(shell sed -n 's/^torch==//p' constraints.txt)
ifeq ($(filter cpu cuda,$(TORCH)),)
$(error TORCH: expected cpu or cuda, got '$(TORCH)')
endif

# One thread for each numerical library: processes share the cores better than threads do.
export OMP_NUM_THREADS ?= 1
# A process of tests more than the two cores of a small machine: many wait for servers. make test JOBS=8.
JOBS ?= 3
# An advertisement of the site's builder.
export NO_MKDOCS_2_WARNING = 1

.DEFAULT_GOAL := help
.PHONY: help install demo test check format docs pictures clean

help: ## List the targets.
	@sed -n 's/^\([a-z]*\):.*## /\1|/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "make %-9s %s\n", $$1, $$2}'

install: $(READY) ## Create .venv with every pinned dependency.

$(READY): pyproject.toml constraints.txt
	@test -x $(BIN)/pip || $(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Spinneret needs Python 3.11 or newer, but $(PYTHON) is " + sys.version.split()[0] + ". Install one, or name it: make install PYTHON=/path/to/python3.11")'
	@test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
ifeq ($(TORCH),cpu)
ifdef TORCH_INDEX
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt -i '$(TORCH_INDEX)' torch
else ifeq ($(shell uname -s),Linux)
	@$(BIN)/python -m pip index versions torch 2>/dev/null | grep -qF '$(TORCH_PIN)+cpu' \
	  || { echo "No NVIDIA driver here: fetching PyTorch's CPU build." \
	  && $(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt uv \
	  && $(BIN)/uv pip install --quiet --python $(BIN)/python --torch-backend cpu --constraint constraints.txt torch; } \
	  || echo "PyTorch's CPU build could not be fetched. If pip begins to fetch CUDA, stop it: TORCH_INDEX=ADDRESS make install names another source."
endif
endif
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --constraint constraints.txt --editable '.[dev,web,peers,data,docs]'
	$(BIN)/python -m compileall -q engine surrogate generator db
	@touch $@

demo: $(READY) ## Run three rounds of propose, spin, log on a virtual lab.
	$(BIN)/engine demo

test: $(READY) ## Run the tests.
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal -q $(ARGS)

check: $(READY) ## Lint, formatting, types, import rules, documentation, migrations.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy docs/examples/from_python.py docs/examples/fifteen_lines.py
	$(BIN)/lint-imports
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && $(BIN)/mkdocs build --strict --quiet --site-dir "$$folder"
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && url="sqlite:///$$folder/check.db" \
	  && $(BIN)/alembic -x url="$$url" upgrade head && $(BIN)/alembic -x url="$$url" check

format: $(READY) ## Put the code into its format and mend what ruff can.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(READY) ## Write what docs/ holds of the code, then build the documentation into site/.
	$(BIN)/typer engine.cli.app utils docs --name engine --title "The command line" --output docs/cli.md
	$(BIN)/python docs/list_modules.py
	$(BIN)/python docs/list_settings.py
	$(BIN)/python docs/list_routes.py
	$(BIN)/mkdocs build --strict --quiet
	@echo "open site/index.html, or: $(BIN)/python -m http.server --directory site (with search)"

pictures: $(READY) ## Draw the pictures of docs/concepts and the README's anew (Chromium, chromedriver).
	$(BIN)/python docs/draw_concepts.py
	$(BIN)/python docs/draw_readme.py

clean: ## Remove what tools leave behind (not .venv, not any database).
	rm -rf build dist site *.egg-info .pytest_cache .ruff_cache .mypy_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -not -path './.venv/*' -prune -exec rm -rf {} +
