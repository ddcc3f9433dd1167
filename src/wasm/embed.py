"""Writes C headers as C strings: embed.py OUT NAME=FILE...

A line that includes another header of this tree is left out: what it names stands before it.
"""

import sys


def literal(line):
    return '\t"%s\\n"' % line.replace("\\", "\\\\").replace('"', '\\"').replace("?", "\\?")


def main(out, *texts):
    with open(out, "w") as to:
        for text in texts:
            name, path = text.split("=", 1)
            with open(path) as source:
                lines = [l.rstrip("\n") for l in source if not l.startswith('#include "')]
            to.write("extern const char %s[];\nconst char %s[] =\n" % (name, name))
            to.write("\n".join(literal(l) for l in lines))
            to.write(";\n")


main(*sys.argv[1:])
