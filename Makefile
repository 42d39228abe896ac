# Everything a fresh machine needs is Python 3.11 or newer; each target sets up what it uses.
PYTHON ?= python3
WORKERS ?= 2
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.PHONY: audit test soak lab bench lint lock clean
.DELETE_ON_ERROR:

audit: $(STAMP)
	$(BIN)/readiness reference audit

test: $(STAMP) lint
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup --no-loadscope-reorder tests $(PYTEST_ARGS)

soak: $(STAMP)
	$(BIN)/python -m pytest -m soak tests $(PYTEST_ARGS)

lab: $(STAMP)
	$(BIN)/readiness reference lab

bench: $(STAMP)
	$(BIN)/python benchmarks/run.py

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/nbstripout --verify --keep-id notebooks/*.ipynb

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; say which with: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# Deliberate: the lock is only ever renewed by asking for it.
lock: $(STAMP)
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 \
	  --generate-hashes --no-strip-extras --no-emit-index-url --no-annotate --no-header --output-file requirements.lock
	$(BIN)/python tests/lock_plainly.py

clean:
	rm -rf $(VENV)
