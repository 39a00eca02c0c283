# Every target sets up what it needs, from nothing but Python 3.11+ and a package index.
PYTHON ?= python3
VENV := .venv
# Beside the newest Airflow; the first is the oldest that is supported.
OLDER := 3.1 3.2
BIN := $(VENV)/bin
COMPILE := $(BIN)/uv pip compile -q --universal --python-version 3.11 --no-header --no-annotate --no-emit-index-url

.PHONY: help demo demo-ui test test-older lint unit fuzz bench soak constraints clean

help:
	@echo "make demo      run the example DAGs in a real Airflow against the embedded Bitbucket, print what happened"
	@echo "make demo-ui   the same as a running Airflow to click through"
	@echo "make test      lint, types, the test suite, and a small run on Airflow $(OLDER)"
	@echo "make fuzz      mutated responses to everything that reads one; EXAMPLES=400 for each subject"
	@echo "make bench     the benchmarks"
	@echo "make soak      500 deferred waits while Bitbucket misbehaves and the triggerer is killed; takes its time"

$(VENV)/.ready: pyproject.toml emulator/pyproject.toml constraints.txt .ci/venv
	.ci/venv $(PYTHON) $(VENV) constraints.txt --group dev
	touch $@

.venv-airflow-%/.ready: pyproject.toml emulator/pyproject.toml constraints-airflow-%.txt .ci/venv
	.ci/venv $(PYTHON) $(@D) constraints-airflow-$*.txt pytest pytest-timeout
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
	$(BIN)/python .ci/prose.py

# What older versions have to do is asked of the newest by all other tests.
unit: $(VENV)/.ready
	$(BIN)/pytest -n 3 --dist loadgroup --no-loadscope-reorder --ignore tests/older

.SECONDARY: $(OLDER:%=.venv-airflow-%/.ready)  # else make takes it for a leftover and deletes it

# Side by side: each waits for its Airflow most of the time.
test-older:
	$(MAKE) -j2 $(OLDER:%=test-airflow-%)

test-airflow-%: .venv-airflow-%/.ready
	.venv-airflow-$*/bin/python -m pytest tests/older -p no:cacheprovider

test: lint unit test-older

# As many mutated responses for each of some thirty subjects; new ones each time.
EXAMPLES ?= 400

fuzz: $(VENV)/.ready
	FUZZ_EXAMPLES=$(EXAMPLES) $(BIN)/pytest tests/fuzz -q

bench: $(VENV)/.ready
	for b in $(filter-out benchmarks/soak.py,$(wildcard benchmarks/*.py)); do $(BIN)/python $$b || exit 1; done

soak: $(VENV)/.ready
	$(BIN)/python -m benchmarks.soak 500

# $(call older,series,version,day): resolved as of that day, because today's newest packages break old Airflows.
older = (echo "\# Airflow $(1) with the packages of its time; made by 'make constraints'."; \
	printf 'apache-airflow==$(2)\npandas<3\npytest\npytest-timeout\n' | $(COMPILE) - pyproject.toml emulator/pyproject.toml --exclude-newer $(3) \
	--exclude-newer-package apache-airflow-providers-common-compat=2026-11-01) > constraints.new && mv constraints.new constraints-airflow-$(1).txt

constraints: $(VENV)/.ready
	(echo "# What the suite and the demo run on: the newest Airflow; made by 'make constraints'."; \
	 $(COMPILE) pyproject.toml emulator/pyproject.toml --group dev --extra report --extra sql) > constraints.new && mv constraints.new constraints.txt
	$(call older,3.1,3.1.8,2026-03-20)
	$(call older,3.2,3.2.2,2026-06-10)

clean:
	rm -rf $(VENV) $(OLDER:%=.venv-airflow-%) demo-output .mypy_cache .ruff_cache .pytest_cache
