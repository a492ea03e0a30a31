"""The tutorial's "DEALER 클라이언트 예제", with the endpoint as an argument."""

import sys

import zmq

ctx = zmq.Context()
socket = ctx.socket(zmq.DEALER)
socket.connect(sys.argv[1])

# 메시지 전송 (빈 프레임 생략 가능)
socket.send(b"Hello ROUTER")

# 메시지 수신
reply = socket.recv()
print("Reply:", reply.decode(), flush=True)
