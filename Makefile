# Kopeck. The targets are the contract with users and CI: run install test check bench clean.
.DEFAULT_GOAL := help
SHELL := /usr/bin/env bash
INSTALL := scripts/install.sh
PYTEST := .venv/bin/python -m pytest
SLOW := slow

.PHONY: help run install install-dev test check check-network bench clean generated

help:
	@echo 'make run      install, start the chain, fill the demo town, serve 127.0.0.1:8000'
	@echo 'make install  only the installation'
	@echo 'make test     every test that can run here, in under ten minutes'
	@echo 'make check    format, lint, types, layering, contract analysis, long fuzz, slow tests'
	@echo 'make check-network  builds the consortium node once (Go, cc) and breaks a network of five'
	@echo 'make bench    the benchmarks; writes var/bench.json'
	@echo 'make clean    forget the town (var/) and what was built'

run: install
	@.venv/bin/kopeck up

install: .venv/.run-stamp node_modules/.run-stamp

install-dev: .venv/.dev-stamp node_modules/.all-stamp .venv-ape/.stamp

.venv/.run-stamp: requirements/run.txt scripts/link.py
	@$(INSTALL) run
.venv/.dev-stamp: requirements/dev.txt scripts/link.py
	@$(INSTALL) dev
.venv-ape/.stamp: requirements/ape.txt
	@$(INSTALL) ape
.venv-analysis/.stamp: requirements/analysis.txt
	@$(INSTALL) analysis
node_modules/.run-stamp: package-lock.json
	@$(INSTALL) node-run
node_modules/.all-stamp: package-lock.json
	@$(INSTALL) node-all

test: install-dev
	@scripts/test.sh

check: install-dev .venv-analysis/.stamp
	@scripts/check.sh

check-network: install-dev
	@.venv/bin/kopeck network build
	@$(PYTEST) -m network -rs

bench: install-dev
	@scripts/forge.sh build --quiet # the contracts that the gas bench stands beside
	@.venv/bin/kopeck bench --out var/bench.json

clean:
	@.venv/bin/kopeck stop --quiet 2>/dev/null || true
	rm -rf var .build out cache crytic-export .pytest_cache .hypothesis .mypy_cache .ruff_cache .import_linter_cache
