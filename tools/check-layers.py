#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks what ARCHITECTURE.md says of src/: arrows point down only, and what a file looks like.

Exit code 1 and one line a breach. Usage: tools/check-layers.py [SOURCE_ROOT]
"""
import pathlib
import re
import sys

# Folder -> folders it may include from (itself is allowed always). Two processes never include each other.
SUBJECTS = {"conf", "ipc", "http", "mem", "advice", "report"}
GROUND = {"base", "tbl"}
MAY_USE = {
    "tbl": set(),
    "base": {"tbl"},
    "http": GROUND,
    "ipc": GROUND,
    "conf": GROUND,
    "mem": GROUND,
    "advice": GROUND | {"mem", "conf"},
    "report": GROUND | {"mem", "advice"},
    "php": GROUND | {"http", "ipc"},
    "mold": GROUND | {"ipc", "php", "worker"},  # the mold forks into a worker: worker.h is that function
    "worker": GROUND | {"ipc", "http", "php"},
    "edge": GROUND | SUBJECTS,
    "master": GROUND | SUBJECTS | {"edge"},  # the master forks into an edge: edge/edge.h only
    "cli": GROUND | SUBJECTS | {"master", "edge"},  # master/master.h, and what prints reference pages
    # The static executable plimsoll-xray: xray, watch and tune; it needs no more than libc and jansson.
    "xray": GROUND | {"mem", "advice", "report", "watch", "tune"},
    "watch": GROUND | {"mem", "advice", "report"},
    "tune": GROUND | {"mem", "advice"},
}
# Where a folder may see only some headers of another.
ONLY = {
    ("master", "edge"): {"edge/edge.h"},
    ("mold", "worker"): {"worker/worker.h"},
    ("cli", "master"): {"master/master.h"},
    ("cli", "edge"): {"edge/metrics.h"},
    ("advice", "conf"): {"conf/ini.h"},  # reads php-fpm's and PHP's files
    ("xray", "watch"): {"watch/watch.h", "watch/watch_client.h", "watch/last.h", "watch/openmetrics.h"},
    ("xray", "tune"): {"tune/tune.h"},
}
PHP_HEADER = re.compile(r"^(php|SAPI|zend|main/|Zend/|ext/|TSRM)", re.A)
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
LINES_MAX, FUNCTION_MAX = 600, 80
# Each exception with its reason.
LONG_FILES = {}
LONG_FUNCTIONS = {}


def breaches(root):
    seen = {}
    for path in sorted(p for p in (root / "src").rglob("*") if p.suffix in (".c", ".h", ".def")):
        name = str(path.relative_to(root))
        folder = path.relative_to(root / "src").parts[0]
        lines = path.read_text().split("\n")
        if folder not in MAY_USE:
            yield name, 1, f"the folder {folder} is on no shelf: add it to MAY_USE and to ARCHITECTURE.md"
            continue
        if path.name in seen:
            yield name, 1, f"the name is taken by {seen[path.name]}: a log line must be an address"
        seen[path.name] = name
        yield from (breach for breach in includes(name, folder, path, lines))
        if path.suffix != ".def":
            yield from shape(name, path, lines)


def includes(name, folder, path, lines):
    for number, line in enumerate(lines, 1):
        m = INCLUDE.match(line)
        if not m:
            continue
        quote, target = m.groups()
        if PHP_HEADER.match(target) and "/" not in target.replace("main/", "").replace("Zend/", "").replace("ext/", "") \
                and quote == "<" and folder != "php":
            yield name, number, f"<{target}>: only src/php sees PHP"
        if quote != '"':
            continue
        parts = target.split("/")
        if len(parts) == 1:
            yield name, number, f'"{target}": includes name the folder ("{folder}/{target}")'
            continue
        used = parts[0]
        if used == folder:
            continue
        if used not in MAY_USE[folder]:
            yield name, number, f'"{target}": {folder} may not use {used}'
        elif (folder, used) in ONLY and target not in ONLY[folder, used]:
            yield name, number, f'"{target}": of {used}, {folder} may see only {", ".join(sorted(ONLY[folder, used]))}'
        elif target.endswith("_int.h"):
            yield name, number, f'"{target}" is private to {used}'


def shape(name, path, lines):
    if not lines[0].startswith("// SPDX-License-Identifier: "):
        yield name, 1, "the first line is not the SPDX line"
    if not (len(lines) > 1 and lines[1].startswith("// ")):
        yield name, 2, "no head comment"
    if path.suffix == ".h" and "#pragma once" not in lines:
        yield name, 1, "no #pragma once"
    if len(lines) > LINES_MAX + 1 and name not in LONG_FILES:
        yield name, LINES_MAX, f"{len(lines)} lines: split by subject (at most {LINES_MAX})"
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            start = number
        elif line == "}" and start:
            if number - start - 1 > FUNCTION_MAX and (name, start) not in LONG_FUNCTIONS:
                yield name, start, f"a function of {number - start - 1} lines (at most {FUNCTION_MAX})"
            start = None


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent.parent)
    found = [f"{name}:{number}: {what}" for name, number, what in breaches(root)]
    print("\n".join(found) if found else "layers: in order")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
