# The commands people type. What they do stands in tools/ and in `lindos` itself.

MAKEFLAGS += --no-print-directory
SHELL := /bin/bash
WITH := tools/with-env

.DEFAULT_GOAL := help
.PHONY: help setup lab clean-lab test lint bench roles-ubuntu boot-check

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## what this machine lacks: Debian packages, .venv, the Pulumi CLI, the image of the twin's machines
	@tools/setup

lab: setup ## a small hall on this machine, brought up from site file to verified GPUs
	@$(WITH) lindos emit lab
	@$(WITH) lindos twin up lab
	@$(WITH) lindos twin exec lab -- lindos up lab

clean-lab: ## takes the lab away again, all of it
	@$(WITH) lindos twin down lab

test: setup lint ## lint, then all tests; the lab is brought up for those that need it
	@tools/test

roles-ubuntu: setup ## the test cycle of every role on Ubuntu 24.04 as well
	@tools/node-image/build ubuntu
	@LINDOS_NODE_SYSTEM=ubuntu $(WITH) pytest -q tests/roles/test_roles.py

lint: setup ## ruff, mypy, import contracts, ansible-lint, yamllint, shellcheck
	@tools/lint

bench: setup ## times and memory of the largest site, and what checking 16 nodes takes, as tables
	@$(WITH) python tools/bench.py
	@$(WITH) python tools/bench_verify.py 16

boot-check: setup ## a machine of QEMU boots over the network from what is emitted; root, about ten minutes
	@$(WITH) tools/boot-check/run
