#!/usr/bin/env python3
# as: root
"""Do the programs carry what hardware says of a machine: collateral that owners add, with the day on which it ends;
sessions that pin what must run; endorsements, of which the CAS believes none that is not over the launcher's key and
its nonce, however genuine; and what a node without such hardware is told?

The evidence is recorded, of a real processor (../shared/data/attestation/snp): all of it holds but that binding."""

import base64
import json
import os
import struct
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from castest import Cas, Launcher, cella, good, refused, use
from celljob import SCRATCH, SOURCE, USAGE, check, finish, needs_secret, skip_part

needs_secret()
os.environ["CELLA_CONTEXTS"] = str(SCRATCH / "contexts.json")
os.environ["CELLA_LAS_KEY"] = str(SCRATCH / "las.key")
DATA = SOURCE.resolve() / "../shared/data/attestation/snp"
MEASUREMENT = slice(0x90, 0xc0)
HARDWARE = any(Path(path).exists() for path in ("/dev/sev-guest", "/dev/tdx_guest", "/dev/attestation/quote"))
SESSION = """name: {name}
version: "0.1"
services:
  - name: s
    command: [x]
    attestation:
      - machine: {machine}
        memory_level: secret
"""


def put(name, machine):
    path = SCRATCH / f"{name}.yml"
    path.write_text(SESSION.format(name=name, machine=machine), encoding="ascii")
    return good(f"check {name}", cella("session", "check", path)), good(f"create {name}", cella("session", "create", path))


def sign(launcher, data):
    """Ed25519, by OpenSSL's command."""
    key, text = SCRATCH / "signing.der", SCRATCH / "signed"
    key.write_bytes(bytes.fromhex("302e020100300506032b657004220420" + launcher.private))
    text.write_bytes(b"cella launcher endorsement 1\0" + data)
    return subprocess.run(["openssl", "pkeyutl", "-sign", "-rawin", "-keyform", "DER", "-inkey", key, "-in", text],
                          capture_output=True, check=True, timeout=300).stdout


def endorsement(launcher, nonce, evidence, certs):
    def blob(data):
        return struct.pack("<I", len(data)) + data
    data = b"CEN1" + struct.pack("<HH", 1, 0) + bytes.fromhex(launcher.key) + bytes.fromhex(nonce) + blob(evidence)
    data += struct.pack("<I", len(certs)) + b"".join(map(blob, certs)) + struct.pack("<I", 0)
    return base64.urlsafe_b64encode(data + sign(launcher, data)).decode().rstrip("=")


def endorse(cas, launcher, evidence, certs, session="", service=""):
    nonce = cas.ask("POST", "/v1/nonce")[1]["nonce"]
    return cas.ask("POST", "/v1/endorsements", {"session": session, "service": service,
                                                "endorsement": endorsement(launcher, nonce, evidence, certs)})


def reasons(name):
    return json.loads(good("explain", cella("session", "explain", "--json", f"{name}/s")))[0]["reasons"]


def ends(cas, tee="snp"):
    """Of the collateral of a kind, as the metrics say."""
    name = f'cella_cas_collateral_ends_timestamp_seconds{{tee="{tee}"}} '
    return [int(line[len(name):]) for line in cas.ask("GET", "/v1/metrics")[1].splitlines() if line.startswith(name)]


def check_collateral(cas):
    check(ends(cas) == [0] and ends(cas, "tdx") == [0], f"the metrics know of none: {ends(cas)} {ends(cas, 'tdx')}")
    crl = SCRATCH / "junk"
    crl.write_text("no certificate\n", encoding="ascii")
    chain = DATA / "milan.ask_ark.pem"
    told = good("add", cella("cas", "collateral", "add", "snp", chain))
    check("milan.ask_ark.pem is collateral of snp; ends 20" in told, f"it says when that ends: {told}")
    first = ends(cas)
    check(len(first) == 1 and first[0] > 1765404861, f"and so do the metrics: {first}")
    check("is there already" in good("add again", cella("cas", "collateral", "add", "snp", chain)), "once is enough")
    refused("what is none", cella("cas", "collateral", "add", "snp", crl), ["junk"])
    refused("of no kind", cella("cas", "collateral", "add", "snpp", chain), ["there is no kind of evidence snpp"], USAGE)
    expired = DATA / "milan_vlek_v3.vlek-expired-2025-12-10.der"
    told = good("one that has ended", cella("cas", "collateral", "add", "snp", expired))
    check("ENDED 2025-12-10T22:14:21Z" in told, f"which it says: {told}")
    done = cella("cas", "status")
    check("warning: collateral of snp, milan_vlek_v3" in done.stderr and "ENDED" in done.stderr, f"and status warns: {done.stderr}")
    listed = json.loads(good("list", cella("cas", "collateral", "list", "--json")))
    check(len(listed) == 2, f"both are listed: {listed}")
    check(ends(cas) == [1765404861], f"the first end is in the metrics: {ends(cas)}")
    check(cas.stop() == 0, "the CAS ends in order")
    cas.start()
    use(cas)
    check(ends(cas) == [1765404861], f"started again, too: {ends(cas)}")
    ended = next(one for one in listed if one["ends"] == 1765404861)
    good("remove", cella("cas", "collateral", "remove", "snp", ended["hash"]))
    check(ended["hash"] not in good("list", cella("cas", "collateral", "list")), "removed, it is gone")
    refused("again", cella("cas", "collateral", "remove", "snp", ended["hash"]), ["no such collateral"])
    check("warning" not in cella("cas", "status").stderr, "and nothing is warned of any more")
    check(ends(cas) == first, f"the metrics name the next end: {ends(cas)}")


def check_endorsements(cas):
    report = (DATA / "milan_c.report.bin").read_bytes()
    vcek = (DATA / "milan_c.vcek.der").read_bytes()
    key = Launcher()
    pinned = "{snp: {measurement: " + report[MEASUREMENT].hex() + ", guest_policy: {debug: any, migration_agent: any}}}"
    remarks, _ = put("named", "snp")
    check("machine snp is named alone" in remarks, f"a name alone is remarked: {remarks}")
    remarks, _ = put("pinned", pinned)
    check("leaves open who reads its memory" in remarks, f"and debugging that is let through: {remarks}")
    status, answer = endorse(cas, key, report, [vcek], "pinned", "s")
    check(status == 403 and "session explain pinned/s" in answer["detail"], f"not enrolled: refused, to be explained: {answer}")
    check("las: wanted one that is enrolled" in reasons("pinned"), "as nothing pins what runs there")
    good("enrol", cella("las", "enrol", key.key))
    status, answer = endorse(cas, key, report, [vcek], "pinned", "s")
    why = reasons("pinned").strip().split("\n")
    check(status == 403 and all("report_data: wanted " in line or "policy.debug" in line for line in why),
          f"genuine, but over another key and nonce: {why}")
    check(report[0x50:0x90].hex() in reasons("pinned"), "both values are told to the owner")
    status, answer = endorse(cas, key, report, [])
    check(status == 403 and "certificate" in answer["detail"], f"of no session: whoever asks is told why: {answer}")
    status, answer = cas.ask("POST", "/v1/endorsements", {"session": "", "service": "", "endorsement": "AAAA"})
    check(status == 400, f"no endorsement: {answer}")
    check(json.loads(good("endorsed", cella("las", "endorsed", "--json"))) == [], "nothing of it is kept")


def check_without_hardware():
    shown = json.loads(good("show", cella("las", "show", "--json")))
    check(shown["machine"] == "soft" and len(shown["key"]) == 64, f"this machine is soft: {shown}")
    refused("endorse", cella("las", "endorse"), ["nothing here gives evidence of this machine"])
    refused("by what is not there", cella("las", "endorse", "--tee", "snp"), ["/sys/kernel/config/tsm/report"])
    refused("for no service", cella("las", "endorse", "--session", "pinned"), ["SESSION/SERVICE"], USAGE)


with Cas() as service:
    use(service)
    if DATA.is_dir():
        check_collateral(service)
        check_endorsements(service)
    else:
        skip_part("recorded", f"there is no recorded evidence in {DATA}")
    if not HARDWARE:
        check_without_hardware()
finish()
