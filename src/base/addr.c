// SPDX-License-Identifier: Apache-2.0
// IP addresses. Pure; runs in every process.
#include "base/addr.h"

#include <arpa/inet.h>
#include <string.h>

static const uint8_t v4_prefix[12] = {[10] = 0xff, [11] = 0xff};

void addr_text(const uint8_t addr[16], char dst[ADDR_TEXT_BYTES])
{
    if (memcmp(addr, v4_prefix, sizeof v4_prefix) == 0)
        inet_ntop(AF_INET, addr + 12, dst, ADDR_TEXT_BYTES);
    else
        inet_ntop(AF_INET6, addr, dst, ADDR_TEXT_BYTES);
}

bool addr_parse(const char *text, uint8_t ret_addr[16])
{
    uint8_t addr[16];

    memcpy(addr, v4_prefix, sizeof v4_prefix);
    if (inet_pton(AF_INET, text, addr + 12) != 1 && inet_pton(AF_INET6, text, addr) != 1)
        return false;
    memcpy(ret_addr, addr, sizeof addr);
    return true;
}
