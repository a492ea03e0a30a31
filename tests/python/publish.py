"""publish.py KIND bind|connect ENDPOINT: publishes numbered news, and as much of something else, until it is ended."""

import sys
import time

from common import body, open_socket

socket = open_socket(*sys.argv[1:])
number = 0
while True:
    socket.send_multipart([b"weather", b"%d" % number])
    socket.send_multipart([b"news.sport", b"%d" % number, body(number % 600)])
    number += 1
    time.sleep(0.002)
