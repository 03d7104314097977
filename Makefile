# Everything that a developer types; `make` alone lists it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
GEN := shared/gen
# Tests wait for servers half of their time.
WORKERS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)

# The proto compiler finds its plug-ins on the PATH.
PROTOC = PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m grpc_tools.protoc -Iproto -Iproto/third_party
PROTOS = $(shell cd proto && find stagedoor -name '*.proto' | sort)
SERVICES = $(filter %_service.proto,$(PROTOS))
# An image, as buf compares no workspace of two modules with one.
IMAGE = cd proto && ../$(BIN)/buf build --path stagedoor --exclude-source-info

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo run test faults soak promises test-long fuzz fuzz-readers check fmt format lint types walls contract generated diagram proto baseline docs docs-validator bench bench-validate bench-download bench-api bench-pipeline bench-fleets bench-parts bench-scaling bench-startup bench-scale bench-layers clean

##@ Use it

demo: $(VENV)/.runtime ## import an Atmos master that it makes itself, from URL to record
	@$(BIN)/python -m cli.demo

run: $(VENV)/.runtime ## run everything on the default ports until Ctrl-C, data in var/
	@$(BIN)/stagedoor up --data-dir var

##@ Work on it

test: $(VENV)/.development ## run all tests but those below
	$(BIN)/python -m pytest -m "not long and not faults" --ignore tests/fuzz -n $(WORKERS) --maxprocesses 4 --dist loadfile --no-loadscope-reorder

faults: $(VENV)/.development ## break real processes in every way there is; says its seed
	$(BIN)/python -m pytest tests/faults tests/integration/bus/test_cluster.py -m "faults and not long" --timeout 300 -n $(WORKERS) --maxprocesses 4 --dist loadfile

soak: $(VENV)/.development ## break everything at random under load, for STAGEDOOR_SOAK_SECONDS (300)
	STAGEDOOR_SOAK_SECONDS=$${STAGEDOOR_SOAK_SECONDS:-300} $(BIN)/python -m pytest -s tests/faults/test_soak.py

promises: $(VENV)/.development ## take out the mechanism behind each promise; its test has to fail
	$(BIN)/python -m tests.promises

test-long: $(VENV)/.development ## run the tests that take minutes or gigabytes
	$(BIN)/python -m pytest -m long

fuzz: $(VENV)/.development ## try the running server with 10,000 malformed requests and calls
	STAGEDOOR_FUZZ_CALLS=10000 $(BIN)/python -m pytest -s tests/fuzz

fuzz-readers: $(VENV)/.development ## try the validator's readers with damaged files for a minute
	$(BIN)/python -m tests.fuzz.readers

check: format lint types walls contract generated diagram ## run every check that is not a test

fmt: $(VENV)/.development ## format the code and the contract
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .
	cd proto && ../$(BIN)/buf format --write --path stagedoor

proto: $(VENV)/.development ## generate the stubs in shared/gen again
	rm -rf $(GEN)/stagedoor && mkdir -p $(GEN)
	$(PROTOC) --python_out=$(GEN) --mypy_out=quiet:$(GEN) $(PROTOS)
	$(PROTOC) --grpc_python_out=$(GEN) --mypy_grpc_out=quiet:$(GEN) $(SERVICES)

baseline: $(VENV)/.development ## promise the contract as it is now; a change that breaks it fails
	$(IMAGE) -o baseline.binpb

docs: $(VENV)/.development ## make the pages of docs/ again that are made from code
	$(BIN)/python -m services.api.domain.diagram docs/life-of-a-task.md
	$(BIN)/python -m tests.support.docs codes docs/validator
	$(BIN)/python -m tests.promises page docs/promises.md

docs-validator: docs ## ask Stagedoor, MediaInfo and FFmpeg about every broken master again
	$(BIN)/python -m tests.support.docs mutations docs/validator

bench: bench-validate bench-download bench-api bench-pipeline bench-fleets bench-parts bench-scaling bench-startup bench-scale bench-layers ## run all benchmarks, on a quiet machine

bench-validate: $(VENV)/.development ## time the validator beside MediaInfo and FFmpeg, into docs/
	$(BIN)/python -m bench.validate --rounds 3 --write docs/performance.md

bench-download: $(VENV)/.development ## time downloads beside curl, wget and aria2c, into docs/
	$(BIN)/python -m bench.download --rounds 3 --write docs/performance.md

bench-api: $(VENV)/.development ## load the API beside FastAPI and Django REST framework, into docs/
	$(BIN)/python -m bench.api --write docs/performance.md

bench-pipeline: $(VENV)/.development ## run jobs that do nothing beside Celery, FastStream and taskiq, into docs/
	$(BIN)/python -m bench.pipeline --write docs/performance.md

bench-fleets: $(VENV)/.development ## measure what more workers bring and who waits for whom, into docs/
	$(BIN)/python -m bench.fleets --write docs/performance.md

bench-parts: $(VENV)/.development ## measure what a job costs each part of the pipeline, into docs/
	$(BIN)/python -m bench.scaling.parts --write docs/scaling.md

bench-scaling: $(VENV)/.development ## compute and simulate 10, 100 and 1,000 times the load, into docs/
	$(BIN)/python -m bench.scaling --write docs/scaling.md

bench-startup: $(VENV)/.development ## start everything again and again, and tell what is loaded, into docs/
	$(BIN)/python -m bench.startup --write docs/performance.md

bench-scale: $(VENV)/.development ## time everything with 10,000 to 5,000,000 tasks, into docs/; TMPDIR says where they are
	$(BIN)/python -m bench.scale --write docs/performance.md

bench-layers: $(VENV)/.development ## sample which share of the API's time each layer takes, into docs/
	$(BIN)/python -m bench.layers --write docs/performance.md

clean: ## remove the environment, caches and the data of `make run`
	rm -rf $(VENV) var dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

help: ## show this list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-z-]+:.*## / {printf "  make %-15s%s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The parts of `make check`.

format: $(VENV)/.development
	$(BIN)/ruff format --check .

lint: $(VENV)/.development
	$(BIN)/ruff check .

types: $(VENV)/.development
	$(BIN)/mypy

walls: $(VENV)/.development
	$(BIN)/lint-imports

contract: $(VENV)/.development
	cd proto && ../$(BIN)/buf lint
	cd proto && ../$(BIN)/buf format --diff --exit-code --path stagedoor
	$(IMAGE) -o ../$(VENV)/contract.binpb
	$(BIN)/buf breaking $(VENV)/contract.binpb --against proto/baseline.binpb --config proto/buf.yaml

generated: $(VENV)/.development
	@$(MAKE) --no-print-directory proto GEN=$(VENV)/gen
	diff -r -x __pycache__ $(VENV)/gen/stagedoor shared/gen/stagedoor || { echo 'run: make proto' >&2; exit 1; }

diagram: $(VENV)/.development
	$(BIN)/python -m services.api.domain.diagram --check docs/life-of-a-task.md

# The environment, from the lock files alone; a stamp for each says that it is installed.

# Compiled as a wheel's modules are: who writes no byte code would do it at every start.
SHIPPED := cli services shared

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Stagedoor needs Python 3.11 or newer; this one is %d.%d. Say which: make PYTHON=python3.11 ..." % sys.version_info[:2])'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements.lock pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(BIN)/python -m compileall -q $(SHIPPED)
	@touch $@

$(VENV)/.development: requirements-dev.lock pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	$(BIN)/python -m compileall -q $(SHIPPED)
	@touch $@
