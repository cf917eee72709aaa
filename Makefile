# Everything one does with this project. It needs Python 3.11 or later and make, and brings the rest into .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.9
# An installed uv is used as it is; otherwise this version is put into .venv.
INSTALLED_UV := $(shell command -v uv 2>/dev/null)
UV := $(or $(INSTALLED_UV),$(BIN)/uv)
MAKE_VENV := $(if $(INSTALLED_UV),$(UV) venv --quiet --python $(PYTHON),$(PYTHON) -m venv) $(VENV)
INSTALL := $(UV) pip install --quiet --python $(BIN)/python --require-hashes

.PHONY: help up demo test check format lock clean
.DEFAULT_GOAL := help

help: ## Show this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 16

up: $(VENV)/.product ## Start the whole product on this machine; Ctrl-C ends it (PORT=8000, GALLEY_DATA=.data)
	@$(BIN)/python -m infra.local

demo: $(VENV)/.product ## Buy something in the running product, as a customer and an editor would
	@$(BIN)/python -m infra.local.tour

PYTEST := $(BIN)/python -m pytest -n 2 --dist loadgroup

test: $(VENV)/.dev ## Run the everyday tests: a few minutes
	@$(PYTEST) -m "not slow"

check: $(VENV)/.dev ## Run every static check, then every test: what CI runs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy .
	$(BIN)/lint-imports
	$(BIN)/python web/vendor.py check
	$(PYTEST)

format: $(VENV)/.dev ## Put every file into the one format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# The two locks agree: what is tested is what is sold.
LOCKING = $(UV) pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11 --extra llm --extra local

lock: $(BIN)/python $(UV) ## Choose the newest allowed version of every dependency, and lock it with its hashes
	$(LOCKING) --upgrade pyproject.toml -o requirements/product.lock
	$(LOCKING) --upgrade --group dev -c requirements/product.lock pyproject.toml -o requirements/dev.lock

clean: ## Remove .venv and every cache; data folders stay
	rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Galley needs Python 3.11 or later. If it has another name here: make up PYTHON=python3.12" >&2; exit 2; }
	@echo "making $(VENV)" && $(MAKE_VENV) \
	  || { rm -rf $(VENV); echo "Python's venv module is missing. On Debian and Ubuntu: apt install python3-venv" >&2; exit 2; }

$(BIN)/uv: | $(BIN)/python
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

# Installed again only when the lock has changed.
$(VENV)/.product: requirements/product.lock | $(BIN)/python $(UV)
	@echo "installing what the product needs" && $(INSTALL) -r $< && touch $@

$(VENV)/.dev: requirements/dev.lock | $(BIN)/python $(UV)
	@echo "installing what the tests need" && $(INSTALL) -r $< && touch $@ $(VENV)/.product
