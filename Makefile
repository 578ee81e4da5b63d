# Two commands do all the set-up: `make demo` and `make test`.
PYTHON ?= python3.11
BIN := .venv/bin
JOBS ?= 2

.PHONY: qt demo test test-all lint types imports install lock clean bench

install: .venv/.installed

.venv/.installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# A window for the live figure; without it the figure goes to a PNG file.
qt: install
	$(BIN)/pip install --quiet --require-hashes -r requirements-qt.lock

demo: install
	$(BIN)/trxas demo --out demo_output

test: install lint types imports
	$(BIN)/pytest -n $(JOBS) -m "not long" tests

test-all: install lint types imports
	$(BIN)/pytest -n $(JOBS) tests

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install
	$(BIN)/mypy

imports: install
	$(BIN)/lint-imports

bench: install
	$(BIN)/python -m tests.benchmarks

# Pins every dependency with hashes; needs `uv`. Run it after changing pyproject.toml; what the extra `qt` adds is
# pinned by hand in requirements-qt.lock.
lock:
	uv pip compile --quiet --python-version 3.11 --extra dev --generate-hashes --no-emit-index-url \
	  --no-annotate --custom-compile-command "make lock" pyproject.toml -o requirements.lock

clean:
	rm -rf .venv demo_output build *.egg-info
