# Two commands for a fresh machine: `make demo` and `make test`. Everything else is for developers.
PYTHON ?= python3
VENV := .venv
INTEROP_VENV := .venv-interop
PHYSICS_VENV := .venv-physics
HYPERSPY_VENV := .venv-hyperspy
BIN := $(VENV)/bin
DEMO_DIR ?= demo
# Of `make test`, which is meant for two cores.
WORKERS ?= 2
PLATFORM ?=
PYTHON_VERSION ?=
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: demo test kernels test-xvfb setup lint types layers check docs wheelhouse test-wheelhouse benchmark pictures soak bench-peers interop test-interop bench-physics clean

demo: setup
	$(BIN)/livestem demo --out $(DEMO_DIR)

test: kernels
	QT_QPA_PLATFORM=offscreen $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

# Compiled and kept once, rather than by every worker of `test` and by the processes that they start.
kernels: setup
	$(BIN)/python -c "from streamer.kernels.warmup import warm_kernels; warm_kernels()"

# Mouse and keys on a virtual X display instead of offscreen.
test-xvfb: setup
	WITH_XVFB=1 bash scripts/system_libraries.sh
	LIVESTEM_TEST_PLATFORM=xcb xvfb-run -a -s "-screen 0 1920x1200x24 -dpi 96" \
		$(BIN)/python -m pytest tests/widgets/test_window.py tests/widgets/test_linking.py \
		tests/widgets/test_manifold.py tests/widgets/test_tools.py

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

# The site, in build/docs; a warning is an error.
docs: setup
	$(BIN)/sphinx-build --fail-on-warning --keep-going --quiet docs build/docs

# Every wheel for a computer without a network, in wheelhouse/: make wheelhouse PLATFORM=win_amd64 PYTHON_VERSION=3.11
wheelhouse: setup
	$(BIN)/python scripts/wheelhouse.py $(if $(PLATFORM),--platform $(PLATFORM)) \
		$(if $(PYTHON_VERSION),--python-version $(PYTHON_VERSION))

# A wheelhouse is made, installed without an index in an environment of its own, and the demo runs from it.
test-wheelhouse: setup
	$(BIN)/python -m pytest -m wheelhouse -o faulthandler_timeout=500 tests/system/test_wheelhouse.py

benchmark: setup
	$(BIN)/python -m pytest -m benchmark -s tests/benchmarks

# 200 simulated scans in one window.
soak: setup
	$(BIN)/python -m pytest -m benchmark -s tests/benchmarks/test_window_soak.py

# The window in its five states, from a simulated scan, into docs/pictures.
pictures: setup
	$(BIN)/python -m gui.pictures

# Recordings, exports and RAW files in py4DSTEM, LiberTEM and RosettaSciIO, and in HyperSpy with pyxem: some hundred MB
# of packages each, and other versions, so in two environments of their own. What one lacks it skips.
test-interop: interop
interop: $(INTEROP_VENV)/.ready $(HYPERSPY_VENV)/.ready
	QT_QPA_PLATFORM=offscreen $(INTEROP_VENV)/bin/python -m pytest tests/interop
	QT_QPA_PLATFORM=offscreen $(HYPERSPY_VENV)/bin/python -m pytest tests/interop

# LiberTEM on the same file in the same run.
bench-peers: $(INTEROP_VENV)/.ready
	$(INTEROP_VENV)/bin/python -m pytest -m benchmark -s tests/benchmarks/test_peers.py

$(INTEROP_VENV)/.ready: pyproject.toml constraints.txt constraints-interop.txt
	$(PYTHON) -m venv $(INTEROP_VENV)
	$(INTEROP_VENV)/bin/python -m pip install --quiet --constraint constraints.txt \
		--constraint constraints-interop.txt --editable '.[interop,bench-peers]' hypothesis pytest pytest-qt pytest-timeout
	touch $@

# The simulated specimens against abTEM's multislice, in a .venv-physics of its own.
bench-physics: $(PHYSICS_VENV)/.ready
	$(PHYSICS_VENV)/bin/python -m pytest -m benchmark -s tests/benchmarks/test_physics.py

$(PHYSICS_VENV)/.ready: pyproject.toml constraints.txt constraints-physics.txt
	$(PYTHON) -m venv $(PHYSICS_VENV)
	$(PHYSICS_VENV)/bin/python -m pip install --quiet --constraint constraints.txt \
		--constraint constraints-physics.txt --editable '.[bench-physics]' hypothesis pytest pytest-qt pytest-timeout
	touch $@

$(HYPERSPY_VENV)/.ready: pyproject.toml constraints.txt constraints-hyperspy.txt
	$(PYTHON) -m venv $(HYPERSPY_VENV)
	$(HYPERSPY_VENV)/bin/python -m pip install --quiet --constraint constraints.txt \
		--constraint constraints-hyperspy.txt --editable '.[interop-hyperspy]' hypothesis pytest pytest-qt pytest-timeout
	touch $@

clean:
	rm -rf $(VENV) $(INTEROP_VENV) $(PHYSICS_VENV) $(HYPERSPY_VENV) build wheelhouse *.egg-info demo
