# Two commands do all the set-up: `make demo` and `make test`.
PYTHON ?= python3.11
BIN := .venv/bin
JOBS ?= 2

# Compiled modules are kept, whatever the surroundings say: many processes start, and each would compile them anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: pvs reference docs kernels qt web demo test test-all mutants checks lint types imports install install-dev lock clean bench chaos

# uv installs in a fifth of pip's time; where it cannot be had, pip takes its place.
PIP := $(BIN)/pip install --quiet --no-compile
# uv does not read pip's configuration: an index that pip is told to use is handed on.
INDEX = $(or $(PIP_INDEX_URL),$(shell $(BIN)/pip config get global.index-url 2>/dev/null))
UV = $(BIN)/uv pip install --quiet --python $(BIN)/python $(if $(INDEX),--default-index $(INDEX))
INSTALL = $(UV) --require-hashes -r $(1) || $(PIP) --require-hashes -r $(1)
HERE := PYTHONWARNINGS=ignore $(PIP) --no-deps --no-build-isolation --editable .

install: .venv/.installed
	$(COMPILE)

.venv/bin/pip:
	$(PYTHON) -m venv .venv

.venv/bin/uv: requirements-uv.lock | .venv/bin/pip
	-$(PIP) --require-hashes -r requirements-uv.lock

.venv/.installed: requirements.lock pyproject.toml | .venv/bin/uv
	$(call INSTALL,requirements.lock)
	$(HERE)
	@touch $@

# What tests and benchmarks need: the same versions, and on top Larch, NeXus, Dask, the queue server, contenders.
install-dev: .venv/.installed-dev

.venv/.installed-dev: requirements-dev.lock requirements.lock pyproject.toml | .venv/bin/uv
	$(call INSTALL,requirements-dev.lock)
	$(HERE)
	@touch .venv/.installed $@

# A window for the live figure; without it the figure goes to a PNG file.
qt: install
	$(call INSTALL,requirements-qt.lock)
	-$(BIN)/python -m beamline.session.qt_libraries

# The page in the browser, `trxas web`.
web: install
	$(call INSTALL,requirements-web.lock)

demo: install
	$(BIN)/trxas demo --out demo_output

# Compiles the numba kernels where they are installed, so that no session, command or test has to; what is compiled
# already, from the same sources and for the same processor, is left.
WARM_UP = $(BIN)/python -c "from $(1) import warm_up; warm_up()"
COMPILE = $(call WARM_UP,reduction.counting.kernels) && \
	{ $(call WARM_UP,reduction.shots.warm_up) & other=$$!; $(call WARM_UP,sim_ioc.physics.shot_tape) && wait $$other; } && \
	$(call WARM_UP,beamline.studies.bench.warm_up)

kernels: install-dev
	$(COMPILE)

# One BLAS thread a process: several test processes with several threads each wait for each other.
test test-all: export OPENBLAS_NUM_THREADS = 1
PYTEST := $(BIN)/pytest -n $(JOBS) --dist worksteal

test: checks
	$(PYTEST) -m "not long" tests

test-all: checks
	$(PYTEST) tests

# Changes single tokens of reduction and plans, a seeded sample, and lists those that no test notices; about an hour.
mutants: kernels
	$(BIN)/python -m tests.mutants

# All that is looked at before the tests, side by side.
checks: install-dev
	$(MAKE) --no-print-directory --output-sync=target --jobs $(JOBS) kernels docs types lint imports

lint: install-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install-dev
	$(BIN)/mypy

imports: install-dev
	$(BIN)/lint-imports

# A thousand faults by chance over a simulated shift, a scan after each; then a long shift without any. SEED repeats one.
chaos: install-dev
	$(BIN)/python -m tests.chaos --faults $(or $(FAULTS),1000) $(and $(SEED),--seed $(SEED))
	$(BIN)/python -m tests.chaos --faults 20 --catalogue server --only catalogue writer
	$(BIN)/python -m tests.chaos.flatness

bench: install-dev
	$(BIN)/python -m tests.benchmarks

# Writes the table of all records into the documentation; a test compares it.
pvs: install
	$(BIN)/python -m sim_ioc --prefix sim: --list --markdown > docs/reference/pvs.md

# Writes the generated sections of all reference pages; a test compares them too.
reference: install-dev pvs
	$(BIN)/python -m docs.generator

# The documentation as web pages, begin at build/docs/index.html; a warning is an error.
docs: install-dev
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs build/docs

# Pins every dependency with hashes; needs `uv`. Run it after changing pyproject.toml; what the extra `qt` adds is
# pinned by hand in requirements-qt.lock.
PIN := uv pip compile --quiet --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate \
  --custom-compile-command "make lock" pyproject.toml

lock:
	$(PIN) --extra dev -o requirements-dev.lock
	$(PIN) --extra build --constraint requirements-dev.lock -o requirements.lock

clean:
	rm -rf .venv demo_output build *.egg-info
