"""certificates.py DIRECTORY: writes a certificate with `zmq.auth`, and prints all certificates of the directory.

Prints for each file its path, the public key and the secret key, if any; then "known" and the keys of all `*.key` files.
"""

import pathlib
import sys

from zmq.auth import create_certificates, load_certificate, load_certificates

directory = sys.argv[1]
create_certificates(directory, "python", {"name": "Monty O'Python", "mail": "monty@example.org"})
for path in sorted(pathlib.Path(directory).glob("*.key*")):
    print(path, *(key.decode() for key in load_certificate(path) if key), flush=True)
print("known", *sorted(key.decode() for key in load_certificates(directory)), flush=True)
