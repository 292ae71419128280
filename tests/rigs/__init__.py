# SPDX-License-Identifier: Apache-2.0
"""Rigs: small machines for tests about memory. Each one cleans up after itself, even when the test that made it is killed.

    group      a memory cgroup with a limit (v1 or v2)
    box        a container: group, namespaces, a root of its own, in-memory file systems
    levels     run a command with the rights of root, of root in Docker, of nobody
    lines      wait for a line of output, not for time
    recorder   the group's counters once a second, by our own reading
    loadgen    an open-loop HTTP client with bounds
    uml        a cgroup v2 kernel in a process (user-mode Linux)
    sandbox    gVisor through runsc
    emptyroot  a chroot that holds one static program
"""
