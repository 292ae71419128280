// SPDX-License-Identifier: Apache-2.0
// plimsoll-xray tune: from limit, CPUs, memory_limit and what was measured, the settings to paste, each with its arithmetic.
#pragma once

// argv[0] is "tune". Exit code: 0 the settings, or what to change where none fit; 1 it failed; 2 usage or an unreadable
// recording.
int tune_run(int argc, char **argv);
extern const char tune_usage[];
