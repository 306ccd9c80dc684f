"""A lab cluster of built programs, used by the benchmarks: the API of each node, its processes and their memory."""
import http.client
import json
import os
import socket
import statistics
import subprocess
import tempfile
import time
import urllib.parse


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class API:
    """Docker's HTTP API at a unix socket; one connection, kept."""

    def __init__(self, path):
        self.connection = UnixConnection(path)

    def call(self, method, path, body=None, query=None):
        if query:
            path += "?" + urllib.parse.urlencode(
                {name: value if isinstance(value, str) else json.dumps(value) for name, value in query.items()})
        data = None if body is None else json.dumps(body)
        self.connection.request(method, path, data, {"Content-Type": "application/json"})
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {text.decode(errors='replace')[:300]}")
        return json.loads(text) if text else None

    def running(self, service):
        """How many tasks of a service are to run and run."""
        tasks = self.call("GET", "/tasks", query={"filters": {"service": [service], "desired-state": ["running"]}})
        return sum(task["Status"]["State"] == "running" for task in tasks)

    def wait_running(self, service, count, seconds=120):
        deadline = time.monotonic() + seconds
        while self.running(service) != count:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{service}: {self.running(service)} of {count} tasks run after {seconds} s")
            time.sleep(0.02)

    def scale(self, service, count):
        found = self.call("GET", f"/services/{service}")
        found["Spec"]["Mode"]["Replicated"]["Replicas"] = count
        self.call("POST", f"/services/{service}/update", found["Spec"], {"version": str(found["Version"]["Index"])})


def service(name, network, replicas, image="box:1"):
    """A spec of sleeping tasks that find each other by round-robin names."""
    return {
        "Name": name,
        "TaskTemplate": {
            "ContainerSpec": {"Image": image, "Args": ["sleep", "1000000"], "Init": True, "StopGracePeriod": 1000000000},
            "Networks": [{"Target": network}],
        },
        "Mode": {"Replicated": {"Replicas": replicas}},
        "EndpointSpec": {"Mode": "dnsrr"},
    }


def status_kb(pid, field):
    for line in open(f"/proc/{pid}/status"):
        if line.startswith(field + ":"):
            return int(line.split()[1])
    return 0


def pss_kb(pid):
    for line in open(f"/proc/{pid}/smaps_rollup"):
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0


def processes(name, like):
    """Pids of a program's processes in the pid namespace of another process."""
    namespace = os.readlink(f"/proc/{like}/ns/pid")
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            word = open(f"/proc/{entry}/cmdline").read().split("\0")[0]
            if os.path.basename(word) == name and os.readlink(f"/proc/{entry}/ns/pid") == namespace:
                found.append(int(entry))
        except OSError:
            continue
    return found


class Lab:
    """`swarmctl lab up` with a small image on every node; `with` takes it down again."""

    def __init__(self, programs, managers=3, folder="/run/swarm-bench", prefix="10.213.48", options=()):
        self.swarmctl = os.path.join(os.path.abspath(programs), "swarmctl")
        self.folder, self.prefix, self.managers, self.options = folder, prefix, managers, options

    def __enter__(self):
        started = time.monotonic()
        self.run("lab", "up", "--managers", str(self.managers), "--prefix", self.prefix, "--dir", self.folder,
                 *self.options)
        self.up_seconds = time.monotonic() - started
        self.nodes = [f"n{number + 1}" for number in range(self.managers)]
        return self

    def __exit__(self, *failure):
        self.run("lab", "down", "--dir", self.folder)

    def run(self, *arguments):
        result = subprocess.run([self.swarmctl, *arguments], capture_output=True, text=True)
        if result.returncode != 0:
            raise RuntimeError(f"swarmctl {' '.join(arguments)}: {result.stdout}{result.stderr}")
        return result.stdout

    def on(self, node, *arguments):
        return self.run("lab", "exec", "--dir", self.folder, node, "--", "swarmctl", *arguments)

    def api(self, node):
        return API(f"{self.folder}/{node}/swarm.sock")

    def import_image(self):
        with tempfile.TemporaryDirectory() as work:
            here = os.path.dirname(os.path.abspath(__file__))
            subprocess.run([f"{here}/../../deploy/examples/web/image.sh", work], check=True)
            for node in self.nodes:
                self.on(node, "image", "import", f"{work}/web.tar", "box:1")

    def leader(self):
        nodes = self.api("n1").call("GET", "/nodes")
        return next(n["Description"]["Hostname"] for n in nodes if n.get("ManagerStatus", {}).get("Leader"))

    def daemon(self, node):
        """The pid of a node's swarmd: the peer of its API socket."""
        peer = socket.socket(socket.AF_UNIX)
        peer.connect(f"{self.folder}/{node}/swarm.sock")
        credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        peer.close()
        return int.from_bytes(credentials[:4], "little")

    def supervisors(self):
        return processes("container-init", self.daemon("n1"))


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def median(values):
    return statistics.median(values) if values else 0


def table(rows):
    widths = [max(len(str(row[column])) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(str(cell).ljust(width) for cell, width in zip(row, widths)).rstrip())
