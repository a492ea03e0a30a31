"""differential.py: sockets of libzmq, controlled by requests.

Each line of the input is a request, `[name, argument…]`, and each line of the output its reply, both JSON. A socket is
identified by a number; a frame is a string with one character per byte. Calls wait at most TIMEOUT milliseconds.
"""

import errno
import json
import os
import sys
import time

import zmq
from zmq.utils.monitor import recv_monitor_message

TIMEOUT = 20_000
ERRORS = {
    zmq.EAGAIN: "would block",
    zmq.EHOSTUNREACH: "unroutable",
    zmq.EFSM: "out of turn",
    zmq.ENOTSUP: "unsupported",
    errno.ENOENT: "unknown",
}
FAILED = zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_AUTH


class Sockets:
    """A context with its sockets. Two PAIR sockets show that the I/O thread has processed its commands."""

    def __init__(self):
        self.context = zmq.Context()
        self.sockets = {}
        self.needs_restart = False
        self.near, self.far = self.context.socket(zmq.PAIR), self.context.socket(zmq.PAIR)
        self.near.rcvtimeo = self.far.rcvtimeo = TIMEOUT
        self.far.bind("tcp://127.0.0.1:*")
        self.near.connect(self.far.getsockopt_string(zmq.LAST_ENDPOINT))

    def end(self):
        """Closes all sockets. Only the end of the process removes unsent messages of ended connections."""
        if self.needs_restart:
            os.execv(sys.executable, [sys.executable, __file__, "restarted"])
        self.context.destroy(linger=0)
        self.__init__()

    def open(self, number, kind, options):
        self.sockets[number] = Monitored(self.context.socket(getattr(zmq, kind)), options)

    def bind(self, number, endpoint):
        self.sockets[number].socket.bind(endpoint)
        return self.sockets[number].socket.getsockopt_string(zmq.LAST_ENDPOINT)

    def connect(self, number, endpoint):
        self.sockets[number].socket.connect(endpoint)

    def unbind(self, number, endpoint):
        self.sockets[number].socket.unbind(endpoint)
        self.needs_restart = True

    def disconnect(self, number, endpoint):
        self.sockets[number].socket.disconnect(endpoint)
        self.needs_restart = True

    def close(self, number):
        self.sockets.pop(number).close()
        self.needs_restart = True

    def send(self, number, frames, wait):
        socket = self.updated(number)
        socket.sndtimeo = wait
        socket.send_multipart([to_bytes(frame) for frame in frames])

    def recv(self, number, wait):
        socket = self.updated(number)
        socket.rcvtimeo = wait
        frames = socket.recv_multipart()
        return [frame.decode("latin-1") for frame in frames]

    def subscribe(self, number, topic):
        self.set_subscription(number, 1, topic)

    def unsubscribe(self, number, topic):
        self.set_subscription(number, 0, topic)

    def set_subscription(self, number, subscribed, topic):
        socket = self.updated(number)
        if socket.socket_type == zmq.XSUB:
            socket.send(bytes([subscribed]) + to_bytes(topic))
        else:
            socket.setsockopt(zmq.SUBSCRIBE if subscribed else zmq.UNSUBSCRIBE, to_bytes(topic))

    def settle(self, expected):
        """Waits for the expected numbers of made and lost connections, and until all sockets have processed them."""
        deadline = time.monotonic() + TIMEOUT / 1000
        while any(self.sockets[number].has_fewer_than(ready, lost) for number, ready, lost in expected):
            self.run_pending()
            if time.monotonic() > deadline:
                counts = {number: (self.sockets[number].ready, self.sockets[number].lost) for number, *_ in expected}
                raise TimeoutError(f"connections made and lost: {counts} instead of {expected}")
        # Events are followed by commands between sockets and the I/O thread, in at most four steps: a session requests
        # its end, receives the request to terminate, terminates its pipe, and the socket acknowledges.
        for _ in range(4):
            self.run_pending()

    def run_pending(self):
        """Lets all sockets and the I/O thread process pending commands."""
        for number in self.sockets:
            self.updated(number)
        self.near.send(b"")
        self.far.recv()

    def updated(self, number):
        """Returns a socket that has processed its commands. Other calls do that only sometimes, EVENTS always."""
        socket = self.sockets[number].socket
        socket.getsockopt(zmq.EVENTS)
        return socket


class Monitored:
    def __init__(self, socket, options):
        self.socket = socket
        socket.rcvtimeo = socket.sndtimeo = socket.linger = TIMEOUT
        for name, value in options.items():
            socket.setsockopt(getattr(zmq, name), to_bytes(value) if isinstance(value, str) else value)
        self.monitor = socket.get_monitor_socket()
        self.ready = self.lost = 0

    def has_fewer_than(self, ready, lost):
        while self.monitor.poll(0):
            event = recv_monitor_message(self.monitor)["event"]
            self.ready += event == zmq.EVENT_HANDSHAKE_SUCCEEDED
            self.lost += (event == zmq.EVENT_DISCONNECTED) - bool(event & FAILED)
        return self.ready < ready or self.lost < lost

    def close(self):
        self.socket.disable_monitor()
        self.socket.close()


def to_bytes(text):
    return text.encode("latin-1")


def reply(value):
    print(json.dumps(value), flush=True)


sockets = Sockets()
if sys.argv[1:] == ["restarted"]:
    reply({"value": None})
for line in sys.stdin:
    name, *arguments = json.loads(line)
    try:
        reply({"value": getattr(sockets, name)(*arguments)})
    except zmq.ZMQError as error:
        reply(ERRORS.get(error.errno) or str(error))
    except TimeoutError as error:
        reply(str(error))
