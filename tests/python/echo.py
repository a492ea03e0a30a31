"""echo.py KIND bind|connect ENDPOINT [OPTION=VALUE…]: echoes each message.

A ROUTER prints the routing id of each message in hexadecimal digits.
"""

import sys

from common import open_socket

socket = open_socket(*sys.argv[1:])
while True:
    message = socket.recv_multipart()
    if sys.argv[1] == "ROUTER":
        print("from", message[0].hex(), flush=True)
    socket.send_multipart(message)
