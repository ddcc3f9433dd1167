#!/usr/bin/env python3
"""The digest of the executor that a command line was built with, as a C header: executor_digest.py CELLA-CELL HEADER"""
import hashlib
import sys

with open(sys.argv[1], "rb") as f:
    digest = hashlib.sha384(f.read()).digest()
rows = [", ".join(f"0x{byte:02x}" for byte in digest[i:i + 12]) for i in range(0, len(digest), 12)]
with open(sys.argv[2], "w", encoding="ascii") as f:
    f.write("/* SHA-384 of the executor; made by executor_digest.py. */\n#ifndef CLI_EXECUTOR_DIGEST_H\n"
            "#define CLI_EXECUTOR_DIGEST_H\n\n#include <stdint.h>\n\n"
            "static const uint8_t executor_digest[48] = {\n\t" + ",\n\t".join(rows) + ",\n};\n\n#endif\n")
