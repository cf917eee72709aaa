# Everything one does with this project. It needs Python 3.11 or later and make, and brings the rest into .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.9
# An installed uv is used as it is; otherwise this version is put into .venv.
INSTALLED_UV := $(shell command -v uv 2>/dev/null)
UV := $(or $(INSTALLED_UV),$(BIN)/uv)
MAKE_VENV := $(if $(INSTALLED_UV),$(UV) venv --quiet --python $(PYTHON),$(PYTHON) -m venv) $(VENV)
# Compiled once, every later process starts sooner: a test run and the product start many.
unexport PYTHONDONTWRITEBYTECODE
INSTALL := $(UV) pip install --quiet --python $(BIN)/python --require-hashes

.PHONY: help up demo test check audit infra-check image drill reliability bench format lock clean
.DEFAULT_GOAL := help

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 24

up: $(VENV)/.product ## Start the whole product on this machine; Ctrl-C ends it (PORT=8000, GALLEY_DATA=.data)
	@$(BIN)/python -m infra.local

demo: $(VENV)/.product ## Buy something in the running product, as a customer and an editor would (PORT=8000)
	@$(BIN)/python -m infra.local.tour

PYTEST := $(BIN)/python -m pytest --dist loadgroup

test: $(VENV)/.dev ## Run the everyday tests: a few minutes
	@$(PYTEST) -n 2 -m "not slow"

check: $(VENV)/.dev ## Run every static check, then every test: what CI runs
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy .
	$(BIN)/lint-imports
	$(BIN)/python web/vendor.py check
	$(BIN)/python -m infra.dependencies
	# One more than two cores have: what is slow mostly waits, for a lease, a backoff or a browser.
	$(PYTEST) -n 3

audit: $(VENV)/.dev $(UV) ## Ask for known holes in what is locked; needs the network, and says so without one
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m infra.dependencies audit

infra-check: $(VENV)/.dev $(UV) ## Check infra/ without a cloud; needs terraform
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m infra.checks

BUILDER := $(firstword $(shell command -v buildah podman docker 2>/dev/null))

image: $(if $(findstring buildah,$(BUILDER)),$(VENV)/.dev) ## Build the container image `galley` with buildah, podman or docker (IMAGE_FLAGS=…); with buildah, test it too
	@test -n "$(BUILDER)" || { echo "Install buildah, podman or docker." >&2; exit 2; }
	$(BUILDER) build $(if $(findstring docker,$(BUILDER)),,--format docker --ignorefile infra/image/Containerfile.dockerignore) \
	  --build-arg RELEASE="$$(git describe --always --dirty 2>/dev/null)" $(IMAGE_FLAGS) --tag galley --file infra/image/Containerfile .
	$(if $(findstring buildah,$(BUILDER)),$(BIN)/python -m pytest -q tests/infra/test_image.py)

drill: $(VENV)/.product ## Back the running product up, restore it beside itself, and compare (GALLEY_DATA=.data)
	@$(BIN)/python -m infra.drill

reliability: $(VENV)/.dev ## Let every fault happen at full size: writes tests/reliability/figures.json
	$(BIN)/python -m tests.reliability

bench: $(VENV)/.dev ## Measure the job engine beside others, installed by pip and npm: writes docs/benchmarks.md
	$(BIN)/python -m tests.benchmarks.jobs --install

format: $(VENV)/.dev ## Put every file into the one format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# The locks agree: what is tested is what is sold, and what is in the image.
LOCKING = $(UV) pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11 --extra llm

lock: $(BIN)/python $(UV) ## Choose the newest allowed version of every dependency, and lock it with its hashes
	$(LOCKING) --upgrade --extra local pyproject.toml -o requirements/product.lock
	$(LOCKING) --upgrade --extra local --extra observe --group dev -c requirements/product.lock pyproject.toml -o requirements/dev.lock
	$(LOCKING) --extra observe -c requirements/dev.lock pyproject.toml -o requirements/image.lock

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
