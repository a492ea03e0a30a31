"""Measures and runs the nodes of examples/bare-metal: `bare-metal.py LIMITS PROGRAM…`.

Prints a table with the bytes that each node needs: code, constants, static memory without the heap, and the memory on the
heap while no message is under way. Fails if a number is above its limit, or if a node does not work.

A node runs in QEMU. The serial port of the simulated board is a TCP connection to a PULL or REP of pyzmq.
"""

import re
import shutil
import struct
import subprocess
import sys
import tempfile

import zmq

# Time for a node to send ten messages, or to receive ten replies.
SECONDS = 60
MESSAGES = 10

# The part of static memory that is the heap: HEAP_SIZE of the example.
HEAP = 48 << 10

# The key pair of a server in the manual of libzmq, zmq_curve(7). The node has the public key.
PUBLIC, SECRET = b"rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7", b"JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6"

BOARDS = {
    "thumbv7em": ["qemu-system-arm", "-machine", "mps2-an386"],
    "riscv32imac": ["qemu-system-riscv32", "-machine", "virt", "-bios", "none"],
}

COLUMNS = "node .text .rodata static heap".split()


def main(limits, programs):
    failures = []
    known = read_limits(limits)
    print(f"{COLUMNS[0]:24}" + "".join(f"{column:>9}" for column in COLUMNS[1:]))
    for program in programs:
        name = re.search(r"([a-z0-9]+)-[a-z-]*-((push|req)-(null|curve))$", program)
        board, node, socket_type, mechanism = name.groups()
        row = f"{board}-{node}"
        text, rodata, static = sizes(program)
        has_qemu = shutil.which(BOARDS[board][0])
        heap = run(BOARDS[board], program, socket_type, mechanism) if has_qemu else 0
        numbers = [text, rodata, static - HEAP, heap]
        print(f"{row:24}" + "".join(f"{number:9}" for number in numbers), flush=True)
        for column, number, limit in zip(COLUMNS[1:], numbers, known.pop(row)):
            if number > limit:
                failures.append(f"{row}: {column} is {number}, at most {limit} is allowed")
    if failures:
        sys.exit("\n".join(failures))


def read_limits(path):
    """Returns the limits of each node, in the order of the columns."""
    with open(path) as file:
        rows = [line.split() for line in file if line.strip() and not line.startswith("#")]
    return {row[0]: [int(number) for number in row[1:]] for row in rows}


def sizes(program):
    """Returns the bytes of code, of constants, and of static memory, from the sections of an ELF file of 32 bits."""
    with open(program, "rb") as file:
        image = file.read()
    (table,) = struct.unpack_from("<I", image, 32)
    size, count, names = struct.unpack_from("<3H", image, 46)
    sections = [struct.unpack_from("<10I", image, table + index * size) for index in range(count)]
    text = rodata = static = 0
    for name, _, flags, _, _, length, *_ in sections:
        name = image[sections[names][4] + name :].split(b"\0", 1)[0]
        writable, allocated, executable = flags & 1, flags & 2, flags & 4
        if name in (b".stack", b".heap") or not allocated:
            continue  # the rest of the memory
        if writable:
            static += length
        elif executable:
            text += length
        else:
            rodata += length
    return text, rodata, static


def run(simulator, program, socket_type, mechanism):
    """Runs a node until it has sent or received ten messages. Returns the bytes that it then has on the heap."""
    with zmq.Context() as context, context.socket(zmq.PULL if socket_type == "push" else zmq.REP) as peer:
        peer.linger = 0
        if mechanism == "curve":
            peer.curve_server = True
            peer.curve_publickey, peer.curve_secretkey = PUBLIC, SECRET
        port = peer.bind_to_random_port("tcp://127.0.0.1")
        options = ["-nographic", "-monitor", "none", "-semihosting-config", "enable=on,target=native"]
        command = [*simulator, *options, "-serial", f"tcp:127.0.0.1:{port}", "-kernel", program]
        with tempfile.TemporaryFile() as console:
            board = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=console, stderr=console)
            try:
                for count in range(MESSAGES):
                    if not peer.poll(SECONDS * 1000):
                        fail(f"message {count + 1} did not arrive in {SECONDS} s", command, console)
                    message = peer.recv()
                    if message != (b"temperature 21" if socket_type == "push" else b"switch"):
                        fail(f"the node sent {message!r}", command, console)
                    if socket_type == "req":
                        peer.send(b"on")
            finally:
                board.kill()
                board.wait()
            heap = re.findall(r"heap at rest: (\d+)\n", output(console))
            if len(heap) < MESSAGES:
                fail(f"the node printed the size of its heap {len(heap)} times", command, console)
            return max(map(int, heap))


def output(console):
    console.seek(0)
    return console.read().decode(errors="replace")


def fail(reason, command, console):
    sys.exit(f"{' '.join(command)}: {reason}; the end of its output:\n{output(console)[-500:]}")


main(sys.argv[1], sys.argv[2:])
