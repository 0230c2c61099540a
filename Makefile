# Two commands for a fresh machine: `make demo` and `make test`. Everything else is for developers.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO_DIR ?= demo
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: demo test setup lint types layers check benchmark clean

demo: setup
	$(BIN)/livestem demo --out $(DEMO_DIR)

test: setup
	QT_QPA_PLATFORM=offscreen $(BIN)/python -m pytest

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml constraints.txt scripts/system_libraries.sh
	bash scripts/system_libraries.sh
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup
	$(BIN)/pyright

layers: setup
	$(BIN)/lint-imports

check: lint types layers

benchmark: setup
	$(BIN)/python -m pytest -m benchmark -s tests/benchmarks

clean:
	rm -rf $(VENV) build *.egg-info demo
