"""pull.py bind|connect ENDPOINT: a PULL that expects the series."""

import sys

from common import SERIES, check, open_socket

socket = open_socket("PULL", *sys.argv[1:])
for message in SERIES:
    check(socket.recv_multipart(), message)
print("all received", flush=True)
