# AgentKeys: everything a person or a CI machine types is a target here.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules

MODULE   := github.com/agentkeys/agentkeys
PROGRAMS := $(patsubst cmd/%/main.go,%,$(wildcard cmd/*/main.go))
GO       ?= go
FUZZTIME ?= 20s
HISTORIES ?= 100000
CHECKS   ?= 5000
KILLS    ?= 1000
COVER    := .cache/cover.out
LINT     := .cache/bin/golangci-lint

# A checkout records its commit in the programs; a source archive has none, and asking would fail.
HAVE_GIT := $(shell git rev-parse --verify HEAD >/dev/null 2>&1 && echo true || echo false)
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS  := -s -w -X $(MODULE)/internal/buildinfo.version=$(VERSION)
BUILD    := CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=$(HAVE_GIT) -ldflags '$(LDFLAGS)'

CROSS := linux-amd64 linux-arm64 linux-armv7 linux-armv6 darwin-arm64

.PHONY: help build demo docs test test-model test-keyrings test-fire check cover fuzz bench cross clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

build: ## build the programs into bin/
	@mkdir -p bin
	$(BUILD) -o bin/ $(PROGRAMS:%=./cmd/%)

demo: build ## two agents on one host, for real: Demo 1, each step with what was expected and seen
	@$(GO) run ./internal/demo -bin bin

docs: ## man pages and completions from the command definitions
	@$(GO) test -count=1 -run 'TestManPage|TestCompletions|TestSettingsManPage' ./cmd/... -update
	@$(GO) test -count=1 -run 'TestManPage' ./internal/manual -update

test: build ## every test, under the race detector, in random order
	@AGENTKEYS_BIN='$(CURDIR)/bin' $(GO) test -race -shuffle=on -timeout 10m ./...

test-model: ## the store's state machine: HISTORIES (100000) of 40 steps, and CHECKS (5000) by rapid in each mode
	AGENTKEYS_HISTORIES='$(HISTORIES)' $(GO) test -count=1 -timeout 60m -v -run '^TestModel$$|^TestMachineBites$$' ./internal/store
	$(GO) test -count=1 -timeout 60m -run '^TestRandomHistories$$' ./internal/store -rapid.checks='$(CHECKS)' -rapid.steps=40

test-keyrings: ## real gnome-keyring, KeePassXC and KDE Wallet in every state; a missing one is a failure
	@AGENTKEYS_REQUIRE_KEYRING=1 AGENTKEYS_FIRE_KILLS=200 $(GO) test -count=1 -timeout 10m ./internal/store/keychain/...

test-fire: ## two processes and a real keyring: KILLS (1000) times kill -9
	AGENTKEYS_REQUIRE_KEYRING=1 AGENTKEYS_FIRE_KILLS='$(KILLS)' $(GO) test -count=1 -timeout 60m -v -run '^TestMigrationUnderFire$$' ./internal/store/keychain

# govulncheck is not here: it needs its database from the network at every run,
# and a check that passes or fails with the weather is not a check.
check: $(LINT) ## gofmt, vet, staticcheck and the rest of .golangci.yml; floors; scripts; markdown links
	@mkdir -p .cache/lint
	GOLANGCI_LINT_CACHE='$(CURDIR)/.cache/lint' $(LINT) run ./...
	GOOS=darwin GOARCH=arm64 CGO_ENABLED=0 $(GO) vet ./...
	$(GO) test ./internal/archtest
	shellcheck .ci/run $(wildcard scripts/*)

cover: ## coverage of each package, and an HTML page in .cache/
	@mkdir -p .cache
	@$(GO) test -shuffle=on -timeout 10m -coverpkg=./internal/... -coverprofile=$(COVER) ./...
	@$(GO) tool cover -html=$(COVER) -o .cache/cover.html
	@$(GO) tool cover -func=$(COVER) | tail -n 1

fuzz: ## every fuzz target for FUZZTIME (20s)
	@FUZZTIME='$(FUZZTIME)' scripts/fuzz

bench: build ## the benchmarks of every package, then the numbers of README with their limits
	@$(GO) test -run '^$$' -bench . -benchmem ./...
	@$(GO) run ./internal/bench -bin bin

cross: $(CROSS:%=cross-%) ## the programs for every platform into dist/<platform>/

# dist/linux-armv7 is GOOS=linux GOARCH=arm GOARM=7.
cross-%:
	@platform='$*'; os="$${platform%%-*}"; arch="$${platform#*-}"; arm=; \
	case "$$arch" in armv*) arm="$${arch#armv}"; arch=arm;; esac; \
	echo "building dist/$*"; mkdir -p 'dist/$*'; \
	GOOS="$$os" GOARCH="$$arch" GOARM="$$arm" $(BUILD) -o 'dist/$*/' $(PROGRAMS:%=./cmd/%)

clean: ## remove what the other targets made
	rm -rf bin dist .cache

# The linter is built once from its own module, so its dependencies never enter ours.
$(LINT): tools/go.mod tools/go.sum
	@mkdir -p $(@D)
	CGO_ENABLED=0 $(GO) build -C tools -trimpath -o '$(CURDIR)/$@' github.com/golangci/golangci-lint/v2/cmd/golangci-lint
