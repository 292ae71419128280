// SPDX-License-Identifier: Apache-2.0
// Request targets: splitting, decoding and normalising paths (RFC 3986, RFC 9110 §4.2). The only place that decodes.
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

// Splits "/a/b?x=1" at the first '?'; has_query tells "/a?" from "/a".
void uri_split(struct str path_query, struct str *ret_path, struct str *ret_query, bool *ret_has_query);

// Decodes %XX once, merges slashes, resolves "." and ".." segments (encoded ones too). dst needs path.n + 1 bytes; a NUL is
// put behind. Returns the length, or -1: bad escape, NUL or other control byte, ".." above the root, or no "/" in front
// (-> 400). %2F is a slash like any other.
long uri_normalize(struct str path, char *dst);

// Percent-encodes a decoded path for a Location field. dst needs 3 * n + 1 bytes. Returns the length.
size_t uri_encode_path(struct str path, char *dst);

// host[:port] as a Host field or authority may have it (RFC 3986 §3.2.2; IPv6 in brackets), but without sub-delims: no name
// in use has them, and a comma would look like two Hosts joined. No userinfo. ret_port is empty
// when there is none, else a number up to 65535. An IPv6 host keeps its brackets. Empty text is valid and gives an empty
// host; ":80" is not valid.
bool uri_split_authority(struct str text, struct str *ret_host, struct str *ret_port);
