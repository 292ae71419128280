// SPDX-License-Identifier: Apache-2.0
// IP addresses as 16 bytes; IPv4 as ::ffff:a.b.c.d, shown dotted.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define ADDR_TEXT_BYTES 46

void addr_text(const uint8_t addr[16], char dst[ADDR_TEXT_BYTES]);
// Text without brackets or port; false if it is no address.
bool addr_parse(const char *text, uint8_t ret_addr[16]);
