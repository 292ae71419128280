// SPDX-License-Identifier: Apache-2.0
// What trusted proxies say of the client: X-Forwarded-For/-Proto/-Host/-Port, or Forwarded (RFC 7239) when there is no
// X-Forwarded-For. Not the other way round: nearly every proxy writes X-Forwarded-For and hands a client's own Forwarded
// through, so that preferring that one would let clients choose their address.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "http/fields.h"

struct forwarded {
    struct str client; // address without port or brackets, "" = not told
    struct str proto;  // "http" or "https", "" = not told
    struct str host;   // valid host[:port], "" = not told
    struct str port;   // X-Forwarded-Port, else the host's, "" = not told
};

// is_trusted(arg, addr) says whether an address (text) is one of trusted_proxies. Only called when the peer is trusted. The
// list is walked from the right: the first untrusted address is the client, and what stands left of it is not believed. If
// all are trusted, the leftmost is the client. An unreadable one (unknown, obfuscated) ends the walk: the proxy found before
// it stands for the client. Proto, host and port: Forwarded's are those of the element where the walk ended; of
// X-Forwarded-Proto/-Host/-Port, the value as many places from the right as the walk went, or the leftmost when there are
// fewer. Slices point into the fields' values (proto: to a constant).
void forwarded_read(const struct field *fields, size_t n_fields, bool (*is_trusted)(void *arg, struct str addr), void *arg,
                    struct forwarded *ret);
