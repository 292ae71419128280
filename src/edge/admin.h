// SPDX-License-Identifier: Apache-2.0
// What the admin listener answers: /metrics (OpenMetrics), /status (JSON), /healthz, /readyz.
#pragma once

struct req;

void admin_answer(struct req *r);
