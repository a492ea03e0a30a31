"""lb_worker.py KIND NAME BACK [REQUESTS]: a worker of the load balancer (see its main.rs).

It stops after REQUESTS requests.
"""

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
        print("holds a request", flush=True)
        sys.stdin.readline()
    left -= 1
    worker.send_multipart(front + [client, empty, number, name.encode()])
