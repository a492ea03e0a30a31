"""ask.py KIND bind|connect ENDPOINT [to=PEER] [OPTION=VALUE…]: sends the series, and wants every message back.

A REQ waits for each reply; the others send everything first. A DEALER puts the delimiter in front, as a REP or REQ
wants it; a ROUTER the routing id PEER.
"""

import sys

from common import SERIES, check, open_socket

kind = sys.argv[1]
front = {"DEALER": [b""], "ROUTER": [word[3:].encode() for word in sys.argv if word.startswith("to=")]}.get(kind, [])
socket = open_socket(*[word for word in sys.argv[1:] if not word.startswith("to=")])
if kind == "REQ":
    for message in SERIES:
        socket.send_multipart(message)
        check(socket.recv_multipart(), message)
else:
    for message in SERIES:
        socket.send_multipart(front + message)
    for message in SERIES:
        check(socket.recv_multipart(), front + message)
print("all came back", flush=True)
