#!/usr/bin/env python3
# as: root
"""Is docs/reference/cas-api.json what the CAS answers?

Its methods, paths, and whether a certificate is needed are those of the tables in src/cas/api.c and kbs/api.c, and a started
CAS answers each route, with an owner's certificate, without one, with a malformed body, by a status that is
documented by number, and by the documented type of content. What it answers in JSON is what the document's schema says,
with no member more; and of bodies it takes that which the schema describes, and none with a mistake in it."""

import base64
import hashlib
import http.client
import json
import re
import ssl
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from celljob import CELLA, SCRATCH, SOURCE, check, finish, needs_secret
from schema import mistakes, open_objects, wrong

ROW = re.compile(r'^\t\{"([A-Z]+)", "([^"]+)", \w+, (?:true|false), (true|false), \w+, NULL\},$', re.M)
SESSION = 'name: probe\nversion: "0.1"\nservices:\n  - name: s\n    command: [x]\n    attestation:\n      - cell: ' \
          + "00" * 48 + "\naccess_policy:\n  read: CREATOR\n  update: CREATOR\n"
GUESTS = ("/kbs/", "/v1/guests/")  # whose protocol is others': members may be added, and mistakes are 401
OPEN = {"Problem", ".entries[].what"}  # as RFC 9457 lets it; and what the audit log says, by its kind
EVIDENCE = ("/v1/attest", "/v1/lease", "/v1/keeper", "/v1/keeper/renewal", "/kbs/v0/attest")  # which is the credential
TABLES = {"api.c": "static const struct https_route table[]", "kbs/api.c": "const struct https_route kbs_routes[]"}
RESOURCE = "/kbs/v0/resource/{repository}/{type}/{tag}"  # there is none
KEY = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"  # of RFC 8032: a launcher's is examined
BODIES = {
    "/v1/attest": {"session": "probe", "service": "s", "evidence": "none"},
    "/v1/lease": {"session": "probe", "service": "s", "evidence": "none", "keep": "AA"},
    "/v1/keeper": {"session": "probe", "service": "s", "evidence": "none", "question": "AA"},
    "/v1/keeper/renewal": {"session": "probe", "service": "s", "evidence": "none"},
    "/v1/sessions": SESSION,
    "/v1/sessions/{session}/volumes/{volume}": {"id": "00" * 16, "root": "00" * 64, "keys": []},
    "/v1/las": {"key": KEY, "label": "probe"},
    "/v1/endorsements": {"session": "", "service": "", "endorsement": "AA"},
    "/v1/owners": {"key": KEY, "label": "probe"},
    "/kbs/v0/auth": {"version": "0.4.0", "tee": "snp", "extra-params": {}},
    "/kbs/v0/attest": {"tee-evidence": {}},
    RESOURCE: "secret",
    "/v1/revocations": {"kind": "cell", "what": "11" * 48, "reason": "probe"},
}


DOCUMENT = json.loads((SOURCE / "docs/reference/cas-api.json").read_text(encoding="utf-8"))


def documented():
    return {(method.upper(), path): operation
            for path, operations in DOCUMENT["paths"].items() for method, operation in operations.items()}


def schemas(operation):
    """Of what is sent and what is answered in JSON."""
    shapes = [operation.get("requestBody", {}), *operation["responses"].values()]
    return [kind["schema"] for shape in shapes for name, kind in shape.get("content", {}).items() if "json" in name]


def check_schemas(routes):
    found = {place for (_, path), operation in routes.items() if not path.startswith(GUESTS) for schema in schemas(operation)
             for place in open_objects(schema, DOCUMENT)}
    check(found == OPEN, f"members that no schema names may be nowhere but where they must: {found}")


def check_table(routes):
    rows = {}
    for name, begin in TABLES.items():
        source = (SOURCE / "src/cas" / name).read_text(encoding="utf-8")
        table = source[source.index(begin):]
        table = table[:table.index("\n};")]
        found = {(method, path): needs == "true" for method, path, needs in ROW.findall(table)}
        check(len(found) == table.count("\n\t{"), f"every row of the table of {name} is understood")
        rows.update(found)
    check(rows == {route: bool(operation["security"]) for route, operation in routes.items()},
          f"table and document are the same; in one alone: {sorted(set(rows) ^ set(routes))}")


def ask(port, method, path, body, credential):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if credential:
        context.load_cert_chain(credential)
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=300)
    kind = "application/yaml" if path == "/v1/sessions" else "application/json"
    connection.request(method, path, body, {"Content-Type": kind} if body else {})
    answer = connection.getresponse()
    content, text = answer.getheader("Content-Type", "").split(";")[0], answer.read()
    connection.close()
    return answer.status, content, text


def check_answer(route, operation, answer, how):
    status, content, text = answer
    shape = operation["responses"].get(str(status))
    check(shape is not None, f"{route} {how} answers {status}, which is documented: {text[:200]!r}")
    if shape:
        wanted = shape.get("content", {"": None})
        check(content in wanted, f"{route} {how} answers {content!r}, of {set(wanted)}")
        if "json" in content and content in wanted:
            schema, value = wanted[content]["schema"], json.loads(text)
            found = mistakes(schema, value, DOCUMENT, "the answer")
            check(not found, f"{route} {how} answers what its schema says: {found}")
            check("problem" in content or mistakes(schema, {**value, "no_such_member": 1}, DOCUMENT), f"{route} {how}: with a member more it would not")
    return status


def check_bodies(port, route, path, operation, credential):
    """The document and the CAS agree on which bodies there are."""
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    body = BODIES[route[1]]
    check(not mistakes(schema, body, DOCUMENT), f"{route}: the schema accepts the body: {mistakes(schema, body, DOCUMENT)}")
    for changed, what in wrong(schema, body, DOCUMENT):
        status = check_answer(route, operation, ask(port, route[0], path, json.dumps(changed), credential), f"with {what}")
        check(mistakes(schema, changed, DOCUMENT) and status == 400, f"{route} with {what}: {status}, and the schema refuses it")


def check_answers(port, routes, credential):
    # A certificate is collateral, whosever it is.
    certificate = re.search(r"-----BEGIN CERTIFICATE-----.*", Path(credential).read_text(encoding="ascii"), re.S)[0].encode()
    encoded = base64.urlsafe_b64encode(certificate).decode().rstrip("=")
    BODIES["/v1/collateral"] = {"tee": "snp", "label": "probe", "data": encoded}
    # What removes comes last, the longest path first.
    for route, operation in sorted(routes.items(), key=lambda r: (r[0][0] == "DELETE", r[0][0] == "GET", r[0])):
        method, pattern = route
        path = pattern.replace("{session}", "probe").replace("{service}", "s").replace("{volume}", "v")
        path = path.replace("{key}", KEY).replace("{tee}", "snp")
        path = path.replace("{hash}", hashlib.sha384(certificate).hexdigest())
        path = path.replace("{repository}", "probe").replace("{type}", "t").replace("{tag}", "s")
        body = BODIES.get(pattern) if method in ("POST", "PUT") else None
        body = json.dumps(body) if isinstance(body, dict) else body
        status = check_answer(route, operation, ask(port, method, path, body, None), "without a certificate")
        check((status == 403) == bool(operation["security"]) or pattern in EVIDENCE,
              f"{route} answers {status} without a certificate: 403 where one is needed, and only there")
        if body:
            status = check_answer(route, operation, ask(port, method, path, "{", credential), "with half a body")
            check(400 <= status < 500, f"{route} answers {status} to half a body")
            if isinstance(BODIES[pattern], dict) and not pattern.startswith(GUESTS):
                check_bodies(port, route, path, operation, credential)
        status = check_answer(route, operation, ask(port, method, path, body, credential), "with a certificate")
        refused = pattern in (*EVIDENCE, RESOURCE) or "{volume}" in pattern or "{secret}" in pattern or route == ("POST", "/v1/endorsements")
        check((status >= 400) == refused, f"{route} answers {status} to an owner")


def main():
    needs_secret()
    routes = documented()
    check_table(routes)
    check_schemas(routes)
    directory = SCRATCH / "cas"
    with subprocess.Popen([CELLA, "cas", "--dir", directory, "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE,
                          text=True) as cas:
        try:
            port = re.fullmatch(r"listening on port (\d+)\n", cas.stdout.readline())
            check(port is not None, "it says its port")
            if port:
                cas.stdout.readline()
                cas.stdout.readline()
                check_answers(int(port[1]), routes, f"{directory}.owner.pem")
        finally:
            cas.terminate()
    finish()


main()
