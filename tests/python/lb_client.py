"""lb_client.py KIND FRONT REQUESTS: a client of the load balancer.

A REQ sends one request at a time, a DEALER all at once.
"""

import sys

from common import open_socket

kind, front, requests = sys.argv[1], sys.argv[2], int(sys.argv[3])
client = open_socket(kind, "connect", front)
pending = {str(number).encode() for number in range(requests)}
if kind == "REQ":
    for number in sorted(pending):
        client.send(number)
        answer, worker = client.recv_multipart()
        assert answer == number, (answer, number)
else:
    for number in pending:
        client.send_multipart([b"", number])
    while pending:
        empty, answer, worker = client.recv_multipart()
        assert empty == b"", empty
        pending.remove(answer)
print(f"{requests} answered, the last by {worker.decode()}", flush=True)
