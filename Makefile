# `make help` lists what there is. Nothing here needs root.
# On Windows without make, README.md has the same commands.
# PYTHON=/path/to/python3.12 names the interpreter; else environment.sh looks for one.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.SUFFIXES:

DATA ?= data/raw
PROTOCOL ?= official
OUT ?= runs/$(PROTOCOL)
OUTLINES ?= $(wildcard $(DATA)/outlines.json)
ALSO ?= $(wildcard data/other)
PROTOCOLS := official clean fold-0 fold-1 fold-2 fold-3 fold-4
TRAINING = --data "$(DATA)" --protocol "$(PROTOCOL)" $(if $(OUTLINES),--outlines "$(OUTLINES)") \
  $(if $(ALSO),--also $(ALSO))
PYTEST_ARGS ?=
# whole files, so that what the tests of a file share is made once; in order, so that no long one is
# last; NumPy has one thread, for those of several workers would wait for one another
SIDE_BY_SIDE := -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder
# what `make check` runs: the rooms whose tests take seconds
FAST := tests/model/metrics tests/model/inference tests/model/reading tests/model/test_preprocessing.py \
  tests/data/dataset tests/web/pages tests/web/model_card tests/web/api/test_openapi.py \
  tests/benchmarks/figures tests/project/test_docs.py tests/project/test_files.py \
  tests/project/test_rooms.py
NOTEBOOK := notebooks/tumor-classification-cnn.ipynb

VENV := .venv
VENV_DEV := .venv-dev
RUN := $(VENV)/bin/python
DEV := $(VENV_DEV)/bin/python
# stamps: a virtual environment is as new as the requirements it was filled from
STAMP := $(VENV)/.requirements
STAMP_DEV := $(VENV_DEV)/.requirements

# the notebook runs in its own folder, so it is told where the data lies from the root
DATA_FROM_ROOT = $(if $(filter /%,$(DATA)),$(DATA),$(CURDIR)/$(DATA))

.PHONY: help serve try-serving check test lint types format lock audit-packages sbom data audit train score export calibrate evaluate reports reproduce notebook lab samples translations clean

help: ## list the targets
	@awk -F ':.*## ' '/^##@ / {printf "\n%s\n", substr($$0, 5)} \
	  /^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Use it
serve: $(STAMP) ## start the web app; PORT=8080 make serve picks the port
	@exec $(RUN) app.py

try-serving: $(STAMP) ## open every page and classify one image, without a server
	@exec $(RUN) -m deploy.try_serving

samples: $(STAMP) ## build data/gallery from unseen Testing images of DATA=data/raw, for local use
	@exec $(RUN) -m data.samples real --data "$(DATA)"

##@ Change it
check: lint types ## lint, types and the fast tests: before every commit
	OMP_NUM_THREADS=1 $(DEV) -m pytest -m "not slow and not browser" $(SIDE_BY_SIDE) $(FAST)

test: lint types ## lint, types and every test; PYTEST_ARGS='-k name' picks some
	OMP_NUM_THREADS=1 $(DEV) -m pytest $(or $(PYTEST_ARGS),$(SIDE_BY_SIDE))

lint: $(STAMP_DEV) ## ruff: rules and format
	$(DEV) -m ruff check .
	$(DEV) -m ruff format --check .

types: $(STAMP_DEV) ## mypy --strict on the sources
	$(DEV) -m mypy

format: $(STAMP_DEV) ## put the sources into ruff's format, and fix what it can
	$(DEV) -m ruff check --fix .
	$(DEV) -m ruff format .

translations: $(STAMP_DEV) ## gather the pages' texts into translations/ and compile them
	@$(DEV) -m babel.messages.frontend extract --mapping babel.cfg --keyword _l --keyword about --no-location \
	  --omit-header --sort-output --output translations/messages.pot .
	@$(DEV) -m babel.messages.frontend update --input-file translations/messages.pot \
	  --output-dir translations --no-fuzzy-matching --ignore-obsolete
	@exec $(DEV) -m babel.messages.frontend compile --directory translations

clean: ## remove caches; environments, data and runs stay
	rm -rf .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -not -path './.venv*' -prune -exec rm -rf {} +

##@ Release it
lock: $(STAMP_DEV) ## write requirements.lock from requirements.txt: every version, every hash
	$(DEV) -m uv pip compile requirements.txt --quiet --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate \
	  --custom-compile-command "make lock" --output-file requirements.lock

audit-packages: $(STAMP_DEV) ## look for known vulnerabilities of what is served
	@exec $(DEV) -m deploy.audit_packages

sbom: $(STAMP_DEV) ## write sbom.json, the software bill of materials (CycloneDX) of what is served
	$(DEV) -m cyclonedx_py requirements requirements.lock --pyproject pyproject.toml \
	  --output-reproducible --of JSON --output-file sbom.json

##@ Train it
data: $(STAMP_DEV) ## download the dataset into data/raw
	@exec $(DEV) -m data.download

audit: $(STAMP_DEV) ## find copies in DATA=data/raw and divide it anew; OUTLINES=file for patients, ALSO=folder
	@exec $(DEV) -m model audit --data "$(DATA)" $(if $(OUTLINES),--outlines "$(OUTLINES)") \
	  $(if $(ALSO),--also "$(ALSO)") --keep data/splits.csv --plant 75

train: $(STAMP_DEV) ## train on DATA=data/raw and ALSO=data/other under PROTOCOL=official, into OUT
	@exec $(DEV) -m model train --out "$(OUT)" $(TRAINING)

score: $(STAMP_DEV) ## test the run in OUT under its protocol
	@exec $(DEV) -m model score --data "$(DATA)" --run "$(OUT)"

export: $(STAMP_DEV) ## make the files the server loads from the run in OUT; DATA shows the ranges
	@exec $(DEV) -m model export --run "$(OUT)" --data "$(DATA)" $(if $(ALSO),--also $(ALSO))

calibrate: $(STAMP_DEV) ## fit the constants that tell when to trust them, on DATA
	@exec $(DEV) -m model calibrate --data "$(DATA)" $(if $(ALSO),--also $(ALSO))

evaluate: $(STAMP_DEV) ## evaluate them on DATA, and put the figures into the pages
	@$(DEV) -m model evaluate --data "$(DATA)" $(if $(ALSO),--also $(ALSO))
	@exec $(DEV) -m benchmarks.figures

reports: $(STAMP_DEV) ## measure shortcuts, heat maps, corruptions and refusals of the shipped files
	@$(DEV) -m benchmarks.network.shortcuts --data "$(DATA)" --outlines "$(OUTLINES)"
	@$(DEV) -m benchmarks.network.heat_maps --data "$(DATA)" --outlines "$(OUTLINES)"
	@$(DEV) -m benchmarks.network.corruptions --data "$(DATA)"
	@exec $(DEV) -m benchmarks.network.ood --data "$(DATA)"

reproduce: $(STAMP_DEV) ## train and score every protocol, export, measure and evaluate: many hours
	@set -e; for protocol in $(PROTOCOLS); do \
	  $(MAKE) train score PROTOCOL=$$protocol; \
	done
	@$(MAKE) export calibrate OUT=runs/official
	@$(MAKE) reports evaluate notebook

##@ Look into it
notebook: $(STAMP_DEV) ## execute the notebook in place, on DATA=data/raw
	DATA="$(DATA_FROM_ROOT)" $(DEV) -m jupyter nbconvert --to notebook --execute --inplace $(NOTEBOOK)

lab: $(STAMP_DEV) ## open the notebook in JupyterLab
	DATA="$(DATA_FROM_ROOT)" $(DEV) -m jupyter lab $(NOTEBOOK)

# The last two numbers are minor versions of Python 3: TensorFlow, for which LiteRT stands in where
# the app is served, has no wheels for 3.14.
$(STAMP): requirements.lock
	@sh deploy/environment.sh $(VENV) requirements.lock 11 14

$(STAMP_DEV): requirements-dev.txt requirements-train.txt requirements-jax.txt \
  requirements-scale.txt requirements.txt
	@sh deploy/environment.sh $(VENV_DEV) requirements-dev.txt 11 13
