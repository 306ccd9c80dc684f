# Everything is a target here; `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

RELEASE := .build/release
# With Swift's libraries inside: the programs run on machines without Swift.
SWIFT_RELEASE := swift build -c release --static-swift-stdlib
SIMULATOR_RELEASE := CORE_ONLY=1 swift build -c release --scratch-path .build/core
SEEDS ?= 1000
FIRST ?= 1
LAB_DIR ?= /run/swarm-demo

# To build and run.
DEPS := libsodium-dev libseccomp-dev libarchive-dev libnftables-dev pkg-config iproute2 nftables util-linux procps busybox-static curl python3
# Peers and tools that the tests look with.
TEST_DEPS := docker-registry skopeo tcpdump dnsutils iperf3 apache2-utils
# The virtual machine with cgroup v2, and what takes its kernel from Debian's package.
CGROUP2_DEPS := qemu-system-x86 cpio kmod xz-utils binutils
# Peers that the benchmarks measure beside this project; their services are never started.
BENCH_DEPS := etcd-server openssl

.PHONY: help
help: ## Show this list.
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

.PHONY: deps
deps: ## Install the libraries and tools to build and run (Debian).
	@Tests/scripts/install.sh "to build and run" $(DEPS)

.PHONY: test-deps
test-deps: deps ## Install what the tests need beside that; starts no service.
	@Tests/scripts/install.sh "for the tests" $(TEST_DEPS) $(CGROUP2_DEPS)
	@[ "$$(uname -m)" != x86_64 ] || Tests/scripts/cgroup2.sh fetch

.PHONY: build
build: ## Build release binaries: swarmd, swarmctl, container-init.
	$(SWIFT_RELEASE) --product swarmd
	$(SWIFT_RELEASE) --product swarmctl
	$(SWIFT_RELEASE) --product container-init

.PHONY: demo
demo: deps build ## Start a cluster on this machine and use it, step by step.
	@LAB_DIR=$(LAB_DIR) deploy/demo.sh $(RELEASE)

.PHONY: demo-down
demo-down: ## Remove what `make demo` left running.
	@$(RELEASE)/swarmctl lab down --dir $(LAB_DIR)

.PHONY: test
test: ## Run all tests, the root lanes included.
	@Tests/scripts/test.sh

.PHONY: test-core
test-core: ## Run the tests of the pure modules only: two minutes from clean.
	CORE_ONLY=1 swift test --scratch-path .build/core

.PHONY: test-cgroup2
test-cgroup2: ## Run containers on cgroup v2 alone, in a virtual machine (QEMU).
	swift build --product swarmd
	swift build --product swarmctl
	swift build --product container-init
	@Tests/scripts/cgroup2.sh

.PHONY: simulate
simulate: ## Simulate SEEDS (1000) faulty clusters from seed FIRST (1) on.
	$(SIMULATOR_RELEASE) --product simulator
	@.build/core/release/simulator --seeds $(SEEDS) --first $(FIRST)

.PHONY: simulate-mutants
simulate-mutants: ## Build 17 deliberate bugs in, one by one, and look whether it finds them.
	@SEEDS=$(SEEDS) Tests/SimulationTests/mutants.sh

.PHONY: bench-deps
bench-deps: deps ## Install what the benchmarks compare with; starts no service.
	@Tests/scripts/install.sh "for the benchmarks" $(BENCH_DEPS)

.PHONY: bench-scale
bench-scale: deps build ## Measure 3 -> 43 tasks, the leader's memory, a supervisor's.
	@Tests/benchmarks/scale.py $(RELEASE)

.PHONY: bench-raft
bench-raft: bench-deps build ## Measure replicated writes beside etcd.
	$(SWIFT_RELEASE) --product raft-bench
	@Tests/benchmarks/raft.py $(RELEASE)

.PHONY: bench-failover
bench-failover: deps build ## Measure how long writes stop when the leader is killed or hangs.
	@Tests/benchmarks/failover.py $(RELEASE)

.PHONY: protos
protos: ## Generate the Swift code of Protocols/*.proto.
	Protocols/generate.sh

.PHONY: fmt
fmt: ## Format the code.
	swift format -i -r Sources Tests Package.swift

.PHONY: lint
lint: ## Check format, generated code and the layers' imports.
	Protocols/check.sh
	Tests/scripts/layers.sh
	swift format lint --strict -r Package.swift $$(git ls-files 'Sources/*.swift' 'Tests/*.swift' | grep -v /Generated/)
