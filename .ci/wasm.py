"""Runs examples/wasm under Node with a ROUTER of pyzmq as its peer: `wasm.py MODULE`.

The module uses ZMTP over the standard input and output of Node, which are a TCP connection to the ROUTER.
"""

import socket
import subprocess
import sys

import zmq

# Time for each request, and for the end of Node.
SECONDS = 30


def main(module):
    public, secret = zmq.curve_keypair()
    run("NULL", module, lambda router: [])

    def secure(router):
        router.curve_server = True
        router.curve_secretkey = secret
        return [public.decode()]

    run("CURVE", module, secure)


def run(mechanism, module, secure):
    with zmq.Context() as context, context.socket(zmq.ROUTER) as router:
        router.linger = 0
        arguments = secure(router)
        port = router.bind_to_random_port("tcp://127.0.0.1")
        with socket.create_connection(("127.0.0.1", port)) as stream:
            command = ["node", "--no-warnings", "examples/wasm/host.mjs", module, *arguments]
            node = subprocess.Popen(command, stdin=stream, stdout=stream, stderr=subprocess.PIPE, text=True)
        try:
            received = []
            for _ in range(3):
                if not router.poll(SECONDS * 1000):
                    break
                identity, request = router.recv_multipart()
                received.append(request)
                router.send_multipart([identity, b"reply to " + request])
            if received == [b"one", b"two", b"three"]:
                node.wait(SECONDS)
        finally:
            node.kill()
        errors = node.stderr.read()
    if node.returncode or errors.count("reply to") != 3:
        sys.exit(f"{mechanism}: received {received}, Node ended with {node.returncode}:\n{errors}")
    print(f"{mechanism}: three requests and replies")


main(sys.argv[1])
