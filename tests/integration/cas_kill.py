#!/usr/bin/env python3
# as: root user
"""Is a change that a CAS has acknowledged still there when it was killed at any moment, whole, and in its log?

Four clients create, update and delete sessions and revoke cells; after a number of acknowledgements that a seed
chooses the CAS gets SIGKILL, whatever the others wait for. The next one must hold what was acknowledged, of what
was under way all or nothing, a secret for each of its sessions, and a log that verifies and tells exactly these
changes. CAS_KILL_SEED and CAS_KILL_ROUNDS choose other moments, and more."""

import http.client
import os
import random
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from castest import MEMORY, Cas, Executor, Launcher, alternative, session
from celljob import check, finish, note

SEED, ROUNDS = os.environ.get("CAS_KILL_SEED", "1"), int(os.environ.get("CAS_KILL_ROUNDS", "8"))
CLIENTS, ACKNOWLEDGED_MAX = 4, 150
CREATED, UPDATED, DELETED, REVOKED = 7, 8, 9, 21  # kinds of entries (cas/audit/audit.h)


class Killer:
    """Kills the CAS at the n-th acknowledgement."""

    def __init__(self, cas, n):
        self.cas, self.left, self.lock = cas, n, threading.Lock()

    def acknowledged(self):
        with self.lock:
            self.left -= 1
            if self.left == 0:
                self.cas.process.kill()


class Client(threading.Thread):
    """Names are its own. `sessions`: text and hash of those that are there; `under_way`: what was not answered."""

    def __init__(self, cas, killer, number, turn, before):
        super().__init__()
        self.cas, self.killer, self.number, self.turn = cas, killer, number, turn
        self.random = random.Random(f"{SEED}/{turn}/{number}")
        self.sessions, self.revoked, self.log = before.sessions if before else {}, [], []
        self.under_way, self.strange, self.count = None, [], 0
        self.link = cas.connect(cas.owner)

    def text(self, name, predecessor=None):
        self.count += 1
        extra = f"  - {{name: n{self.turn}-{self.count}, kind: ascii, value: x}}\n"
        return session(name, predecessor=predecessor, secrets=extra)

    def next_change(self):
        """Kind of entry, name, and the request."""
        kind = self.random.choices((CREATED, UPDATED, DELETED, REVOKED), (4, 4, 1, 2))[0]
        if kind == REVOKED:
            what = self.random.randbytes(48).hex()
            return kind, what, ("POST", "/v1/revocations", {"kind": "cell", "what": what, "reason": "test"})
        if kind == CREATED or not self.sessions:
            name = f"s{self.number}-{self.turn}-{self.count}"
            return CREATED, name, ("POST", "/v1/sessions", self.text(name))
        name = self.random.choice(sorted(self.sessions))
        if kind == UPDATED:
            return kind, name, ("POST", "/v1/sessions", self.text(name, self.sessions[name][1]))
        return kind, name, ("DELETE", f"/v1/sessions/{name}", None)

    def apply(self, kind, name, request, hash_):
        self.log.append((kind, name))
        if kind == REVOKED:
            self.revoked.append(name)
        elif kind == DELETED:
            del self.sessions[name]
        else:
            self.sessions[name] = request[2], hash_

    def run(self):
        while True:
            self.under_way = kind, name, request = self.next_change()
            try:
                status, answer = self.cas.ask(*request, link=self.link)
            except (OSError, http.client.HTTPException):
                return
            if status not in (201, 204):
                self.strange.append((request, status, answer))
                return
            self.apply(kind, name, request, answer["hash"] if status == 201 else None)
            self.under_way = None
            self.killer.acknowledged()


def is_there(cas, name):
    """Text and hash, or None."""
    status, text = cas.ask("GET", f"/v1/sessions/{name}", who=cas.owner)
    if status == 404:
        return None
    rows = cas.ask("GET", "/v1/sessions", who=cas.owner)[1]["sessions"]
    return text, next(row["hash"] for row in rows if row["name"] == name)


def settle(cas, client, entries):
    """Of the change that was under way: was it made? Its session is as before or as after, and the log agrees."""
    if not client.under_way:
        return
    kind, name, request = client.under_way
    logged = entries.count((kind, name)) - client.log.count((kind, name))
    before = client.sessions.get(name)
    if kind == REVOKED:
        status, _ = cas.ask("POST", "/v1/revocations", {"kind": "cell", "what": name, "reason": "again"}, cas.owner)
        check((status, logged) in ((204, 0), (409, 1)), f"a revocation under way is made or not: {status}, {logged} entries")
        made = logged
    else:
        now = is_there(cas, name)
        after = None if kind == DELETED else request[2]
        made = (now[0] if now else None) == after
        check(made or now == before, f"the change {kind} of {name}, under way, is made or not")
        check(logged == made, f"and the log says so: {logged} entries, {made}")
    if made:
        client.apply(kind, name, request, None if kind in (DELETED, REVOKED) else is_there(cas, name)[1])


def check_all(cas, clients, everything):
    rows = {row["name"]: row["hash"] for row in cas.ask("GET", "/v1/sessions", who=cas.owner)[1]["sessions"]}
    wanted = {name: hash_ for client in clients for name, (_, hash_) in client.sessions.items()}
    check(rows == wanted, f"all {len(wanted)} sessions have the hash that was acknowledged; not so: {dict(set(rows.items()) ^ set(wanted.items()))}")
    texts = {name: text for client in clients for name, (text, _) in client.sessions.items()}
    wrong = [name for name, text in texts.items() if cas.ask("GET", f"/v1/sessions/{name}", who=cas.owner) != (200, text)]
    check(not wrong, f"and its text; not so: {wrong}")
    lost = [what for what in everything if cas.ask("POST", "/v1/revocations", {"kind": "cell", "what": what, "reason": "x"}, cas.owner)[0] != 409]
    check(not lost, f"all {len(everything)} revocations are there; lost: {lost}")


def check_secrets(cas, clients, launcher, known):
    """Each session has its secret, and the same as ever."""
    for client in clients:
        for name in sorted(client.sessions)[-2:]:
            executor = Executor()
            status, grant = cas.attest(name, "s", launcher.sign(cas.nonce(), executor))
            check(status == 200, f"session {name} gives its secret: {status}")
            [token] = executor.open(grant)["environment"] if status == 200 else [""]
            check(len(token) == len("TOKEN=") + 32 and known.setdefault(name, token) == token, "which is whole, and the one from before")


def entries_of(cas):
    """Of the log: kind, and name of the session or what was revoked; launchers and keys left out."""
    return [(kind, what.get("session") or what.get("revoked")) for kind, _, what in cas.log() if kind in (CREATED, UPDATED, DELETED, REVOKED)]


def play(cas, clients, turn, made_before):
    """A round: the clients, when the CAS was killed; and the log that it left."""
    killer = Killer(cas, random.Random(f"{SEED}/{turn}").randint(1, ACKNOWLEDGED_MAX))
    clients = [Client(cas, killer, i, turn, clients[i] if clients else None) for i in range(CLIENTS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join(timeout=300)
    check(not any(client.is_alive() for client in clients), f"round {turn}: all clients have seen the end")
    strange = [thing for client in clients for thing in client.strange]
    check(not strange, f"no change was refused: {strange[:2]}")
    cas.kill()
    verified = cas.audit(*MEMORY)
    check(verified.returncode == 0 and "the audit log holds" in verified.stdout, f"the log verifies: {verified.stdout.splitlines()[:1]}{verified.stderr}")
    entries = entries_of(cas)
    check(entries[:len(made_before)] == made_before, "and begins with what it was")
    return clients, entries[len(made_before):]


def main():
    launcher, clients, everything, known, log, unanswered = Launcher(), None, [], {}, [], 0
    with Cas("cas", *MEMORY) as cas:
        status, _ = cas.ask("POST", "/v1/las", {"key": launcher.key, "label": "x"}, cas.owner)
        check(status == 204, "a launcher is enrolled")
        for turn in range(ROUNDS):
            clients, entries = play(cas, clients, turn, log)
            unanswered += sum(client.under_way is not None for client in clients)
            cas.start()
            for client in clients:
                settle(cas, client, entries)
                made = [entry for entry in entries if entry in set(client.log)]
                check(made == client.log, f"client {client.number}: the log has its {len(made)} changes, each once, in their order")
                everything += client.revoked
            check(len(entries) == sum(len(client.log) for client in clients), f"the log has these {len(entries)} changes and no others")
            check_all(cas, clients, everything)
            check_secrets(cas, clients, launcher, known)
            check(cas.stop() == 0, "and it ends in order")
            log = entries_of(cas)
            cas.start()
        note(f"{unanswered} changes were under way when it was killed")
        check(unanswered >= ROUNDS, "it was killed while changes were under way")
        cas.stop()
    finish()


main()
