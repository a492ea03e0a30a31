"""The tutorial's DEALER with the framing `[empty, message]`, which the ROUTER of the tutorial expects."""

import sys

import zmq

ctx = zmq.Context()
socket = ctx.socket(zmq.DEALER)
socket.connect(sys.argv[1])

socket.send_multipart([b"", b"Hello ROUTER"])

empty, reply = socket.recv_multipart()
assert empty == b""
print("Reply:", reply.decode(), flush=True)
