// SPDX-License-Identifier: Apache-2.0
// An answer of xray as JSON: plimsoll.xray/1, described in docs/xray.md.
#pragma once
#include "base/buf.h"
#include "xray/xray_view.h"

void xray_json(struct buf *b, const struct xray_view *v); // with a newline at the end
