# workq: what there is to do. `make` alone lists it.

PREFIX ?= /usr/local
DESTDIR ?=
# "static" needs nothing of the machine it runs on but its C library's files for name look-ups, which must
# be those of the machine it was built on; "dynamic" needs librabbitmq and can be carried elsewhere.
LINK ?= static
UNIT_DIR ?= $(PREFIX)/lib/systemd/system
ZSH_DIR ?= $(PREFIX)/share/zsh/site-functions

BUILD_PACKAGES = librabbitmq-dev libssl-dev pkg-config
BROKER_PACKAGES = rabbitmq-server
TEST_PACKAGES = amqp-tools openssl python3 python3-pika mandoc strace bsdutils procps binutils zsh fish tmux \
  bash-completion systemd lintian debootstrap $(PACKAGE_PACKAGES)
PACKAGE_PACKAGES = debhelper dpkg-dev fakeroot
BENCH_PACKAGES = amqp-tools gcc libc6-dev python3 python3-pika gnuplot-nox time

# "address" or "thread": the tests, and the program that they run, are built for debugging and watched by that
# sanitizer, in a directory of their own; what is linked statically cannot be.
SANITIZE ?=
# LeakSanitizer is a tracer, and so is strace, which some tests use.
export ASAN_OPTIONS ?= detect_leaks=0

# OpenSSL's static libraries need others, which ones depends on the system: Debian 13's compress by zlib and zstd.
OPENSSL_LIBRARIES = $(filter -l%,$(shell pkg-config --static --libs openssl))
LINK_FLAGS_static = --static-swift-stdlib -Xswiftc -static-executable $(addprefix -Xlinker ,$(OPENSSL_LIBRARIES))
LINK_FLAGS_dynamic = --static-swift-stdlib
RELEASE = .build/release/workq
PACKAGES = .build/packages
BROKERS = $(CURDIR)/.build/brokers
TESTED = $(if $(SANITIZE),.build/$(SANITIZE)/debug/workq,$(RELEASE))
# The tests are built for release, with the internals visible, in a directory of their own.
TESTS = $(if $(SANITIZE),.build/$(SANITIZE),.build/tests)
TEST_FLAGS = --scratch-path $(TESTS) $(if $(SANITIZE),--sanitize=$(SANITIZE),-c release -Xswiftc -enable-testing)
RUN_TESTS = Tests/TestSupport/failures-last swift test --skip-build $(TEST_FLAGS)
LIVE_TEST = WORKQ_BINARY=$(CURDIR)/$(TESTED) Tests/TestSupport/broker run $(RUN_TESTS)
# What depends on the version of RabbitMQ: how it takes, gives out and keeps tasks.
BROKER_SUITES = Publish|OwnBroker|Spooled|Work|Declare|Queue|Purge|Status|Peek|Move|Failed|Retry|Peer|LastHop|DeliveryLimit|TimeLimit|Unavailable
TARGET = $(DESTDIR)$(PREFIX)
VERSION := $(shell sed -n 's/.*current = "\(.*\)"/\1/p' Sources/workq/Version.swift)
MAN_PAGES = $(notdir $(wildcard man/*.[1-9]))
SCRIPTS = Tests/run Tests/TestSupport/broker Tests/TestSupport/certificates Tests/TestSupport/install-packages \
  Tests/TestSupport/make-broker \
  Tests/Demo/demo Tests/Demo/recording Tests/Documentation/check packaging/build-archive packaging/build-deb \
  packaging/try-deb .ci/run

.DEFAULT_GOAL = help
.PHONY: help deps deps-test deps-package deps-recording deps-bench demo recording broker bench soak build release \
  test test-brokers needs-root test-unit test-one test-package record-help format docs lint man completions install \
  uninstall deb dist clean
.NOTPARALLEL:

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: deps release ## play RabbitMQ's tutorial on a private broker, in a minute
	@echo "starting a private RabbitMQ, which takes some ten seconds ..."
	@Tests/TestSupport/broker run Tests/Demo/demo

recording: deps-recording release ## record the picture of README.md, from a real run
	@Tests/TestSupport/broker run Tests/Demo/recording

broker: deps release ## run a private broker until Ctrl-C
	@echo "starting a private RabbitMQ, which takes some ten seconds ..."
	@Tests/TestSupport/broker run sh -c 'echo "in other terminals:"; echo "  cd $(CURDIR)"; \
	  echo "  export WORKQ_URL=$$AMQP_URL"; echo "  $(RELEASE) work"; \
	  echo "  $(RELEASE) publish First message."; echo "Ctrl-C here ends the broker, and all that is in it"; \
	  exec sleep infinity'

test: deps-test ## run every test, on private brokers (SANITIZE=address, thread)
	@SANITIZE=$(SANITIZE) TESTS=$(TESTS) FLAGS="$(TEST_FLAGS)" WORKQ_BINARY=$(CURDIR)/$(TESTED) Tests/run

# The other versions of RabbitMQ are made while the tests are built, if that is still to be done.
test-brokers: needs-root deps-test ## run the broker's suites on RabbitMQ 4.0 and 4.3 (as root)
	@makers=(); trap 'kill -KILL "$${makers[@]}" 2>/dev/null' EXIT; trap 'exit 130' INT TERM; \
	for version in 4.0 4.3; do Tests/TestSupport/make-broker $$version $(BROKERS)/$$version & makers+=($$!); done; \
	$(MAKE) --no-print-directory release && swift build --build-tests $(TEST_FLAGS) || exit 1; \
	for maker in "$${makers[@]}"; do wait $$maker || exit 1; done
	@status=0; for version in 4.0 4.3; do \
	  export WORKQ_BROKER_ROOT=$(BROKERS)/$$version WORKQ_BINARY=$(CURDIR)/$(TESTED); \
	  echo "RabbitMQ $$(dpkg-query --root="$$WORKQ_BROKER_ROOT" -W -f '$${Version}' rabbitmq-server)"; \
	  suites='$(BROKER_SUITES)'; [ $$version != 4.3 ] || suites+='|Cluster'; \
	  Tests/TestSupport/broker run $(RUN_TESTS) --filter "LiveTests[.]($$suites)" || status=1; \
	done; \
	exit $$status

needs-root:
	@[ "$$(id -u)" = 0 ] || { echo "only root can make and start other brokers: sudo make test-brokers"; exit 1; }

test-unit: ## run the tests that need no broker
	swift test $(TEST_FLAGS) --skip 'LiveTests|ManualTests'

test-one: $(if $(SANITIZE),,release) ## run the live tests whose suite or name matches NAME, with a broker
	@test -n '$(NAME)' || { echo "which? make test-one NAME='WorkTests/.*dot'"; exit 1; }
	swift build --build-tests $(TEST_FLAGS)
	$(LIVE_TEST) --filter '$(NAME)'

test-package: deb ## install, run and remove the Debian package in a fresh system
	packaging/try-deb $(PACKAGES)/workq_$(VERSION)_*.deb $(PACKAGES)

record-help: release ## update the expected help output
	swift build --build-tests $(TEST_FLAGS)
	RECORD=1 $(LIVE_TEST) --filter HelpTests

bench: deps-bench release ## compare with C, amqp-tools and pika, on a private broker (ROUNDS=, ONLY=, SCALE=)
	@Tests/TestSupport/broker run Tests/Benchmarks/bench

soak: deps-bench release ## publish and work for an hour over a failing network, and measure memory (MINUTES=)
	@MINUTES=$(MINUTES) Tests/TestSupport/broker run Tests/Soak/soak

build: ## build for debugging
	swift build

# The linker's warnings that static programs look names up through shared files are known and harmless.
release: ## build the release binary
	swift build -c release --product workq $(LINK_FLAGS_$(LINK)) -Xlinker -s 2>&1 \
	  | grep -v 'in statically linked applications requires at runtime\|is dangerous, better use' ; \
	exit $${PIPESTATUS[0]}

deps: ## install what building and the demo need (Debian, Ubuntu)
	@Tests/TestSupport/install-packages $(BUILD_PACKAGES) $(BROKER_PACKAGES)

deps-test: ## install what the tests need, too
	@Tests/TestSupport/install-packages $(BUILD_PACKAGES) $(BROKER_PACKAGES) $(TEST_PACKAGES)
	@Tests/TestSupport/unpack-package prometheus .build/prometheus

deps-package: ## install what packaging needs, too
	@Tests/TestSupport/install-packages $(BUILD_PACKAGES) $(PACKAGE_PACKAGES)

deps-recording: ## install what the recording needs, too
	@Tests/TestSupport/install-packages $(BUILD_PACKAGES) $(BROKER_PACKAGES) tmux bsdutils termtosvg

deps-bench: ## install what the benchmark needs, too
	@Tests/TestSupport/install-packages $(BUILD_PACKAGES) $(BROKER_PACKAGES) $(BENCH_PACKAGES)

format: ## format the sources
	swift format -i -r Sources Tests Package.swift

docs: ## check the documentation comments, and build the reference in .build/documentation
	swift build --build-tests $(TEST_FLAGS)
	Tests/Documentation/check $(TESTS)

lint: ## check format, the rules of Tests/lint, scripts and man pages
	swift format lint --strict -r Sources Tests Package.swift
	@Tests/lint
	@for script in $(SCRIPTS); do bash -n $$script || exit 1; done
	@for page in $(wildcard man/*.[1-9]); do mandoc -Tlint -W warning $$page || exit 1; done

man: ## write the manual's OPTIONS from the table of options
	swift build --build-tests $(TEST_FLAGS)
	RECORD=1 $(RUN_TESTS) --filter 'ManualTests.OptionSectionTests'

completions: release ## write the shells' completions, which ask the program
	$(RELEASE) --generate-completion-script bash > completions/workq.bash
	$(RELEASE) --generate-completion-script zsh > completions/_workq
	$(RELEASE) --generate-completion-script fish > completions/workq.fish

install: ## install the release build below PREFIX (and DESTDIR)
	@test -x $(RELEASE) || { echo "nothing to install yet: 'make release' first"; exit 1; }
	install -Dm755 $(RELEASE) "$(TARGET)/bin/workq"
	for page in $(MAN_PAGES); do \
	  install -Dm644 man/$$page "$(TARGET)/share/man/man$${page##*.}/$$page" || exit 1; done
	install -Dm644 completions/workq.bash "$(TARGET)/share/bash-completion/completions/workq"
	install -Dm644 completions/_workq "$(DESTDIR)$(ZSH_DIR)/_workq"
	install -Dm644 completions/workq.fish "$(TARGET)/share/fish/vendor_completions.d/workq.fish"
	install -d "$(DESTDIR)$(UNIT_DIR)"
	sed 's|@bindir@|$(PREFIX)/bin|' packaging/workq@.service.in >"$(DESTDIR)$(UNIT_DIR)/workq@.service"
	chmod 644 "$(DESTDIR)$(UNIT_DIR)/workq@.service"

uninstall: ## remove what install has installed
	rm -f "$(TARGET)/bin/workq"
	for page in $(MAN_PAGES); do rm -f "$(TARGET)/share/man/man$${page##*.}/$$page" || exit 1; done
	rm -f "$(TARGET)/share/bash-completion/completions/workq"
	rm -f "$(DESTDIR)$(ZSH_DIR)/_workq"
	rm -f "$(TARGET)/share/fish/vendor_completions.d/workq.fish"
	rm -f "$(DESTDIR)$(UNIT_DIR)/workq@.service"

deb: deps-package release ## build the package .build/packages/workq_VERSION_CPU.deb (LINK=)
	packaging/build-deb $(VERSION) $(LINK) $(PACKAGES)

dist: release ## build the archive .build/packages/workq-VERSION-linux-CPU.tar.gz
	@packaging/build-archive $(VERSION) $(PACKAGES)

clean: ## remove what was built
	swift package clean
	rm -rf --one-file-system $(PACKAGES) $(BROKERS)

SHELL = /bin/bash
