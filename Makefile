# picket: build, run, test. `make run` and `make test` do all set-up on a fresh machine (README.md).
SHELL := /bin/bash
GO ?= go
GOLANGCI_LINT_VERSION := v2.15.0
DATA ?= .cache/demo
LISTEN ?= 127.0.0.1:8443
TRIP ?= 127.0.0.1:8081
DNS ?= 127.0.0.1:8053
HTTP ?= 127.0.0.1:8080

WEB_SOURCES := $(shell find web/app -type f -not -path '*/node_modules/*' -not -path '*/dist/*' 2>/dev/null)

.PHONY: all build web run test test-go test-e2e test-clients test-crash conformance bench lint fuzz fuzz-ingest soak deps-test clean

all: build

build: web
	$(GO) build -trimpath -o bin/picket ./cmd/picket

# The page is built when its sources are newer than the last build.
web: web/dist/index.html.gz

web/dist/index.html.gz: $(WEB_SOURCES)
	cd web/app && npm ci --no-audit --no-fund --loglevel=error && npm run --silent build
	@touch $@

run: build
	@mkdir -p $(DATA)
	bin/picket serve --demo --data $(DATA) --listen $(LISTEN) --trip $(TRIP) --dns $(DNS) --http $(HTTP)

# Unit and conformance tests, then the main job with LibreOffice and Chromium.
test: deps-test build
	$(GO) vet ./...
	$(GO) test ./...
	$(MAKE) test-e2e

test-go:
	$(GO) test ./...

# Real clients against bin/picket, where nothing but loopback can be reached: LibreOffice, then Chromium.
test-e2e: build
	PICKET_E2E=1 $(GO) test -count=1 -timeout 20m ./e2e/...
	cd web/app && npm test --silent && PICKET_REQUIRE_E2E=$${CI:+1} ../../.ci/netns npm run --silent e2e

test-clients: deps-test build
	PICKET_CLIENTS=1 $(GO) test -count=1 -timeout 10m -run Client ./e2e/...

# Kills the server PICKET_CRASH times under load (default 50) and PICKET_CRASH_MIXED times under mixed ingestion
# (default 20), and each room that stores on its own fail points.
test-crash: build
	PICKET_CRASH=$${PICKET_CRASH:-50} $(GO) test -count=1 -timeout 10m -run Crash ./e2e/...
	PICKET_CRASH=$${PICKET_CRASH_ROOMS:-20} $(GO) test -count=1 -timeout 10m -run 'Crash|KillNine' ./lake/... ./canary/... ./playbook/...

# Feeds KQL's lexer, parser, binder, interpreter and SQL lowering with what no one would write: FUZZTIME each, and as
# long again asks random questions both of SQL and of the interpreter.
FUZZTIME ?= 60s
fuzz:
	$(GO) test -run '^$$' -fuzz '^FuzzParse$$' -fuzztime $(FUZZTIME) ./kql/syntax
	$(GO) test -run '^$$' -fuzz '^FuzzBind$$' -fuzztime $(FUZZTIME) ./kql/bind
	$(GO) test -run '^$$' -fuzz '^FuzzQuery$$' -fuzztime $(FUZZTIME) ./kql/exec
	$(GO) test -run '^$$' -fuzz '^FuzzLower$$' -fuzztime $(FUZZTIME) ./query
	PICKET_FUZZ_SECONDS=$(FUZZTIME:s=) $(GO) test -count=1 -timeout 90m -run TestSQLSaysWhatTheInterpreterSays ./query

# A little of everything for PICKET_SOAK: memory, open files and temporary space must not grow.
soak: build
	PICKET_SOAK=$${PICKET_SOAK:-1h} $(GO) test -count=1 -timeout 25h -v -run TestSoak ./e2e/...

# Feeds every decoder of what comes in, FUZZTIME each.
fuzz-ingest:
	for t in ./ingest:FuzzScan ./ingest:FuzzCollect ./ingest:FuzzLoad ./ingest:FuzzPost ./ingest/elastic:FuzzParse ./ingest/splunk:FuzzEvents \
		./ingest/syslog:FuzzParse ./ingest/syslog:FuzzFrames ./ingest/syslog:FuzzEvent ./ingest/otlp:FuzzDecode; do \
		$(GO) test -run '^$$' -fuzz "^$${t#*:}$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $${t%%:*} || exit 1; \
	done

conformance: build
	$(GO) run ./conformance -o CONFORMANCE.md

ROWS ?= 1000000
bench: build
	$(GO) run ./bench
	$(GO) run ./bench/kql -rows $(ROWS)
	$(GO) run ./bench/playbook

lint:
	@test -x bin/golangci-lint || GOBIN=$(CURDIR)/bin $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)
	bin/golangci-lint run

# What the tests use beside Go and Node: Debian's chromium, LibreOffice and certificate tools.
deps-test:
	@.ci/deps

clean:
	rm -rf bin web/dist/* .cache
	touch web/dist/.keep
