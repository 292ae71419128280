# SPDX-License-Identifier: Apache-2.0
"""The founding incident's site in a box: Caddy before php-fpm, pages kept for ever as files on a tmpfs (site/store.php)."""
import glob
import pathlib
import sys

from . import group
from .lines import Running, until

SITE = pathlib.Path(__file__).resolve().parent / "site"
STORE = "/app/var/cache/prod/http_cache"
TMPFS = ("/app/var/cache size=2g,mode=1777", "/dev/shm size=64m,mode=1777")
# Debian's files bear PHP's version; from 8.5 on OPcache is part of PHP.
FPM = max(glob.glob("/usr/sbin/php-fpm*"), default="/usr/sbin/php-fpm")
OPCACHE = max(glob.glob("/usr/lib/php/*/opcache.so"), default=None)


def needs():
    """What is missing on this machine; None if nothing."""
    for path in (FPM, "/usr/bin/caddy"):
        if not pathlib.Path(path).exists():
            return f"{path} is not installed"
    return None


class Site:
    """Starts the servers in `box`. charged: their programs are the group's page cache, as an image's are a container's (they stall);
    else they are somebody else's and the group is killed from."""

    def __init__(self, box, charged=True, fpm_conf=None, options=()):
        self.box = box
        box.write("/app/public/index.php", (SITE / "index.php").read_text())
        box.write("/app/src/store.php", (SITE / "store.php").read_text())
        box.write("/app/Caddyfile", (SITE / "Caddyfile").read_text())
        box.write("/app/fpm.conf", fpm_conf or (SITE / "fpm.conf").read_text())
        env, fpm, caddy, opcache = {"HOME": "/tmp"}, FPM, "/usr/bin/caddy", OPCACHE
        if charged:
            env |= box.install(FPM, "/usr/bin/caddy", *([OPCACHE] if OPCACHE else []))
            fpm, caddy = f"/app/bin/{pathlib.Path(FPM).name}", "/app/bin/caddy"
            opcache = OPCACHE and "/app/lib/opcache.so"
        self.fpm = box.run([fpm, "-n", "-F", "-y", "/app/fpm.conf", *(["-d", f"zend_extension={opcache}"] if opcache else []),
                            "-d", "opcache.memory_consumption=32", *options], level="docker", env=env, name="php-fpm")
        self.fpm.wait("ready to handle connections", 60)
        self.caddy = box.run([caddy, "run", "--config", "/app/Caddyfile", "--adapter", "caddyfile"], level="docker", env=env, name="caddy")
        self.caddy.wait("serving initial configuration", 60)

    def load(self, rate, duration, path="/page/{n}", timeout=10, max_in_flight=64):
        """The client, outside the group."""
        here = pathlib.Path(__file__).resolve().parent
        url = f"http://127.0.0.1:8080{path}"
        command = ["nsenter", "-t", str(self.box.init), "-n", "--", sys.executable, str(here / "loadgen.py"), url, "--rate", str(rate),
                   "--duration", str(duration), "--timeout", str(timeout), "--max-in-flight", str(max_in_flight)]
        running = Running(command, "load")
        self.box.children.append(running)
        return running
