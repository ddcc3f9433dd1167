#!/usr/bin/env python3
"""A node that lies: stands in the place of cella-agent or cella-las and starts the genuine executor by
itself, with ordinary memory, to get the job's keys into memory that it can read. CELLA_ATTACK says how:

As the agent, which asks the launcher for a genuine executor first and then hands over one of its own with
    own        evidence signed by itself
    renamed    the launcher's evidence with the public key of its own executor in it
    replayed   the launcher's evidence as it is, for the channel to its own executor
    stale      the launcher's evidence for a nonce of its own choice
    swapped    the launcher's evidence for its own executor, which was given the bundle in CELLA_SWAPPED
    rebuilt    the same, and the launcher was asked for whoever built that one
    torn       the same with the first half of the bundle
    honest     nothing of its own: passes on what the launcher answers (control)
    cut        the same, and a second genuine executor whose word of its end does not arrive
As the launcher
    own        an identity of its own and evidence signed with that

tests/integration/false_node.py runs it. Messages are those of agent/agent_format.h and cell/launch_format.h."""

import array
import base64
import fcntl
import hashlib
import json
import os
import select
import socket
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

AGENT_START, AGENT_STOP, AGENT_EXECUTOR, AGENT_LOST, AGENT_FAILED, AGENT_FINISHED = 1, 2, 3, 4, 6, 7
REQUEST, REPLY, EXITED, START, IDENTITY = 1, 3, 4, 5, 7
VERSION, DRIVER, TASKS, MEMORY_NONE = 4, 1, 2, 0
RING_CAPACITY, STORE_SIZE, TASK_VERSION = 1 << 20, 1 << 30, 2
REPLY_HEAD, NONCE, BUILDER = 532, slice(56, 88), slice(88, 120)
ISOLATION_ALL = ["own-uid", "user-namespace", "mount-namespace", "pid-namespace", "net-namespace", "ipc-namespace",
                 "uts-namespace", "cgroup", "no-inherited-filter", "no-new-privs"]
DIRECTORY = Path(sys.argv[0]).resolve().parent
EXECUTOR = str(DIRECTORY / "cella-cell")


def receive(sock):
    fds = array.array("i")
    message, ancillary, _, _ = sock.recvmsg(1 << 16, socket.CMSG_LEN(16 * fds.itemsize))
    for _, _, data in ancillary:
        fds.frombytes(data[:len(data) - len(data) % fds.itemsize])
    return message, list(fds)


def send(sock, message, fds=()):
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    sock.sendmsg([message], rights)


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def parts_of(token):
    """Of a JWS: header, claims, and the signature as it stands."""
    header, claims, signature = token.decode().split(".")
    return *(json.loads(base64.urlsafe_b64decode(part + "==")) for part in (header, claims)), signature


def signed_part(header, claims):
    return ".".join(base64url(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))


class Signer:
    """An Ed25519 key of our own."""

    def __init__(self):
        self.directory = tempfile.TemporaryDirectory()
        self.key = f"{self.directory.name}/key"
        self.openssl("genpkey", "-algorithm", "ed25519", "-out", self.key)
        self.public = self.openssl("pkey", "-in", self.key, "-pubout", "-outform", "DER")[-32:]

    @staticmethod
    def openssl(*arguments):
        return subprocess.run(["openssl", *arguments], check=True, stdout=subprocess.PIPE).stdout

    def sign(self, body):
        path = f"{self.directory.name}/body"
        Path(path).write_bytes(body)
        return self.openssl("pkeyutl", "-sign", "-inkey", self.key, "-rawin", "-in", path)


class Executor:
    """The genuine one, started the wrong way."""

    def __init__(self, bundle, heap, agent=None):
        launch, theirs_launch = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.owner, theirs_owner = socket.socketpair()
        self.agent, theirs_agent = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.launch = launch
        null = os.open("/dev/null", os.O_RDWR)
        fds = [null, null, 2, theirs_launch.fileno(), theirs_owner.fileno(), agent or theirs_agent.fileno(), bundle, null]
        self.pid = os.fork()
        if self.pid == 0:
            high = [os.dup2(fd, 100 + i) for i, fd in enumerate(fds)]
            for i, fd in enumerate(high):
                os.dup2(fd, i)
            os.closerange(len(fds), 200)
            os.execve(EXECUTOR, ["cella-cell"], {})
        for sock in (theirs_launch, theirs_owner, theirs_agent):
            sock.close()
        send(launch, struct.pack("<IIIIQQ32x", START, VERSION, MEMORY_NONE, 0, heap, 0))
        hello = receive(launch)[0]
        self.public_key, self.cell, self.builder = hello[16:48], hello[48:96], hello[96:128]


def serve(agent_end):
    """What an executor needs from an agent to run: rings and a store."""
    rings, store = os.memfd_create("rings", 3), os.memfd_create("store", 3)
    os.ftruncate(rings, 2 * (RING_CAPACITY + 8192))
    os.ftruncate(store, STORE_SIZE)
    for fd in (rings, store):
        fcntl.fcntl(fd, 1033, 2)  # F_ADD_SEALS, F_SEAL_SHRINK
    bells = [os.eventfd(0, os.EFD_NONBLOCK) for _ in range(2)]
    send(agent_end, struct.pack("<IIQQ", TASK_VERSION, 0, RING_CAPACITY, STORE_SIZE), [rings, store, *bells])


def evidence_of(signer, executor, nonce, heap):
    """The best lie: true about the binary and the bundle, false about its world."""
    header = {"alg": "EdDSA", "kid": base64url(signer.public), "typ": "eat+jwt"}
    claims = {
        "eat_nonce": base64url(nonce), "eat_profile": "cella:evidence:1", "iat": 0,
        "submods": {
            "executor": {"builder": executor.builder.hex(), "cell": executor.cell.hex(), "memory_level": "secret",
                         "cnf": {"jwk": {"crv": "X25519", "kty": "OKP", "x": base64url(executor.public_key)}}},
            "launcher": {"host": [], "kernel": os.uname().release, "machine": "soft",
                         "measured": {"executor": hashlib.sha384(Path(EXECUTOR).read_bytes()).hexdigest(), "heap": heap,
                                      "isolation": ISOLATION_ALL, "uid": 60000}}}}
    body = signed_part(header, claims)
    return f"{body}.{base64url(signer.sign(body.encode()))}".encode()


def renamed(evidence, executor):
    """With another public key in it, and the signature that it had."""
    header, claims, signature = parts_of(evidence)
    claims["submods"]["executor"]["cnf"]["jwk"]["x"] = base64url(executor.public_key)
    return f"{signed_part(header, claims)}.{signature}".encode()


def sealed_file(data):
    fd = os.memfd_create("bundle", 3)
    os.write(fd, data)
    fcntl.fcntl(fd, 1033, 15)  # F_ADD_SEALS: against all but reading
    return fd


class Agent:
    def __init__(self, owner, las, attack):
        self.owner, self.las, self.attack = owner, las, attack
        message, [self.bundle] = receive(owner)
        _, _, _, self.level, _, _, self.heap = struct.unpack_from("<IIIIIIQ", message)
        self.nonce, self.builder = message[NONCE], message[BUILDER]
        if attack in ("swapped", "rebuilt", "torn"):
            other = Path(os.environ["CELLA_SWAPPED"]).read_bytes()
            self.bundle = sealed_file(other[:len(other) // 2] if attack == "torn" else other)
        if attack == "rebuilt":
            self.builder = bytes(32)
        self.kept = []

    def ask_launcher(self, number=0):
        """For a genuine executor, which any attack but the best needs."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        nonce = os.urandom(32) if self.attack == "stale" else self.nonce
        send(self.las, struct.pack("<IIIIQQ", REQUEST, number, self.level, VERSION, self.heap, 0) + nonce + self.builder,
             [theirs.fileno(), self.bundle])
        theirs.close()
        message, fds = receive(self.las)
        _, _, error, pid, size = struct.unpack_from("<IIiiI", message)
        if error:
            sys.exit(f"the launcher says: {message[20:REPLY_HEAD].rstrip(bytes(1)).decode()}")
        return ours, pid, message[REPLY_HEAD:REPLY_HEAD + size], fds

    def evidence(self, genuine, executor):
        if self.attack == "renamed":
            return renamed(genuine, executor)
        if self.attack == "own":
            return evidence_of(Signer(), executor, self.nonce, self.heap)
        return genuine

    def bring_another(self):
        agent_end, pid, evidence, fds = self.ask_launcher(1)
        serve(agent_end)
        send(self.owner, struct.pack("<IIIiI", AGENT_EXECUTOR, 2, TASKS, pid, len(evidence)) + evidence, [fds[0]])
        for fd in fds:
            os.close(fd)
        self.kept.append(agent_end)

    def run(self):
        socket_of_genuine, pid, evidence, fds = self.ask_launcher()
        if self.attack in ("honest", "stale", "cut", "swapped", "rebuilt"):
            channel = fds[0]
            executor = None
            serve(socket_of_genuine)
        else:
            executor = Executor(self.bundle, self.heap)
            serve(executor.agent)
            channel, evidence, pid = executor.owner.fileno(), self.evidence(evidence, executor), executor.pid
        self.kept = [socket_of_genuine, executor]
        send(self.owner, struct.pack("<IIIiI", AGENT_EXECUTOR, 1, DRIVER, pid, len(evidence)) + evidence, [channel])
        if executor:
            executor.owner.close()
        for fd in fds:
            os.close(fd)
        if self.attack == "cut":
            self.bring_another()
        self.serve()

    def serve(self):
        while True:
            ready, _, _ = select.select([self.owner, self.las], [], [])
            message, _ = receive(ready[0])
            if not message:
                sys.exit(0)
            if ready[0] is self.owner and struct.unpack_from("<I", message)[0] == AGENT_STOP:
                if self.attack == "cut":
                    self.kept[-1].close()  # it ends without a word
                send(self.owner, struct.pack("<IIQQQ", AGENT_FINISHED, 0, 0, 0, 0))


def run_launcher(owner, agent):
    signer, kept = Signer(), []
    send(owner, struct.pack("<II", IDENTITY, VERSION) + signer.public + hashlib.sha384(Path(EXECUTOR).read_bytes()).digest() + bytes(124))
    while True:
        ready, _, _ = select.select([owner, agent], [], [])
        message, fds = receive(ready[0])
        if not message or ready[0] is owner:
            sys.exit(0)
        kind, number, _, _, heap = struct.unpack_from("<IIIIQ", message)
        if kind != REQUEST:
            continue
        executor = Executor(fds[1], heap, fds[0])
        evidence = evidence_of(signer, executor, message[24:56], heap)
        reply = struct.pack("<IIiiI512s2048s", REPLY, number, 0, executor.pid, len(evidence), b"", evidence)
        send(agent, reply, [executor.owner.detach(), os.pidfd_open(executor.pid)])
        kept.append(executor)


def main():
    words = sys.argv[1:]
    options = dict(zip(words[::2], words[1::2]))
    owner = socket.socket(fileno=int(options["--owner-fd"]))
    if "--las-fd" in options:
        Agent(owner, socket.socket(fileno=int(options["--las-fd"])), os.environ["CELLA_ATTACK"]).run()
    else:
        run_launcher(owner, socket.socket(fileno=int(options["--agent-fd"])))


main()
