"""The tutorial's "Multipart 메시지 활용": sends `[meta, body]`, and receives the same."""

import sys

import zmq

ctx = zmq.Context()
socket = ctx.socket(zmq.DEALER)
socket.connect(sys.argv[1])

# 예시: 메타 + 본문
socket.send_multipart([b'META:userid=1234', b'Hello World'])

meta, body = socket.recv_multipart()
print("Meta:", meta.decode(), flush=True)
print("Body:", body.decode(), flush=True)
