# make demo      sets everything up and carries the landmarks of the bundled sample pair
# make demo-web  opens the bundled sample pair in a browser: click, review, correct
# make test      sets everything up and runs every test; on Debian and Ubuntu it installs system libraries that are missing
# make clean     removes what the others made
#
# PYTHON       the Python (3.10 or newer) that the virtual environment is made with
# TORCH_INDEX  the package index to take torch from as well. On Linux the ordinary index serves torch with several
#              gigabytes of GPU libraries; on a machine without a GPU set this to PyTorch's index of CPU builds
#              (its address stands in PyTorch's installation guide):  make demo TORCH_INDEX=<address>
PYTHON ?= python3
TORCH_INDEX ?=

VENV := .venv
# One stamp for the whole set-up: a second call does nothing, a changed list of dependencies installs anew.
STAMP := $(VENV)/.samlandmark-installed
DEMO := demo-output

.PHONY: demo demo-web test clean

demo: $(STAMP)
	@$(VENV)/bin/samlandmark demo --output $(DEMO)

demo-web: $(STAMP)
	@$(VENV)/bin/samlandmark serve --demo --open

test: $(STAMP)
	@Testing/install_system_packages.sh
	@$(VENV)/bin/python -m pytest -n 2 --dist loadfile $(PYTEST_ARGUMENTS)

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
	rm -rf $(VENV) $(DEMO)
