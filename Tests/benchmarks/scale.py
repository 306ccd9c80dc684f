#!/usr/bin/env python3
"""scale.py PROGRAMS: 3 -> 43 tasks of one service on an overlay network of a 3-manager lab, until the API says all run.

Beside it the memory: the leader's (VmRSS) with 5 services of 3 tasks after 120 s without requests, and a supervisor's
(PSS, the largest of the 40). SETTLE_SECONDS shortens the wait, ROUNDS sets how often tasks are added (3).
"""
import json
import os
import sys
import time

from cluster import Lab, median, pss_kb, service, status_kb, table

ROUNDS = int(os.environ.get("ROUNDS", "3"))
SETTLE_SECONDS = float(os.environ.get("SETTLE_SECONDS", "120"))


def main():
    with Lab(sys.argv[1]) as lab:
        lab.import_image()
        api = lab.api("n1")
        network = api.call("POST", "/networks/create", {"Name": "bench", "Driver": "overlay"})["Id"]
        started = time.monotonic()
        api.call("POST", "/services/create", service("first", network, 3))
        api.wait_running("first", 3)
        first = time.monotonic() - started
        for number in range(4):
            api.call("POST", "/services/create", service(f"more{number}", network, 3))
            api.wait_running(f"more{number}", 3)
        leader = lab.daemon(lab.leader())
        busy = status_kb(leader, "VmRSS")
        time.sleep(SETTLE_SECONDS)
        idle = status_kb(leader, "VmRSS")
        rounds = []
        for _ in range(ROUNDS):
            started = time.monotonic()
            api.scale("first", 43)
            api.wait_running("first", 43)
            rounds.append(time.monotonic() - started)
            supervisors = [pss_kb(pid) for pid in lab.supervisors()]
            api.scale("first", 3)
            api.wait_running("first", 3)
            deadline = time.monotonic() + 60
            while len(lab.supervisors()) > 15:
                if time.monotonic() > deadline:
                    raise RuntimeError(f"{len(lab.supervisors())} supervisors are left of 15 after 60 s")
                time.sleep(0.1)
        peak = status_kb(leader, "VmHWM")
    table([
        ("what", "figure"),
        ("lab of 3 managers up", f"{lab.up_seconds:.2f} s"),
        ("first 3 tasks of a new service on a new network", f"{first:.2f} s"),
        ("3 -> 43 tasks, each round", ", ".join(f"{seconds:.2f}" for seconds in rounds) + " s"),
        ("leader, 5 services with 15 tasks: VmRSS", f"{busy / 1024:.1f} MB"),
        (f"leader after {SETTLE_SECONDS:.0f} s without requests: VmRSS", f"{idle / 1024:.1f} MB"),
        ("leader after all rounds: highest VmRSS", f"{peak / 1024:.1f} MB"),
        (f"supervisor of a container, largest of {len(supervisors)}: PSS", f"{max(supervisors)} kB"),
    ])
    print(json.dumps({
        "tasks": 40, "seconds": round(median(rounds), 2), "manager_rss_mb": round(idle / 1024, 1),
        "supervisor_pss_kb": max(supervisors),
    }))


main()
