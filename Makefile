# SPDX-License-Identifier: MIT
#
# Makefile - dispatches to the parts; the work is in the folders' Makefiles and in scripts/

V ?= 0
Q := $(if $(filter 1,$(V)),,@)
KREL ?= $(shell uname -r)
KDIR ?= /lib/modules/$(KREL)/build
MAKEFLAGS += --no-print-directory

.PHONY: all modules modules-6.1 modules-6.12 clean distclean help
all: modules-6.1 modules-6.12

modules:
	$(Q)$(MAKE) $(if $(filter 1,$(V)),,-s) -C $(KDIR) M=$(CURDIR) modules

modules-6.1 modules-6.12: modules-%:
	$(Q)V=$(V) scripts/build-module $*

clean:
	$(Q)rm -rf build/module-* build/lib build/selftests
	$(Q)find Kbuild module \( -name '*.o' -o -name '*.ko' -o -name '*.mod' -o -name '*.mod.c' \
		-o -name '.*.cmd' \) -delete 2>/dev/null || true
	$(Q)rm -f *.o *.ko *.mod *.mod.c .*.cmd Module.symvers modules.order

distclean: clean
	$(Q)rm -rf build

help:
	@echo 'make modules-6.1 modules-6.12   the module for the stock kernels (downloaded when missing)'
	@echo 'make modules [KDIR=...]         the module for this kernel'
	@echo 'make clean | distclean'
	@echo 'V=1 shows every command'
