// SPDX-License-Identifier: Apache-2.0
// An answer of xray as one screen of text.
#pragma once
#include "base/buf.h"
#include "xray/xray_draw.h"
#include "xray/xray_view.h"

void xray_text(struct buf *b, const struct screen *s, const struct xray_view *v);
// What can be said before files in memory were walked: memory, ledger, processes.
void xray_text_first(struct buf *b, const struct screen *s, const struct xray_view *v);
// Parts of it, for the live picture.
void xray_text_headline(struct buf *b, const struct screen *s, const struct xray_view *v);
void xray_text_ledger(struct buf *b, const struct screen *s, const struct xray_view *v, int entries_max);
void xray_text_directories(struct buf *b, const struct screen *s, const struct xray_view *v, int max);
