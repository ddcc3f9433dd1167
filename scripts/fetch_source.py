#!/usr/bin/python3
"""Fetch a source archive that scripts/sources.txt names, and print the path of its file.

    fetch_source.py NAME

Files are kept in $XDG_CACHE_HOME/cella (~/.cache/cella) and checked by SHA-256 at each use. They come
from the Debian mirrors that apt uses here, then from deb.debian.org, or from the address that the list
gives whole; CELLA_SOURCES names another place (a mirror's address, or file:///...). apt's proxy is used
if there is one.
"""
import hashlib
import os
import re
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

LIST = Path(__file__).resolve().parent / "sources.txt"
SIZE_MAX = 64 << 20
TIMEOUT_S = 30


class Problem(Exception):
    pass


def cache():
    base = os.environ.get("XDG_CACHE_HOME") or Path(os.environ.get("HOME") or "/root", ".cache")
    return Path(base, "cella")


def wanted(name):
    for line in LIST.read_text(encoding="utf-8").splitlines():
        words = line.partition("#")[0].split()
        if words and words[0] == name:
            return words[1], words[2]
    raise Problem(f"{LIST} names no source {name}")


def ask(*command):
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
        return done.stdout if done.returncode == 0 else ""
    except OSError:
        return ""


def mirrors():
    if place := os.environ.get("CELLA_SOURCES"):
        return [place.rstrip("/")]
    sites = [site.rstrip("/") for site in ask("apt-get", "indextargets", "--format", "$(SITE)").split()]
    found = [site for site in sites if site.startswith("http") and site.endswith("/debian")]
    return list(dict.fromkeys([*found, "http://deb.debian.org/debian"]))


def addresses(place):
    if "://" not in place:
        return [f"{mirror}/{place}" for mirror in mirrors()]
    other = os.environ.get("CELLA_SOURCES")
    return [f"{other.rstrip('/')}/{Path(place).name}" if other else place]


def opener():
    proxy = re.search(r'^Acquire::http::Proxy "(http.+)";', ask("apt-config", "dump", "Acquire::http::Proxy"), re.M)
    if proxy and "http_proxy" not in os.environ:
        return urllib.request.build_opener(urllib.request.ProxyHandler({"http": proxy[1]}))
    return urllib.request.build_opener()


def read(url):
    with opener().open(url, timeout=TIMEOUT_S) as answer:
        data = answer.read(SIZE_MAX + 1)
        length = int(answer.headers.get("Content-Length") or len(data))
    if len(data) > SIZE_MAX or len(data) != length:
        raise OSError(f"{len(data)} bytes came instead of {length}")
    return data


def is_right(path, digest):
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == digest


def keep(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(data)
    os.chmod(file.name, 0o644)
    os.replace(file.name, path)


def fetch(name):
    """The path of the file, which has the right digest."""
    digest, place = wanted(name)
    path = cache() / Path(place).name
    if is_right(path, digest):
        return path
    reasons = []
    for url in addresses(place):
        try:
            data = read(url)
        except (urllib.error.URLError, OSError, ValueError) as error:
            reasons.append(f"{url}: {getattr(error, 'reason', error)}")
            continue
        if hashlib.sha256(data).hexdigest() == digest:
            keep(path, data)
            return path
        reasons.append(f"{url}: another file than scripts/sources.txt names (its SHA-256 differs)")
    raise Problem(f"cannot fetch the source of {name}:\n  " + "\n  ".join(reasons) +
                  f"\nFetch it elsewhere and put it at {path}, or name a mirror in CELLA_SOURCES.")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        print(fetch(sys.argv[1]))
    except Problem as problem:
        sys.exit(f"fetch_source.py: {problem}")


if __name__ == "__main__":
    main()
