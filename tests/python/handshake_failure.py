"""handshake_failure.py KIND bind|connect ENDPOINT [OPTION=VALUE…]: prints the first failed handshake of a socket, as
reported by its monitor: the name of the event, and its value.
"""

import sys

import zmq
from common import TIMEOUT
from zmq.utils.monitor import recv_monitor_message

kind, method, endpoint, *options = sys.argv[1:]
# The monitor must exist before the socket connects.
context = zmq.Context.instance()
socket = context.socket(getattr(zmq, kind))
monitor = socket.get_monitor_socket(zmq.EVENT_ALL)
monitor.rcvtimeo = socket.linger = TIMEOUT
for option in options:
    name, value = option.split("=", 1)
    socket.setsockopt(getattr(zmq, name), int(value) if value.isdigit() else value.encode())
getattr(socket, method)(endpoint)
while True:
    message = recv_monitor_message(monitor)
    if message["event"].name.startswith("HANDSHAKE_FAILED"):
        print(message["event"].name, message["value"], flush=True)
        break
socket.linger = 0
