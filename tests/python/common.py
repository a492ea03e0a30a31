"""Shared code of the programs of this folder: opens sockets, and defines the messages.

Each wait ends after TIMEOUT milliseconds with an exception, so that a test fails instead of hanging.
"""

import atexit
import sys

import zmq

TIMEOUT = 20_000

context = zmq.Context()


@atexit.register
def send_the_rest():
    """Waits until all messages are sent. At the end of the interpreter, pyzmq itself does not wait."""
    context.destroy(linger=TIMEOUT)


def open_socket(kind, method, endpoint, *options):
    """Binds or connects, and prints the address on the first line of the output. Options are like ROUTING_ID=alice."""
    socket = context.socket(getattr(zmq, kind))
    socket.rcvtimeo = socket.sndtimeo = socket.linger = TIMEOUT
    for option in options:
        name, value = option.split("=", 1)
        socket.setsockopt(getattr(zmq, name), int(value) if value.isdigit() else value.encode())
    getattr(socket, method)(endpoint)
    print(socket.getsockopt_string(zmq.LAST_ENDPOINT) if method == "bind" else endpoint, flush=True)
    return socket


def body(size):
    return (bytes(range(251)) * (size // 251 + 1))[:size]


# The same messages are in tests/pyzmq/main.rs.
SERIES = [[body(size)] for size in (0, 1, 255, 256, 65536, 1 << 20)] + [
    [b"META:userid=1234", b"Hello World"],
    [b"a", b"", b"b", b""],
    [body(size) for size in range(300)],
]


def check(received, expected):
    if received != expected:
        sizes = [[len(frame) for frame in message][:10] for message in (received, expected)]
        sys.exit(f"received frames of {sizes[0]}… bytes, expected {sizes[1]}…, or the contents differ")
