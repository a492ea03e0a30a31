"""publisher.py ENDPOINT: sends notifications in the format of Bitcoin Core, with the sequences that the test chooses.

Prints the endpoint on the first line, and each subscription, as an XPUB reports them. A line `TOPIC BODY SEQUENCE` of the
input is sent as [topic, body, four bytes in little-endian order]. The end of the input ends the program.
"""

import struct
import sys
import threading

import zmq

context = zmq.Context()
socket = context.socket(zmq.XPUB)
socket.linger = 0
socket.bind(sys.argv[1])
print(socket.getsockopt_string(zmq.LAST_ENDPOINT), flush=True)
commands = context.socket(zmq.PULL)
commands.bind("inproc://commands")


def forward():
    """Forwards lines of the input to the thread that has the sockets."""
    with context.socket(zmq.PUSH) as push:
        push.connect("inproc://commands")
        for line in sys.stdin:
            push.send_string(line)
        push.send_string("")


threading.Thread(target=forward).start()
poller = zmq.Poller()
poller.register(socket, zmq.POLLIN)
poller.register(commands, zmq.POLLIN)
while True:
    ready = dict(poller.poll())
    if socket in ready:
        subscription = socket.recv()
        print("subscribed" if subscription[0] else "unsubscribed", subscription[1:].decode(), flush=True)
    if commands in ready:
        command = commands.recv_string().split()
        if not command:
            break
        topic, body, sequence = command
        socket.send_multipart([topic.encode(), body.encode(), struct.pack("<I", int(sequence))])
