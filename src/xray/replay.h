// SPDX-License-Identifier: Apache-2.0
// plimsoll-xray --replay: the judge's verdict on a recording.
#pragma once
#include <stdbool.h>

// Replays FILE ("-": standard input) through the judge and prints plimsoll.replay/1 (json) or text on standard output.
// Returns the exit code: 0 whatever the verdict, 1 where the output can't be written, 2 where FILE can't be read (standard
// error says the file, the line and why). STEM.procs.csv beside FILE is read if it is there.
int replay_run(const char *path, bool json);
