"""forward.py PUBLISHERS SUBSCRIBERS CONTROL: publishes and subscribes through a proxy, and controls it.

The commands and the format of the statistics are those of zmq_proxy_steerable(3).
"""

import struct
import sys

from common import check, open_socket

publisher = open_socket("XPUB", "connect", sys.argv[1])
subscriber = open_socket("SUB", "connect", sys.argv[2])
control = open_socket("REQ", "connect", sys.argv[3])


def send_command(command):
    control.send(command)
    return control.recv_multipart()


subscriber.subscribe(b"topic")
check(publisher.recv_multipart(), [b"\x01topic"])
publisher.send_multipart([b"topic", b"first"])
check(subscriber.recv_multipart(), [b"topic", b"first"])

check(send_command(b"PAUSE"), [b""])
publisher.send_multipart([b"topic", b"second"])
before = send_command(b"STATISTICS")
check(before, [struct.pack("=Q", number) for number in (1, 10, 1, 6, 1, 6, 1, 10)])
check(send_command(b"STATISTICS"), before)
check(send_command(b"UNKNOWN"), [b""])
check(send_command(b"RESUME"), [b""])
check(subscriber.recv_multipart(), [b"topic", b"second"])

subscriber.unsubscribe(b"topic")
check(publisher.recv_multipart(), [b"\x00topic"])
check(send_command(b"TERMINATE"), [b""])
print("done", flush=True)
