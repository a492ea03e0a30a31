"""lb_worker.py KIND NAME BACK [requests before it dies]: a worker for the load balancer, as its main.rs describes it."""

import sys

from common import open_socket

kind, name, back = sys.argv[1:4]
left = int(sys.argv[4]) if len(sys.argv) > 4 else -1
front = [b""] if kind == "DEALER" else []

worker = open_socket(kind, "connect", back)
worker.send_multipart(front + [b"READY"])
while True:
    *_, client, empty, number = worker.recv_multipart()
    if left == 0:
        print("dies with a request in its hands", flush=True)
        sys.stdin.readline()
    left -= 1
    worker.send_multipart(front + [client, empty, number, name.encode()])
