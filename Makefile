# One command each; `make` alone lists them. Everything runs inside .venv, which the first target
# that needs it builds, and rebuilds when pyproject.toml changes.

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Whole files go to one process, so that what a file prepares for its tests is made once; those with
# slow tests first (tests/conftest.py).
PARALLEL ?= -n 2 --dist loadfile --no-loadscope-reorder
# The first Python from 3.11 to 3.13 that runs; PYTHON=/path/to/python3.12 chooses another.
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))
PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3; do \
	$$name -c '$(SUPPORTED)' 2>/dev/null && echo $$name && break; done)

.DEFAULT_GOAL := help
.PHONY: help demo test test-all lint type contracts fmt check bench study wheel clean

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(STAMP) ## Train a policy, benchmark it, export it and dispatch 50,000 homes, in five minutes
	@$(BIN)/vpp demo

test: $(STAMP) ## Run the quick tests (all but those marked slow)
	@$(BIN)/pytest -q $(PARALLEL) -m "not slow"

test-all: $(STAMP) ## Run every test
	@$(BIN)/pytest -q $(PARALLEL) --durations=20

lint: $(STAMP) ## Check style, format and spelling
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/codespell

type: $(STAMP) ## Check types (mypy, strict)
	@$(BIN)/mypy

contracts: $(STAMP) ## Check which package may import which
	@$(BIN)/lint-imports --no-logo

fmt: $(STAMP) ## Format the code and repair what ruff can repair
	@$(BIN)/ruff format
	@$(BIN)/ruff check --fix

check: lint type contracts ## Lint, types and import contracts

bench: $(STAMP) ## Measure the speed of the simulator and of the learners on this machine
	@$(BIN)/vpp bench

study: $(STAMP) ## Run the study behind the published results again (hours)
	@$(BIN)/vpp study

wheel: $(STAMP) ## Build the wheel into dist/
	@$(BIN)/python -m build --wheel --no-isolation

clean: ## Remove caches and build output; keep .venv and runs/
	@rm -rf build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -path ./$(VENV) -prune -o -type d -name __pycache__ -prune -exec rm -rf {} +

# pip prefers torch's CPU build wherever its index has one. Where it has not, point
# PIP_EXTRA_INDEX_URL at PyTorch's CPU index; otherwise torch comes with its CUDA libraries.
$(STAMP): pyproject.toml
	@[ -n "$(PYTHON)" ] || { echo "vpp-rl needs Python 3.11, 3.12 or 3.13, and none is on the PATH: install one, or name it with PYTHON=/path/to/python3.11." >&2; exit 1; }
	@$(PYTHON) -c '$(SUPPORTED)' 2>/dev/null || { echo "vpp-rl needs Python 3.11, 3.12 or 3.13, and '$(PYTHON)' is not one of them: name another with PYTHON=/path/to/python3.11." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "'$(PYTHON)' has no venv module: install it (on Debian and Ubuntu the package python3-venv) and run make again." >&2; exit 1; }
	@$(BIN)/python -c 'import pip' 2>/dev/null || { echo "Making the environment $(VENV) with $$($(PYTHON) --version) ..."; $(PYTHON) -m venv --clear $(VENV); }
	@echo "Installing vpp-rl and what it needs into $(VENV) (2 GB; some minutes the first time) ..."
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -e ".[all,dev]"
	@$(BIN)/python -c 'from importlib.metadata import version as v; print("Installed vpp-rl", v("vpp-rl"), "with torch", v("torch"))'
	@touch $@
