// SPDX-License-Identifier: Apache-2.0
// Gives back what only starting PHP needed.
#pragma once

// Unmaps from this process the pages of program text and constant data that are still as they are on disk: starting PHP
// touched most of libphp and its libraries, and a mold that only forks needs little of it. They come back by a page fault
// when they are needed, from the page cache where others use them; meanwhile the kernel may take them. Best effort.
void mold_trim(void);
