// SPDX-License-Identifier: Apache-2.0
// plimsoll-xray watch: the same eyes as xray's, once a second for as long as the container lives. Alarms on a verdict to log,
// command and webhook; OpenMetrics; a recording; a bounded history that survives restarts; a socket for xray.
#pragma once

// argv[0] is "watch". Runs until it is told to stop or what it watches is gone. Exit code: 0 it was told to, or that is gone for
// good; 1 it failed; 2 usage.
int watch_run(int argc, char **argv);
extern const char watch_usage[];
