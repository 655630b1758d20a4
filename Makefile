# Two commands: `make run` and `make test`. Everything else is for those who change the code.
PYTHON ?= python3
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input
CODE := seamscope collector analysis tui dashboards tests benchmarks
SEED ?= 7
OUT ?= sample_traces
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help run test format bench soak record lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/run: requirements/build.txt requirements/run.txt pyproject.toml
	@echo "seamscope: making $(VENV) and installing pinned dependencies (once)" >&2
	@$(PYTHON) -c 'import sys; v=sys.version_info; sys.exit(0 if (3,11) <= v[:2] <= (3,14) else f"seamscope needs Python 3.11 to 3.14, {sys.executable} is {v.major}.{v.minor}; try make PYTHON=python3.12")'
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) --require-hashes -r requirements/build.txt -r requirements/run.txt
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/dev: $(VENV)/run requirements/dev.txt
	@echo "seamscope: installing what the tests need (once)" >&2
	@$(PIP) --require-hashes -r requirements/dev.txt
	@touch $@

run: $(VENV)/run ## collector, recorded samples, summary and explorer (ARGS=--once stops after the summary)
	@$(BIN)/seamscope run $(ARGS)

test: $(VENV)/dev ## everything CI runs: format, lint, types, import contracts, tests
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -n 2 --dist loadgroup -m "not soak" $(ARGS)

format: $(VENV)/dev ## format the code and mend what can be mended
	$(BIN)/ruff format $(CODE)
	$(BIN)/ruff check --fix $(CODE)

bench: $(VENV)/dev ## benchmarks: JSON on stdout, a table on stderr
	@$(BIN)/python -m benchmarks $(ARGS)

soak: $(VENV)/dev ## the long forms: properties from fresh seeds, kills, damage, full disks, mutated requests
	SEAMSCOPE_SOAK=1 $(BIN)/pytest -m "soak or hypothesis" $(ARGS)
	@$(BIN)/python -m benchmarks.soak

record: $(VENV)/run ## record sample_traces/ anew with the lab (SCENARIO=… SEED=… OUT=…)
	$(BIN)/python sample_traces/lab/record.py --seed $(SEED) --out $(OUT) --scenario "$(SCENARIO)" $(ARGS)

lock: ## write requirements/*.txt anew (needs uv)
	printf 'editables==0.6\nhatchling==1.33.0\n' | uv pip compile - --universal --python-version 3.11 --generate-hashes --no-header --no-annotate -q -o requirements/build.txt
	uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header --no-annotate -q -o requirements/run.txt
	uv pip compile pyproject.toml --group dev -c requirements/run.txt --universal --python-version 3.11 --generate-hashes --no-header --no-annotate -q -o requirements/dev.txt

clean: ## remove the environment and what tools leave behind
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
