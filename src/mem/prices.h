// SPDX-License-Identifier: Apache-2.0
// What the kernel's own objects cost a cgroup, for where it doesn't tell.
#pragma once

#define MEM_INODE_BYTES 950         // a file on tmpfs, empty or not; measured: 80 761 empty ones took 73 MB
#define MEM_STACK_BYTES (16 * 1024) // a thread's stack in the kernel (THREAD_SIZE on x86-64 and arm64)
