// SPDX-License-Identifier: Apache-2.0
// What trusted proxies say of the client: Forwarded (RFC 7239), else X-Forwarded-For/-Proto/-Host/-Port.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "http/fields.h"

struct forwarded {
    struct str client; // address without port or brackets, "" = not told
    struct str proto;  // "http" or "https", "" = not told
    struct str host;   // "" = not told
    struct str port;   // "" = not told
};

// peer_trusted(arg, addr) says whether an address (text) is one of trusted_proxies. The list is walked from the right: the
// first untrusted address is the client; what stands left of it is not believed. Only called when the peer is trusted.
void forwarded_read(const struct field *fields, size_t n_fields, bool (*is_trusted)(void *arg, struct str addr), void *arg,
                    struct forwarded *ret);
