# The two commands that matter are `make demo` and `make test`.
#
#   make demo         from a clone to a shell in a real machine; again and again, in seconds
#   make test         everything that CI checks, its own set-up included
#   make chaos        random deaths of processes under random work; SEED=n does the same again
#   make fuzz         ten minutes of each fuzz target, two side by side
#   make mutants      small changes to the state machines and claims: would a test notice?
#   make bench        the figures, beside their aims; half an hour on a quiet machine
#   make clean-demo   end the demo's cloud and remove its data
#   make build        release programs, in target/release
#   make guest        the small guest image, in target/guest
#   make install      the programs into $(PREFIX)/bin
#
# DATA=DIR keeps the demo's cloud elsewhere, LISTEN=ADDRESS:PORT lets its APIs listen elsewhere.

PREFIX ?= /usr/local
DATA ?= /var/lib/skybus
export DATA LISTEN

PROGRAMS := target/release
SUDO := $(if $(filter-out 0,$(shell id -u)),sudo)

.PHONY: help demo test chaos fuzz mutants bench clean-demo build guest install

help:
	@sed -n '1,/^$$/s/^# \{0,1\}//p' Makefile

demo: build guest
	@scripts/demo $(PROGRAMS) target/guest/skybus-tiny.qcow2

build:
	@scripts/packages run build
	cargo build --release --workspace --bins --locked

guest:
	@scripts/packages run
	@guest/build-image.sh target/guest

test:
	@scripts/ci

chaos:
	@scripts/packages run build test
	cargo build --workspace --bins --locked
	cargo run --package skybus-tests --example chaos --locked

fuzz:
	@scripts/packages build test
	@scripts/fuzz 600

mutants:
	@scripts/packages build test
	@scripts/mutants

bench: build guest
	cargo build --release --package skybus-bench --locked
	target/release/bench

clean-demo:
	@$(SUDO) $(PROGRAMS)/skybus-down --purge --data-dir $(DATA)

install: build
	$(SUDO) install -D -t $(PREFIX)/bin $$(find $(PROGRAMS) -maxdepth 1 -type f -perm -100 -name 'skybus*')
