# AgentKeys: everything a person or a CI machine types is a target here.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules
# The end-to-end tests drive the programs that `make build` made.
export AGENTKEYS_BIN ?= $(CURDIR)/bin
# Every target compiles in the same way, so that none compiles again what another did.
export CGO_ENABLED := 0
export GOFLAGS := $(filter-out -trimpath,$(GOFLAGS)) -trimpath

MODULE   := github.com/agentkeys/agentkeys
PROGRAMS := $(patsubst cmd/%/main.go,%,$(wildcard cmd/*/main.go))
GO       ?= go
FUZZTIME ?= 20s
HISTORIES ?= 100000
CHECKS   ?= 5000
KILLS    ?= 1000
COVER    := .cache/cover.out

# Programs that are built from tools/go.mod are kept outside the checkout, so that every
# checkout of this machine finds them, in a directory named after what they are made of.
TOOLS_DIR ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/agentkeys-tools
TOOLS    := $(TOOLS_DIR)/$(shell { $(GO) env GOVERSION; cat tools/go.mod tools/go.sum; } | cksum | tr ' ' '-')
LINT     := $(TOOLS)/golangci-lint
RELEASER := $(TOOLS)/goreleaser
BOM      := $(TOOLS)/cyclonedx-gomod
TESTSUM  := $(TOOLS)/gotestsum
# The race detector makes SQLite, which is translated from C, and scrypt ten times slower.
# It does not look into these two packages, which only compute and start no goroutines.
RACE     := -race -gcflags=modernc.org/sqlite/lib=-race=false -gcflags=golang.org/x/crypto/scrypt=-race=false
TESTRUN  = env AGENTKEYS_GOTESTSUM='$(TESTSUM)' $(GO) run ./test/testrun -gotestsum '$(TESTSUM)'

# A checkout records its commit in the programs; a source archive has none, and asking would fail.
HAVE_GIT := $(shell git rev-parse --verify HEAD >/dev/null 2>&1 && echo true || echo false)
VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS  := -s -w -X $(MODULE)/internal/buildinfo.version=$(VERSION)
BUILD    := $(GO) build -buildvcs=$(HAVE_GIT) -ldflags '$(LDFLAGS)'

# Debian must be able to order the versions of packages: a tag, or what comes before the
# next one by the time of its commit.
PACKAGE_VERSION ?= $(shell (git describe --exact-match --match 'v[0-9]*' 2>/dev/null | sed 's/^v//' | grep .) || \
	git log -1 --format='0.1.0~git%cd.%h' --date=format:%Y%m%d%H%M%S 2>/dev/null || echo 0.1.0~archive)

CROSS := linux-amd64 linux-arm64 linux-armv7 linux-armv6 darwin-arm64

.PHONY: help build demo docs test test-short test-setup test-dropped test-model test-keyrings test-kills check cover fuzz bench cross clean \
	deb deb-old lintian piuparts bench-amd64 bench-arm64 bench-armhf bench-arm64-gui bench-armv6 bench-operate bench-monitoring bench-all test-powercut release release-check

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9 -]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

build: ## build the programs into bin/
	@mkdir -p bin
	@echo 'compiling the programs into bin/; the first time this takes one or two minutes'
	$(BUILD) -o bin/ $(PROGRAMS:%=./cmd/%)

demo: build ## two agents on one host, for real: Demo 1, each step with what was expected and seen
	@echo 'compiling and starting the demonstration'
	@$(GO) run ./test/demo -bin bin

docs: ## man pages and completions from the command definitions
	@$(GO) test -count=1 -run 'TestManPage|TestCompletions|TestSettingsManPage' ./cmd/... -update
	@$(GO) test -count=1 -run 'TestManPage' ./test/manual -update

# What waits for other programs most comes first, so that the rest computes meanwhile.
test: build $(TESTSUM) ## every test, under the race detector (test/needs says which ones are not), in random order
	@$(TESTRUN) -race '$(RACE)' -packages './test/e2e ./internal/store/keychain ./cmd/agentkeys ./...' -- -p=3 -shuffle=on -vet=off -timeout 60m

# Without the built programs, real keyrings and the demonstration.
SHORT = $(GO) list ./... | grep -vE '/(test/(e2e|demo|testrun)|internal/store/keychain)$$'
test-short: ## the inner loop, within a minute once it is compiled: without the race detector, the built programs and real keyrings
	@$(GO) test -vet=off $$($(SHORT))

test-setup: ## install what the tests look for on a Debian machine, by apt
	scripts/ci-setup

test-dropped: build $(TESTSUM) ## as root, the tests that depend on it: with a container's capabilities, and as an ordinary user
	scripts/test-as container $(TESTRUN)
	scripts/test-as user $(TESTRUN)

test-model: ## the store's state machine: HISTORIES (100000) of 40 steps, and CHECKS (5000) by rapid in each mode
	AGENTKEYS_HISTORIES='$(HISTORIES)' $(GO) test -count=1 -timeout 60m -v -run '^TestModel' ./internal/store
	$(GO) test -count=1 -timeout 60m -run '^TestRandomHistories$$' ./internal/store -rapid.checks='$(CHECKS)' -rapid.steps=40

test-keyrings: build $(TESTSUM) ## real gnome-keyring, KeePassXC and KDE Wallet in every state; a missing one is a failure
	@AGENTKEYS_REQUIRE=programs AGENTKEYS_KILLS=200 $(TESTRUN) -packages ./internal/store/keychain/... -- -count=1 -vet=off -timeout 60m
	@AGENTKEYS_REQUIRE=programs AGENTKEYS_KILLS=100 $(TESTRUN) -packages ./test/e2e -- -count=1 -vet=off -timeout 60m \
		-run '^TestTheProgramsUnderKills$$|^TestDoctorOf'

test-kills: build ## a real keyring and KILLS (1000) times kill -9: of two processes of the store, and of the built programs
	AGENTKEYS_REQUIRE=programs AGENTKEYS_KILLS='$(KILLS)' $(GO) test -count=1 -timeout 60m -v -run '^TestMigrationUnderKills$$' ./internal/store/keychain
	AGENTKEYS_REQUIRE=programs AGENTKEYS_KILLS='$(KILLS)' $(GO) test -count=1 -timeout 60m -v \
		-run '^TestTheProgramsUnderKills$$' ./test/e2e

# govulncheck is not here: it needs its database from the network at every run,
# and a check that passes or fails with the network is not a check.
check: $(LINT) ## gofmt, vet, staticcheck and the rest of .golangci.yml; floors; scripts; markdown links
	@mkdir -p .cache/lint
	GOLANGCI_LINT_CACHE='$(CURDIR)/.cache/lint' $(LINT) run ./...
	GOOS=darwin GOARCH=arm64 $(GO) vet ./...
	$(GO) test ./test/arch
	shellcheck .ci/run $(shell git ls-files scripts packaging/deb | xargs grep -lE '^\#!/(bin/sh|usr/bin/env bash)$$') scripts/qemu/guest/*
	scripts/check-units

cover: ## coverage of each package, and an HTML page in .cache/
	@mkdir -p .cache
	@$(GO) test -shuffle=on -timeout 10m -coverpkg=./internal/... -coverprofile=$(COVER) ./...
	@$(GO) tool cover -html=$(COVER) -o .cache/cover.html
	@$(GO) tool cover -func=$(COVER) | tail -n 1

fuzz: ## every fuzz target for FUZZTIME (20s)
	@FUZZTIME='$(FUZZTIME)' scripts/fuzz

bench: build ## the benchmarks of every package, then the numbers of README with their limits
	@$(GO) test -run '^$$' -bench . -benchmem ./...
	@$(GO) run ./test/bench -bin bin

cross: $(CROSS:%=cross-%) ## the programs for every platform into dist/<platform>/

# dist/linux-armv7 is GOOS=linux GOARCH=arm GOARM=7.
cross-%:
	@platform='$*'; os="$${platform%%-*}"; arch="$${platform#*-}"; arm=; \
	case "$$arch" in armv*) arm="$${arch#armv}"; arch=arm;; esac; \
	echo "building dist/$*"; mkdir -p 'dist/$*'; \
	GOOS="$$os" GOARCH="$$arch" GOARM="$$arm" $(BUILD) -o 'dist/$*/' $(PROGRAMS:%=./cmd/%)

# goreleaser asks git for the address of a remote, which a fresh checkout may not have.
release = AGENTKEYS_VERSION='$(PACKAGE_VERSION)' GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=remote.origin.url \
	GIT_CONFIG_VALUE_0='https://$(MODULE)' PATH='$(TOOLS)':"$$PATH" \
	$(RELEASER) release --snapshot --clean --parallelism 2

deb: $(RELEASER) pages ## the Debian packages for arm64, armhf and amd64 into dist/deb/
	$(release) --skip=archive,sbom,sign
	@rm -rf dist/deb && mkdir -p dist/deb && cp dist/release/*.deb dist/deb/ && ls -l dist/deb

deb-old: $(RELEASER) pages ## older packages of the same, to upgrade from, into dist/deb-old/
	@rm -rf dist/keep && if [ -d dist/release ]; then mv dist/release dist/keep; fi
	$(MAKE) --no-print-directory PACKAGE_VERSION=0.0.1 deb-into INTO=dist/deb-old
	@rm -rf dist/release && if [ -d dist/keep ]; then mv dist/keep dist/release; fi

deb-into:
	$(release) --skip=archive,sbom,sign
	@rm -rf '$(INTO)' && mkdir -p '$(INTO)' && cp dist/release/*.deb '$(INTO)/'

# Packages hold their manual compressed, always to the same bytes.
.PHONY: pages deb-into
pages:
	@rm -rf dist/packaging/man && mkdir -p dist/packaging/man
	@for page in docs/man/*.[15]; do gzip -9n <"$$page" >"dist/packaging/man/$${page##*/}.gz"; done

lintian: ## what Debian's checker says of dist/deb/: nothing
	lintian --fail-on error,warning,info --tag-display-limit 0 dist/deb/*.deb

piuparts: ## install, remove and purge dist/deb/ on a plain system: nothing is left behind that is not said
	scripts/qemu/piuparts dist/deb

debs = $(foreach arch,amd64 arm64 armhf,--deb-$(arch) "$$(echo dist/deb/agentkeys_*_$(arch).deb)")

# bench-arm64-gui is the arm64 board with a keyring in its image.
bench-amd64 bench-arm64 bench-armhf bench-arm64-gui bench-armv6: bench-%: ## the packages of dist/deb/ through their life on a real system
	scripts/qemu-test.sh --tier $* $(debs)

bench-operate: ## every command line of docs/operate.md, and TLS, on a new machine
	scripts/qemu-test.sh --tier amd64 --scenario operate $(debs)

bench-monitoring: ## a real Prometheus looks at two instances while a keyring fails and comes back
	scripts/qemu-test.sh --tier amd64 --scenario monitoring $(debs)

bench-all: piuparts bench-operate bench-monitoring ## the same on every system: ARMv6, amd64, arm64 headless and with a desktop, armhf
	scripts/qemu-test.sh --tier all $(debs)

CUTS ?= 30
test-powercut: ## power cuts of an emulated board, CUTS (30) in a row, while it saves, pairs and renews
	scripts/qemu/powercut '$(CUTS)' dist/deb

release: $(RELEASER) $(BOM) pages ## packages, archives, bills of materials and SHA256SUMS into dist/release/; signed if MINISIGN_KEY names a key
	$(release) $(if $(MINISIGN_KEY),,--skip=sign)

release-check: $(RELEASER) $(BOM) ## the release twice, in two places and without network: the sums must be the same
	scripts/release-check

clean: ## remove what the other targets made
	rm -rf bin dist .cache

# The tools are built once from their own module, so their dependencies never enter ours.
$(LINT): package := github.com/golangci/golangci-lint/v2/cmd/golangci-lint
$(RELEASER): package := github.com/goreleaser/goreleaser/v2
$(BOM): package := github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod
$(TESTSUM): package := gotest.tools/gotestsum
.PHONY: tools
tools: $(LINT) $(RELEASER) $(BOM) $(TESTSUM)

$(LINT) $(RELEASER) $(BOM) $(TESTSUM):
	@mkdir -p $(@D)
	@echo 'compiling $(@F) from tools/go.mod, once for this machine; the linter and goreleaser take some minutes each'
	@$(GO) build -C tools -o "$@.new.$$$$" $(package) && mv "$@.new.$$$$" '$@'
