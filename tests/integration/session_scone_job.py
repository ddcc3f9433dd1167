#!/usr/bin/env python3
# as: root
"""Does the session that docs/migrate/scone.md translates run as that page says: refused where no hardware vouches for
the machine, and with its secret, file and volume once its owner asks for none?"""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
from celljob import CELLA, REFUSED, SCRATCH, check, finish, needs_secret

needs_secret()

os.environ["CELLA_CONTEXTS"] = str(SCRATCH / "contexts.json")
os.environ["CELLA_LAS_KEY"] = str(SCRATCH / "las.key")
PAGE = (Path(os.environ["CELLA_SOURCE"]) / "docs/migrate/scone.md").read_text(encoding="utf-8")
PROGRAM = r"""
#include <stdio.h>
#include <stdlib.h>
static void show(const char *path)
{
	char line[200];
	FILE *f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		printf("%s", line);
}
int main(int count, char **words)
{
	for (int i = 1; i < count; i++)
		puts(words[i]);
	puts(getenv("DB_PASSWORD"));
	show("/etc/db.conf");
	show("/models/forest.bin");
	return 0;
}
"""


def cella(*words):
    return subprocess.run([CELLA, *map(str, words)], capture_output=True, text=True, check=False, timeout=300,
                          stdin=subprocess.DEVNULL)


def good(*words):
    done = cella(*words)
    check(done.returncode == 0, f"{words[:2]}: {done.returncode} {done.stderr.strip()[-300:]}")
    return done.stdout


def job():
    return cella("run", "-q", "--session", "hospital/classify", "--volume", f"{SCRATCH}/v:/models", SCRATCH / "p.cell")


def put(text):
    (SCRATCH / "hospital.yml").write_text(text, encoding="utf-8")
    good("session", "check", SCRATCH / "hospital.yml")
    return json.loads(good("session", "create", "--json", SCRATCH / "hospital.yml"))["hash"]


(SCRATCH / "p.c").write_text(PROGRAM, encoding="ascii")
(SCRATCH / "theirs.yml").write_text(re.search(r"^```yaml scone\n(.*?)^```$", PAGE, re.M | re.S)[1], encoding="utf-8")
good("cc", SCRATCH / "p.c", "-o", SCRATCH / "p.cell")
identity = json.loads(good("inspect", "--json", SCRATCH / "p.cell"))["identity"]
ours = re.sub(r'"<cell[^"]*"', identity, good("session", "import-scone", SCRATCH / "theirs.yml"))
(SCRATCH / "files").mkdir()
(SCRATCH / "files/forest.bin").write_text("forest", encoding="ascii")
good("volume", "create", "-q", SCRATCH / "v")
good("volume", "import", "-q", SCRATCH / "v", SCRATCH / "files", "/")

with subprocess.Popen([CELLA, "cas", "--dir", SCRATCH / "cas", "--listen", "127.0.0.1:0"], stdout=subprocess.PIPE,
                      text=True) as server:
    port, pin = (server.stdout.readline().split()[-1] for _ in range(2))
    server.stdout.readline()
    good("cas", "attest", f"https://127.0.0.1:{port}", "--pin", pin, "--credential", SCRATCH / "cas.owner.pem")
    good("las", "enrol")
    digest = put(ours)
    good("session", "volume", "hospital", "models", SCRATCH / "v")
    done = job()
    check(done.returncode == REFUSED and not done.stdout, f"soft evidence is refused: {done.returncode}")
    why = good("session", "explain", "hospital/classify")
    check("machine: wanted snp tdx sgx, found soft" in why, f"its owner sees why: {why}")
    put(re.sub(r" *machine:.*\n", "", ours) + f"predecessor: {digest}\n")
    done = job()
    told = done.stdout.splitlines()
    check(done.returncode == 0, f"it runs: {done.returncode} {done.stderr[-300:]}")
    check(told[:3] == ["/app/classify.py", "--forest", "/models/forest.bin"], f"its arguments: {told}")
    check(len(told) > 3 and re.fullmatch(r"[\w-]{20}", told[3]), f"its secret: {told}")
    check(told[4:] == ["user=classify", f"password={told[3]}", "forest"], f"its file and volume: {told}")
    server.send_signal(signal.SIGTERM)
    check(server.wait(timeout=300) == 0, "the CAS ends in order")
finish()
