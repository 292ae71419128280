// SPDX-License-Identifier: Apache-2.0
// The input is the value of a Range field; sizes are tried in turn.
#include "fuzz.h"

#include "http/range.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const uint64_t sizes[] = {0, 1, 2, 10, 100, 65536, UINT64_C(1) << 40, INT64_MAX, UINT64_MAX};
    struct range ranges[RANGES_MAX];

    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        int count = range_parse((struct str){(const char *)data, n}, sizes[s], ranges);
        CHECK(count >= -1 && count <= RANGES_MAX);
        for (int i = 0; i < count; i++) {
            const struct range *a = &ranges[i];
            CHECK(a->n > 0 && a->first < sizes[s] && a->n <= sizes[s] - a->first);
            for (int k = 0; k < i; k++) // apart by a byte at least
                CHECK(a->first > ranges[k].first + ranges[k].n || a->first + a->n < ranges[k].first);
        }
    }
    return 0;
}
