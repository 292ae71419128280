// SPDX-License-Identifier: Apache-2.0
// What ps shows of this process: the memory of its arguments, and of the environment behind them, is written over.
#pragma once

// Moves the environment away, so that its room is free. Call once, before anybody keeps pointers into environ.
void title_init(int argc, char **argv);
void title_set(const char *title);
