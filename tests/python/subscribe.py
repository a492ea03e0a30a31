"""subscribe.py KIND bind|connect ENDPOINT: wants 100 news in a row and nothing else, and then no more."""

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
print("all arrived", flush=True)
sys.stdin.read()
