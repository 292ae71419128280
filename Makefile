# SPDX-License-Identifier: Apache-2.0
# The commands of README.md. Meson builds; this file only says what to call in which order.
#   make run       install what is missing, build, serve the example on http://localhost:8080
#   make test      install what is missing, build, run every test
#   make build | bench | install | asan | fuzz | docs | check | clean
CC ?= gcc
PREFIX ?= /usr/local
DESTDIR ?=
PHP_CONFIG ?= php-config
BUILD ?= build
LISTEN ?= :8080
BENCH_ARGS ?=
INSTALL_PACKAGES ?= tools/install-packages.sh
# A variable that make sets by itself (CC = cc) is no choice of the user's.
ifeq ($(origin CC),default)
CC := gcc
endif

.PHONY: all run build test bench install asan fuzz docs check clean packages
all: build

packages:
	@PHP_CONFIG=$(PHP_CONFIG) $(INSTALL_PACKAGES) run

run: packages build
	@exec tools/run-example.sh $(BUILD) $(LISTEN)

# Unit tests are built where cmocka is at hand; `make test` sees to it that it is.
build: $(BUILD)/build.ninja
	@ninja -C $(BUILD)

$(BUILD)/build.ninja:
	@CC=$(CC) meson setup $(BUILD) --prefix=$(PREFIX) -Dphp_config=$(PHP_CONFIG) \
	  -Dunit=$$(pkg-config --exists cmocka && echo true || echo false)

test:
	@PHP_CONFIG=$(PHP_CONFIG) $(INSTALL_PACKAGES) run test
	@tests/run.sh

bench: $(BUILD)/build.ninja
	@PHP_CONFIG=$(PHP_CONFIG) $(INSTALL_PACKAGES) run bench
	@ninja -C $(BUILD)
	@rc=0; bench/xray.py --build $(BUILD) || rc=1; bench/run.py --binary $(BUILD)/plimsoll $(BENCH_ARGS) || rc=1; exit $$rc

# The prefix goes in before the build: meson installs to where the last build was told.
install: $(BUILD)/build.ninja
	@meson configure $(BUILD) -Dprefix=$(PREFIX)
	@ninja -C $(BUILD)
	@DESTDIR=$(DESTDIR) meson install -C $(BUILD) --no-rebuild
	install -D -m 644 packaging/plimsoll.conf.example $(DESTDIR)$(PREFIX)/share/doc/plimsoll/plimsoll.conf.example
	install -m 644 README.md LICENSE $(wildcard docs/*.md) $(DESTDIR)$(PREFIX)/share/doc/plimsoll/
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/doc/plimsoll packaging/prometheus/plimsoll-rules.yml packaging/grafana/plimsoll.json
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	for unit in $(wildcard packaging/*.service packaging/*.socket); do \
	  sed 's,/usr/\(bin\|share/doc\)/plimsoll,$(PREFIX)/\1/plimsoll,g' $$unit >$(DESTDIR)$(PREFIX)/lib/systemd/system/$${unit##*/}; done

# The unit tests and the server itself under AddressSanitizer and UndefinedBehaviorSanitizer, in build-asan/.
asan:
	@tests/run.sh unit-asan

# Every fuzz target looks for something new, FUZZ_SECONDS (20) long; `make test` makes the same inputs each time. In build-fuzz/.
FUZZ_SECONDS ?= 20
fuzz:
	@FUZZ_SECONDS=$(FUZZ_SECONDS) tests/run.sh fuzz

# Pages that come from tables; tests/run.sh compares them with what is checked in.
docs: build
	@tools/make-docs.sh $(BUILD)/plimsoll docs

check:
	@tests/run.sh checks

clean:
	rm -rf $(BUILD) build-asan build-fuzz
