# Every target sets up what it needs, from nothing but Python 3.11+ and a package index.
PYTHON ?= python3
VENV := .venv
FLOOR := .venv-airflow-3.1
BIN := $(VENV)/bin
COMPILE := $(BIN)/uv pip compile -q --universal --python-version 3.11 --no-header --no-annotate --no-emit-index-url

.PHONY: help demo demo-ui test test-floor lint unit bench soak constraints clean

help:
	@echo "make demo      run the example DAGs in a real Airflow against the embedded Bitbucket, print what happened"
	@echo "make demo-ui   the same as a running Airflow to click through"
	@echo "make test      lint, types, the test suite, and a small run on the oldest supported Airflow"
	@echo "make bench     the benchmarks"
	@echo "make soak      500 deferred waits while Bitbucket misbehaves and the triggerer is killed; takes its time"

$(VENV)/.ready: pyproject.toml constraints.txt .ci/venv
	.ci/venv $(PYTHON) $(VENV) constraints.txt --group dev
	touch $@

$(FLOOR)/.ready: pyproject.toml constraints-airflow-3.1.txt .ci/venv
	.ci/venv $(PYTHON) $(FLOOR) constraints-airflow-3.1.txt pytest pytest-timeout
	touch $@

demo: $(VENV)/.ready
	$(BIN)/python -m demo

demo-ui: $(VENV)/.ready
	$(BIN)/python -m demo --ui

lint: $(VENV)/.ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy

# What the floor has to do is asked of the newest Airflow by all other tests.
unit: $(VENV)/.ready
	$(BIN)/pytest -n 3 --no-loadscope-reorder --ignore tests/floor

test-floor: $(FLOOR)/.ready
	$(FLOOR)/bin/python -m pytest tests/floor -p no:cacheprovider

test: lint unit test-floor

bench: $(VENV)/.ready
	for b in $(filter-out benchmarks/soak.py,$(wildcard benchmarks/*.py)); do $(BIN)/python $$b || exit 1; done

soak: $(VENV)/.ready
	$(BIN)/python -m benchmarks.soak 500

# The floor is resolved as of the month of its Airflow: today's newest packages break old Airflows.
constraints: $(VENV)/.ready
	(echo "# What the suite and the demo run on: the newest Airflow; made by 'make constraints'."; \
	 $(COMPILE) pyproject.toml --group dev --extra emulator --extra report --extra sql) > constraints.new && mv constraints.new constraints.txt
	(echo "# Airflow 3.1 (the floor) with the packages of its time; made by 'make constraints'."; \
	 printf 'apache-airflow==3.1.8\npandas<3\npytest\npytest-timeout\n' | $(COMPILE) - pyproject.toml --exclude-newer 2026-03-20 \
	 --exclude-newer-package apache-airflow-providers-common-compat=2026-11-01) > constraints.new && mv constraints.new constraints-airflow-3.1.txt

clean:
	rm -rf $(VENV) $(FLOOR) demo-output .mypy_cache .ruff_cache .pytest_cache
