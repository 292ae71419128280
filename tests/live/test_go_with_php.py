# SPDX-License-Identifier: Apache-2.0
"""A Go process with PHP in it, as FrankenPHP is one: told by what it is made of, and the two heaps told apart, each as its own
runtime counts it."""
import json
import os
import pathlib
import shutil
import subprocess

import pytest

from rigs import box, tool

HERE = pathlib.Path(__file__).resolve().parent
MIB = 1 << 20


def flags(*options):
    done = subprocess.run([os.environ.get("PHP_CONFIG", "php-config"), *options], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def library():
    """-L and -l of libphp, by the name that its maker gave it; None where there is none."""
    prefix, major = flags("--prefix"), ".".join(flags("--version").split(".")[:2])
    own = [pathlib.Path(prefix, lib, "libphp.so") for lib in ("lib", "lib64")] if prefix != "/usr" else []
    for path in (*own, pathlib.Path(f"/usr/lib/libphp{major}.so"), pathlib.Path("/usr/lib/libphp.so")):
        if path.exists():
            return path
    return None


def why_not():
    if box.unusable():
        return box.unusable()
    if not os.path.exists(tool.GO) or not shutil.which("gcc"):
        return "Go or gcc is not installed"
    if not shutil.which(os.environ.get("PHP_CONFIG", "php-config")) or not library():
        return "libphp is not installed"
    return None if library().is_relative_to("/usr") else "libphp is where no box sees it"


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    if why_not():
        pytest.skip(why_not())
    folder, lib = tmp_path_factory.mktemp("threads"), library()
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "GOCACHE": str(folder / "cache"), "GO111MODULE": "off", "CGO_ENABLED": "1",
           "CGO_CFLAGS": flags("--includes"), "CGO_LDFLAGS": f"-L{lib.parent} -l{lib.stem.removeprefix('lib')} -Wl,-rpath,{lib.parent}"}
    done = subprocess.run([tool.GO, "build", "-o", folder / "server", HERE / "threads.go"], timeout=300, cwd=folder, capture_output=True,
                          text=True, env=env)
    assert done.returncode == 0, done.stderr
    return (folder / "server").read_bytes()


@pytest.mark.parametrize("php,go", [(24, 8), (4, 48)])
def test_heaps_of_go_and_php_in_one_process_are_told_apart(program, php, go):
    with box.Box("threads", 256 * MIB) as b:
        b.write("/app/server", program, 0o755)  # nothing in its name tells
        b.write("/app/plimsoll-xray", tool.BINARY.read_bytes(), 0o755)
        server = b.run(["/app/server", str(php), str(go)], level="docker")
        server.wait("^ready$", 60)
        said = json.loads(server.out.text().splitlines()[0])
        looks = {level: tool.parse(b.call(["/app/plimsoll-xray", "--json"], level=level).stdout) for level in ("full", "docker", "none")}
    for level in ("full", "docker"):  # root's own processes are open to root
        look = looks[level]
        process = next(p for p in look["processes"] if p["name"] == "server")
        parts = process["anonymous"]
        assert (process["role"], look["server"]) == ("frankenphp", "frankenphp")
        assert parts["php_heap_exact"] and php * MIB <= parts["php_heap"] <= said["php"]
        assert go * MIB <= parts["go_heap"] <= said["go_most"] + MIB
        assert process["memory_limit_bytes"] == 96 * MIB
        whole = sum(parts[name] for name in ("php_heap", "native", "go_heap", "stacks", "jit"))
        assert abs(whole - process["rss_anon_bytes"]) <= MIB // 2 * os.cpu_count()  # the kernel adds up its counters of CPUs now and then
        assert look["balances"]
    process = next(p for p in looks["none"]["processes"] if p["name"] == "server")
    assert (process["role"], process["anonymous"], process["visible"]) == ("process", None, False)
    assert looks["none"]["balances"]
