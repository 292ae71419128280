// SPDX-License-Identifier: Apache-2.0
// A view as a look would make it: the incident, 256 MiB, a page cache on tmpfs. No kernel file is read.
#pragma once
#include "xray/xray_view.h"

// Filled anew by each call; what it points to is static.
struct xray_view *fixture_incident(void);   // judged: growing
struct xray_view *fixture_first_look(void); // one look, sight none, nothing else known
