# make demo    the main job on an invented population; leaves the portal running
# make test    installs what the tests need, then runs all of them
# make check   the quick inner loop: format, lints, fast tests
# make bench   side by side with peers, as ratios

export CARGO_TARGET_DIR ?= $(HOME)/.cache/misu-target

PROGRAMS = cli pseudonymizer pseudonymizer-quality engine-service engine-worker notebooks-gateway
RELEASE = $(CARGO_TARGET_DIR)/release

.PHONY: demo build test check bench deny clean-demo

build:
	cargo build --release --locked $(addprefix -p ,$(PROGRAMS))

demo: build
	$(RELEASE)/misu demo

# The programs are built first: the journeys start them as a user would.
test:
	./tests/install
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo build --locked $(addprefix -p ,$(PROGRAMS))
	cargo test --workspace --locked
	cargo deny --locked check bans licenses sources

check:
	cargo fmt --all --check
	cargo clippy --workspace --locked -- -D warnings
	cargo test --locked -p classified -p catalog-model -p engine-protocol -p engine-disclosure -p audit

bench:
	cargo build --release --locked $(addprefix -p ,$(PROGRAMS)) -p benches
	./benches/run

deny:
	cargo deny --locked check

clean-demo:
	-$(RELEASE)/misu serve --stop --env misu-demo/env
	rm -rf misu-demo
