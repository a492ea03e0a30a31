"""kernel.py POLICY: starts an ipykernel with the keys and ports that jupyter_client chooses, and prints its connection file.

POLICY is the `transport_encryption` of the kernel manager: "disabled" or "required". Prints "exited" when the kernel has ended.
"""

import sys
import tempfile
import threading

from jupyter_client import KernelManager


def end_with_parent(manager):
    """Ends the kernel when the standard input is closed: the test has ended."""
    sys.stdin.read()
    manager.shutdown_kernel(now=True)


with tempfile.TemporaryDirectory() as folder:
    manager = KernelManager(transport_encryption=sys.argv[1], connection_file=f"{folder}/kernel.json")
    manager.start_kernel()
    threading.Thread(target=end_with_parent, args=[manager], daemon=True).start()
    print(manager.connection_file, flush=True)
    code = manager.provisioner.process.wait()
    print("exited", code, flush=True)
