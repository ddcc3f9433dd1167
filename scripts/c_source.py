"""Reading C source: what the checks and the size report share."""
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("include", "src", "guest", "examples", "bench", "tests")

# A comment, a string or a character constant.
TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
# A row of a table: one case that returns or sets, one designated or braced initialiser.
TABLE_ROW = re.compile(r'\s*(case\b.*;|default:.*;|\[[^]]*\]\s*=.*,|\{.*\},?|"[^"]*",?)\s*$')
# What stands before a function's body: name(arguments), then perhaps attributes.
HEAD = re.compile(r'(\w+)\s*\((?:[^(){};]|\((?:[^(){};]|\([^(){};]*\))*\))*\)\s*(?:__attribute__\s*\(\(.*\)\)\s*)?$', re.S)


@dataclass
class Function:
    name: str
    line: int    # of its opening brace
    length: int  # code lines between its braces, rows of tables not counted


def c_files(root=ROOT, folders=FOLDERS):
    """Every .c and .h file that the repository holds or will hold (what git ignores is left out)."""
    try:
        listed = subprocess.run(
            ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *folders],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout.decode()
        paths = {root / name for name in listed.split("\0") if name.endswith((".c", ".h"))}
    except (OSError, subprocess.CalledProcessError):  # no git, or a source archive
        paths = {path for folder in folders for path in (root / folder).rglob("*.[ch]")}
    return sorted(path for path in paths if path.is_file())


def blank(match):
    """The same lines without the text; strings stay as "" so that code keeps its shape."""
    text = match[0]
    kept = '""' if text[0] == '"' else "0" if text[0] == "'" else " "
    return kept + "\n" * text.count("\n")


def without_comments(text):
    return TOKEN.sub(lambda match: match[0] if match[0][0] in "\"'" else blank(match), text)


def without_comments_and_strings(text):
    return TOKEN.sub(blank, text)


def code_lines(text):
    """Lines that hold code."""
    return [line for line in without_comments(text).split("\n") if line.strip()]


def counted_lines(text):
    """Lines that hold code and are no row of a table."""
    return [line for line in code_lines(text) if not TABLE_ROW.match(line)]


def without_directives(text):
    """Preprocessor lines blanked, and of #if/#else/#endif only the first branch kept."""
    lines, kept, continued, directive = [], [], False, ""
    for line in text.split("\n"):
        start = not continued and re.match(r"\s*#\s*(\w+)", line)
        if start:
            directive = start[1]
            if directive in ("if", "ifdef", "ifndef"):
                kept.append(True)
            elif directive in ("else", "elif") and kept:
                kept[-1] = False
            elif directive == "endif" and kept:
                kept.pop()
        lines.append("" if start or continued or not all(kept) else line)
        continued = bool(start or continued) and line.endswith("\\")
    return "\n".join(lines)


def functions(text):
    """The functions that a file defines."""
    bare = without_directives(without_comments_and_strings(text))
    bare = bare.replace('extern ""\n{', "extern  \n ").replace('extern "" {', "extern    ")
    with_strings = without_comments(text).split("\n")
    found, depth, start, name, before = [], 0, 0, None, 0
    for at, char in enumerate(bare):
        if char == "{":
            if depth == 0:
                head = HEAD.search(bare[before:at])
                name, start = (head[1] if head else None), at
            depth += 1
        elif char == "}":
            depth -= 1
            if depth == 0:
                if name:
                    first, last = bare.count("\n", 0, start), bare.count("\n", 0, at)
                    body = with_strings[first + 1:last]
                    length = sum(1 for line in body if line.strip() and not TABLE_ROW.match(line))
                    found.append(Function(name, first + 1, length))
                before = at + 1
        elif char == ";" and depth == 0:
            before = at + 1
    return found
