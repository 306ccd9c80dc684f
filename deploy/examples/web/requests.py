#!/usr/bin/env python3
"""requests.py HOST[,HOST...] PORT SECONDS: at least 50 requests a second, a new connection each, no retry.

Refused, reset, timed out and not 200 all count as lost.
"""
import socket
import sys
import time

hosts, port, seconds = sys.argv[1].split(","), int(sys.argv[2]), float(sys.argv[3])
end = time.time() + seconds
count = lost = 0
while time.time() < end:
    start, host = time.time(), hosts[count % len(hosts)]
    count += 1
    try:
        peer = socket.create_connection((host, port), timeout=2)
        peer.sendall(b"GET /index.html HTTP/1.0\r\n\r\n")
        answer = b""
        while part := peer.recv(4096):
            answer += part
        peer.close()
        if b" 200 " not in answer.split(b"\r\n")[0]:
            raise OSError("not 200: %r" % answer[:40])
    except OSError as error:
        lost += 1
        print(host, error, flush=True)
    time.sleep(max(0, 0.015 - (time.time() - start)))
print(f"requests from outside: {count}, lost: {lost}")
