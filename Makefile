# `make help` lists what there is. Nothing here needs root.
# On Windows without make, README.md has the same commands.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.SUFFIXES:

DATA ?= data/raw
PROTOCOL ?= official
OUT ?= runs/$(PROTOCOL)
OUTLINES ?= $(wildcard $(DATA)/outlines.json)
ALSO ?= $(wildcard data/other)
PROTOCOLS := official clean fold-0 fold-1 fold-2 fold-3 fold-4
TRAINING = --data "$(DATA)" --protocol "$(PROTOCOL)" $(if $(OUTLINES),--outlines "$(OUTLINES)")
PYTEST_ARGS ?=
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

# $(call fill,FOLDER,REQUIREMENTS,OPTIONS): make the virtual environment if need be, install, stamp it.
# PYTHON=/path/to/python3.11 names the interpreter where it is not on the path.
define fill
@set -e; \
for python in "$(PYTHON)" python3.11 python3 python; do \
  [ -n "$$python" ] || continue; \
  "$$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null && break; \
  python=; \
done; \
if [ -z "$$python" ]; then \
  echo "error: Python 3.11 is needed, as python3.11 or python3." >&2; \
  echo "  found: $$(python3 --version 2>&1 || true)" >&2; \
  echo "  Debian 12: apt-get install python3 python3-venv. macOS: brew install python@3.11." >&2; \
  echo "  Elsewhere on the disk: make PYTHON=/path/to/python3.11 ..." >&2; \
  exit 1; \
fi; \
if ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
  echo "error: $$python has no venv module. Debian and Ubuntu keep it in a package of its own:" >&2; \
  echo "  apt-get install python3-venv (or python3.11-venv)" >&2; \
  exit 1; \
fi; \
if ! "$(1)/bin/python" -c 'import pip, sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; \
then \
  echo "Making $(1) with $$("$$python" --version)."; \
  "$$python" -m venv --clear "$(1)"; \
fi; \
echo "Installing $(2) into $(1); the first time takes a while."; \
"$(1)/bin/python" -m pip install --quiet --no-compile --disable-pip-version-check $(3) -r "$(2)"; \
touch "$(1)/.requirements"
endef

.PHONY: help serve test lint types format lock audit-packages sbom data audit train score export calibrate evaluate reports reproduce notebook lab samples translations clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

serve: $(STAMP) ## start the web app; PORT=8080 make serve picks the port
	@exec $(RUN) app.py

test: lint types ## lint, types and every test; PYTEST_ARGS='-k name' picks some
	$(DEV) -m pytest $(PYTEST_ARGS)

lint: $(STAMP_DEV) ## ruff: rules and format
	$(DEV) -m ruff check .
	$(DEV) -m ruff format --check .

types: $(STAMP_DEV) ## mypy --strict on the sources
	$(DEV) -m mypy

format: $(STAMP_DEV) ## put the sources into ruff's format, and fix what it can
	$(DEV) -m ruff check --fix .
	$(DEV) -m ruff format .

lock: $(STAMP_DEV) ## write requirements.lock from requirements.txt: every version, every hash
	$(DEV) -m uv pip compile requirements.txt --quiet --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate \
	  --custom-compile-command "make lock" --output-file requirements.lock

audit-packages: $(STAMP_DEV) ## look for known vulnerabilities of what is served
	@exec $(DEV) -m deploy.audit_packages

sbom: $(STAMP_DEV) ## write sbom.json, the software bill of materials (CycloneDX) of what is served
	$(DEV) -m cyclonedx_py requirements requirements.lock --pyproject pyproject.toml \
	  --output-reproducible --of JSON --output-file sbom.json

data: $(STAMP_DEV) ## download the dataset into data/raw
	@exec $(DEV) -m data.download

audit: $(STAMP_DEV) ## find copies in DATA=data/raw and divide it anew; OUTLINES=file for patients, ALSO=folder
	@exec $(DEV) -m model audit --data "$(DATA)" $(if $(OUTLINES),--outlines "$(OUTLINES)") \
	  $(if $(ALSO),--also "$(ALSO)") --keep data/splits.csv --plant 75

train: $(STAMP_DEV) ## train on DATA=data/raw under PROTOCOL=official, into OUT=runs/official
ifneq ($(filter fold-%,$(PROTOCOL)),) # five networks: by the brief recipe
	@exec $(DEV) -m model train --stage brief --out "$(OUT)" $(TRAINING)
else
	@$(DEV) -m model train --stage groundwork --out "$(OUT)-groundwork" $(TRAINING)
	@$(DEV) -m model train --stage counterfactuals --init "$(OUT)-groundwork" \
	  --out "$(OUT)-counterfactuals" $(TRAINING)
	@$(DEV) -m model train --stage refinement --init "$(OUT)-counterfactuals" \
	  --out "$(OUT)-refinement" $(TRAINING)
	@$(DEV) -m model train --stage consolidation --init "$(OUT)-refinement" \
	  --out "$(OUT)-consolidation" $(TRAINING)
	@$(DEV) -m model train --stage reconsolidation --init "$(OUT)-consolidation" \
	  --out "$(OUT)-reconsolidation" $(TRAINING)
	@exec $(DEV) -m model train --stage polish --init "$(OUT)-reconsolidation" \
	  --out "$(OUT)" $(TRAINING)
endif

score: $(STAMP_DEV) ## test the run in OUT under its protocol
	@exec $(DEV) -m model score --data "$(DATA)" --run "$(OUT)"

export: $(STAMP_DEV) ## make the files the server loads from the run in OUT; DATA shows the ranges
	@exec $(DEV) -m model export --run "$(OUT)" --data "$(DATA)"

calibrate: $(STAMP_DEV) ## fit the constants that tell when to trust them, on DATA
	@exec $(DEV) -m model calibrate --data "$(DATA)"

evaluate: $(STAMP_DEV) ## evaluate them on DATA, and put the figures into README.md
	@$(DEV) -m model evaluate --data "$(DATA)"
	@$(DEV) -m benchmarks.figures.readme
	@exec $(DEV) -m benchmarks.figures.model_card

reports: $(STAMP_DEV) ## measure shortcuts, heat maps, corruptions and exports of the shipped files
	@$(DEV) -m benchmarks.network.shortcuts --data "$(DATA)" --outlines "$(OUTLINES)"
	@$(DEV) -m benchmarks.network.heat_maps --data "$(DATA)" --outlines "$(OUTLINES)"
	@$(DEV) -m benchmarks.network.corruptions --data "$(DATA)"
	@$(DEV) -m benchmarks.network.quantization --data "$(DATA)"
	@exec $(DEV) -m benchmarks.network.ood --data "$(DATA)"

reproduce: $(STAMP_DEV) ## train and score every protocol, export, measure and evaluate: many hours
	@set -e; for protocol in $(PROTOCOLS); do \
	  $(MAKE) train score PROTOCOL=$$protocol; \
	done
	@$(MAKE) export calibrate OUT=runs/official
	@$(MAKE) reports evaluate notebook

notebook: $(STAMP_DEV) ## execute the notebook in place, on DATA=data/raw
	DATA="$(DATA_FROM_ROOT)" $(DEV) -m jupyter nbconvert --to notebook --execute --inplace $(NOTEBOOK)

lab: $(STAMP_DEV) ## open the notebook in JupyterLab
	DATA="$(DATA_FROM_ROOT)" $(DEV) -m jupyter lab $(NOTEBOOK)

samples: $(STAMP) ## build data/gallery from unseen Testing images of DATA=data/raw, for local use
	@exec $(RUN) -m data.samples real --data "$(DATA)"

translations: $(STAMP_DEV) ## gather the pages' texts into translations/ and compile them
	@$(DEV) -m babel.messages.frontend extract --mapping babel.cfg --keyword _l --keyword _said --no-location \
	  --omit-header --sort-output --output translations/messages.pot .
	@$(DEV) -m babel.messages.frontend update --input-file translations/messages.pot \
	  --output-dir translations --no-fuzzy-matching --ignore-obsolete
	@exec $(DEV) -m babel.messages.frontend compile --directory translations

clean: ## remove caches; environments, data and runs stay
	rm -rf .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -not -path './.venv*' -prune -exec rm -rf {} +

$(STAMP): requirements.lock
	$(call fill,$(VENV),requirements.lock,--require-hashes)

$(STAMP_DEV): requirements-dev.txt requirements-train.txt requirements-jax.txt \
  requirements-scale.txt requirements.txt
	$(call fill,$(VENV_DEV),requirements-dev.txt)
