# The whole developer interface: `make help` lists it.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

TSC := node_modules/.bin/tsc
JEST := NODE_OPTIONS=--experimental-vm-modules node_modules/.bin/jest
# To load fifty modules one by one takes a new thread longer than to unpack a small layer.
BUNDLE := node_modules/.bin/esbuild --bundle --platform=node --format=esm --packages=external --log-level=warning
UNPACK_WORKER := build/src/image-service/layers/unpack-worker
RESULTS := build/results

help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

node_modules/.stamp: package.json package-lock.json
	npm ci --no-audit --no-fund --loglevel=error
	@touch $@

deps: node_modules/.stamp ## install the npm packages

build: deps ## compile; leaves bin/gantryd and bin/gantry
	@scripts/generate-api.sh
	@$(TSC) -p .
	@$(BUNDLE) $(UNPACK_WORKER).js --outfile=$(UNPACK_WORKER).bundle.js
	@mkdir -p bin
	@install -m 755 scripts/launcher.sh bin/gantryd
	@install -m 755 scripts/launcher.sh bin/gantry

run: ## install what is missing, build, and run a pod on a scratch directory (ONCE=1: clean up and exit)
	@scripts/install-packages.sh run
	@$(MAKE) build
	@node build/scripts/build-embedded-image.js
	@node build/scripts/demo/demo.js $(if $(ONCE),--once)

generate: build ## write conf/gantry.yaml and docs/configuration.md from the option table
	@node build/scripts/generate-config.js

check: build ## lint, format, import rules, generated files
	@node_modules/.bin/prettier --check --log-level warn .
	@node_modules/.bin/eslint .
	@node build/scripts/check-imports.js
	@node build/scripts/generate-config.js --check

check-api: ## compare api.proto with the descriptor of k8s.io/cri-api
	@scripts/check-api.sh

format: deps ## format all sources
	@node_modules/.bin/prettier --write --log-level warn .
	@node_modules/.bin/eslint --fix .

test-packages: ## what the end-to-end tests need: Debian packages, clients, Kubernetes; a quarter of an hour at first
	@scripts/install-packages.sh run test
	@scripts/fetch-busybox.sh
	@scripts/build-tools.sh crictl critest $(if $(GANTRY_E2E_FULL),critest-1.36 containerd-suite) cri-client runc etcd kube-apiserver kubelet

test-unit: build ## unit tests alone
	@scripts/install-packages.sh run test
	@mkdir -p $(RESULTS)
	@$(JEST) --json --outputFile=$(RESULTS)/unit.json

test-e2e: build test-vm-packages ## end-to-end tests alone: crictl, critest, crash, churn, the VM's own
	@mkdir -p $(RESULTS)
	@$(JEST) -c build/e2e/jest.config.js --json --outputFile=$(RESULTS)/e2e.json

test: ## install what is missing; every check, unit and end-to-end test; ends with the sum
	@rm -rf $(RESULTS)
	@scripts/run-suites.sh check check-api test-unit test-packages test-e2e test-vm-short

test-all: export GANTRY_E2E_FULL := 1
test-all: ## what make test leaves out for its time, too
	@rm -rf $(RESULTS)
	@scripts/run-suites.sh check check-api test-unit test-packages test-node24 test-e2e test-vm

test-vm-packages: test-packages
	@scripts/install-packages.sh vm

test-vm-short: build test-vm-packages ## pods, cgroups and crashes on cgroup v2, by runc and crun, in virtual machines
	@e2e/vm/test-vm short

test-vm: build test-vm-packages ## critest whole and crictl's suites on cgroup v2, by both drivers and runtimes; forty minutes
	@e2e/vm/test-vm all

test-node24: build test-packages ## unit tests and some end-to-end ones on Node 24
	@scripts/test-node24.sh

bench: build test-packages ## pull big images with Gantry and containerd in turn (RUNS=5); a quarter of an hour
	@scripts/build-tools.sh containerd
	@node build/bench/pull/pull.js --runs $(or $(RUNS),5)

clean: ## remove what was built; downloads in .cache stay
	rm -rf build bin api/cri/generated

.PHONY: help deps build bench run generate check check-api format test-packages test-unit test-e2e test test-all test-vm-packages test-vm-short test-vm test-node24 clean
