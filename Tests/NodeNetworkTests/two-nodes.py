#!/usr/bin/env python3
"""Two nodes as network namespaces, processes in namespaces as containers. Runs as pid 1 of an own mount, pid and network
namespace; prints one line a check and exits with 1 when one failed. Argument: the network-node program."""
import os, subprocess, sys, tempfile, threading, time, traceback

PROGRAM = sys.argv[1]
FOLDER = tempfile.mkdtemp(prefix="two-nodes-")
failed = 0

SERVER = r"""
import socket, sys, threading
name = sys.argv[1]
listener = socket.socket(); listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("0.0.0.0", 80)); listener.listen(64)
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); udp.bind(("0.0.0.0", 80))
def datagrams():
    while True:
        data, peer = udp.recvfrom(2048)
        udp.sendto(name.encode() + b" " + peer[0].encode() + b" " + data, peer)
def serve(connection, peer):
    connection.sendall((name + " " + peer[0] + "\n").encode())
    while True:
        data = connection.recv(4096)
        if not data: return
        connection.sendall(data)
threading.Thread(target=datagrams, daemon=True).start()
while True:
    connection, peer = listener.accept()
    threading.Thread(target=serve, args=(connection, peer), daemon=True).start()
"""

DNS = r"""
import socket, struct, sys
name, kind, transport = sys.argv[1], int(sys.argv[2]), sys.argv[3]
question = b"".join(bytes([len(l)]) + l.encode() for l in name.split(".")) + b"\0" + struct.pack(">HH", kind, 1)
message = struct.pack(">HHHHHH", 4242, 0x0100, 1, 0, 0, 0) + question
if transport == "tcp":
    s = socket.create_connection(("127.0.0.11", 53), timeout=5)
    s.sendall(struct.pack(">H", len(message)) + message)
    length = struct.unpack(">H", s.recv(2))[0]; answer = b""
    while len(answer) < length: answer += s.recv(4096)
else:
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(5)
    s.connect(("127.0.0.11", 53)); s.send(message); answer = s.recv(4096)
ident, flags, _, count, _, _ = struct.unpack(">HHHHHH", answer[:12])
assert ident == 4242
offset = 12 + len(question); found = []
for _ in range(count):
    kind, _, ttl, length = struct.unpack(">HHIH", answer[offset + 2:offset + 12])
    data = answer[offset + 12:offset + 12 + length]; offset += 12 + length
    if kind == 1: found.append(".".join(map(str, data)))
    else:
        labels = []; at = 0
        while data[at]: labels.append(data[at + 1:at + 1 + data[at]].decode()); at += data[at] + 1
        found.append(".".join(labels))
print(flags & 15, *found)
"""

UPSTREAM = r"""
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("10.9.0.9", 53))
while True:
    q, peer = s.recvfrom(4096)
    end = 12
    while q[end]: end += q[end] + 1
    question = q[12:end + 5]
    s.sendto(q[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + question + b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x09\x09\x09\x09", peer)
"""


def run(*words, check=True):
    done = subprocess.run(words, capture_output=True, text=True)
    if check and done.returncode != 0: raise SystemExit("%s: %s" % (" ".join(words), done.stderr))
    return done.stdout


def inside(namespace, *words):
    return ["nsenter", "--net=/run/netns/" + namespace] + list(words)


def expect(what, value, detail=""):
    global failed
    print(("passed: " if value else "FAILED: ") + what + ("" if value else "  [%s]" % (detail,)), flush=True)
    failed += not value


def until(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result or time.monotonic() > deadline: return result
        time.sleep(0.05)


class Node:
    def __init__(self, number):
        self.number, self.name, self.address = number, "n%d" % number, "10.9.0.%d" % number
        self.folder = FOLDER + "/" + self.name
        self.start()

    def start(self, fresh=True):
        self.process = subprocess.Popen(
            inside(self.name, PROGRAM, str(self.number), self.address, "4789", self.folder, FOLDER + "/resolv.conf",
                str(self.number)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        answer = self.ask("start")
        expect(self.name + " starts", answer.startswith("ok"), answer)
        if fresh: self.ask("restored")

    def ask(self, line):
        self.process.stdin.write(line + "\n"); self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def view(self, endpoints, others):
        self.ask("clear")
        for line in NETWORKS: self.ask("network " + line)
        for line in endpoints: self.ask("endpoint " + line)
        for other in others:
            if other is not self: self.ask("peer %d %s %s:4789" % (other.number, other.key, other.address))
        answer = self.ask("apply")
        expect(self.name + " takes the view over", answer.startswith("ok"), answer)


NETWORKS = [
    "1 shop 4097 10.20.0.0/24 10.20.0.1 1398 -",
    "2 ingress 4096 10.30.0.0/24 10.30.0.1 1398 ingress 1=10.30.0.2,2=10.30.0.3",
    "3 vault 4098 10.40.0.0/24 10.40.0.1 1398 internal",
]
ENDPOINTS = [
    "1 101 1 10.20.0.11 web web.1.aaa www 1 8080:80",
    "2 101 1 10.30.0.11 web web.1.aaa - 1 8080:80",
    "1 102 2 10.20.0.12 web web.2.bbb www 1 8080:80",
    "2 102 2 10.30.0.12 web web.2.bbb - 1 8080:80",
    "1 103 1 10.20.0.13 client client.1.ccc - 1 -",
    "3 104 2 10.40.0.14 safe safe.1.ddd - 1 -",
]


def connect(namespace, address, port, text="hello", timeout=3):
    code = ("import socket\ns=socket.create_connection((%r,%d),timeout=%r)\nprint(s.makefile().readline().strip())\n"
            % (address, port, timeout))
    done = subprocess.run(inside(namespace, "python3", "-c", code), capture_output=True, text=True)
    return done.stdout.strip() or done.stderr.strip().split("\n")[-1]


def resolve(namespace, name, kind=1, transport="udp"):
    done = subprocess.run(inside(namespace, "python3", "-c", DNS, name, str(kind), transport),
                          capture_output=True, text=True)
    return done.stdout.split() or [done.stderr.strip().split("\n")[-1]]


def container(namespace):
    run("ip", "netns", "add", namespace)
    return subprocess.Popen(inside(namespace, "python3", "-c", SERVER, namespace))


def capture(namespace, interface, found, marker, stop):
    code = """
import socket, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)); s.bind((%r, 0)); print("ready", flush=True)
marker = bytes.fromhex(%r)
while True:
    if marker in s.recv(70000): print("found", flush=True)
""" % (interface, marker.hex())
    process = subprocess.Popen(inside(namespace, "python3", "-c", code), stdout=subprocess.PIPE, text=True)
    process.stdout.readline()
    def read():
        for line in process.stdout: found.append(line)
    thread = threading.Thread(target=read, daemon=True); thread.start()
    stop.append(process)


def main():
    run("mount", "-t", "tmpfs", "tmpfs", "/run")
    os.makedirs("/run/netns")
    run("ip", "link", "set", "lo", "up")
    open(FOLDER + "/resolv.conf", "w").write("nameserver 10.9.0.9\nsearch example.org\n")
    run("ip", "link", "add", "switch", "type", "bridge"); run("ip", "link", "set", "switch", "up")
    for host, number in (("n1", 1), ("n2", 2), ("outside", 9)):
        run("ip", "netns", "add", host)
        run("ip", "link", "add", "p-" + host, "type", "veth", "peer", "name", "eth0", "netns", host)
        run("ip", "link", "set", "p-" + host, "master", "switch", "up")
        run(*inside(host, "ip", "addr", "add", "10.9.0.%d/24" % number, "dev", "eth0"))
        run(*inside(host, "ip", "link", "set", "eth0", "up")); run(*inside(host, "ip", "link", "set", "lo", "up"))
    subprocess.Popen(inside("outside", "python3", "-c", UPSTREAM))
    subprocess.Popen(inside("outside", "python3", "-c", SERVER, "outside"))
    before = run(*inside("n1", "ip", "-o", "link")), run("nsenter", "--net=/run/netns/n1", "nft", "list", "ruleset")
    forward = run(*inside("n1", "cat", "/proc/sys/net/ipv4/ip_forward"))
    # As Docker leaves a host.
    run(*inside("n1", "nft", "add table ip filter; add chain ip filter FORWARD { type filter hook forward priority "
                "filter; policy drop; }; add chain ip filter DOCKER-USER; add rule ip filter FORWARD jump DOCKER-USER"))

    nodes = [Node(1), Node(2)]
    n1, n2 = nodes
    for node in nodes: node.key = node.ask("key").split()[1]
    for node in nodes: node.view(ENDPOINTS, nodes)
    web1, web2, client, safe = (container(n) for n in ("web1", "web2", "client", "safe"))
    attach1 = "101 %d web.1.aaa 1=10.20.0.11,2=10.30.0.11 -" % web1.pid
    attach3 = "103 %d client.1.ccc 1=10.20.0.13 9000:80,9001:80:127.0.0.1" % client.pid
    started = time.monotonic()
    answer = n1.ask("attach " + attach1)
    print("attach took %.0f ms" % ((time.monotonic() - started) * 1000))
    expect("attach gives a resolv.conf", "nameserver 127.0.0.11" in answer and "search example.org" in answer, answer)
    for node, line in ((n2, "102 %d web.2.bbb 1=10.20.0.12,2=10.30.0.12 -" % web2.pid), (n1, attach3),
                       (n2, "104 %d safe.1.ddd 3=10.40.0.14 -" % safe.pid)):
        answer = node.ask("attach " + line)
        expect("attach of " + line.split()[2], answer.startswith("ok"), answer)
    for node in nodes:
        answer = node.ask("check")
        expect("check of " + node.name + " finds no difference", answer == "ok", answer)

    expect("TCP on one node", until(lambda: connect("client", "10.20.0.11", 80) == "web1 10.20.0.13"))
    got = until(lambda: connect("client", "10.20.0.12", 80) == "web2 10.20.0.13")
    expect("TCP between nodes through the overlay", got, connect("client", "10.20.0.12", 80))

    answers = [resolve("client", "web") for _ in range(4)]
    expect("a service name leads to all tasks", all(sorted(a[1:]) == ["10.20.0.11", "10.20.0.12"] for a in answers), answers)
    expect("round robin", len({a[1] for a in answers}) == 2, answers)
    expect("over TCP too", sorted(resolve("client", "tasks.web", 1, "tcp")[1:]) == ["10.20.0.11", "10.20.0.12"])
    expect("a task's name", resolve("client", "web.2.bbb")[1:] == ["10.20.0.12"], resolve("client", "web.2.bbb"))
    expect("an alias", len(resolve("client", "WWW")) == 3)
    expect("AAAA has no data but the name exists", resolve("client", "web", 28) == ["0"])
    expect("reverse", resolve("client", "11.0.20.10.in-addr.arpa", 12)[1:] == ["web.1.aaa.shop"],
           resolve("client", "11.0.20.10.in-addr.arpa", 12))
    expect("a name of another network is unknown here", resolve("client", "safe")[1:] == ["9.9.9.9"], resolve("client", "safe"))
    expect("the rest goes to the host's resolver", resolve("client", "example.com") == ["0", "9.9.9.9"],
           resolve("client", "example.com"))
    expect("but not from an internal network", resolve("safe", "example.com") == ["3"], resolve("safe", "example.com"))
    code = ("import socket\nfor k in (socket.SOCK_DGRAM, socket.SOCK_STREAM):\n"
            " s=socket.socket(socket.AF_INET,k); s.bind(('0.0.0.0',53))\nprint('bound')")
    expect("a container may bind 0.0.0.0:53", "bound" in run(*inside("client", "python3", "-c", code)))

    for node in nodes:
        got = {connect("outside", node.address, 8080) for _ in range(30)}
        names = {g.split()[0] for g in got}
        expect("a published port of %s leads to tasks on both nodes" % node.name, names == {"web1", "web2"}, got)
        own = "web%d" % node.number
        expect("the task of the asked node sees the client's address", own + " 10.9.0.9" in got, got)
        expect("the other sees the node's ingress address",
               "web%d 10.30.0.%d" % (3 - node.number, 1 + node.number) in got, got)
        got = {connect(node.name, "127.0.0.1", 8080).split()[0] for _ in range(20)}
        expect("127.0.0.1 of %s answers too" % node.name, got == {"web1", "web2"}, got)
    got = {connect("n1", "10.9.0.1", 8080).split()[0] for _ in range(20)}
    expect("the host's own address from the host", got == {"web1", "web2"}, got)
    got = connect("client", "10.9.0.1", 8080)
    expect("a container reaches the node's published port", got.split()[0] in ("web1", "web2"), got)
    expect("a host port where the task runs", connect("outside", "10.9.0.1", 9000) == "client 10.9.0.9",
           connect("outside", "10.9.0.1", 9000))
    expect("and nowhere else", "refused" in connect("outside", "10.9.0.2", 9000), connect("outside", "10.9.0.2", 9000))
    expect("a host port of 127.0.0.1", connect("n1", "127.0.0.1", 9001).startswith("client"), connect("n1", "127.0.0.1", 9001))
    expect("is not widened", "refused" in connect("outside", "10.9.0.1", 9001), connect("outside", "10.9.0.1", 9001))
    got = connect("client", "10.9.0.9", 80)
    expect("the outside is reached through NAT, past a foreign FORWARD policy", got == "outside 10.9.0.1", got)
    got = connect("safe", "10.9.0.9", 80, timeout=1)
    expect("but not from an internal network", "outside" not in got, got)
    got = connect("client", "10.40.0.14", 80, timeout=1)
    expect("networks are kept apart", "safe" not in got, got)
    expect("the host's loopback is out of reach", "client" not in connect("web1", "169.254.57.1", 9001, timeout=1))

    thief = subprocess.Popen(inside("n1", "python3", "-c",
        "import socket,time\ns=socket.socket();s.bind(('0.0.0.0',9090));s.listen()\nprint(1,flush=True);time.sleep(1000)"),
        stdout=subprocess.PIPE)
    thief.stdout.readline()
    spare = container("spare")
    answer = n1.ask("attach 105 %d spare.1.eee 1=10.20.0.15 9090:80" % spare.pid)
    expect("a port in use names its owner", answer.startswith("error") and "(pid %d)" % thief.pid in answer, answer)
    thief.kill()
    answer = n1.ask("attach 105 %d spare.1.eee 1=10.20.0.15 9000:80" % spare.pid)
    expect("a host port of another task names that", "client.1.ccc" in answer, answer)
    answer = n1.ask("attach 106 %d lone.1.fff - -" % spare.pid)
    expect("a task without networks", answer.startswith("ok"), answer)
    expect("reaches the outside", connect("spare", "10.9.0.9", 80) == "outside 10.9.0.1", connect("spare", "10.9.0.9", 80))

    marker = os.urandom(32)
    control, underlay, captures = [], [], []
    capture("client", "eth0", control, marker, captures)
    for name in ("n1", "n2"): capture(name, "eth0", underlay, marker, captures)
    code = ("import socket,time,sys\nm=bytes.fromhex(%r)\ns=socket.create_connection(('10.20.0.12',80),timeout=30)\n"
            "u=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\ns.makefile('rb',0).readline()\nprint('go',flush=True)\n"
            "worst=0\nend=time.time()+4\nwhile time.time()<end:\n u.sendto(m,('10.20.0.12',80))\n t=time.time()\n s.sendall(m)\n n=0\n"
            " while n<32: n+=len(s.recv(32-n))\n worst=max(worst,time.time()-t)\n time.sleep(0.01)\nprint('done',worst,flush=True)"
            % marker.hex())
    stream = subprocess.Popen(inside("client", "python3", "-c", code), stdout=subprocess.PIPE, text=True)
    stream.stdout.readline()
    n1.process.kill(); n1.process.wait()
    n1.start(fresh=False)
    for line in (attach1, attach3, "106 %d lone.1.fff - -" % spare.pid): n1.ask("restore " + line)
    answer = n1.ask("restored")
    expect("restore", answer.startswith("ok"), answer)
    expect("names answer before the managers do", sorted(resolve("client", "web")[1:]) == ["10.20.0.11", "10.20.0.12"],
           resolve("client", "web"))
    n1.view(ENDPOINTS, nodes)
    words = stream.stdout.readline().split()
    expect("a TCP stream between nodes goes on through a restart of the daemon", words[:1] == ["done"], words)
    print("longest wait of the stream: %s s" % words[-1])
    expect("the control capture holds the marker", until(lambda: len(control) > 0))
    expect("no underlay interface ever carries it", not underlay, len(underlay))
    for process in captures: process.kill()
    answer = n1.ask("check"); expect("check after the restart", answer == "ok", answer)

    many = [container("many%d" % i) for i in range(10)]
    started = time.monotonic()
    for i, process in enumerate(many):
        n1.ask("attach %d %d many.%d.ggg 1=10.20.0.%d,2=10.30.0.%d -" % (200 + i, process.pid, i, 100 + i, 100 + i))
    print("ten more attaches: %.0f ms each" % ((time.monotonic() - started) * 100))
    expect("the last of ten more", until(lambda: connect("many9", "10.20.0.11", 80) == "web1 10.20.0.109"))

    withdrawn = [e.replace(" 1 8080:80", " 0 8080:80") if " 102 " in " " + e else e for e in ENDPOINTS]
    keep = subprocess.Popen(inside("outside", "python3", "-c",
        "import socket,sys\ns=[socket.create_connection(('10.9.0.1',8080)) for _ in range(8)]\n"
        "f=[c.makefile('rb',0) for c in s]\nn=[g.readline() for g in f]\nprint(n,flush=True)\nsys.stdin.readline()\n"
        "for c,g in zip(s,f):\n c.sendall(b'x'*10+b'\\n'); assert g.readline()==b'x'*10+b'\\n'\nprint('alive')"),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    keep.stdout.readline()
    n1.view(withdrawn, nodes)
    got = {connect("outside", "10.9.0.1", 8080).split()[0] for _ in range(20)}
    expect("a task that no longer serves gets no connection", got == {"web1"}, got)
    expect("nor an answer from the names", resolve("client", "web")[1:] == ["10.20.0.11"], resolve("client", "web"))
    keep.stdin.write("\n"); keep.stdin.flush()
    expect("connections that exist go on", keep.stdout.readline().strip() == "alive")

    run(*inside("n1", "nft", "flush", "chain", "ip", "swarm", "prerouting"))
    run("nsenter", "--net=" + n1.folder + "/node.netns", "ip", "link", "set", "br001001", "down")
    answer = n1.ask("check")
    expect("check names what was changed by hand", "br001001" in answer and "rules of the host" in answer, answer)
    expect("and it is repaired", until(lambda: n1.ask("check") == "ok", 25), n1.ask("check"))

    for task in ["101", "103", "106"] + [str(200 + i) for i in range(10)]:
        answer = n1.ask("detach " + task); expect("detach " + task, answer.startswith("ok"), answer)
    answer = n1.ask("remove"); expect("remove", answer.startswith("ok"), answer)
    answer = n2.ask("remove"); expect("remove", answer.startswith("ok"), answer)
    left = run(*inside("n1", "nft", "list", "table", "ip", "filter"))
    expect("nothing is left behind: rules in others' chains", "swarm0" not in left, left)
    run(*inside("n1", "nft", "flush table ip filter; delete table ip filter"))
    after = run(*inside("n1", "ip", "-o", "link")), run(*inside("n1", "nft", "list", "ruleset"))
    expect("nothing is left behind: links", before[0] == after[0], after[0])
    expect("nothing is left behind: rules", before[1] == after[1], after[1])
    expect("nothing is left behind: ip_forward", forward == run(*inside("n1", "cat", "/proc/sys/net/ipv4/ip_forward")))
    expect("nothing is left behind: files", os.listdir(n1.folder) == [], os.listdir(n1.folder))
    expect("nothing is left behind: mounts", n1.folder not in open("/proc/self/mounts").read())


try:
    main()
except Exception as error:
    traceback.print_exc()
    failed += 1
print("%d failed" % failed, flush=True)
for name in ("n1", "n2"): subprocess.run(["umount", "--lazy", FOLDER + "/" + name + "/node.netns"], capture_output=True)
subprocess.run(["rm", "-rf", FOLDER])
os._exit(1 if failed else 0)
