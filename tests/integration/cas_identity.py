#!/usr/bin/env python3
# as: root user
"""Is a cell, by the certificate that a CAS gave it, who it says it is, to the CAS and to others, and is nobody else?

Executors are tests/attacks/evidence_kit; what they have is used by Python's own TLS and by OpenSSL's tool. Each attack
stands beside the same without it, which is accepted. Other times than now are unit/cas_identity's, which has a clock of
its own; here OpenSSL's tool is told one. At the end a real job finds its files, which name its session and service."""

import http.client
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import memscan
from castest import (DENIED, KIT, MEMORY, NOT_FOR_THIS_KEY, REFUSED, Cas, Executor, Launcher, alternative, cella, good, kit, refused,
                     scalar_of, session, stolen, use)
from celljob import SCRATCH, SOURCE, Job, build_cell, check, finish, has_secret, skip_part
from schema import mistakes

IDENTITY = "    identity: /identity\n"
READERS = '  read: [CREATOR, "cella://a/s"]\n  update: CREATOR\n'
CERTIFIED, PROVISIONED = 22, 12
LOOKED = ("/proc/PID/mem", "process_vm_readv")
PROGRAM = r"""
#include <stdio.h>
int main(void)
{
	static const char *const names[] = {"key.pem", "cert.pem", "ca.pem"};
	char path[64], line[128];
	for (int i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "/identity/%s", names[i]);
		FILE *f = fopen(path, "r");
		if (!f)
			return 1;
		while (fgets(line, sizeof(line), f))
			fputs(line, stdout);
		fclose(f);
	}
	fflush(stdout);
	getchar(); /* root looks meanwhile */
	return 0;
}
"""


TASKS = r"""
#include <cella/task.h>
#include <stdio.h>
#include <string.h>
static void read_certificate(char *to, size_t size)
{
	FILE *f = fopen("/identity/cert.pem", "r");
	size_t got = f ? fread(to, 1, size - 1, f) : 0;
	to[got] = 0;
	if (f)
		fclose(f);
}
CELLA_TASK(show, CELLA_OUT(char, text, n), CELLA_VALUE(size_t, n))
{
	read_certificate(text, n);
}
int main(void)
{
	static char theirs[4096], mine[4096];
	show(theirs, sizeof(theirs));
	read_certificate(mine, sizeof(mine));
	cella_wait_on(theirs);
	printf("%s%s", mine, theirs);
	return 0;
}
"""


class Cell:
    """An executor with a grant, and the certificate that it asked for."""

    def __init__(self, cas, launcher, name="a", service="s", **claims):
        self.cas, self.name, self.service = cas, name, service
        self.path = Path(tempfile.mkdtemp(dir=SCRATCH)) / "cell.pem"
        self.ca = self.path.with_name("ca.pem")
        executor = Executor()
        self.evidence = launcher.sign(cas.nonce(), executor, **claims)
        status, grant = cas.attest(name, service, self.evidence)
        check(status == 200, f"{name}/{service} is granted: {status} {grant[:200]}")
        self.grant = executor.open(grant)
        self.number = 0

    def ask(self, path, **others):
        """A question for a certificate, its number, and what came: status, answer."""
        number, self.number = self.number, self.number + 1
        question = kit("certify", self.grant["data_key"], number, path)[0]
        return question, number, self.send(question, **others)

    def send(self, question, **others):
        status, answer = self.cas.ask("POST", "/v1/keeper", {"session": self.name, "service": self.service, "evidence": self.evidence,
                                                             "question": question, **others})
        return status, answer["answer"] if status == 200 else answer["detail"]

    def open(self, answer, number, path):
        return subprocess.run([KIT, "certified", self.grant["data_key"], str(number), answer, path, self.ca], capture_output=True,
                              check=False, timeout=300).returncode

    def certify(self):
        _, number, (status, answer) = self.ask(self.path)
        check(status == 200 and self.open(answer, number, self.path) == 0, f"{self.name}/{self.service} is certified: {status} {answer[:200]}")
        return self

    @property
    def serial(self):
        return openssl("x509", "-in", self.path, "-noout", "-serial").stdout.strip().partition("=")[2].lower()

    def secret(self, session_name="a", secret="token", link=None):
        return self.cas.ask("GET", f"/v1/sessions/{session_name}/secrets/{secret}", who=self.path, link=link)

    @property
    def token(self):
        return self.grant["environment"][0].partition("=")[2]


def openssl(*words, text=""):
    return subprocess.run(["openssl", *map(str, words)], capture_output=True, text=True, check=False, timeout=300, input=text)


def denied(what, answer, words=(), status=403):
    check(answer[0] == status and all(word in answer[1].get("detail", "") for word in words), f"denied: {what}: {answer}")


def no_connection(what, cas, who, version=ssl.TLSVersion.TLSv1_3):
    """TLS 1.3 lets a client finish first: the refusal arrives when it reads."""
    try:
        link = http.client.HTTPSConnection("127.0.0.1", cas.port, context=cas.context(who, version), timeout=300)
        link.request("GET", "/v1/status")
        status = link.getresponse().status
        check(False, f"refused in TLS: {what}: it answers {status}")
    except (ssl.SSLError, ConnectionError) as error:
        check(True, f"refused in TLS: {what}: {error}")


# ---- what it is


def the_certificate(cell):
    shown = openssl("x509", "-in", cell.path, "-noout", "-text").stdout
    check("URI:cella://a/s" in shown and shown.count("URI:") == 1 and "DNS:" not in shown, "it bears the name of its session and service alone")
    check("TLS Web Server Authentication, TLS Web Client Authentication" in shown and "CA:FALSE" in shown, "for servers and clients, no CA")
    ends = time.mktime(time.strptime(re.search(r"Not After : (.*) GMT", shown)[1], "%b %d %H:%M:%S %Y")) - time.timezone
    check(3400 < ends - time.time() <= 3600, f"it lives for an hour: {ends - time.time():.0f} s")
    key, public = openssl("pkey", "-in", cell.path, "-pubout").stdout, openssl("x509", "-in", cell.path, "-noout", "-pubkey").stdout
    check(key == public and "BEGIN PUBLIC KEY" in key, "it is for the executor's key")
    check(cell.ca.read_text() == good("cella cas ca", cella("cas", "ca")), "cella cas ca shows the CA that the cell has")


def verified(cell, *more):
    """By OpenSSL's tool, which knows nothing of Cella."""
    done = openssl("verify", "-x509_strict", "-CAfile", cell.ca, *more, cell.path)
    return done.returncode == 0, (done.stdout + done.stderr).strip()


def other_times(cell):
    now = int(time.time())
    check(verified(cell)[0], f"OpenSSL accepts it now: {verified(cell)}")
    check(verified(cell, "-attime", now + 3500)[0], "near its end, too")
    for what, at in (("an hour later", now + 3601), ("a day later", now + 86400), ("a day before", now - 86400)):
        check(not verified(cell, "-attime", at)[0], f"{what} it is refused: {verified(cell, '-attime', at)[1][-120:]}")


# ---- to others: TLS between two cells


def serve_once(server, context, told):
    try:
        with context.wrap_socket(server.accept()[0], server_side=True) as link:
            told.append([name for kind, name in link.getpeercert().get("subjectAltName", ()) if kind == "URI"])
            link.sendall(b"hello")
    except (ssl.SSLError, OSError) as error:
        told.append(error)


def shake_hands(server_cell, client, ca, version=ssl.TLSVersion.TLSv1_3, crl=None):
    """What the server was told of the client's name, or why it refused; what the client read, or why it did not."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(ca)
    context.load_cert_chain(server_cell.path)
    if crl:
        context.load_verify_locations(crl)
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    mine = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    mine.check_hostname = False
    mine.minimum_version = mine.maximum_version = version
    mine.load_verify_locations(ca)
    mine.load_cert_chain(client)
    told = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve_once, args=(server, context, told))
        thread.start()
        try:
            with mine.wrap_socket(socket.create_connection(server.getsockname(), timeout=300)) as link:
                read = link.recv(100)
        except (ssl.SSLError, OSError) as error:
            read = error
        thread.join(timeout=300)
    return told[0], read


def two_cells(cas, launcher, cell, other_cas_cell):
    peer = Cell(cas, launcher, "a", "t").certify()
    check(shake_hands(peer, cell.path, cell.ca) == (["cella://a/s"], b"hello"), "two cells shake hands, and each knows the other's name")
    thief = stolen("thief", cell.path, scalar_of(peer.path.read_text(encoding="ascii")))
    for what, client, version in (("a stolen certificate with another key", thief, ssl.TLSVersion.TLSv1_3),
                                  ("a certificate of another CAS", other_cas_cell.path, ssl.TLSVersion.TLSv1_3),
                                  ("TLS 1.2", cell.path, ssl.TLSVersion.TLSv1_2)):
        told, read = shake_hands(peer, client, cell.ca, version)
        check(isinstance(told, Exception) and read != b"hello", f"refused by another cell: {what}: {told}")
    return peer


# ---- to the CAS


def reading(cas, cell, peer, launcher):
    check(cell.secret() == (200, cell.token) and len(cell.token) == 32, f"it reads the secret that the CAS generated: {cell.secret()}")
    status, text = cas.ask("GET", "/v1/sessions/a", who=cell.path)
    check(status == 200 and "name: a" in text, f"it reads the session that names it: {status}")
    names = {row["name"] for row in cas.ask("GET", "/v1/sessions", who=cell.path)[1]["sessions"]}
    check(names == {"a", "open"}, f"its list has that session, and what anybody reads: {names}")
    denied("the owner, who may read the session, reads a secret", cas.ask("GET", "/v1/sessions/a/secrets/token", who=cas.owner),
           ["secrets of the session a are read by cells"])
    denied("another service of the session", peer.secret())
    denied("no certificate", cas.ask("GET", "/v1/sessions/a/secrets/token"))
    denied("a secret of a session that does not name it", cell.secret("b"))
    denied("one that is not there", cell.secret(secret="nothing"), ["no secret nothing of its own"], 404)
    denied("one that is imported", cell.secret(secret="theirs"), ["no secret theirs of its own"], 404)
    check(Cell(cas, launcher, "b", "s").certify().secret("b")[0] == 403, "a session that names nobody shows its secrets to no cell of its own")
    anybody = Cell(cas, launcher, "open", "s").certify()
    check(cas.ask("GET", "/v1/sessions/open", who=anybody.path)[0] == 200, "where anybody reads, a cell does,")
    denied("but not secrets", anybody.secret("open"))


def more_than_reading(cas, cell):
    volume = {"id": "00" * 16, "root": "01" + "00" * 63, "keys": []}
    hash_ = json.loads(good("hash", cella("session", "calculate-hash", "--json", "-", text=cas.ask("GET", "/v1/sessions/a", who=cas.owner)[1])))["hash"]
    for what, method, path, body in (
            ("updates it", "POST", "/v1/sessions", session("a", predecessor=hash_)),
            ("deletes it", "DELETE", "/v1/sessions/a", None),
            ("hands over a volume", "PUT", "/v1/sessions/a/volumes/v", volume),
            ("updates one that anybody may", "POST", "/v1/sessions", session("open", predecessor="00" * 48)),
            ("creates one where anybody may", "POST", "/v1/sessions", session("open/below/x")),
            ("creates one", "POST", "/v1/sessions", session("mine")),
            ("enrols a launcher", "POST", "/v1/las", {"key": Launcher().key, "label": "x"}),
            ("lets in an owner", "POST", "/v1/owners", {"key": "11" * 32, "label": "x"}),
            ("revokes", "POST", "/v1/revocations", {"kind": "cell", "what": "66" * 48, "reason": "x"}),
            ("lists certificates", "GET", "/v1/identity/certificates", None),
            ("lists owners", "GET", "/v1/owners", None)):
        denied(f"a cell {what}", cas.ask(method, path, body, cell.path))


def forgeries(cas, cell, peer, foreign):
    no_connection("a stolen certificate with another key", cas, stolen("thief2", cell.path, scalar_of(peer.path.read_text(encoding="ascii"))))
    no_connection("the same name by another CAS", cas, foreign.path)
    no_connection("TLS 1.2", cas, cell.path, ssl.TLSVersion.TLSv1_2)
    made = SCRATCH / "self.pem"
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", made, "-out", SCRATCH / "self.crt",
            "-subj", "/CN=s", "-days", "1", "-addext", "subjectAltName=URI:cella://a/s", "-addext", "extendedKeyUsage=clientAuth",
            "-addext", "keyUsage=digitalSignature", "-addext", "basicConstraints=critical,CA:FALSE")
    made.write_text(made.read_text() + (SCRATCH / "self.crt").read_text())
    check(cas.ask("GET", "/v1/status", who=made)[0] == 200, "a certificate that its own key has signed is a key to the CAS,")
    denied("and no cell, whatever name it bears", cas.ask("GET", "/v1/sessions/a/secrets/token", who=made))
    below = SCRATCH / "below.pem"
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", below, "-out", SCRATCH / "below.csr", "-subj", "/CN=s")
    (SCRATCH / "ext").write_text("subjectAltName=URI:cella://a/s\nextendedKeyUsage=clientAuth\nkeyUsage=digitalSignature\n")
    done = openssl("x509", "-req", "-in", SCRATCH / "below.csr", "-CA", cell.path, "-CAkey", cell.path, "-set_serial", "7", "-days", "1",
                   "-extfile", SCRATCH / "ext", "-out", SCRATCH / "below.crt")
    check(done.returncode == 0, f"a cell signs a certificate: {done.stderr}")
    text = cell.path.read_text()
    below.write_text(below.read_text() + (SCRATCH / "below.crt").read_text() + text[text.index("-----BEGIN CERTIFICATE"):])
    no_connection("a certificate that a cell has signed", cas, below)


def questions(cas, launcher, cell):
    question, number, (status, answer) = cell.ask(cell.path.with_name("one.pem"))
    check(status == 200 and cell.open(answer, number, cell.path.with_name("one.pem")) == 0, "a further question is answered")
    check(cell.send(question)[0] == 403, "the same once more is not")
    other = Cell(cas, launcher)
    question, number, (status, answer) = cell.ask(cell.path.with_name("two.pem"), service="t")
    check(status == 403, f"for another service it is refused: {status} {answer}")
    check(cell.ask(cell.path.with_name("three.pem"), evidence=other.evidence)[2][0] == 403, "with another executor's evidence, too")
    _, number, (status, answer) = cell.ask(cell.path.with_name("four.pem"))
    check(status == 200 and other.open(answer, number, SCRATCH / "none") == NOT_FOR_THIS_KEY, "and another executor cannot read the answer")
    plain = Cell(cas, launcher, "a", "plain")
    check(plain.ask(plain.path)[2][0] == 403, "a service without an identity has none")


# ---- revoked


def crl(cas):
    path = SCRATCH / "crl.pem"
    with subprocess.Popen(["openssl", "crl", "-inform", "DER", "-out", path], stdin=subprocess.PIPE) as tool:
        link = cas.connect()
        link.request("GET", "/v1/identity/crl")
        answer = link.getresponse()
        check(answer.status == 200 and answer.getheader("Content-Type") == "application/pkix-crl", "the list is there for anybody")
        tool.communicate(answer.read())
        link.close()
    return path


def revoked_certificate(cas, launcher, cell, peer):
    gone = Cell(cas, launcher).certify()
    link = cas.connect(gone.path)
    check(gone.secret(link=link)[0] == 200, "before it is revoked it reads")
    both = SCRATCH / "ca_and_crl.pem"
    listed = crl(cas)
    both.write_text(cell.ca.read_text() + listed.read_text())
    check(verified(gone, "-crl_check", "-CRLfile", listed)[0], f"the list does not have it: {verified(gone, '-crl_check', '-CRLfile', listed)}")
    check(shake_hands(peer, gone.path, cell.ca, crl=listed)[1] == b"hello", "another cell that reads the list believes it")
    use(cas)
    shown = good("certificates", cella("cas", "certificates"))
    check(re.search(rf"^{gone.serial}  until \S+Z  cella://a/s$", shown, re.M), f"its serial number is told: {shown[-300:]}")
    logged = good("audit", cella("cas", "audit", "--list"))
    check(re.search(rf"  certified  .*  serial {gone.serial}  until 20\d\d-\S+Z$", logged, re.M), f"and in the log, with the time of its end: {logged[-300:]}")
    document = json.loads((SOURCE / "docs/reference/cas-api.json").read_text(encoding="utf-8"))
    shape = document["paths"]["/v1/identity/certificates"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    found = mistakes(shape, cas.ask("GET", "/v1/identity/certificates", who=cas.owner)[1], document)
    check(not found, f"as the document has it: {found}")
    refused("a serial number that is none's", cella("cas", "revoke", "certificate", "41" * 16), ["no certificate of this serial number"])
    good("revoke", cella("cas", "revoke", "certificate", gone.serial, "--reason", "test"))
    denied("revoked, on the connection that it has", gone.secret(link=link), ["no owner's of this CAS"])
    denied("and on another", gone.secret())
    check(cas.ask("GET", "/v1/sessions", who=gone.path)[1]["sessions"] == [], "its list is empty")
    listed = crl(cas)
    check("revoked" in verified(gone, "-crl_check", "-CRLfile", listed)[1], f"the list has it: {verified(gone, '-crl_check', '-CRLfile', listed)[1]}")
    check(verified(cell, "-crl_check", "-CRLfile", listed)[0], "and not another one")
    told, read = shake_hands(peer, gone.path, cell.ca, crl=listed)
    check(isinstance(told, Exception) and "revoked" in str(told) and read != b"hello", f"another cell that reads it refuses: {told}")
    check(shake_hands(peer, gone.path, cell.ca)[1] == b"hello", "one that does not believes it: until its hour is over")
    check("revoked" in good("certificates", cella("cas", "certificates")).split(gone.serial)[1].splitlines()[0], "and it is shown as revoked")
    check(cell.secret()[0] == 200, "another certificate of the same cell is as good as before")


def revoked_cell(cas, launcher):
    bad = "a7" * 48
    cell = Cell(cas, launcher, "two", cell=bad).certify()
    check(cell.secret("two")[0] == 200, "a cell before it is revoked")
    status, _ = cas.ask("POST", "/v1/revocations", {"kind": "cell", "what": bad, "reason": "test"}, cas.owner)
    check(status == 204, "the cell is revoked")
    denied("its certificate at the CAS", cell.secret("two"))
    check(cell.ask(cell.path.with_name("again.pem"))[2][0] == 403, "and it gets no further one")
    check("cell: wanted one that is not revoked" in cas.reasons("two", "s")[0], "which its owner sees")
    check("revoked" in verified(cell, "-crl_check", "-CRLfile", crl(cas))[1], "the list has what it was given")


# ---- all of it


def put(cas, text):
    status, answer = cas.ask("POST", "/v1/sessions", text, cas.owner)
    check(status == 201, f"a session is put: {status} {answer}")


def begin(cas, launcher):
    cas.ask("POST", "/v1/las", {"key": launcher.key, "label": "here"}, cas.owner)
    put(cas, session("giver", secrets="  - {name: shared, kind: ascii, size: 24, export: [a]}\n"))
    put(cas, session("a", {"s": alternative() + IDENTITY, "t": alternative() + IDENTITY, "plain": alternative()}, access=READERS,
                     secrets="  - {name: theirs, kind: ascii, import: {session: giver, name: shared}}\n"))
    put(cas, session("b", {"s": alternative() + IDENTITY}))
    put(cas, session("open", {"s": alternative() + IDENTITY}, more="namespaces: [below]\n", access="  read: ANY\n  update: ANY\n  create: ANY\n"))
    put(cas, session("two", {"s": alternative("a7" * 48) + IDENTITY}, access=READERS.replace("cella://a/s", "cella://two/s")))


def rotation(cas, cell, launcher):
    check(cas.stop() == 0, "the CAS ends in order")
    cas.start()
    check(cell.secret()[0] == 200, "started again it knows its cells")
    check(cas.stop() == 0, "the CAS ends in order")
    log = cas.log()
    serials = {what.get("serial") for kind, _, what in log if kind == CERTIFIED}
    check(cell.serial in serials, "the log says what was certified,")
    check(any(kind == PROVISIONED and what.get("secret") == "token" and what.get("cell") == "cella://a/s" for kind, _, what in log),
          "and which cell has read which secret")
    check(any(kind == DENIED for kind, _, _ in log) and any(kind == REFUSED for kind, _, _ in log), "and what was denied and refused")
    good("rotate", cella("cas", "rotate", "--dir", cas.directory, *MEMORY))
    cas.start()
    no_connection("a certificate from before a rotation", cas, cell.path)
    again = Cell(cas, launcher).certify()
    check(again.secret() == (200, cell.token), "one from after it is accepted, and the secret is the same")
    check(again.ca.read_text() != cell.ca.read_text(), "it is another CA's")


def job_with_tasks(cas):
    source = SCRATCH / "tasks.c"
    source.write_text(TASKS, encoding="ascii")
    cell = build_cell(source)
    identity = json.loads(good("inspect", cella("inspect", "--json", cell)))["identity"]
    put(cas, session("ward/tasks", {"show": alternative(identity) + IDENTITY}))
    printed = good("a job with tasks", cella("run", "-q", "--session", "ward/tasks/show", cell))
    found = re.findall(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", printed, re.S)
    shown = [openssl("x509", "-noout", "-ext", "subjectAltName", "-pubkey", text=text).stdout for text in found]
    check(len(found) == 2 and all("URI:cella://ward/tasks/show" in text for text in shown), f"program and task have certificates of one name: {printed[-300:]}")
    check(len(set(shown)) == 2, "and each executor a key of its own")


def key_in_memory(level, *options):
    """Root looks for a line of the private key in all processes of a job but the owner's command line: where it is."""
    with Job(["-q", *options, "--session", "ward/real/show", SCRATCH / "identity.cell"], text=True) as job:
        lines = []
        while not lines or not lines[-1].startswith("-----END PRIVATE"):
            lines.append(job.line())
            if not lines[-1]:
                break
        check(len(lines) > 3, f"{level}: a job waits with its key: {lines[:1]}")
        marker = lines[2].strip().encode()
        found = {name for pid, name in job.processes().items() for way in LOOKED if memscan.WAYS[way](pid, marker)}
        output, log = job.end(input="\n")
        check(job.status == 0, f"{level}: it ends well: {log[-200:]} {output[-60:]}")
    return found


def real_job(cas):
    os.environ["CELLA_LAS_KEY"] = str(SCRATCH / "las.key")
    use(cas)
    good("enrol", cella("las", "enrol"))
    source = SCRATCH / "identity.c"
    source.write_text(PROGRAM, encoding="ascii")
    cell = build_cell(source)
    identity = json.loads(good("inspect", cella("inspect", "--json", cell)))["identity"]
    put(cas, session("ward/real", {"show": alternative(identity, memory_level="insecure-none") + IDENTITY}))
    printed = good("a job", cella("run", "-q", "--session", "ward/real/show", cell))
    pem = SCRATCH / "real.pem"
    pem.write_text(printed, encoding="ascii")
    key, public = openssl("pkey", "-in", pem, "-pubout").stdout, openssl("x509", "-in", pem, "-noout", "-pubkey").stdout
    check(key == public and "BEGIN PUBLIC KEY" in key, "a cell finds its key and the certificate of it")
    ca = SCRATCH / "real.ca"
    ca.write_text(good("ca", cella("cas", "ca")), encoding="ascii")
    check(printed.endswith(ca.read_text()), "and the CA that everybody is shown")
    check("URI:cella://ward/real/show" in openssl("x509", "-in", pem, "-noout", "-text").stdout, "by its name")
    check(openssl("verify", "-x509_strict", "-CAfile", ca, pem).returncode == 0, "which OpenSSL accepts")
    other = good("another job", cella("run", "-q", "--session", "ward/real/show", cell))
    job_with_tasks(cas)
    bare = key_in_memory("insecure-none", "--insecure-memory-none")
    check("cella-cell" in bare, f"insecure-none: root finds the key in the executor (positive control): {bare}")
    kept = key_in_memory("secret")
    check(not kept, f"secret: and here in no process of the job: {kept}")
    check(printed.split("-----END PRIVATE")[0] != other.split("-----END PRIVATE")[0], "another executor has another key")


def main():
    os.environ["CELLA_CONTEXTS"] = str(SCRATCH / "contexts.json")
    if not shutil.which("openssl"):
        check(False, "openssl is there")
    launcher = Launcher()
    with Cas("cas", *MEMORY) as cas, Cas("other", *MEMORY) as foreign:
        for each in (cas, foreign):
            begin(each, launcher)
        use(cas)
        cell, stranger = Cell(cas, launcher).certify(), Cell(foreign, launcher).certify()
        the_certificate(cell)
        other_times(cell)
        peer = two_cells(cas, launcher, cell, stranger)
        reading(cas, cell, peer, launcher)
        check(stranger.secret()[0] == 200, "the other CAS knows its own cell")
        more_than_reading(cas, cell)
        forgeries(cas, cell, peer, stranger)
        questions(cas, launcher, cell)
        revoked_certificate(cas, launcher, cell, peer)
        revoked_cell(cas, launcher)
        rotation(cas, cell, launcher)
        if os.geteuid() == 0 and has_secret()[0]:
            real_job(cas)
        else:
            skip_part("job", "it locks more memory than this user may")
    finish()


main()
