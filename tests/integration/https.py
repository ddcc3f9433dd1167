#!/usr/bin/env python3
# as: root
"""Does the HTTPS server stand what a network may send it, by other programs' TLS than our own?

tests/attacks/https_served is attacked with Python's ssl and, where it is there, curl: old versions, foreign
ciphers, no, expired and stolen certificates, oversize, slow and broken requests, a thousand connections, an end
under load; and root looks for a body that it holds. After each the server still answers, and its metrics say what
it refused. Controls: what is allowed works; a server of Python's that allows TLS 1.2 accepts the same probe; at
insecure-none the same search finds the body."""

import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import memscan
from celljob import BUILD, SCRATCH, check, finish, has_secret, note, skip_part, wait_until

PROGRAM = BUILD / "tests/attacks/https_served"
REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class Server:
    """Its times are what a server has by itself, but for those that are given."""

    def __init__(self, level, handshake_ms=0, request_ms=0):
        self.place = Path(tempfile.mkdtemp(dir=SCRATCH))
        self.process = subprocess.Popen([PROGRAM, self.place, level, str(handshake_ms), str(request_ms)], stdout=subprocess.PIPE,
                                        text=True)
        words = self.process.stdout.readline().split()
        if len(words) != 2:
            sys.exit(f"https_served says {words} and not its port")
        self.port, self.hash = int(words[0]), words[1]

    def context(self, who=None, version=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.place / "ca.pem")
        if who:
            context.load_cert_chain(self.place / f"{who}.pem", self.place / f"{who}.key")
        if version:
            context.minimum_version = context.maximum_version = version
        return context

    def plain(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=120)

    def connect(self, who=None, **options):
        return self.context(who, **options).wrap_socket(self.plain(), server_hostname="127.0.0.1")

    def ask(self, request=REQUEST, who=None):
        """What comes back until there is an answer's body or the end."""
        with self.connect(who) as link:
            link.sendall(request)
            return hear(link)

    def works(self):
        try:
            return self.ask().endswith(b"hello")
        except OSError:
            return False

    def metrics(self):
        text = self.ask(b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").decode()
        lines = [line.rpartition(" ") for line in text.partition("\r\n\r\n")[2].splitlines() if line[:1] != "#"]
        return {name: int(value) for name, _, value in lines if value.isdigit()}

    def refused(self, reason):
        return self.metrics()[f'cella_https_refused_total{{reason="{reason}"}}']

    def end(self):
        self.process.terminate()
        status = self.process.wait(timeout=150)
        self.process.stdout.close()
        return status


def hear(link):
    """All until the end, or a whole answer."""
    got = b""
    try:
        while part := link.recv(65536):
            got += part
            head, found, body = got.partition(b"\r\n\r\n")
            length = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
            if found and length and len(body) >= int(length[0].split(b":")[1]) and b"connection: close" not in head.lower():
                break
    except OSError:
        pass
    return got


def fails(act, *kinds):
    try:
        act()
    except kinds or (OSError,) as error:
        return str(error)
    return None


def versions(server):
    """The probe is this machine's OpenSSL, which speaks TLS 1.2 where it is allowed to."""
    for version in (ssl.TLSVersion.TLSv1_2,):
        error = fails(lambda v=version: server.connect(version=v).close(), ssl.SSLError)
        check(error and "VERSION" in error.upper(), f"{version.name} is refused: {error}")
    with server.connect(version=ssl.TLSVersion.TLSv1_3) as link:
        check(link.version() == "TLSv1.3" and link.cipher()[0] == "TLS_AES_256_GCM_SHA384", f"1.3 works: {link.cipher()}")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(server.place / "client.pem", server.place / "client.key")
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        try:
            context.wrap_socket(listener.accept()[0], server_side=True).close()
        except OSError:
            pass
    thread = threading.Thread(target=serve)
    thread.start()
    probe = server.context(version=ssl.TLSVersion.TLSv1_2)
    probe.check_hostname, probe.verify_mode = False, ssl.CERT_NONE
    with probe.wrap_socket(socket.create_connection(listener.getsockname())) as link:
        check(link.version() == "TLSv1.2", "control: the same probe gets through where TLS 1.2 is allowed")
    thread.join()
    listener.close()


def certificates(server):
    own = b"GET /own HTTP/1.1\r\nHost: a\r\n\r\n"
    check(b" 200 OK" in server.ask(own, "client"), "a client with a certificate is let in")
    check(b" 403 " in server.ask(own), "without one it is told 403")
    check(not server.ask(own, "expired"), "an expired certificate is refused")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
                    "-subj", "/CN=thief", "-keyout", server.place / "thief.key", "-out", server.place / "thief.pem"],
                   check=True, capture_output=True)
    check(not server.ask(own, "thief"), "one of nobody's CA is refused")
    error = fails(lambda: context.load_cert_chain(server.place / "client.pem", server.place / "thief.key"), ssl.SSLError)
    check(error, "a stolen certificate is of no use without its key")
    strict = server.context()
    error = fails(lambda: strict.wrap_socket(server.plain(), server_hostname="127.0.0.2"), ssl.SSLCertVerificationError)
    check(error, "OpenSSL finds the names in the server's certificate, and no others")


def reads_certificates(server):
    """Another implementation's reading of what we make."""
    text = subprocess.run(["openssl", "x509", "-in", server.place / "server.pem", "-noout", "-text"], capture_output=True,
                          text=True, check=True).stdout
    for part in ("URI:cella://test/attacked/server", "IP Address:127.0.0.1", "CA:FALSE", "TLS Web Server Authentication"):
        check(part in text, f"openssl reads {part}")
    public = subprocess.run(["openssl", "x509", "-in", server.place / "server.pem", "-noout", "-pubkey"], capture_output=True, check=True)
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=public.stdout, capture_output=True, check=True)
    digest = subprocess.run(["sha256sum"], input=der.stdout, capture_output=True, check=True).stdout.decode().split()[0]
    check(digest == server.hash, "the key's hash is what openssl and sha256sum make of it")
    verdict = subprocess.run(["openssl", "verify", "-x509_strict", "-CAfile", server.place / "ca.pem", server.place / "client.pem"],
                             capture_output=True, text=True, check=False)
    check(verdict.returncode == 0, f"openssl verify -x509_strict: {verdict.stdout.strip()}{verdict.stderr.strip()}")


def by_curl(server):
    if not shutil.which("curl"):
        skip_part("curl", "curl is not installed")
        return
    body = SCRATCH / "body"
    body.write_bytes(os.urandom(1 << 20))
    base = ["curl", "-sS", "--max-time", "120", "--cacert", server.place / "ca.pem", "--cert", server.place / "client.pem",
            "--key", server.place / "client.key"]
    url = f"https://127.0.0.1:{server.port}"
    got = subprocess.run([*base, f"{url}/own", f"{url}/own"], capture_output=True, check=False)
    check(got.stdout == b"hellohello", f"curl, twice on one connection: {got.stdout} {got.stderr}")
    got = subprocess.run([*base, "--data-binary", f"@{body}", f"{url}/echo"], capture_output=True, check=False)
    check(got.stdout == body.read_bytes(), "curl posts 1 MiB, with Expect: 100-continue, and gets it back")
    body.write_bytes(bytes((1 << 20) + 1))
    got = subprocess.run([*base, "--data-binary", f"@{body}", f"{url}/echo"], capture_output=True, check=False)
    check(b'"status":413' in got.stdout, f"one byte more is told 413: {got.stdout[:100]}")
    got = subprocess.run([*base, "--tls-max", "1.2", url], capture_output=True, check=False)
    check(got.returncode != 0, f"curl with TLS 1.2 is refused: {got.stderr.decode().strip()[:80]}")


def broken(server):
    cases = {
        "a head of 20 KiB": (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 20480 + b"\r\n\r\n", b" 431 "),
        "a body beyond the route's": (b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n\r\n" + b"x" * 500000, b" 413 "),
        "a negative length": (b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", b" 400 "),
        "two lengths": (b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx", b" 400 "),
        "a length and chunks": (b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", b" 400 "),
        "HTTP/1.0": (b"GET / HTTP/1.0\r\nHost: a\r\n\r\n", b" 505 "),
        "bare line feeds": (b"GET / HTTP/1.1\nHost: a\n\n\r\n\r\n", b" 400 "),
        "garbage inside TLS": (b"\x00\xff" * 64 + b"\r\n\r\n", b" 400 "),
        "a path that climbs": (b"GET /../../etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n", b" 400 "),
    }
    for what, (request, answer) in cases.items():
        got = server.ask(request)
        check(answer in got.partition(b"\r\n")[0] + b" " and b"application/problem+json" in got, f"{what}: {got[:24]}")
    with server.connect() as link:
        link.sendall(REQUEST * 20)
        got = b""
        while got.count(b"hello") < 20:
            got += link.recv(65536)
        check(got.count(b"200 OK") == 20, "twenty pipelined requests get twenty answers")
    with server.connect() as link:
        link.sendall(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhal")
        link.sendall(b"ve")
        socket.socket.shutdown(link, socket.SHUT_WR)
        check(hear(link).endswith(b"halve"), "who ends his side after the request still gets the answer")
    for bytes_sent in (REQUEST, os.urandom(1000), b"\x16\x03\x01\xff\xff" + os.urandom(200), b"\x80" * 2000, b""):
        with server.plain() as link:
            try:
                link.sendall(bytes_sent)
                link.shutdown(socket.SHUT_WR)
                while link.recv(4096):
                    pass
            except OSError:
                pass
    check(server.works(), "after what is no TLS it serves on")


def slow(_):
    """At servers that have little time for one thing, and enough for what the test does besides."""
    server, sent = Server("insecure-none", request_ms=1000), 0
    with server.connect() as link:
        try:
            for byte in b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 10000:
                link.sendall(bytes([byte]))
                sent += 1
                threading.Event().wait(0.02)
        except OSError:
            pass
    check(sent < 10000, f"slowloris is cut by the time of the whole request, after {sent} bytes")
    check(server.refused("slow") == 1 and server.end() == 0, "it counted it")
    server = Server("insecure-none", handshake_ms=5000)
    silent = [server.plain() for _ in range(40)]
    check(all(link.recv(1) == b"" for link in silent), "forty that say nothing are cut")
    for link in silent:
        link.close()
    check(server.refused("slow") == 40 and server.end() == 0, "it counted them")


def flood(server):
    """A thousand at once, where sixty-four may be: those beyond are ended, and there is room again for others."""
    links = [server.plain() for _ in range(1000)]
    ends = sum(wait_end(link) for link in links[64:])
    check(ends == 936, f"{ends} of the 936 beyond 64 are ended")
    for link in links:
        link.close()
    check(wait_until(server.works), "and it serves on")
    check(server.refused("connections") >= 900, "it counted them")


def wait_end(link):
    link.settimeout(120)
    try:
        return link.recv(1) == b""
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False


def hold(server):
    """A request whose body stays with the server: (its connection, the body)."""
    body = os.urandom(4000)
    link = server.connect()
    link.sendall(b"POST /hold HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    return link, body


def memory():
    """Does root find a body that the server holds? Parts of it, in case it lies in pieces."""
    works, why = has_secret()
    for level in ("insecure-none", "secret"):
        if level == "secret" and not works:
            skip_part("secret", why)
            continue
        server = Server(level)
        link, body = hold(server)
        server.works()  # it has got to the body by now
        found = [part for part in range(0, len(body) - 32, 256) if memscan.in_mem(server.process.pid, body[part:part + 32])]
        if level == "secret":
            check(not found, f"at secret it is not found ({len(found)} parts)")
        else:
            check(found, f"control: at insecure-none {len(found)} parts are found")
        server.ask(b"GET /release HTTP/1.1\r\nHost: a\r\n\r\n")
        check(hear(link).endswith(body), "it was there, whole")
        link.close()
        check(server.end() == 0, f"https_served at {level} ended in order")


def ending(server):
    """SIGTERM while a request is under way: it is answered, then the port is closed."""
    link = server.connect()
    link.sendall(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nla")
    server.works()
    server.process.terminate()
    wait_until(lambda: fails(lambda: server.plain().close(), ConnectionRefusedError))
    link.sendall(b"st")
    check(hear(link).endswith(b"last"), "a request that was under way is answered")
    link.close()
    check(server.process.wait(timeout=150) == 0, "and the server ends with 0")
    server.process.stdout.close()


def main():
    server = Server("insecure-none")
    for part in (versions, certificates, reads_certificates, by_curl, broken, slow, flood, ending):
        note(part.__name__)
        part(server)
    memory()
    finish()


if __name__ == "__main__":
    main()
