#!/usr/bin/env python3
# as: user
# user alone: nothing in it depends on who runs it, nor on locked memory
"""Do generated modules give the same bits as wabt's interpreter and wasmtime give, and trap where they trap?

generated.py [FIRST_SEED [COUNT]]: to look at others, or at one again.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lib"))
import wasmtime_wheel
from celljob import BUILD, SCRATCH, check, finish, note, skip_part

SEED, COUNT = int(sys.argv[1]) if len(sys.argv) > 1 else 1, int(sys.argv[2]) if len(sys.argv) > 2 else 40
PROPOSALS = ["--enable-threads", "--enable-tail-call", "--enable-memory64"]
LINE = re.compile(r"(\w+)\(\) => (?:i64:(\d+)|error: (.*))")
# What wabt says, and whether what it means is plain: an atomic may also be beyond the end.
TRAPS = ["integer divide by zero", "integer overflow", "invalid conversion to integer", "out of bounds memory access",
         "out of bounds table access"]


def generate(seed):
    path = SCRATCH / f"{seed}.wasm"
    subprocess.run([BUILD / "tests/wast/wasm-generate", str(seed), path], check=True)
    return path


def interpret(path):
    """By wabt: (export, value or trap) in order, up to the first trap, behind which anything may be."""
    done = subprocess.run(["wasm-interp", *PROPOSALS, "--run-all-exports", path], stdout=subprocess.PIPE,
                          text=True, check=True, timeout=300)
    found = []
    for name, value, error in LINE.findall(done.stdout):
        found.append((name, int(value) if value else error))
        if error:
            break
    return found


def ask_wasmtime(wasmtime, path, expected):
    """Calls the same exports. Where it gives another value than wabt's interpreter, its own is the one expected
    from here on; where one traps and the other does not, nothing is. Returns what is expected, and what differed."""
    config = wasmtime.Config()
    config.wasm_memory64 = True
    store = wasmtime.Store(wasmtime.Engine(config))
    exports = wasmtime.Instance(store, wasmtime.Module.from_file(store.engine, path), []).exports(store)
    agreed, differing = [], []
    for name, value in expected:
        try:
            got = exports[name](store) & (1 << 64) - 1
        except wasmtime.Trap as trap:
            got = str(trap)
        traps = [not isinstance(result, int) for result in (value, got)]
        if traps[0] != traps[1] or (not traps[0] and value != got):
            differing.append(f"{path.name}: {name}: wabt {value}, wasmtime {got}")
        if traps[0] != traps[1]:
            break
        agreed.append((name, value if traps[0] else got))
    return agreed, differing


def commands(number, path, expected):
    """What cella-wast is to do with a module: a script as wast2json writes it. Its line is the seed."""
    yield {"type": "module", "line": number, "filename": path.name}
    for name, value in expected:
        action = {"type": "invoke", "field": name, "args": []}
        if isinstance(value, int):
            yield {"type": "assert_return", "line": number, "action": action,
                   "expected": [{"type": "i64", "value": str(value)}]}
        elif text := next((t for t in TRAPS if value.startswith(t)), None):
            yield {"type": "assert_trap", "line": number, "action": action, "text": text, "expected": []}


def run_cella(modules, compiler, *options):
    script = SCRATCH / "modules.json"
    everything = [c for seed, (path, expected) in modules.items() for c in commands(seed, path, expected)]
    script.write_text(json.dumps({"source_filename": "generated", "commands": everything}))
    done = subprocess.run([BUILD / "cella-wast", "--compiler", compiler, *options, script],
                          stdout=subprocess.PIPE, text=True, check=False)
    for line in done.stdout.splitlines()[:20]:
        note(line)
    check(done.returncode == 0 and f"{len(everything)} passed, 0 failed\n" in done.stdout,
          f"{compiler} {' '.join(options)}: the same")


def main():
    modules = {}
    for seed in range(SEED, SEED + COUNT):
        path = generate(seed)
        modules[seed] = path, interpret(path)
    values = sum(isinstance(value, int) for _, expected in modules.values() for _, value in expected)
    note(f"{COUNT} modules, {sum(path.stat().st_size for path, _ in modules.values())} bytes, {values} results")
    check(values > COUNT, "most functions return")
    wasmtime, why = wasmtime_wheel.load()
    if not wasmtime:
        skip_part("wasmtime", why)
    differing = []
    for seed, (path, expected) in modules.items() if wasmtime else ():
        expected, lines = ask_wasmtime(wasmtime, path, expected)
        modules[seed] = path, expected
        differing += lines
    for line in differing:
        note(line)
    check(len(differing) * 50 <= values, "wabt's interpreter and wasmtime agree, but for a bug of one here and there")
    run_cella(modules, "clang-19", "-O1")
    finish()


main()
