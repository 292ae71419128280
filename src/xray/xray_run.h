// SPDX-License-Identifier: Apache-2.0
// plimsoll-xray [xray]: looks, judges, prints.
#pragma once

// argv without the command's name. Returns the exit code: 0 done, whatever the verdict; 1 it failed; 2 the command line is wrong
// or there is nothing to look at.
int xray_run(int argc, char **argv);
