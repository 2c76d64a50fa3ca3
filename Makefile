# Every target sets up what it needs first; `setup` alone installs. A second run of any of them is fast.
#
# Behind a mirror: UV_DEFAULT_INDEX=<your index> and PIP_INDEX_URL=<your index>; Delta's jars from a folder: CLOISTER_JARS=<folder>.

PYTHON ?= python3
BIN := .venv/bin
SITE_STAMP := .venv/.installed
WORK ?= work
CLOISTER_DATA ?= ../shared/data
export CLOISTER_DATA
unexport PYTHONPATH

.DEFAULT_GOAL := help
.PHONY: help setup demo test check fix bench bench-mapping bench-mapping-speed bench-secure-sum crash faults fuzz test-templates sql-on-fhir-report serve ui jars clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-20s %s\n", $$1, $$2}'

$(SITE_STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; found $$($(PYTHON) --version). Set PYTHON=/path/to/python3.11."; exit 1; }
	@$(PYTHON) -m venv .venv 2>/dev/null || { echo "Python's venv module is missing: install it (Debian: python3-venv), then run this again."; exit 1; }
	@$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements-uv.lock
	@echo "Installing the locked packages into .venv ..."
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --no-deps --require-hashes -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@$(BIN)/uv pip check --quiet --python $(BIN)/python || { $(BIN)/uv pip check --python $(BIN)/python; exit 1; }
	@touch $@

setup: $(SITE_STAMP) ## make .venv and install the locked packages

demo: setup ## generate the synthetic city, run the main job on it, fetch one hint as a clinic would
	@$(BIN)/cloister demo --work $(WORK)/demo

jars: setup ## fetch Delta's jars once (only the Spark engine needs them)
	@$(BIN)/python -m lake.jars

test: setup ## run the tests; with Java 17+ also Apache Spark + delta-spark
	@$(BIN)/python -m lake.jars --if-java
	@$(BIN)/python -m pytest

check: setup ## format, lint, types, imports, folders; never edits
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy .
	@$(BIN)/lint-imports
	@$(BIN)/python -m pytest -q tests/unit/test_layout.py

fix: setup ## format and apply the linter's safe fixes
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

crash: setup ## kill a run 50 times at random moments; a clean run after each makes the same tables
	@CLOISTER_KILLS=$${CLOISTER_KILLS:-50} $(BIN)/python -m pytest -q tests/integration/fhir_mapping/test_fhir_mapping_crash.py

faults: setup ## kill random parties of training runs 100 times; each run ends with the model of a plain replay
	@$(BIN)/python -m benchmarks faults --kills 100 --seed 1 --resume

test-templates: setup ## run the examples of all templates, and all of them in one region
	@CLOISTER_TEMPLATES=all $(BIN)/python -m pytest -q tests/integration/fhir_mapping/test_templates_region.py

fuzz: setup ## 200,000 spoiled inputs of all formats; each ends mapped or quarantined, nothing is lost
	@$(BIN)/python -m benchmarks fuzz

bench: setup ## measure; tables go to benchmarks/results
	@$(BIN)/python -m benchmarks

bench-mapping-speed: setup ## records to checked FHIR beside rivals and plain copies; sizes up to 20 million rows
	@$(BIN)/python -m benchmarks mapping-speed --only csv,ndjson,growth,oru,cda,csv-spark,ndjson-spark,oru-spark,cda-spark

bench-secure-sum: setup ## what the secure sum costs: rounds, CPU time beside the clear, sizes, many sites
	@$(BIN)/python -m benchmarks secure-sum --only rounds,cpu,sizes,scale

sql-on-fhir-report: setup ## run the public SQL on FHIR suite; the report in its own form goes to benchmarks/results
	@$(BIN)/python -m benchmarks.sql_on_fhir

bench-mapping: setup ## recall of public HL7 v2 messages and CDA documents, and the validator's count
	@$(BIN)/python -m benchmarks mapping

serve: setup ## serve the demo region's released models as CDS Hooks
	@$(BIN)/cloister serve regions/demo --work $(WORK)/demo

ui: setup ## Dagster's web page with the demo region's assets, checks and jobs
	@$(BIN)/cloister ui regions/demo --work $(WORK)/demo

clean: ## remove what the targets made (work, caches, .venv)
	rm -rf .venv .cache work benchmarks/results build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
