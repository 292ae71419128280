// SPDX-License-Identifier: Apache-2.0
// The board as OpenMetrics text.
#pragma once
#include "base/buf.h"

#define METRICS_CONTENT_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

void metrics_write(struct buf *out);
void metrics_print_reference(void); // docs/metrics.md
