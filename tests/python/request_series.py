"""request_series.py KIND bind|connect ENDPOINT [to=PEER] [OPTION=VALUE…]: sends the series, and expects an echo.

A REQ waits for each reply; other types send all messages first. A DEALER prepends the delimiter, which REP and REQ
expect; a ROUTER prepends the routing id PEER.
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
print("all received", flush=True)
