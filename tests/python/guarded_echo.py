"""guarded_echo.py GUARD KIND bind|connect ENDPOINT [OPTION=VALUE…]: as echo.py, with pyzmq's ThreadAuthenticator.

GUARD is `plain:USER:PASSWORD` or `curve:DIRECTORY` (the accepted credentials), or `allow:ADDRESS` or `deny:ADDRESS`.
The ZAP domain is `global`. Prints the user id of each message.
"""

import sys

from common import context, open_socket
from zmq.auth.thread import ThreadAuthenticator

guard, *arguments = sys.argv[1:]
authenticator = ThreadAuthenticator(context)
authenticator.start()
word, *rest = guard.split(":")
if word == "plain":
    authenticator.configure_plain(domain="global", passwords={rest[0]: rest[1]})
elif word == "curve":
    authenticator.configure_curve(domain="global", location=rest[0])
else:
    getattr(authenticator, word)(rest[0])
try:
    socket = open_socket(*arguments)
    while True:
        frame = socket.recv(copy=False)
        print("user", frame.get("User-Id"), flush=True)
        message = [frame.bytes] + (socket.recv_multipart() if frame.more else [])
        socket.send_multipart(message)
finally:
    authenticator.stop()
