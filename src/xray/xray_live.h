// SPDX-License-Identifier: Apache-2.0
// The live picture on a terminal.
#pragma once
#include "xray/xray_draw.h"
#include "xray/xray_look.h"

// Draws once a second in place until q, Ctrl-C, a signal, the end of the container or for_s seconds (0: no end). The terminal is
// as it was afterwards. Returns the exit code.
int xray_live(struct xray_look *l, double for_s, enum xray_color color);
