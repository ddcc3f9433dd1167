#!/usr/bin/env python3
# as: root user
"""Does a client that knows the CAS's CA and its name, but pins no key, take the CAS for itself and nobody else?

Clients are Python's own TLS, which checks chain and name as guests do."""

import socket
import ssl
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from castest import MEMORY, Cas, cella, good, refused, use
from celljob import SCRATCH, check, finish

HOSTS = ("--host", "cas.example", "--host", "192.0.2.7", "--host", "2001:db8::7")
NAMES = ("cas.example", "CAS.example", "192.0.2.7", "2001:db8::7", "localhost", "127.0.0.1", "::1")
OTHERS = ("other.example", "x.cas.example", "192.0.2.8", "example")


def failure(cas, ca, name):
    """Why a client that trusts `ca` and wants `name` does not take this server; None if it does."""
    context = ssl.create_default_context(cafile=ca)
    try:
        with socket.create_connection(("127.0.0.1", cas.port), timeout=300) as link, context.wrap_socket(link, server_hostname=name):
            return None
    except ssl.SSLCertVerificationError as error:
        return error.verify_message


def write_ca(name):
    path = SCRATCH / name
    path.write_text(good("cas ca", cella("cas", "ca")), encoding="ascii")
    return path


with Cas("one", *HOSTS, *MEMORY) as one, Cas("two", *HOSTS, *MEMORY) as two:
    use(two)
    other_ca = write_ca("two.pem")
    use(one)
    ca = write_ca("one.pem")
    for name in NAMES:
        check(failure(one, ca, name) is None, f"{name}: {failure(one, ca, name)}")
    for name in OTHERS:
        check("match" in (failure(one, ca, name) or ""), f"{name}: {failure(one, ca, name)}")
    check(failure(two, other_ca, "cas.example") is None, "the other CAS, by its own CA")
    check(failure(two, ca, "cas.example") is not None, "another CAS of that name, by the first one's CA")

    # The CA is the same at the next start, and the pin, too; a name that is not given any more is gone.
    one.stop()
    one.options = MEMORY
    pin = one.pin
    one.start()
    check(one.pin == pin and failure(one, ca, "localhost") is None, "after a start without --host")
    check("match" in (failure(one, ca, "cas.example") or ""), "a name of an earlier start")

# What is no name is refused before a directory is made.
for host in ("cas example", "-", "", "a" * 64 + ".example", "https://cas.example", "192.0.2.7:8081", "*.example"):
    refused(f"--host '{host}'", cella("cas", "--dir", SCRATCH / "none", "--listen", "127.0.0.1:0", "--host", host), [host[:20]], 2)
refused("too many", cella("cas", "--dir", SCRATCH / "none", *(["--host", "a"] * 6)), ["--host", "5"], 2)
check(not (SCRATCH / "none").exists(), "nothing was made")
finish()
