#!/usr/bin/env python3
"""The digests of the programs that a command line was built with, as a C header:
program_digests.py HEADER NAME=PROGRAM..."""
import hashlib
import sys

with open(sys.argv[1], "w", encoding="ascii") as header:
    header.write("/* SHA-384 of programs; made by program_digests.py. */\n#ifndef CLI_PROGRAM_DIGESTS_H\n"
                 "#define CLI_PROGRAM_DIGESTS_H\n\n#include <stdint.h>\n\n")
    for argument in sys.argv[2:]:
        name, _, path = argument.partition("=")
        with open(path, "rb") as program:
            digest = hashlib.sha384(program.read()).digest()
        rows = [", ".join(f"0x{byte:02x}" for byte in digest[i:i + 12]) for i in range(0, len(digest), 12)]
        header.write(f"static const uint8_t {name}_digest[48] = {{\n\t" + ",\n\t".join(rows) + ",\n};\n\n")
    header.write("#endif\n")
