# `make demo` and `make test` set up all they need on a fresh Debian or Ubuntu with Python 3.11+.
# What is set up is stamped, so that the next run starts at once and needs no network.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory

PYTHONS := python3 python3.13 python3.12 python3.11 python3.14
PYTHON ?= $(shell for p in $(PYTHONS); do $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)

VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps
UV := $(BIN)/uv
export UV_PYTHON_DOWNLOADS := never
export UV_NO_PROGRESS ?= 1
CERTIFICATES := $(wildcard /etc/ssl/certs/ca-certificates.crt)
ifneq ($(CERTIFICATES),)
# An authority that this machine trusts, such as a company's, counts for uv and npm too.
export UV_SYSTEM_CERTS ?= 1
export NODE_EXTRA_CA_CERTS ?= $(CERTIFICATES)
endif
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_REQUIRE_VIRTUALENV := 0

DEMO_HOME := $(CURDIR)/.demo
DEMO := LEITSTAND_HOME="$(DEMO_HOME)" PATH="$(CURDIR)/$(BIN):$$PATH" leitstand
VALIDATORS := $(abspath $(VENV))/validators
PACKAGES := age chromium cloud-init conmon gcc iproute2 libc6-dev libseccomp2 nftables \
    pocketsphinx-testdata podman procps runc wireguard-go wireguard-tools
FULL_PACKAGES := e2fsprogs mmdebstrap qemu-system-x86
PYTEST_ARGS ?=
NAME ?= *

.PHONY: help install demo test test-all test-validators bench lint wheel lock system-packages full-packages test-media clean

help: ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' Makefile | expand -t 24

install: $(STAMPS)/runtime ## the command in .venv/bin/leitstand

demo: install ## analyse the media in demo/ on this machine and say where the report is
	@$(DEMO) models pull --demo
	@$(DEMO) analyze demo/astronaut.jpg demo/street.mp4 demo/reading.flac demo/together.mp4 --yes

test: lint test-media ## everything a reviewer would check, with samples of the long counts
	$(BIN)/pytest -n 2 --dist loadfile $(PYTEST_ARGS)

test-all: lint test-media full-packages ## the same with the full counts
	$(BIN)/pytest -n 2 --dist loadfile --full $(PYTEST_ARGS)

test-validators: $(STAMPS)/test $(STAMPS)/validators ## the wire simulators, judged by the providers' official clients
	WIRE_VALIDATORS="$(VALIDATORS)" $(BIN)/pytest tests/validators $(PYTEST_ARGS)

bench: $(STAMPS)/bench ## measure; NAME=inference for one
	@shopt -s nullglob; for file in bench/$(NAME).py; do \
	    echo "== $$file"; $(BIN)/python "$$file"; \
	done; \
	files=(bench/$(NAME).py); [ "$${#files[@]}" -gt 0 ] || { echo "make: there is no bench/$(NAME).py" >&2; exit 2; }

lint: $(STAMPS)/test ## style and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

wheel: $(STAMPS)/runtime ## dist/leitstand-*.whl
	$(UV) build --quiet --wheel --no-build-isolation --python $(BIN)/python --out-dir dist

clean: ## forget what was set up, and the demo's home
	rm -rf $(VENV) dist .demo

# --- Python packages -------------------------------------------------------------------------------
# Three storeys, each with the one below: runtime, test, bench. A storey is synced exactly, so the
# stamp of every other one that this takes packages away from goes too.

$(STAMPS)/venv: requirements-uv.lock
	@[ -n "$(PYTHON)" ] || { echo "make: Python 3.11 or newer is needed: apt-get install python3, or make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || $(call apt,$$($(PYTHON) -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'))
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-uv.lock
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/runtime: requirements.lock pyproject.toml $(STAMPS)/venv
	@$(call sync,requirements.lock)
	@rm -f $(STAMPS)/test $(STAMPS)/bench && touch $@

$(STAMPS)/test: requirements-test.lock pyproject.toml $(STAMPS)/venv
	@$(call sync,requirements-test.lock)
	@rm -f $(STAMPS)/bench && touch $(STAMPS)/runtime $@

$(STAMPS)/bench: requirements-bench.lock pyproject.toml $(STAMPS)/venv
	@$(call sync,requirements-bench.lock)
	@rm -f $(STAMPS)/test && touch $(STAMPS)/runtime $@

# Official clients stand apart: their requirements are many and not ours.
$(STAMPS)/validators: requirements-validators.lock requirements-validators-vast.lock tests/validators/package.json tests/validators/package-lock.json $(STAMPS)/venv
	@command -v npm >/dev/null || { echo "make: Node 20 or newer with npm is needed: apt-get install nodejs npm" >&2; exit 1; }
	@mkdir -p "$(VALIDATORS)/npm"
	@$(BIN)/python -m venv "$(VALIDATORS)/venv"
	@$(BIN)/python -m venv "$(VALIDATORS)/venv-vast"
	@$(call mirror); \
	echo "Installing what requirements-validators*.lock and tests/validators/package-lock.json list"; \
	$(UV) pip sync --quiet --python "$(VALIDATORS)/venv/bin/python" --require-hashes requirements-validators.lock; \
	$(UV) pip sync --quiet --python "$(VALIDATORS)/venv-vast/bin/python" --require-hashes requirements-validators-vast.lock
	@cp tests/validators/package.json tests/validators/package-lock.json "$(VALIDATORS)/npm"
	@npm ci --prefix "$(VALIDATORS)/npm" --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

# A mirror that pip is set up for serves uv too. The lock files name no index.
define mirror
mirror=$${PIP_INDEX_URL:-$$($(BIN)/python -m pip config get global.index-url 2>/dev/null || true)}; \
[ -z "$$mirror" ] || export UV_DEFAULT_INDEX="$${UV_DEFAULT_INDEX:-$$mirror}"
endef

define sync
$(call mirror); \
echo "Installing what $(1) lists"; \
$(UV) pip sync --quiet --python $(BIN)/python --require-hashes $(1); \
$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
endef

COMPILE := pip compile --quiet --universal --generate-hashes --no-annotate --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" $(UPGRADE)
EXTRAS := --extra media --extra postgres --group checkout

lock: ## renew the lock files after a change of pyproject.toml; UPGRADE=--upgrade for new versions
	@command -v $(UV) >/dev/null || $(MAKE) $(STAMPS)/venv
	$(UV) $(COMPILE) pyproject.toml $(EXTRAS) -o requirements.lock
	$(UV) $(COMPILE) pyproject.toml --extra media --group worker -c requirements.lock -o src/leitstand/boot/worker.lock
	echo 'onnxruntime-gpu[cuda,cudnn]>=1.24' | $(UV) $(COMPILE) --python-version 3.11 - -c requirements.lock -o src/leitstand/boot/cuda.lock
	$(UV) $(COMPILE) pyproject.toml $(EXTRAS) --extra test -c requirements.lock -o requirements-test.lock
	$(UV) $(COMPILE) pyproject.toml $(EXTRAS) --extra test --extra bench -c requirements-test.lock -o requirements-bench.lock
	$(UV) $(COMPILE) --group validators -o requirements-validators.lock
	$(UV) $(COMPILE) --group validators-vast -o requirements-validators-vast.lock
	cd tests/validators && npm install --package-lock-only --omit-lockfile-registry-resolved --no-audit --no-fund
	echo uv | $(UV) $(COMPILE) - -c requirements.lock -o requirements-uv.lock

# --- what tests need beside Python -----------------------------------------------------------------

system-packages: ## Debian packages that tests need; nothing where they are there
	@$(call apt,$(PACKAGES))

full-packages: system-packages ## Debian packages that the full counts need too
	@$(call apt,$(FULL_PACKAGES))

test-media: $(STAMPS)/test system-packages ## real media and models that tests look at, once
	@$(BIN)/python -m tests.media_fixtures

# $(call apt,NAMES): installs what is missing of them, as root or by sudo, and says so where neither is.
define apt
{ missing=(); \
for name in $(1); do \
    [ "$$(dpkg-query -W -f '$${db:Status-Status}' "$$name" 2>/dev/null)" = installed ] || missing+=("$$name"); \
done; \
if [ "$${#missing[@]}" -gt 0 ]; then \
    root=(); \
    if [ "$$(id -u)" != 0 ]; then root=(sudo); fi; \
    if ! command -v apt-get >/dev/null || { [ "$$(id -u)" != 0 ] && ! command -v sudo >/dev/null; }; then \
        echo "make: these Debian packages are missing: $${missing[*]}" >&2; \
        echo "make: run as root: apt-get install $${missing[*]}" >&2; \
        exit 1; \
    fi; \
    echo "Installing Debian packages: $${missing[*]}"; \
    "$${root[@]}" apt-get update -qq; \
    "$${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
        -o DPkg::Lock::Timeout=240 "$${missing[@]}" >/dev/null; \
fi; }
endef
