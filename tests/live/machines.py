# SPDX-License-Identifier: Apache-2.0
"""The scenarios that want a CPU for themselves: the incident on cgroup v1, and on v2 in user-mode Linux."""
import json
import pathlib

from rigs import box, cachesite, incident, tool, uml

# The machine has a /tmp of its own: what it runs is copied to where it is seen, wherever this tree lies.
FILES = {"plimsoll-xray": tool.BINARY, "tests": pathlib.Path(__file__).resolve().parents[1]}


def incident_v1():
    return vars(incident.Incident(256 << 20, 80).run(240))


def incident_v2():
    """The same script inside a machine whose kernel has cgroup v2 only."""
    with uml.Machine("PLIMSOLL_XRAY=$RIG_FOLDER/plimsoll-xray /usr/bin/python3 $RIG_FOLDER/tests/rigs/incident.py "
                     "--limit 160 --rate 40 --seconds 240 --out $RIG_FOLDER/seen.json", files=FILES) as machine:
        machine.wait(r"^uml ready", 120)
        machine.wait(r"^uml done", 500)
        out = machine.folder / "seen.json"
        if not out.exists():
            raise AssertionError(machine.out.text()[-6000:])
        return json.loads(out.read_text()) | {"console": machine.out.text()}


def places_v2():
    """What test_places.py claims, on cgroup v2."""
    with uml.Machine("cd tests && PLIMSOLL_XRAY=$RIG_FOLDER/plimsoll-xray PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 "
                     "-m pytest -q --color=no -p no:cacheprovider --tb=short -r fEs live/test_places.py", files=FILES) as machine:
        machine.wait(r"^uml done", 500)
        return machine.out.text()


ALL = {"places_v2": places_v2, "incident_v1": incident_v1, "incident_v2": incident_v2}
NEEDS = {"places_v2": lambda: uml.unusable() or cachesite.needs(),
         "incident_v1": lambda: box.unusable() or cachesite.needs(), "incident_v2": lambda: uml.unusable() or cachesite.needs()}
