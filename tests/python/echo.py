"""echo.py KIND bind|connect ENDPOINT [OPTION=VALUE…]: sends every message back as it came.

A ROUTER says from whom it got each, as hexadecimal digits.
"""

import sys

from common import open_socket

socket = open_socket(*sys.argv[1:])
while True:
    message = socket.recv_multipart()
    if sys.argv[1] == "ROUTER":
        print("from", message[0].hex(), flush=True)
    socket.send_multipart(message)
