"""Build the standard library of C++ for cells, with exceptions, and put it into a sysroot.

The sources are libc++, libc++abi and libunwind of LLVM 19.1, as the wheel `ziglang` on PyPI carries them:
2.2 of its 83 MB are fetched and checked by SHA-256 (Debian packages only the binary, without exceptions,
and the whole of LLVM's source). Build-sysroot calls this; what was built from the same input lies in
$XDG_CACHE_HOME/cella/libcxx-... and is copied from there.
"""
import hashlib
import shutil
import struct
import tempfile
import urllib.error
import urllib.request
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fetch_source

ROOT = Path(__file__).resolve().parent.parent
OWN = ROOT / "guest/libcxx"
WHEEL = ("https://files.pythonhosted.org/packages/9d/ef/494f128ea7ec3345850bbd75d2cb7b987006fb5601c37543e8fa83e5e3d4/"
         "ziglang-0.14.1-py3-none-manylinux_2_12_x86_64.manylinux2010_x86_64.musllinux_1_1_x86_64.whl")
FIRST, LAST = 20628892, 22831429  # bytes of the wheel, a zip archive: the entries of the three libraries
DIGEST = "1ee8d66b5da446e7c6caa57819ae58e7499446edd7340b879c2f953f10a1b623"
PREFIX = "ziglang/lib/"
ENTRY = struct.Struct("<4s5H3I2H")  # a local file header (APPNOTE.TXT 4.3.7)
DEFLATED = 8

LIBCXX = """
    algorithm any atomic barrier bind call_once charconv chrono condition_variable condition_variable_destructor
    error_category exception expected filesystem/directory_entry filesystem/directory_iterator
    filesystem/filesystem_clock filesystem/filesystem_error filesystem/int128_builtins filesystem/operations
    filesystem/path fstream functional future hash ios ios.instantiations iostream legacy_pointer_safety locale memory
    memory_resource mutex mutex_destructor new new_handler new_helpers optional ostream print random random_shuffle
    regex ryu/d2fixed ryu/d2s ryu/f2s shared_mutex stdexcept string strstream system_error thread typeinfo valarray
    variant vector verbose_abort
""".split()
LIBCXXABI = """
    abort_message cxa_aux_runtime cxa_default_handlers cxa_demangle cxa_exception_storage cxa_guard cxa_handlers
    cxa_personality cxa_thread_atexit cxa_vector cxa_virtual fallback_malloc private_typeinfo stdlib_exception
    stdlib_new_delete stdlib_stdexcept stdlib_typeinfo
""".split()
FLAGS = ["-O2", "-DNDEBUG", "-D_GNU_SOURCE", "-w"]
FLAGS_CXX = ["-std=c++23", "-nostdinc++", "-fvisibility-inlines-hidden", "-D_LIBCPP_BUILDING_LIBRARY",
             "-D_LIBCXXABI_BUILDING_LIBRARY", "-DLIBCXX_BUILDING_LIBCXXABI", "-D_LIBCPP_REMOVE_TRANSITIVE_INCLUDES"]

def fetch():
    """The bytes of the wheel, kept like other sources."""
    path = fetch_source.cache() / f"libcxx-{DIGEST[:16]}.zip-part"
    if fetch_source.is_right(path, DIGEST):
        return path
    request = urllib.request.Request(WHEEL, headers={"Range": f"bytes={FIRST}-{LAST}"})
    try:
        with urllib.request.urlopen(request, timeout=fetch_source.TIMEOUT_S) as answer:
            data = answer.read(LAST - FIRST + 1)
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise fetch_source.Problem(f"cannot fetch the source of libc++: {WHEEL}: {getattr(error, 'reason', error)}\n"
                                   f"Fetch it elsewhere and put its bytes {FIRST} to {LAST} at {path}.") from error
    if hashlib.sha256(data).hexdigest() != DIGEST:
        raise fetch_source.Problem(f"{WHEEL}: not the bytes that are expected (their SHA-256 differs)")
    fetch_source.keep(path, data)
    return path

def unpack(data, to):
    at = 0
    while at < len(data):
        _, _, _, method, _, _, _, packed, _, name_size, extra_size = ENTRY.unpack_from(data, at)
        name = data[at + ENTRY.size:at + ENTRY.size + name_size].decode()
        at += ENTRY.size + name_size + extra_size
        body = data[at:at + packed]
        at += packed
        if not name.endswith("/"):
            path = to / name.removeprefix(PREFIX)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(zlib.decompress(body, -zlib.MAX_WBITS) if method == DEFLATED else body)

def install_headers(source, include):
    shutil.copytree(source / "libcxx/include", include)
    for header in (*source.glob("libcxxabi/include/*.h"), *source.glob("libunwind/include/*.h"), OWN / "__config_site"):
        shutil.copy(header, include)
    # Zig gives the configuration on the command line instead.
    for path in (include / "__config", *include.glob("__configuration/*.h")):
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace("/* zig patch: instead of including __config_site, zig adds -D flags when "
                                     "compiling */", "#include <__config_site>"), encoding="utf-8")

class Builder:
    def __init__(self, source, sysroot, made, options):
        self.source, self.made, self.options = source, made, options
        self.include = made / "include"
        self.common = [*options.compiler, *FLAGS, f"--sysroot={sysroot}", f"-ffile-prefix-map={source}/="]
        self.cxx = ["-x", "c++", *FLAGS_CXX, "-isystem", self.include, f"-I{OWN}", f"-I{source / 'libcxx/src'}",
                    f"-I{source / 'libcxxabi/src'}", f"-I{source / 'libcxxabi/include'}"]

    def compile(self, job):
        path, flags = job
        to = self.source / "objects" / f"{path.parent.name}-{path.stem}.o"
        self.options.run([*self.common, *flags, "-c", path, "-o", to])
        return to

    def archive(self, pool, name, jobs):
        self.options.run([self.options.ar, "crsD", self.made / "lib" / f"lib{name}.a", *pool.map(self.compile, jobs)])

    def build(self):
        install_headers(self.source, self.include)
        (self.made / "lib").mkdir()
        (self.source / "objects").mkdir()
        files = [*self.cxx, "-include", OWN / "filesystem.h"]
        cxx = [(self.source / f"libcxx/src/{name}.cpp", files if name.startswith("filesystem/") else self.cxx)
               for name in LIBCXX]
        abi = [(self.source / f"libcxxabi/src/{name}.cpp", self.cxx) for name in LIBCXXABI]
        abi += [(OWN / "throw.cc", self.cxx),
                (self.source / "libunwind/src/Unwind-wasm.c", ["-D_LIBUNWIND_HIDE_SYMBOLS", f"-I{self.source / 'libunwind/include'}"])]
        with ThreadPoolExecutor(self.options.jobs) as pool:
            self.archive(pool, "c++", cxx)
            self.archive(pool, "c++abi", abi)

def key(sysroot, options):
    digest = hashlib.sha256()
    for path in (Path(__file__), *sorted(path for path in OWN.rglob("*") if path.is_file())):
        digest.update(path.read_bytes())
    digest.update(f"{DIGEST} {sysroot.name} {options.compiler}".encode())
    return digest.hexdigest()[:16]

def library_of(sysroot, options):
    """The library, compiled against this sysroot: a folder with include and lib, built now if need be."""
    data = fetch().read_bytes()
    cache = fetch_source.cache()
    done = cache / f"libcxx-{key(sysroot, options)}"
    if done.is_dir():
        return done
    with tempfile.TemporaryDirectory(dir=cache) as folder:
        source, made = Path(folder, "source"), Path(folder, "made")
        made.mkdir()
        unpack(data, source)
        Builder(source, sysroot, made, options).build()
        made.chmod(0o755)
        try:
            made.rename(done)
        except OSError:  # somebody else was faster
            if not done.is_dir():
                raise
    return done

def add(library, sysroot, triple):
    shutil.copytree(library / "include", sysroot / "include" / triple / "c++/v1")
    for archive in (library / "lib").iterdir():
        shutil.copy(archive, sysroot / "lib" / triple)
