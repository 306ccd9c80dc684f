#!/usr/bin/env python3
"""failover.py PROGRAMS: how long a cluster of three managers takes no writes when its leader dies, or hangs.

The leader is killed (SIGKILL) and stopped (SIGSTOP) in turns, KILLS times (20), and started or continued again 5 s later. Measured
is the time from just before the signal to the answer of the next write, a config, through a manager that is left. Meanwhile six
tasks run: none may be replaced, no container may be started again.
"""
import json
import os
import sys
import time

from cluster import Lab, median, percentile, service, table

KILLS = int(os.environ.get("KILLS", "20"))
SECONDS_AWAY = 5
TASKS = 6


def start_time(lab, pid):
    """When a process of the lab started, in clock ticks since the machine did (proc(5))."""
    stat = lab.run("lab", "exec", "--dir", lab.folder, "n1", "--", "cat", f"/proc/{pid}/stat")
    return stat.rsplit(")", 1)[1].split()[19]


def tasks(lab):
    """The running tasks, and when their containers started."""
    found = lab.api("n1").call("GET", "/tasks", query={"filters": {"desired-state": ["running"]}})
    pids = {task["ID"]: task["Status"]["ContainerStatus"]["PID"] for task in found if task["Status"]["State"] == "running"}
    return {task: (pid, start_time(lab, pid)) for task, pid in pids.items()}


def wait_for_leader(lab, seconds=30):
    """All three managers, and a leader among them."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            nodes = lab.api("n1").call("GET", "/nodes")
            states = [node.get("ManagerStatus", {}).get("Reachability") for node in nodes]
            if states.count("reachable") == 3 and all(node["Status"]["State"] == "ready" for node in nodes):
                return lab.leader()
        except (OSError, RuntimeError, StopIteration):
            pass
        if time.monotonic() > deadline:
            raise RuntimeError(f"the three managers are not back after {seconds} s")
        time.sleep(0.1)


def write(lab, node, number):
    lab.api(node).call("POST", "/configs/create", {"Name": f"after-{number}", "Data": "eA=="})


def main():
    times = {"kill": [], "stop": []}
    with Lab(sys.argv[1]) as lab:
        lab.import_image()
        api = lab.api("n1")
        network = api.call("POST", "/networks/create", {"Name": "bench", "Driver": "overlay"})["Id"]
        api.call("POST", "/services/create", service("steady", network, TASKS))
        api.wait_running("steady", TASKS)
        before = tasks(lab)
        for number in range(KILLS):
            leader = wait_for_leader(lab)
            other = next(node for node in lab.nodes if node != leader)
            signal, back = ("kill", "start") if number % 2 == 0 else ("stop", "cont")
            started = time.monotonic()
            lab.run("lab", signal, "--dir", lab.folder, leader)
            write(lab, other, number)
            times[signal].append(time.monotonic() - started)
            time.sleep(max(0, started + SECONDS_AWAY - time.monotonic()))
            lab.run("lab", back, "--dir", lab.folder, leader)
        wait_for_leader(lab)
        api = lab.api("n1")
        api.wait_running("steady", TASKS)
        after = tasks(lab)
        held = {config["Spec"]["Name"] for config in api.call("GET", "/configs")}
    lost = [number for number in range(KILLS) if f"after-{number}" not in held]
    if lost:
        sys.exit(f"acknowledged and gone: {lost}")
    restarts = sum(after.get(task) != container for task, container in before.items())
    everything = times["kill"] + times["stop"]
    rows = [("the leader is", "times", "next write: p50", "p99", "max")]
    for name, values in (("killed", times["kill"]), ("stopped", times["stop"]), ("either", everything)):
        rows.append((name, len(values), f"{median(values):.2f} s", f"{percentile(values, 0.99):.2f} s", f"{max(values):.2f} s"))
    table(rows)
    print(json.dumps({
        "kills": KILLS, "p50_s": round(median(everything), 2), "p99_s": round(percentile(everything, 0.99), 2),
        "task_restarts": restarts,
    }))


main()
