# Needs make and Python 3.11 or newer; everything else is installed into .venv by the targets themselves.

VENV := .venv
# A name on the path is not enough: pyenv, for one, puts names there that fail when run. So each candidate is run.
PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { echo "$$python"; break; }; done)
TORCH ?= torch==2.13.0
# A plugin folder that is new since the installation is not found without installing again.
SOURCES := setup.py $(wildcard nionswift_plugin/*/__init__.py)
PIP := $(VENV)/bin/python -m pip --disable-pip-version-check
# More requirements than the project's own, such as versions to test with.
WITH ?=
OUT ?= demo_run
SCREENS ?= docs/images
# Two processes: the tests are many and small, and machines have two cores at least.
PYTEST_ARGS ?= -n 2 --dist loadfile

# The newest Nion Swift needs Python 3.12; pyenv keeps its Pythons where the name alone does not find them.
PYTHON_NEWEST ?= $(shell for python in python3.12 python3.13 "$$(pyenv root 2>/dev/null)"/versions/3.1[23].*/bin/python; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 12))' >/dev/null 2>&1 && { echo "$$python"; break; }; done)
NEWEST := nionswift==16.18.1 nionswift-instrumentation==23.8.0 nionswift-tool==5.3.0

# The environment is whole when its interpreter runs and it was made at this place (scripts in it hold absolute paths).
VENV_WHOLE := $(shell $(VENV)/bin/python -c '' 2>/dev/null && test "$$(cat $(VENV)/.created 2>/dev/null)" = "$(CURDIR)" && echo yes)

.PHONY: demo demo-labview test test-newest swift-screens lint bench bench-kill bench-faults bench-peers clean FORCE
.DELETE_ON_ERROR:

demo: $(VENV)/.installed
	$(VENV)/bin/dkl swift-demo --out $(OUT)

demo-labview: $(VENV)/.installed
	$(VENV)/bin/dkl demo-labview --out $(OUT)_labview

test: $(VENV)/.installed-test
	$(VENV)/bin/python -m pytest $(PYTEST_ARGS)

test-newest:
	@test -n "$(PYTHON_NEWEST)" || { echo "no Python 3.12 or newer found; name it: make test-newest PYTHON_NEWEST=/path/to/python" >&2; exit 1; }
	$(MAKE) test VENV=.venv-newest PYTHON="$(PYTHON_NEWEST)" WITH="$(NEWEST)"

# The real application on a screen in memory, used by mouse; installs Debian packages when run as root.
swift-screens: $(VENV)/.installed-test
	$(VENV)/bin/python -m tests.swift.app --out $(SCREENS)

lint: $(VENV)/.installed-test
	$(VENV)/bin/python -m ruff check .
	$(VENV)/bin/python -m ruff format --check .
	$(VENV)/bin/python -m mypy

bench: $(VENV)/.installed
	$(VENV)/bin/python -m benchmarks.speed

bench-kill: $(VENV)/.installed
	$(VENV)/bin/python -m benchmarks.kill_resume --kills 200

bench-faults: $(VENV)/.installed
	$(VENV)/bin/python -m benchmarks.swift_faults --runs 100

bench-peers: $(VENV)/.installed
	PYTHON="$(PYTHON)" benchmarks/peers/make_envs.sh .bench
	$(VENV)/bin/python -m benchmarks.peers.compare .bench

clean:
	rm -rf $(VENV) .venv-newest .bench build dist ./*.egg-info demo_run demo_run_labview .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find dkl_core labview_bridge nionswift_plugin tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.created: $(if $(VENV_WHOLE),,FORCE)
	@test -n "$(PYTHON)" || { echo "no Python 3.11 or newer found; install one or name it: make PYTHON=/path/to/python" >&2; exit 1; }
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	echo "$(CURDIR)" > $@

# torch comes first and by itself: where the package index offers a CPU build of this version, naming it exactly is what
# picks that one, and the packages after it find their requirement met. For the small CPU build on any Linux machine:
#   PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu make demo TORCH=torch==2.13.0+cpu
$(VENV)/.torch: $(VENV)/.created
	@echo "installing $(TORCH) into $(VENV), once; this takes minutes"
	$(PIP) install --quiet $(TORCH)
	touch $@

$(VENV)/.installed: $(VENV)/.torch $(SOURCES)
	$(PIP) install --quiet -e '.[swift]' $(WITH)
	touch $@

$(VENV)/.installed-test: $(VENV)/.torch $(SOURCES)
	$(PIP) install --quiet -e '.[swift,test]' $(WITH)
	touch $@ $(VENV)/.installed
