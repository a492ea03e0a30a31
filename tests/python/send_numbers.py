"""send_numbers.py KIND bind|connect ENDPOINT [OPTION=VALUE…]: sends the messages 0 to 19, and ends when its input ends."""

import sys

from common import open_socket

socket = open_socket(*sys.argv[1:])
for number in range(20):
    socket.send_string(str(number))
sys.stdin.read()  # a closed libzmq socket does not always connect again
