# SPDX-License-Identifier: MIT
#
# Makefile - dispatches to the parts; the work is in the folders' Makefiles and in scripts/

V ?= 0
Q := $(if $(filter 1,$(V)),,@)
S := $(if $(filter 1,$(V)),,-s)
MAKEFLAGS += --no-print-directory

BUILD := $(CURDIR)/build
KREL ?= $(shell uname -r)
KDIR ?= /lib/modules/$(KREL)/build
KSFT ?= $(shell scripts/ksrc)/tools/testing/selftests
# The module for this kernel where it can be built, for the stock kernels elsewhere.
MODULES := $(if $(wildcard $(KDIR)/Makefile),modules,modules-6.1 modules-6.12)

# $(call part,FOLDER[,TARGET]): make that part, once it exists
part = $(if $(wildcard $1/Makefile),$(Q)$(MAKE) -C $1 BUILD=$(BUILD) V=$(V) $2,@:)

.PHONY: all modules modules-6.1 modules-6.12 lib bpf tools examples selftests demo bench check check-long \
	check-models
.PHONY: run_tests
.PHONY: install modules_install uninstall clean distclean help
all: $(MODULES) lib bpf tools examples

# Kbuild leaves its products beside the sources, so it gets a tree of links.
modules:
	@test -e $(KDIR)/Makefile || { echo 'make: $(KDIR) has no kernel headers; KDIR=... names others,' \
		'modules-6.1 and modules-6.12 need none'; exit 1; }
	$(Q)mkdir -p $(BUILD)/module
	$(Q)cp -asf $(CURDIR)/Kbuild $(CURDIR)/module $(CURDIR)/uapi $(BUILD)/module/
	$(Q)$(MAKE) $(S) -C $(KDIR) M=$(BUILD)/module modules

modules-6.1 modules-6.12: modules-%:
	$(Q)MAKEFLAGS= V=$(V) scripts/build-module $* -j$(shell nproc)

lib:
	+$(call part,lib)

bpf:
	+$(call part,bpf)

tools: lib
	+$(call part,tools)

examples: lib
	+$(call part,examples)

selftests:
	$(Q)$(MAKE) -C selftests BUILD=$(BUILD) V=$(V) KSFT=$(KSFT)

run_tests: selftests
	$(Q)selftests/run.sh $(BUILD)/selftests $(TESTS)

demo bench:
	$(Q)$@/run.sh

check:
	$(Q)scripts/check

check-long:
	$(Q)scripts/check-long

check-models:
	$(Q)BUILD=$(BUILD)/models models/check

install:
	+$(call part,lib,install)
	+$(call part,bpf,install)
	+$(call part,bench,install)
	+$(call part,tools,install)

modules_install: modules
	$(Q)$(MAKE) $(S) -C $(KDIR) M=$(BUILD)/module INSTALL_MOD_PATH=$(INSTALL_MOD_PATH) modules_install

uninstall:
	+$(call part,tools,uninstall)
	+$(call part,bench,uninstall)
	+$(call part,bpf,uninstall)
	+$(call part,lib,uninstall)

clean:
	$(Q)rm -rf $(BUILD)/module* $(BUILD)/lib $(BUILD)/bpf $(BUILD)/tools $(BUILD)/examples $(BUILD)/selftests \
		$(BUILD)/demo $(BUILD)/bench $(BUILD)/host $(BUILD)/models $(BUILD)/readme

# Also what a bare Kbuild run may have left in the sources. Downloads are kept: see scripts/common.sh.
distclean: clean
	$(Q)rm -rf $(BUILD) Module.symvers modules.order .tmp_versions
	$(Q)find . -path ./.git -prune -o \( -name '*.o' -o -name '*.ko' -o -name '*.mod' \
		-o -name '*.mod.c' -o -name '.*.cmd' \) -exec rm -f {} +

help:
	@echo 'On any Debian 12, in a virtual machine; what is missing is installed:'
	@echo '  make demo [FILE=...] [K=6.1|6.12]   move a real file, prove that nothing was copied'
	@echo '  make check [QUICK=1]                every test; the last line is the count'
	@echo '  make check-long [HOURS=0.5]         sanitizer kernel, failing allocations, fuzzing, soaking'
	@echo '  make bench [K=6.1|6.12]             measure, compare with pipe(2) and others'
	@echo '  make modules-6.1 modules-6.12       the module for the stock kernels'
	@echo
	@echo 'On a machine that loads the module:'
	@echo '  make [all]                          module, library, observing tools, examples'
	@echo '  make bpf                            the observing tools alone (scripts/deps bpf)'
	@echo '  make modules [KDIR=...]             the module for this kernel'
	@echo '  make modules_install [INSTALL_MOD_PATH=...]'
	@echo '  make install [PREFIX=/usr/local] [DESTDIR=...]    library, headers, tools, manual'
	@echo '  make uninstall                      takes away what install has put there'
	@echo "  make run_tests [TESTS='abi rw*']    the tests of the kernel interface, as root"
	@echo '  make demo NATIVE=1, make bench NATIVE=1'
	@echo
	@echo 'make clean, make distclean; V=1 shows every command; scripts/vm runs anything in a guest'
