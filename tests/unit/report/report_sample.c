// SPDX-License-Identifier: Apache-2.0
// Writes a report of made-up figures to stdout, for the browser's test.
#include "sample_input.h"

int main(void)
{
    struct report_input in = sample_input();
    return report_write(1, &in) == 0 ? 0 : 1;
}
