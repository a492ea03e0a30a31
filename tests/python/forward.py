"""forward.py PUBLISHERS SUBSCRIBERS CONTROL: publishes and subscribes through a proxy, and steers it.

The words to the proxy, and how its statistics are packed, are those of zmq_proxy_steerable(3).
"""

import struct
import sys

from common import check, open_socket

publisher = open_socket("XPUB", "connect", sys.argv[1])
subscriber = open_socket("SUB", "connect", sys.argv[2])
control = open_socket("REQ", "connect", sys.argv[3])


def tell(command):
    control.send(command)
    return control.recv_multipart()


subscriber.subscribe(b"topic")
check(publisher.recv_multipart(), [b"\x01topic"])
publisher.send_multipart([b"topic", b"first"])
check(subscriber.recv_multipart(), [b"topic", b"first"])

check(tell(b"PAUSE"), [b""])
publisher.send_multipart([b"topic", b"second"])
before = tell(b"STATISTICS")
check(before, [struct.pack("=Q", number) for number in (2, 10, 1, 6, 1, 6, 2, 10)])
check(tell(b"STATISTICS"), before)
check(tell(b"WHAT?"), [b""])
check(tell(b"RESUME"), [b""])
check(subscriber.recv_multipart(), [b"topic", b"second"])

subscriber.unsubscribe(b"topic")
check(publisher.recv_multipart(), [b"\x00topic"])
check(tell(b"TERMINATE"), [b""])
print("all went as it should", flush=True)
