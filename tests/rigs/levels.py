# SPDX-License-Identifier: Apache-2.0
"""The three levels of sight: what one may see of others' processes.

    full     root with every capability
    docker   root with Docker's default capabilities: no SYS_PTRACE, no SYS_ADMIN
    none     uid 65534 without any
"""
DOCKER = ("chown", "dac_override", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap", "net_bind_service", "net_raw",
          "sys_chroot", "mknod", "audit_write", "setfcap")
LEVELS = ("full", "docker", "none")


def bounds():
    """Docker's capabilities, as setpriv wants them."""
    return ",".join(["-all", *("+" + cap for cap in DOCKER)])


def at(level, command):
    """`command`, to be run with the rights of `level`."""
    if level == "full":
        return list(command)
    if level == "docker":
        return ["setpriv", "--bounding-set", bounds(), "--inh-caps", "-all", "--", *command]
    if level == "none":
        return ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--bounding-set", "-all", "--inh-caps", "-all",
                "--no-new-privs", "--", *command]
    raise ValueError(level)
