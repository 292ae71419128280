// SPDX-License-Identifier: Apache-2.0
// The board as text: OpenMetrics, or what Prometheus had before it (0.0.4), which promtool and older collectors read.
#pragma once
#include <stdbool.h>

#include "base/buf.h"

#define METRICS_CONTENT_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"
#define METRICS_CLASSIC_TYPE "text/plain; version=0.0.4; charset=utf-8"

void metrics_write(struct buf *out, bool openmetrics);
void metrics_print_reference(void); // docs/metrics.md
