# make demo      sets everything up and carries the landmarks of the bundled sample pair
# make demo-web  opens the bundled sample pair in a browser: click, review, correct
# make test      sets everything up and runs every test; asks before it installs system libraries that are missing
# make test-avx2  runs the tests marked every_processor as on a processor without bfloat16; part of make test
# make fuzz      thousands of valid, damaged and hostile files for every reader, judged by other programs; a few minutes
# make unit      the quick tests of the library alone, in a minute and a half
# make lint      style, types and complexity: what a change must pass beside the tests
# make coverage  every test, and which lines of the library they ran
# make docs      API pages from the docstrings, into build/api
# make clean     removes what the others made
#
# PYTHON       the Python (3.10 or newer) that the virtual environment is made with
# VENV         the folder of that environment; one for each Python:  make test PYTHON=python3.12 VENV=.venv-3.12
# TORCH_INDEX  the package index to take torch from as well. On Linux the ordinary index serves torch with several
#              gigabytes of GPU libraries; on a machine without a GPU set this to PyTorch's index of CPU builds
#              (its address stands in PyTorch's installation guide):  make demo TORCH_INDEX=<address>
PYTHON ?= python3
TORCH_INDEX ?=

# as the package itself sets it where NumPy is not loaded before it
export OPENBLAS_NUM_THREADS ?= 1

VENV := .venv
# One stamp for the whole set-up: a second call does nothing, a changed list of dependencies installs anew.
STAMP := $(VENV)/.samlandmark-installed
DEV_STAMP := $(VENV)/.samlandmark-dev-installed
DEMO := demo-output
API := build/api
# each file in one process, in the order that Testing/conftest.py puts them in; two that take two threads each on two
# cores mostly wait for each other
TWO_PROCESSES := -n 2 --dist loadfile --no-loadscope-reorder
ONE_THREAD := OMP_NUM_THREADS=1
PLATFORMS := linux win32 darwin

.PHONY: demo demo-web test test-avx2 fuzz unit lint coverage docs clean

demo: $(STAMP)
	@$(VENV)/bin/samlandmark demo --output $(DEMO)

demo-web: $(STAMP)
	@$(VENV)/bin/samlandmark serve --demo --open

test: $(STAMP)
	@Testing/install_system_packages.sh
	@$(ONE_THREAD) $(VENV)/bin/python -m pytest $(TWO_PROCESSES) $(PYTEST_ARGUMENTS)
	@$(MAKE) --no-print-directory test-avx2

test-avx2: $(STAMP)
	@ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2 $(ONE_THREAD) $(VENV)/bin/python -m pytest $(TWO_PROCESSES) -m every_processor

fuzz: $(STAMP)
	@$(VENV)/bin/python Testing/robustness/fuzz.py $(FUZZ_ARGUMENTS)

unit: $(STAMP)
	@$(ONE_THREAD) $(VENV)/bin/python -m pytest $(TWO_PROCESSES) -m "not slow" Testing/unit $(PYTEST_ARGUMENTS)

lint: $(DEV_STAMP)
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/ruff format --check .
	@for platform in $(PLATFORMS); do \
	  $(VENV)/bin/mypy --platform $$platform --cache-dir .mypy_cache/$$platform || exit 1; done

coverage: $(DEV_STAMP)
	@Testing/install_system_packages.sh
	@$(ONE_THREAD) $(VENV)/bin/python -m pytest $(TWO_PROCESSES) --cov --cov-report=term $(PYTEST_ARGUMENTS)

docs: $(DEV_STAMP)
	@$(VENV)/bin/python docs/make_api.py $(API)
	@echo "Open $(API)/index.html"

$(DEV_STAMP): $(STAMP)
	$(VENV)/bin/python -m pip --disable-pip-version-check install $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) \
	  --constraint constraints.txt --editable '.[dev]'
	@touch $@

$(STAMP): pyproject.toml constraints.txt Makefile
	@command -v $(PYTHON) >/dev/null || { \
	  echo "'$(PYTHON)' was not found. Install Python 3.10 or newer (Debian, Ubuntu: sudo apt install python3 python3-venv)," \
	       "or name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
	  echo "SAMLandmark needs Python 3.10 or newer, and '$(PYTHON)' is $$($(PYTHON) -V 2>&1). Name a newer one:" \
	       "make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "'$(PYTHON)' cannot make virtual environments. On Debian and Ubuntu: sudo apt install python3-venv" >&2; exit 1; }
	@echo "Setting up $(VENV) (a few minutes the first time) ..."
	@command -v nvidia-smi >/dev/null || test -n "$(TORCH_INDEX)" || \
	  echo "No NVIDIA GPU was found. If pip starts to download gigabytes of 'nvidia' packages, see TORCH_INDEX in the Makefile."
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip --disable-pip-version-check install $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) \
	  --constraint constraints.txt --editable '.[test]'
	@touch $@

clean:
	rm -rf $(VENV) $(DEMO) build .mypy_cache .ruff_cache .coverage .coverage.*
