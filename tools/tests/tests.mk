# SPDX-License-Identifier: MIT
#
# Tests that need the module: each script is a program of selftests/run.sh, named tool_NAME.

TEST_DIR := $(OUT)/tests
PRELOADS := $(TEST_DIR)/newer.so
HELPERS := $(patsubst tests/%.c,$(TEST_DIR)/%,$(filter-out tests/newer.c,$(wildcard tests/*.c))) $(PRELOADS)
VM_TESTS := $(patsubst tests/%.sh,$(VM_OUT)/tool_%,$(filter-out tests/tap.sh,$(wildcard tests/*.sh)))

vm-tests: all $(HELPERS) $(TEST_DIR)/tap.sh $(VM_TESTS)

$(TEST_DIR) $(VM_OUT):
	@mkdir -p $@

$(TEST_DIR)/%: tests/%.c $(LIB) | $(TEST_DIR)
	$(say) CC tools/tests/$(notdir $@)
	$(Q)$(CC) $(FLAGS) $(CPPFLAGS) $(CFLAGS) -o $@ $< $(LIB)

$(PRELOADS): $(TEST_DIR)/%.so: tests/%.c | $(TEST_DIR)
	$(say) CC tools/tests/$(notdir $@)
	$(Q)$(CC) $(FLAGS) $(CPPFLAGS) $(CFLAGS) -MF $@.d -shared -fPIC -o $@ $<

$(TEST_DIR)/tap.sh: tests/tap.sh | $(TEST_DIR)
	$(Q)install -m 644 $< $@

$(VM_OUT)/tool_%: tests/%.sh | $(VM_OUT)
	$(Q)install -m 755 $< $@

-include $(HELPERS:=.d)
