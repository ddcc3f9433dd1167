"""The host functions that cells can import, read from the executor's own tables, as C that a hostile cell can call."""

import re

from celljob import SOURCE

LISTS = re.compile(r'\bX\((\w+), "([ilfd]*:[ilfd]*)"\)')
ROWS = re.compile(r'\{"(cella)", "(\w+)", "([ilfd]*:[ilfd]*)"')
TYPES = {"i": "uint32_t", "l": "uint64_t"}


def host_calls():
    """(module, name, signature) of each."""
    lists = (SOURCE / "src/cell/wasi/state.h").read_text(encoding="utf-8")
    rows = "".join(path.read_text(encoding="utf-8") for path in sorted((SOURCE / "src/cell").rglob("*.c")))
    calls = [("wasi_snapshot_preview1", name, signature) for name, signature in LISTS.findall(lists)]
    return calls + ROWS.findall(rows)


def prototype(number, module, name, signature):
    parameters, results = signature.split(":")
    result = TYPES[results] if results else "void"
    arguments = ", ".join(TYPES[letter] for letter in parameters) or "void"
    passed = ", ".join(f"({TYPES[letter]})a[{i}]" for i, letter in enumerate(parameters))
    call = f"raw{number}({passed})"
    body = f"return {call};" if results else f"{call}; return 0;"
    return (f'{result} raw{number}({arguments}) __attribute__((import_module("{module}"), import_name("{name}")));\n'
            f"static uint32_t call{number}(const uint64_t *a) {{ (void)a; {body} }}\n")


def write_header(path):
    """hostile_calls.h: a table `calls` of name, parameters' letters and a function over an array of arguments."""
    calls = host_calls()
    text = "".join(prototype(number, *call) for number, call in enumerate(calls))
    text += "static const struct call calls[] = {\n"
    for number, (_, name, signature) in enumerate(calls):
        text += f'\t{{"{name}", "{signature.split(":")[0]}", call{number}}},\n'
    path.write_text(text + "};\n", encoding="ascii")
    return calls
