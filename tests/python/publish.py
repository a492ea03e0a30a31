"""publish.py KIND bind|connect ENDPOINT: publishes numbered messages of two topics until it is killed."""

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
