// SPDX-License-Identifier: Apache-2.0
// Status codes (RFC 9110 §15 and the IANA registry), tbl/status.def.
#pragma once

const char *status_reason(unsigned status); // "" if unknown
