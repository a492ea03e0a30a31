"""certificates.py DIRECTORY: writes certificates of its own there, and tells those it finds, as `zmq.auth` has them.

For each file its path, the public key and, if it is there, the secret one; then "known" and the keys of all `*.key`.
"""

import pathlib
import sys

from zmq.auth import create_certificates, load_certificate, load_certificates

directory = sys.argv[1]
create_certificates(directory, "python", {"name": "Monty O'Python", "mail": "monty@example.org"})
for path in sorted(pathlib.Path(directory).glob("*.key*")):
    print(path, *(key.decode() for key in load_certificate(path) if key), flush=True)
print("known", *sorted(key.decode() for key in load_certificates(directory)), flush=True)
