# SPDX-License-Identifier: MIT
#
# Host tests: the library without sys.c, over tests/fake.c. Each program is
# built and run under the address and undefined-behaviour sanitizers by every
# compiler of SAN_CC, the two-thread program under the thread sanitizer too.

SAN_CC ?= gcc clang
TEST_DIR := $(OUT)/tests
TESTS := t_chain t_copy t_cursor t_fdpass t_file t_kept t_listen t_map t_number t_parsers t_put t_random t_reader \
	 t_remap t_reserve t_spawn t_supervise t_take t_threads t_unflushed t_view t_writer
TEST_SRC := $(filter-out sys.c,$(SRC)) tests/fake.c tests/fake_alloc.c tests/fake_keep.c
PARSERS := $(wildcard ../examples/parsers/*.c)
TEST_DEPS := $(DEPS) $(wildcard tests/fake*.h tests/*.h) $(PARSERS)
TEST_CFLAGS := -std=gnu11 -D_GNU_SOURCE $(WARNINGS) -g -O1 $(ZP_CPPFLAGS) -I. -Itests
ASAN := -fsanitize=address,undefined -fno-sanitize-recover=undefined
TSAN := -fsanitize=thread -Wno-missing-prototypes

# of the library built for debugging
DEBUG_TESTS := t_kept
SAN_BIN := $(foreach cc,$(SAN_CC),$(TESTS:%=$(TEST_DIR)/%.$(cc)) \
	$(DEBUG_TESTS:%=$(TEST_DIR)/%.debug.$(cc)))
TSAN_BIN := $(SAN_CC:%=$(TEST_DIR)/t_threads.tsan.%)

# $(1).a, $(2): the compiler and its options, $(3): sources. The library as some programs want it.
define archive_rule
$(1)/%.o: %.c $(DEPS) $(wildcard tests/*.h)
	@mkdir -p $$(dir $$@)
	$$(Q)$(2) -c -o $$@ $$<

$(1).a: $(patsubst %.c,$(1)/%.o,$(3))
	$$(say) AR $$(notdir $$@)
	$$(Q)rm -f $$@
	$$(Q)$$(AR) rcs $$@ $$^
endef

define san_rule
$(call archive_rule,$(TEST_DIR)/asan.$(1),$(1) $(TEST_CFLAGS) $(ASAN),$(TEST_SRC))
$(call archive_rule,$(TEST_DIR)/debug.$(1),$(1) $(TEST_CFLAGS) -DZP_DEBUG $(ASAN),$(TEST_SRC))
$(call archive_rule,$(TEST_DIR)/tsan.$(1),$(1) $(TEST_CFLAGS) $(TSAN),$(TEST_SRC) tests/fake_mmap.c)

$(TEST_DIR)/%.$(1): tests/%.c $(TEST_DEPS) $(TEST_DIR)/asan.$(1).a
	$$(say) CC tests/$$(notdir $$@)
	$$(Q)$(1) $(TEST_CFLAGS) $(ASAN) -o $$@ $$< $$(EXTRA) $(TEST_DIR)/asan.$(1).a -lpthread -lm

$(TEST_DIR)/%.debug.$(1): tests/%.c $(TEST_DEPS) $(TEST_DIR)/debug.$(1).a
	$$(say) CC tests/$$(notdir $$@)
	$$(Q)$(1) $(TEST_CFLAGS) -DZP_DEBUG $(ASAN) -o $$@ $$< $(TEST_DIR)/debug.$(1).a -lpthread -lm

$(TEST_DIR)/t_threads.tsan.$(1): tests/t_threads.c $(TEST_DEPS) $(TEST_DIR)/tsan.$(1).a
	$$(say) CC tests/$$(notdir $$@)
	$$(Q)$(1) $(TEST_CFLAGS) $(TSAN) -o $$@ $$< $(TEST_DIR)/tsan.$(1).a \
		-Wl,--wrap=mmap,--wrap=munmap -lpthread
endef
$(foreach cc,$(SAN_CC),$(eval $(call san_rule,$(cc))))

$(TEST_DIR)/t_parsers.%: EXTRA = $(PARSERS)

# the parsers of the examples, on bytes that the fuzzer makes up
FUZZ_SECONDS ?= 20
$(TEST_DIR)/parse_fuzz: tests/parse_fuzz.c $(SRC) $(wildcard tests/fake*.c) $(TEST_DEPS) | $(OUT)/tests
	$(say) CC tests/$(notdir $@)
	$(Q)clang $(TEST_CFLAGS) -fsanitize=fuzzer $(ASAN) -o $@ $< $(PARSERS) $(TEST_SRC) -lpthread -lm

.PHONY: fuzz
fuzz: $(TEST_DIR)/parse_fuzz
	$(Q)mkdir -p $(TEST_DIR)/corpus
	$(Q)$(TEST_DIR)/parse_fuzz -max_total_time=$(FUZZ_SECONDS) -max_len=600 -verbosity=0 \
		-print_final_stats=1 -artifact_prefix=$(TEST_DIR)/ $(TEST_DIR)/corpus

# every program runs, whatever the one before it said
check-host: all $(SAN_BIN) $(TSAN_BIN)
	$(Q)bad=0; for t in $(SAN_BIN) $(TSAN_BIN); do \
		echo "# $$(basename $$t)"; timeout 300 $$t || bad=1; done; \
	echo "# check_abi.sh"; \
	OUT=$(OUT) CC="$(CC)" CXX="$(CXX)" VERSION=$(VERSION) tests/check_abi.sh || bad=1; \
	if [ $$bad = 0 ]; then echo "# check-host: all passed"; else echo "# check-host: FAILED"; fi; \
	exit $$bad

# Programs that need the module, for selftests/run and scripts/vm: of this
# machine's word size, and as 32-bit programs where the compiler makes any.
VM_TESTS := $(patsubst tests/vm_%.c,$(VM_OUT)/lib_%,$(wildcard tests/vm_*.c))
VM_TESTS_32 := $(VM_TESTS:%=%_32)
VM_TESTS += $(VM_OUT)/lib_kept_debug
VM_CFLAGS := -std=gnu11 -D_GNU_SOURCE $(WARNINGS) $(ZP_CPPFLAGS) $(CFLAGS) -Itests
VM_DEPS := tests/vm.h tests/stream.h tests/bytes.h tests/tap.h
# eight-byte atomics without a library need more than the oldest processors
CFLAGS_32 := -m32 -march=i686 -msse2

$(VM_OUT)/lib_%: tests/vm_%.c $(VM_DEPS) $(OUT)/libzpipe.a | $(VM_OUT)
	$(say) CC selftests/$(notdir $@)
	$(Q)$(CC) $(VM_CFLAGS) -o $@ $< $(OUT)/libzpipe.a -lpthread

$(eval $(call archive_rule,$(TEST_DIR)/m32,$(CC) $(VM_CFLAGS) $(CFLAGS_32),$(SRC)))
$(eval $(call archive_rule,$(TEST_DIR)/debug,$(CC) $(VM_CFLAGS) -DZP_DEBUG,$(SRC)))

$(VM_OUT)/lib_%_32: tests/vm_%.c $(VM_DEPS) $(TEST_DIR)/m32.a | $(VM_OUT)
	$(say) CC selftests/$(notdir $@)
	$(Q)$(CC) $(VM_CFLAGS) $(CFLAGS_32) -o $@ $< $(TEST_DIR)/m32.a -lpthread

# the library built for debugging, where ranges have mappings of their own
$(VM_OUT)/lib_kept_debug: tests/vm_kept.c $(VM_DEPS) $(TEST_DIR)/debug.a | $(VM_OUT)
	$(say) CC selftests/$(notdir $@)
	$(Q)$(CC) $(VM_CFLAGS) -DZP_DEBUG -o $@ $< $(TEST_DIR)/debug.a -lpthread

.PHONY: vm-tests vm-tests-32 vm-tests-64
vm-tests-64: $(filter-out %_debug,$(VM_TESTS))

vm-tests: $(VM_TESTS)
	$(Q)if [ ! "$(NO_32)" ] && echo 'int main(void) { return 0; }' | $(CC) -m32 -x c - -o $(OUT)/.m32 2>/dev/null; \
	then $(MAKE) --no-print-directory vm-tests-32; fi

vm-tests-32: $(VM_TESTS_32)
