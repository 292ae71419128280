// SPDX-License-Identifier: Apache-2.0
// Reason phrases. Pure; runs in edge and worker. A code that stands twice in the table does not compile.
#include "http/status.h"

const char *status_reason(unsigned status)
{
    switch (status) {
#define STATUS(code, reason)                                                                                                     \
    case code:                                                                                                                   \
        return reason;
#include "tbl/status.def"
#undef STATUS
    default:
        return "";
    }
}
