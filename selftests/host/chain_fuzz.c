// SPDX-License-Identifier: MIT
/*
 * chain_fuzz - libFuzzer's entry to the model
 */
#include "model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct model_counts counts = { 0 };

	model_run(data, size, &counts);
	return 0;
}
