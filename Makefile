# make book: the rendered book, executed now.   make test: every test.
# make quick: style, types and quick tests.   make bench: measured speed.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin

# One thread a process: the numbers must not depend on the cores, and pages run side by side.
export OMP_NUM_THREADS := 1
export DROPKIT_STORE ?= $(CURDIR)/.cache/store
# Where this is set, as in many containers, every process compiles all that it imports anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: book say test quick bench lock html pdf clean

book: say $(VENV)/.stamp
	@echo "executing the notebooks; trials that are already in $$DROPKIT_STORE are not run again"
	@$(BIN)/python -m book._ext.execute --to book
	@$(MAKE) --no-print-directory html

say:
	@echo "making the book: its pages are executed, which takes minutes the first time, and rendered"
	@echo "they can be read before, as published: make html renders them in a minute, without executing"

html: $(VENV)/.stamp book/status.md
	@echo "rendering the pages as they are, about half a minute"
	@$(BIN)/python -m book._ext.render
	@echo "the book: file://$(CURDIR)/_build/html/index.html"

# A PDF of the book as it was executed last, printed by Chromium.
pdf: $(VENV)/.stamp book/status.md
	@$(BIN)/python -m book._ext.render singlehtml
	@$(BIN)/python -m book._ext.pdf

book/status.md:
	@printf '# Status of the pages\n\nThese pages were executed elsewhere; `make book` executes them here.\n\n```{include} attacks.md\n```\n' > $@

test: html
	@$(BIN)/ruff check --quiet && $(BIN)/ruff format --check --quiet && $(BIN)/mypy
	@$(BIN)/python -m pytest tests book -n 2 --dist loadfile --nbval -p tests.forked

# In this order what fails first is what takes least.
quick: $(VENV)/.stamp
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/python -m pytest tests -n 2 --dist loadfile -q -m "not slow"

bench: $(VENV)/.stamp
	@$(BIN)/python -m tests.bench $(TOPICS)

# All but ray's, text's and lightning's, which would double the lock.
EXTRAS := --extra sampler --extra train --extra features --extra parquet --extra book --extra test

# Runs a command while no other make here does, as flock(1) would, which not every system has.
ALONE := $(PYTHON) -c 'import fcntl, subprocess, sys; fcntl.flock(file := open("Makefile"), 2); sys.exit(subprocess.call(sys.argv[1], shell=True))'

# Keeps the versions that are locked; make lock UPGRADE=--upgrade takes the newest.
lock: $(BIN)/uv
	@$(BIN)/uv pip compile pyproject.toml $(EXTRAS) --universal --python-version 3.11 \
	  --generate-hashes --no-header --no-annotate --quiet $(UPGRADE) -o requirements.lock

$(BIN)/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "dropkit needs Python 3.11 or later, and $(PYTHON) is " + sys.version.split()[0] + "; name another: make PYTHON=python3.12")'
	@$(ALONE) 'test -x $@ || $(PYTHON) -m venv $(VENV) && sed -n "/^uv==/,/[^\\\\]$$/p" requirements.lock > $(VENV)/uv.txt && $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $(VENV)/uv.txt'

$(VENV)/.stamp: requirements.lock pyproject.toml | $(BIN)/uv
	@echo "installing the locked packages into $(VENV) (5 GB, most of it PyTorch)"
	@$(BIN)/uv pip install --python $(BIN)/python --require-hashes -r requirements.lock
	@$(BIN)/uv pip install --python $(BIN)/python --no-deps --no-build-isolation --quiet -e .
	@touch $@

clean:
	rm -rf _build $(VENV) .cache .pytest_cache .ruff_cache .hypothesis book/status.md book/.run
