"""subscribe.py KIND bind|connect ENDPOINT: expects 100 consecutive messages of its topics, then unsubscribes."""

import sys

import zmq
from common import body, check, open_socket

kind = sys.argv[1]
socket = open_socket(*sys.argv[1:])
for topic in [b"news", b"news.sport", b"news"]:
    socket.send(b"\x01" + topic) if kind == "XSUB" else socket.setsockopt(zmq.SUBSCRIBE, topic)
first = int(socket.recv_multipart()[1])
for number in range(first + 1, first + 100):
    check(socket.recv_multipart(), [b"news.sport", b"%d" % number, body(number % 600)])
for topic in [b"news", b"news.sport", b"news"]:
    socket.send(b"\x00" + topic) if kind == "XSUB" else socket.setsockopt(zmq.UNSUBSCRIBE, topic)
print("all received", flush=True)
sys.stdin.read()
