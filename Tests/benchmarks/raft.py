#!/usr/bin/env python3
"""raft.py PROGRAMS: replicated writes of 1 KiB, three managers beside three members of etcd, state on a disk.

Both run on the same three hosts of a lab, with mutual TLS among members and to clients, one after the other; the load comes
from a fourth host. A write counts when it is acknowledged: a config that is applied, a key that is put. SECONDS_MEASURED sets
the length of a run (10), FOLDER where the state is (below /var/tmp). Beside both: requests to the managers that write nothing, which is
what the API, TLS and the load cost by themselves.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

from cluster import Lab, percentile, status_kb, table

SECONDS = int(os.environ.get("SECONDS_MEASURED", "10"))
FOLDER = os.environ.get("FOLDER", "/var/tmp")
CLIENTS = [1, 64, 256]


def fdatasync_ms(folder):
    """Milliseconds of a 4 KiB write with fdatasync: median and 99th percentile."""
    times = []
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        os.posix_fallocate(file.fileno(), 0, 4096 * 300)
        for number in range(300):
            started = time.monotonic()
            os.pwrite(file.fileno(), b"x" * 4096, number * 4096)
            os.fdatasync(file.fileno())
            times.append((time.monotonic() - started) * 1000)
    return percentile(times, 0.5), percentile(times, 0.99)


def make_certificates(folder, addresses):
    """An authority, a certificate for all members, one for the client."""
    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=folder)

    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", "/CN=bench", "-keyout", "ca-key.pem", "-out", "ca.pem")
    names = ",".join(f"IP:{address}" for address in addresses)
    for name, use in (("server", "serverAuth,clientAuth"), ("client", "clientAuth")):
        with open(f"{folder}/{name}.ext", "w") as file:
            file.write(f"subjectAltName={names}\nextendedKeyUsage={use}\n")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                "-keyout", f"{name}-key.pem", "-out", f"{name}.csr")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca-key.pem", "-CAcreateserial",
                "-days", "2", "-extfile", f"{name}.ext", "-out", f"{name}.pem")


class Bench:
    def __init__(self, programs, work):
        self.programs, self.work = os.path.abspath(programs), work
        self.prefix = "10.213.49"
        self.addresses = [f"{self.prefix}.{11 + number}" for number in range(3)]
        make_certificates(work, self.addresses)
        self.wrapper = f"{work}/swarmd"
        with open(self.wrapper, "w") as file:
            file.write(f"#!/bin/sh\nexec {self.programs}/swarmd \"$@\" --tcp 0.0.0.0:2376 --tlscacert {work}/ca.pem "
                       f"--tlscert {work}/server.pem --tlskey {work}/server-key.pem\n")
        os.chmod(self.wrapper, 0o755)

    def lab(self):
        return Lab(self.programs, folder=f"{self.work}/lab", prefix=self.prefix, options=["--swarmd", self.wrapper])

    def load(self, lab, peer, port):
        endpoints = ",".join(f"{address}:{port}" for address in self.addresses)
        output = lab.run(
            "lab", "exec", "--dir", lab.folder, "outside", "--", f"{self.programs}/raft-bench", "--peer", peer,
            "--endpoints", endpoints, "--clients", ",".join(map(str, CLIENTS)), "--seconds", str(SECONDS),
            "--tlscacert", f"{self.work}/ca.pem", "--tlscert", f"{self.work}/client.pem",
            "--tlskey", f"{self.work}/client-key.pem")
        return [json.loads(line) for line in output.splitlines()]

    def start_etcd(self, lab):
        members = ",".join(f"{node}=https://{address}:2380" for node, address in zip(lab.nodes, self.addresses))
        started = []
        for node, address in zip(lab.nodes, self.addresses):
            command = [
                "etcd", "--name", node, "--data-dir", f"{self.work}/etcd-{node}", "--initial-cluster", members,
                "--initial-advertise-peer-urls", f"https://{address}:2380", "--listen-peer-urls", f"https://{address}:2380",
                "--advertise-client-urls", f"https://{address}:2379", "--listen-client-urls", f"https://{address}:2379",
                "--client-cert-auth", "--trusted-ca-file", f"{self.work}/ca.pem", "--cert-file", f"{self.work}/server.pem",
                "--key-file", f"{self.work}/server-key.pem", "--peer-client-cert-auth",
                "--peer-trusted-ca-file", f"{self.work}/ca.pem", "--peer-cert-file", f"{self.work}/server.pem",
                "--peer-key-file", f"{self.work}/server-key.pem",
            ]
            log = open(f"{self.work}/etcd-{node}.log", "w")
            started.append(subprocess.Popen(
                [lab.swarmctl, "lab", "exec", "--dir", lab.folder, node, "--", *command], stdout=log, stderr=log))
        deadline = time.monotonic() + 30
        for address in self.addresses:
            while subprocess.run(
                    [lab.swarmctl, "lab", "exec", "--dir", lab.folder, "outside", "--", "curl", "-s", "-m", "2", "--cacert",
                     f"{self.work}/ca.pem", "--cert", f"{self.work}/client.pem", "--key", f"{self.work}/client-key.pem",
                     f"https://{address}:2379/health"], capture_output=True, text=True).stdout.find('"true"') < 0:
                if time.monotonic() > deadline:
                    raise RuntimeError(f"etcd did not come up: see {self.work}/etcd-n1.log")
                time.sleep(0.1)
        return started


def etcd_pids(work):
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = open(f"/proc/{entry}/cmdline").read().split("\0")
        except OSError:
            continue
        if os.path.basename(words[0]) == "etcd" and any(word.startswith(f"{work}/etcd-") for word in words):
            found.append(int(entry))
    return found


def check_swarm(lab, acknowledged, limit=60):
    """All three hold the same configs, at least as many as were acknowledged; returns how many."""
    deadline = time.monotonic() + limit
    while True:
        names = [{config["Spec"]["Name"] for config in lab.api(node).call("GET", "/configs")} for node in lab.nodes]
        if names[0] == names[1] == names[2] and len(names[0]) >= acknowledged:
            return len(names[0])
        if time.monotonic() > deadline:
            raise RuntimeError(f"acknowledged {acknowledged}, held {[len(part) for part in names]}")
        time.sleep(0.5)


def main():
    if subprocess.run(["stat", "-f", "-c", "%T", FOLDER], capture_output=True, text=True).stdout.strip() == "tmpfs":
        sys.exit(f"{FOLDER} is in memory: name a folder on a disk with FOLDER=…")
    if shutil.which("etcd") is None:
        sys.exit("etcd is missing: make bench-deps")
    work = tempfile.mkdtemp(prefix="swarm-raft.", dir=FOLDER)
    try:
        disk = fdatasync_ms(work)
        bench = Bench(sys.argv[1], work)
        with bench.lab() as lab:
            ours = bench.load(lab, "swarm", 2376)
            ours_mb = max(status_kb(lab.daemon(node), "VmRSS") for node in lab.nodes) / 1024
            held = check_swarm(lab, sum(run["acknowledged"] for run in ours))
            pings = bench.load(lab, "ping", 2376)
            for node in lab.nodes:
                lab.run("lab", "stop", "--dir", lab.folder, node)
            started = bench.start_etcd(lab)
            etcd = bench.load(lab, "etcd", 2379)
            etcd_mb = max(status_kb(pid, "VmRSS") for pid in etcd_pids(work)) / 1024
            for node in lab.nodes:
                lab.run("lab", "cont", "--dir", lab.folder, node)
        for process in started:
            process.wait()
        report(disk, ours, pings, etcd, ours_mb, etcd_mb, held)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def report(disk, ours, pings, etcd, ours_mb, etcd_mb, held):
    rows = [("clients", "", "writes/s", "p50 ms", "p99 ms", "max ms", "failed", "load's CPU s")]
    for runs in zip(ours, etcd, pings):
        for name, run in zip(("swarm", "etcd", "no write"), runs):
            rows.append((run["clients"], name, run["per_s"], run["p50_ms"], run["p99_ms"], run["max_ms"],
                         run["failures"], run["client_cpu_s"]))
    table(rows)
    for run in ours + etcd + pings:
        if run["first_failure"]:
            print(f"{run['peer']}, {run['clients']} clients: {run['first_failure']}")
    print(f"resident after the load: swarmd {ours_mb:.0f} MB, etcd {etcd_mb:.0f} MB; "
          f"4 KiB fdatasync: {disk[0]:.2f} ms, p99 {disk[1]:.2f} ms; configs on all three: {held}")
    print(json.dumps({
        "clients": CLIENTS, "ours_per_s": [run["per_s"] for run in ours], "etcd_per_s": [run["per_s"] for run in etcd],
        "ratio": [round(a["per_s"] / max(1, b["per_s"]), 2) for a, b in zip(ours, etcd)],
        "ours_p99_ms": [run["p99_ms"] for run in ours], "etcd_p99_ms": [run["p99_ms"] for run in etcd],
    }))


main()
