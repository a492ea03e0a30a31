"""send_lines.py KIND bind|connect ENDPOINT [OPTION=VALUE…]: sends each line of the input, and prints the reply."""

import sys

from common import open_socket

socket = open_socket(*sys.argv[1:])
for line in sys.stdin:
    socket.send_string(line.strip())
    print(*[frame.decode() for frame in socket.recv_multipart()], sep="|", flush=True)
