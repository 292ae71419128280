// SPDX-License-Identifier: Apache-2.0
// The board as JSON, for `plimsoll status` (the master answers) and the admin listener's /status (the edge answers).
#pragma once

// Reads only the board. Returns malloc'ed text without a newline at its end; the caller frees it.
//   {"schema":"plimsoll.status/1","version":"0.1.0","pid":1,"uptime_s":12,"generation":1,"ready":true,"listen":["..."],
//    "processes":[{"role":"worker","pid":7,"pool":"www","generation":1,"id":3,"state":"busy","uptime_s":12,"requests":8,
//                  "peak_bytes":2097152,"request":{"id":"...","method":"GET","uri":"/","script":"/srv/index.php","running_s":0.2}}],
//    "counters":{"http_requests":9,"http_responses{class=\"2xx\"}":8}}
// pool and id are there for processes that have one, request while there is one.
char *status_json(void);
