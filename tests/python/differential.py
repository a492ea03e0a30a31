"""differential.py: sockets of libzmq, moved by requests.

Each line of the input is a request, `[name, argument…]`, and each line of the output its answer, both JSON. A socket is
named by a number, a frame is a string with a character for each octet. What is waited for is a condition; what does not
come within TIMEOUT is answered as if it were not there.
"""

import errno
import json
import os
import sys
import time

import zmq
from zmq.utils.monitor import recv_monitor_message

TIMEOUT = 20_000
ANSWERS = {
    zmq.EAGAIN: "not now",
    zmq.EHOSTUNREACH: "unroutable",
    zmq.EFSM: "out of turn",
    zmq.ENOTSUP: "unsupported",
    errno.ENOENT: "unknown",
}
FAILED = zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_AUTH


class World:
    """A context with its sockets, and a pair beside them that tells whether its one thread of IO has come around."""

    def __init__(self):
        self.context = zmq.Context()
        self.sockets = {}
        self.lingers = False
        self.near, self.far = self.context.socket(zmq.PAIR), self.context.socket(zmq.PAIR)
        self.near.rcvtimeo = self.far.rcvtimeo = TIMEOUT
        self.far.bind("tcp://127.0.0.1:*")
        self.near.connect(self.far.getsockopt_string(zmq.LAST_ENDPOINT))

    def end(self):
        """Starts anew. What was ended before may still have what nobody is there for, and only goes with the process."""
        if self.lingers:
            os.execv(sys.executable, [sys.executable, __file__, "again"])
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
        self.lingers = True

    def disconnect(self, number, endpoint):
        self.sockets[number].socket.disconnect(endpoint)
        self.lingers = True

    def close(self, number):
        self.sockets.pop(number).close()
        self.lingers = True

    def send(self, number, frames, wait):
        socket = self.at(number)
        socket.sndtimeo = wait
        socket.send_multipart([octets(frame) for frame in frames])

    def recv(self, number, wait):
        socket = self.at(number)
        socket.rcvtimeo = wait
        frames = socket.recv_multipart()
        return [frame.decode("latin-1") for frame in frames]

    def subscribe(self, number, topic):
        self.wish(number, 1, topic)

    def unsubscribe(self, number, topic):
        self.wish(number, 0, topic)

    def wish(self, number, wanted, topic):
        socket = self.at(number)
        if socket.socket_type == zmq.XSUB:
            socket.send(bytes([wanted]) + octets(topic))
        else:
            socket.setsockopt(zmq.SUBSCRIBE if wanted else zmq.UNSUBSCRIBE, octets(topic))

    def rest(self, wanted):
        """Waits until so many connections have been made and lost in all, and everybody knows."""
        deadline = time.monotonic() + TIMEOUT / 1000
        while any(self.sockets[number].is_short_of(ready, lost) for number, ready, lost in wanted):
            self.turn()
            if time.monotonic() > deadline:
                heard = {number: (self.sockets[number].ready, self.sockets[number].lost) for number, *_ in wanted}
                raise TimeoutError(f"connections made and lost: {heard} instead of {wanted}")
        # What an event tells of is done by commands that sockets and their thread of IO send to each other: four times at
        # most, as when a session asks to be ended, is told to, ends its pipe, and its socket says that it knows.
        for _ in range(4):
            self.turn()

    def turn(self):
        """Has everybody do what there is to do."""
        for number in self.sockets:
            self.at(number)
        self.near.send(b"")
        self.far.recv()

    def at(self, number):
        """A socket that has done what its thread of IO wants of it. Calls do that now and then only, this always."""
        socket = self.sockets[number].socket
        socket.getsockopt(zmq.EVENTS)
        return socket


class Monitored:
    def __init__(self, socket, options):
        self.socket = socket
        socket.rcvtimeo = socket.sndtimeo = socket.linger = TIMEOUT
        for name, value in options.items():
            socket.setsockopt(getattr(zmq, name), octets(value) if isinstance(value, str) else value)
        self.monitor = socket.get_monitor_socket()
        self.ready = self.lost = 0

    def is_short_of(self, ready, lost):
        while self.monitor.poll(0):
            event = recv_monitor_message(self.monitor)["event"]
            self.ready += event == zmq.EVENT_HANDSHAKE_SUCCEEDED
            self.lost += (event == zmq.EVENT_DISCONNECTED) - bool(event & FAILED)
        return self.ready < ready or self.lost < lost

    def close(self):
        self.socket.disable_monitor()
        self.socket.close()


def octets(text):
    return text.encode("latin-1")


def say(answer):
    print(json.dumps(answer), flush=True)


world = World()
if sys.argv[1:] == ["again"]:
    say({"value": None})
for line in sys.stdin:
    name, *arguments = json.loads(line)
    try:
        say({"value": getattr(world, name)(*arguments)})
    except zmq.ZMQError as error:
        say(ANSWERS.get(error.errno) or str(error))
    except TimeoutError as error:
        say(str(error))
