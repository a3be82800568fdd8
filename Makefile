# make demo    the main job on an invented population; leaves the portal running
# make test    installs what the tests need, then runs all of them
# make checklist  scores the demo against the checklist, by what the last tests said
# make check   the quick inner loop: format, lints, fast tests
# make bench   side by side with peers, as ratios
# make judge   the linkage on a population drawn now, by a setting that no rule was made with
# make explore the property tests, each time with cases that were not drawn before
# make fuzz    any bytes into every kind of reader, and as what a worker says, for a while

export CARGO_TARGET_DIR ?= $(HOME)/.cache/misu-target

# What the last run of the tests said; `misu checklist --tests` counts only what passed there.
TOLD = $(CARGO_TARGET_DIR)/tests.txt

# A pipe fails where any part of it does.
SHELL := bash
.SHELLFLAGS := -o pipefail -c

PROGRAMS = cli pseudonymizer pseudonymizer-quality engine-service engine-worker notebooks-gateway reports-pdf
RELEASE = $(CARGO_TARGET_DIR)/release

.PHONY: demo build test check bench judge explore fuzz checklist deny clean-demo

build:
	cargo build --release --locked $(addprefix -p ,$(PROGRAMS))

demo: build
	$(RELEASE)/misu demo

# A red run says something about the change before it, so every run draws the same cases; `make explore` draws others.
test check: export PROPTEST_RNG_SEED ?= 20261122

# The programs are built first: the journeys start them as a user would.
test:
	./tests/install
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	cargo build --locked $(addprefix -p ,$(PROGRAMS))
	cargo test --workspace --locked 2>&1 | tee $(TOLD)
	cargo deny --locked check bans licenses sources

check:
	cargo fmt --all --check
	cargo clippy --workspace --locked -- -D warnings
	cargo test --locked -p classified -p catalog-model -p engine-protocol -p engine-disclosure -p audit

bench:
	cargo build --release --locked $(addprefix -p ,$(PROGRAMS)) -p benches
	cargo build --release --locked -p pseudonymizer --example staged_figures
	./benches/run

# Decision 0330 says what was fixed before; the seed is drawn, printed, and can be given to see the figures again.
SEED ?= drawn
judge:
	cargo run --release --locked -p pseudonymizer --example linkage_quality -- 100000 60 $(SEED) held-back --judge

# How often the property tests are run.
ROUNDS ?= 10
explore:
	for round in $$(seq $(ROUNDS)); do \
	  cargo test --workspace --locked --lib || exit 1; \
	done

# Seconds for each target; needs a nightly compiler and cargo-fuzz.
FUZZ_SECONDS ?= 60
FUZZ = $(CARGO_TARGET_DIR)/fuzz
fuzz:
	MISU_CORPUS=$(FUZZ)/corpus cargo test --locked -p pseudonymizer --test it -- every_target_reads_the_corpus
	MISU_CORPUS=$(FUZZ)/corpus cargo test --locked -p engine-disclosure --test hostile -- every_reply_of_the_corpus_is_read
	for target in pseudonymizer/tagged pseudonymizer/columns pseudonymizer/package engine/disclosure/reply; do \
	  cargo +nightly fuzz run --fuzz-dir $${target%/*}/fuzz --target-dir $(FUZZ) $${target##*/} \
	    $(FUZZ)/corpus/$${target##*/} -- -max_total_time=$(FUZZ_SECONDS) -max_len=65536 || exit 1; \
	done

# The checklist of the demo, by what the last run of the tests said.
checklist:
	$(RELEASE)/misu checklist --env misu-demo/env --tests $(TOLD)

deny:
	cargo deny --locked check

clean-demo:
	-$(RELEASE)/misu serve --stop --env misu-demo/env
	rm -rf misu-demo
