"""push.py bind|connect ENDPOINT: a PUSH that sends the series."""

import sys

from common import SERIES, open_socket

socket = open_socket("PUSH", *sys.argv[1:])
for message in SERIES:
    socket.send_multipart(message)
