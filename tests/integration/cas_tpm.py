#!/usr/bin/env python3
# as: root
"""From the log of a boot to an accepted job: does a launcher that nobody has enrolled have a session's keys exactly
where a TPM (swtpm) shows the boot that the session pins; not after one more measurement, not with another TPM, not
without one; and again after the machine has booted as it should?

cella run has the TPM vouch by itself. Each job has a launcher's key of its own, for which nothing was said before."""

import json
import os
import re
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
sys.path.insert(0, str(Path(__file__).resolve().parent))
from castest import Cas, cella, good, refused, use
from celljob import REFUSED, SCRATCH, check, finish, needs_secret, skip
from evidence_tpm import Tpm, boot, sha256

needs_secret()
if not shutil.which("swtpm"):
    skip("there is no swtpm")
os.environ["CELLA_CONTEXTS"] = str(SCRATCH / "contexts.json")
PROGRAM = '#include <stdio.h>\n#include <stdlib.h>\nint main(void) { puts(getenv("TOKEN")); return 0; }\n'
SESSION = """name: {name}
version: "0.1"
secrets:
  - name: token
    kind: ascii
    value: what-was-booted-is-right
services:
  - name: s
    command: [p]
    environment: {{TOKEN: $$CELLA::token$$}}
    attestation:
      - cell: {cell}
        memory_level: secret
        machine: {machine}
"""
PROVISIONED = 12  # a kind of entry of the audit log (cas/audit/audit.h)
keys = iter(range(100))


def new_key():
    """A launcher's key that no CAS has seen."""
    os.environ["CELLA_LAS_KEY"] = str(SCRATCH / f"las{next(keys)}.key")
    return good("a key", cella("las", "enrol", "--key-only")).strip()


def job(name, tpm):
    return cella("run", "-q", "--record", SCRATCH / "record.json", "--session", f"{name}/s", SCRATCH / "p.cell", env=tpm.env() if tpm else None)


def accepted(what, name, tpm):
    done = job(name, tpm)
    check((done.returncode, done.stdout) == (0, "what-was-booted-is-right\n"), f"{what}: {done.returncode} {done.stderr[-500:]}")


def not_accepted(what, name, tpm, *words):
    refused(what, job(name, tpm), ["session explain"], REFUSED)
    told = [one["reasons"] for one in json.loads(good("explain", cella("session", "explain", "--json", f"{name}/s")))]
    wrong = [word for word in words if not any(word in reasons for reasons in told[:2])]
    check(not wrong, f"{what}: the owner reads why: {wrong or told[0]}")


def claims(tpm, name):
    good("get", cella("evidence", "get", "--tee", "tpm", "--out", SCRATCH / name, env=tpm.env()))
    shown = json.loads(good("show", cella("evidence", "show", "--tee", "tpm", "--json", "--evidence", SCRATCH / name / "evidence.bin")))
    return {claim["name"]: claim["value"] for claim in shown["claims"]}


def put(name, **requirements):
    path = SCRATCH / f"{name}.yml"
    machine = json.dumps([{"tpm": requirements}])
    path.write_text(SESSION.format(name=name, cell=cell, machine=machine), encoding="ascii")
    remarks = good(f"check {name}", cella("session", "check", path))
    good(f"create {name}", cella("session", "create", path))
    return remarks


(SCRATCH / "p.c").write_text(PROGRAM, encoding="ascii")
good("cc", cella("cc", SCRATCH / "p.c", "-o", SCRATCH / "p.cell"))
cell = json.loads(good("inspect", cella("inspect", "--json", SCRATCH / "p.cell")))["identity"]
machine, other = Tpm(SCRATCH / "tpm").start(), Tpm(SCRATCH / "other").start()
try:
    with Cas() as cas:
        use(cas)
        for tpm in (machine, other):
            boot(tpm)
        right = claims(machine, "right")
        pcrs = {number: right[f"pcr.sha256.{number}"] for number in ("0", "2", "4", "7", "8", "9")}
        remarks = put("pinned", ak_names=[right["ak.name"]], pcrs=pcrs)
        check("leaves open" not in remarks, "a session that pins boot loader, command line and kernel leaves nothing open")
        remarks = put("loose", ak_names=[right["ak.name"]], pcrs={"7": pcrs["7"]})
        check("leaves open what the firmware is" in remarks, "one that does not is remarked")

        key = new_key()
        shown = json.loads(good("show", cella("las", "show", "--json", env=machine.env())))
        check(shown == {"key": key, "machine": "tpm"}, f"the node shows its class: {shown}")
        check(f"machine  tpm, by swtpm:path={machine.path}" in good("show", cella("las", "show", env=machine.env())), "and by which TPM")
        not_accepted("without its TPM", "pinned", None, "machine.tpm.endorsement: wanted one of the launcher's key, by this class",
                     "las: wanted one that is enrolled, or whose hardware shows")
        accepted("with it, though nobody enrolled the launcher", "pinned", machine)
        record = json.loads((SCRATCH / "record.json").read_text(encoding="utf-8"))
        check(record["machine"] == "tpm", f"which stands in the job's record: {record['machine']}")
        accepted("and once more, by what was said", "pinned", None)
        endorsed = json.loads(good("endorsed", cella("las", "endorsed", "--json")))
        check([(one["las"], one["tee"], one["enrolled"]) for one in endorsed] == [(key, "tpm", False)], f"the owner sees it: {endorsed}")
        not_accepted("for a session that leaves open what runs", "loose", machine, "las: wanted one that is enrolled")
        good("by hand", cella("las", "endorse", "--session", "pinned/s", env=machine.env()))

        new_key()
        not_accepted("another TPM that booted the same", "pinned", other, "machine.tpm.ak.binding: wanted")
        new_key()
        accepted("the control: a new key beside the right one", "pinned", machine)

        new_key()
        machine.extend(8, sha256(b"init=/bin/sh"))
        changed = claims(machine, "changed")["pcr.sha256.8"]
        not_accepted("one more measurement", "pinned", machine, f"machine.tpm.pcr.sha256.8: wanted {pcrs['8']}, found {changed}")
        good("enrolled", cella("las", "enrol"))
        not_accepted("nor does enrolment help", "pinned", machine, "machine.tpm.pcr.sha256.8: wanted")

        machine.stop()
        machine.start()
        boot(machine)
        new_key()
        accepted("booted as it should", "pinned", machine)
        log = good("audit", cella("cas", "audit", "--list"))
        check(len(re.findall(r"endorsed", log)) >= 3, f"the audit log has each endorsement: {log[-600:]}")
        check(cas.stop() == 0, "the CAS ends in order")
        granted = [what for kind, _, what in cas.log() if kind == PROVISIONED]
        check([what["machine"] for what in granted] == ["tpm"] * 4, f"and of each grant what vouched for the machine: {granted}")
finally:
    machine.stop()
    other.stop()
finish()
