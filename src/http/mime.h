// SPDX-License-Identifier: Apache-2.0
// Content types by file name (tbl/mime.def).
#pragma once
#include "base/str.h"

// "text/css; charset=utf-8"; "application/octet-stream" for what is not in the table.
const char *mime_of(struct str file_name);
