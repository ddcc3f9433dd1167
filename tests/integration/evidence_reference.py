#!/usr/bin/env python3
# as: root user
"""Does `cella evidence reference` compute the launch measurement of SEV-SNP that others compute, and of TDX the one
that its specification describes, and refuse a firmware that does not say what is measured?

The firmwares are made here: noise with OVMF's tables at its end. What they must measure was computed by
sev-snp-measure 0.0.13 (PyPI), and is computed once more here, from AMD 56860, section 8.17."""

import hashlib
import json
import os
import struct
import subprocess
import tempfile
import unittest
import uuid
from pathlib import Path

CELLA = Path(os.environ["CELLA_BUILD"]) / "cella"
NOT_UNDERSTOOD = 2
PAGE = 4096
TABLE = "96b582de-1fb2-45f7-baea-a366c55a082d"
HASHES = "7255371f-3a3b-4b04-927b-1da6efa8d454"
RESET = "00f771de-1a7e-4fcb-890e-68c77e2fb44e"
METADATA = "dc886566-984a-4798-a75e-5585a7bf67cc"
MEMORY, SECRETS, CPUID, CAA, KERNEL_HASHES = 1, 2, 3, 4, 0x10
SECTIONS = [(0x800000, 0x9000, MEMORY), (0x80a000, 0x3000, MEMORY), (0x80d000, 0x1000, SECRETS),
            (0x80e000, 0x1000, CPUID), (0x811000, 0x1000, CAA), (0x810000, 0x1000, KERNEL_HASHES),
            (0x812000, 0x2000, MEMORY)]
SIGNATURES = {"EPYC": 0x800f12, "EPYC-v4": 0x800f12, "EPYC-Rome": 0x830f10, "EPYC-Milan": 0xa00f11,
              "EPYC-Milan-v2": 0xa00f11, "EPYC-Genoa": 0xa10f10, "EPYC-Turin": 0xb00f00}
KERNEL, INITRD, LINE = b"a kernel " * 1000, b"an initrd " * 77, "console=ttyS0 root=/dev/vda ro"
# By sev-snp-measure: cpus, model, with kernel, features.
KNOWN = {
    (1, "EPYC-Milan", False, "0x1"):
        "084617b6d1cb0b9224f05fe08c37aabc043b15ce2967d54f9db21cf75bf0ec21823ee5ddcf33995ca5b56497140dd6f9",
    (4, "EPYC-v4", False, "0x1"):
        "18eddf26082cb1fd029b8dc358192d48e1b5ac1b101910bf631b74866f4ce2e7623eb6024fba1f326187deb6724c6026",
    (2, "EPYC-Genoa", True, "0x1"):
        "2ee89be2a99a5a854dcbeb502afb57a1e5d31d27f48fbdceb0b17e6bfeb792eba286143fb1c270fe49cd3b80218a45d6",
    (1, "EPYC-Turin", True, "0x21"):
        "d89caab4c3340d1305b14838bafd92d06f2b14afedc1c55fae108ff43154d0c881a1aaa1e9107e98b55027f970778df1",
}


def noise(size):
    return b"".join(hashlib.sha256(i.to_bytes(8, "little")).digest() for i in range(size // 32))


def guid(text):
    return uuid.UUID(text).bytes_le


def firmware(sections=tuple(SECTIONS), size=16 * PAGE, entries=(HASHES, RESET, METADATA), table=TABLE, signature=b"ASEV",
             version=1, count=None, back=0x800):
    """An image whose last page has the tables; each thing can be made wrong."""
    image = bytearray(noise(size))
    data = {HASHES: struct.pack("<II", 0x810400, 0x400), RESET: struct.pack("<I", 0x80b004),
            METADATA: struct.pack("<I", back)}
    rows = b"".join(data[name] + struct.pack("<H", len(data[name]) + 18) + guid(name) for name in entries)
    end = rows + struct.pack("<H", len(rows) + 18) + guid(table)
    image[-32 - len(end):-32] = end
    described = struct.pack("<4sIII", signature, 16 + 12 * len(sections), version,
                            len(sections) if count is None else count)
    described += b"".join(struct.pack("<III", *section) for section in sections)
    image[size - 0x800:size - 0x800 + len(described)] = described
    return bytes(image)


def save_area(begin, signature, features):
    page = bytearray(PAGE)

    def put(at, form, *values):
        struct.pack_into("<" + form, page, at, *values)

    for at, selector, attributes, base in [(0, 0, 0x93, 0), (0x10, 0xf000, 0x9b, begin & 0xffff0000), (0x20, 0, 0x93, 0),
                                           (0x30, 0, 0x93, 0), (0x40, 0, 0x93, 0), (0x50, 0, 0x93, 0), (0x60, 0, 0, 0),
                                           (0x70, 0, 0x82, 0), (0x80, 0, 0, 0), (0x90, 0, 0x8b, 0)]:
        put(at, "HHIQ", selector, attributes, 0xffff, base)
    for at, value in {0xd0: 0x1000, 0x148: 0x40, 0x158: 0x10, 0x160: 0x400, 0x168: 0xffff0ff0, 0x170: 2, 0x178: begin & 0xffff,
                      0x268: 0x0007040600070406, 0x310: signature, 0x3b0: features, 0x3e8: 1}.items():
        put(at, "Q", value)
    put(0x408, "I", 0x1f80)
    put(0x410, "H", 0x37f)
    return bytes(page)


def kernel_hashes(kernel, initrd, line):
    rows = b"".join(guid(name) + struct.pack("<H", 50) + hashlib.sha256(data).digest() for name, data in [
        ("97d02dd8-bd20-4c94-aa78-e7714d36ab2a", line.encode() + b"\0"), ("44baf731-3a2f-4bd7-9af1-41e29169781d", initrd),
        ("4de79437-abd2-427f-b835-d5b172d2045b", kernel)])
    table = guid("9438d606-4f22-4cc9-b479-a793d411fd21") + struct.pack("<H", 18 + len(rows)) + rows
    return bytes(0x400) + table + bytes(PAGE - 0x400 - len(table))


def measured(image, cpus, signature, kernel=None, initrd=b"", line="", features=1):
    digest = bytes(48)

    def extend(kind, address, page=None):
        nonlocal digest
        contents = hashlib.sha384(page).digest() if page else bytes(48)
        digest = hashlib.sha384(digest + contents + struct.pack("<HBBBBBBQ", 0x70, kind, 0, 0, 0, 0, 0, address)).digest()

    for at in range(0, len(image), PAGE):
        extend(1, (1 << 32) - len(image) + at, image[at:at + PAGE])
    for address, size, kind in SECTIONS:
        if kind == KERNEL_HASHES and kernel is not None:
            extend(1, address, kernel_hashes(kernel, initrd, line))
            continue
        for at in range(0, size, PAGE):
            extend({SECRETS: 5, CPUID: 6}.get(kind, 3), address + at)
    for i in range(cpus):
        extend(2, 0xfffffffff000, save_area(0x80b004 if i else 0xfffffff0, signature, features))
    return digest.hex()


class Reference(unittest.TestCase):
    def setUp(self):
        self.scratch = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def written(self, name, data):
        (self.scratch / name).write_bytes(data)
        return self.scratch / name

    def reference(self, image, *words, cpu="EPYC-Milan"):
        usual = {"--tee": "snp", "--firmware": self.written("fw", image), "--cpu": cpu}
        usual = [word for name, value in usual.items() if name not in words for word in (name, value)]
        return subprocess.run([str(word) for word in [CELLA, "evidence", "reference", *usual, *words]],
                              capture_output=True, text=True, timeout=300, check=False)

    def with_kernel(self):
        return ["--kernel", self.written("kernel", KERNEL), "--initrd", self.written("initrd", INITRD), "--append", LINE]

    def test_known(self):
        for (cpus, model, kernel, features), value in KNOWN.items():
            with self.subTest((cpus, model, kernel, features)):
                done = self.reference(firmware(), "--cpus", cpus, "--guest-features", features,
                                      *(self.with_kernel() if kernel else []), cpu=model)
                self.assertEqual((done.stdout, done.stderr), (value + "\n", ""))
                self.assertEqual(measured(firmware(), cpus, SIGNATURES[model], *((KERNEL, INITRD, LINE) if kernel else ()),
                                          features=int(features, 16)), value)

    def test_each_part_counts(self):
        image = firmware()
        plain = self.reference(image, "--json", *self.with_kernel())
        values = [json.loads(plain.stdout)["measurement"]]
        self.assertEqual(values[0], measured(image, 1, 0xa00f11, KERNEL, INITRD, LINE))
        changed = bytearray(image)
        changed[100] ^= 1
        for done in [self.reference(bytes(changed), *self.with_kernel()), self.reference(image, "--cpus", 2, *self.with_kernel()),
                     self.reference(image, *self.with_kernel(), cpu="EPYC-Genoa"), self.reference(image),
                     self.reference(image, *self.with_kernel()[:4]), self.reference(image, *self.with_kernel()[:2]),
                     self.reference(image, *self.with_kernel()[:4], "--append", LINE + " "),
                     self.reference(image, "--guest-features", "0x21", *self.with_kernel())]:
            self.assertEqual(done.returncode, 0, done.stderr)
            values.append(done.stdout.strip())
        self.assertEqual(len(set(values)), len(values))

    def test_models(self):
        for model, signature in SIGNATURES.items():
            named, numbered = self.reference(firmware(), cpu=model), self.reference(firmware(), cpu=hex(signature))
            self.assertEqual(named.returncode, 0)
            self.assertEqual(named.stdout, numbered.stdout)

    def test_other_firmwares(self):
        for image, words, why in [
                (noise(PAGE), [], "no SEV metadata"), (firmware()[:-1], [], "whole pages"), (b"", [], "is empty"),
                (bytes(PAGE), [], "no SEV metadata"), (firmware(table=RESET), [], "no SEV metadata"),
                (firmware(entries=(HASHES, RESET)), [], "no SEV metadata"), (firmware(signature=b"ASEW"), [], "malformed"),
                (firmware(version=2), [], "malformed"), (firmware(count=65), [], "malformed"),
                (firmware(back=17 * PAGE), [], "malformed"), (firmware(back=4), [], "malformed"),
                (firmware(sections=SECTIONS[:1], count=64, back=0x800), [], "section"),
                (firmware([(0x800001, 0x1000, MEMORY)]), [], "not made of pages"),
                (firmware([(0x800000, 0x10001000, MEMORY)]), [], "too many"),
                (firmware([(0x800000, 0x1000, 5)]), [], "kind 5"),
                (firmware(entries=(HASHES, METADATA)), ["--cpus", 2], "further processors"),
                (firmware(SECTIONS[:5]), self.with_kernel(), "does not check kernels"),
                (firmware(entries=(RESET, METADATA)), self.with_kernel(), "does not check kernels")]:
            with self.subTest(why, words=words):
                done = self.reference(image, *words)
                self.assertEqual((done.returncode, done.stdout), (NOT_UNDERSTOOD, ""))
                self.assertIn(why, done.stderr)

    def test_mistakes(self):
        for words, why in [(["--cpus", 0], "0 virtual processors"), (["--cpus", 4097], "--cpus takes"),
                           (["--append", "quiet"], "with a kernel only"), (["--cpu", "EPYC-Millan"], "did you mean EPYC-Milan?"),
                           (["--cpu", "0xg"], "hexadecimal"), (["--guest-features", "0x1ffffffffffffffff"], "hexadecimal"),
                           (["--tee", "sgx"], "of --tee snp and --tee tdx"), (["--tee", "tdx"], "rtmr1"), (["--kernel", "/nothing"], "/nothing")]:
            with self.subTest(words):
                done = self.reference(firmware(), *words)
                self.assertEqual((done.returncode, done.stdout), (NOT_UNDERSTOOD, ""))
                self.assertIn(why, done.stderr)


TDX_METADATA = "e47a6535-984a-4798-865e-4685a7bf8ec2"
# offset in the image, size there, address, size, type, attributes: volumes of code and variables, a stack, the HOB
TDX_SECTIONS = [(0x1000, 0xf000, 0xfffe1000, 0xf000, 0, 1), (0, 0x1000, 0xfffe0000, 0x1000, 1, 0),
                (0, 0, 0x810000, 0x10000, 3, 0), (0, 0, 0x809000, 0x2000, 2, 0)]


def td_firmware(sections=tuple(TDX_SECTIONS), signature=b"TDVF", version=1, count=None, size=None, back=0x800):
    image = bytearray(noise(16 * PAGE))
    rows = struct.pack("<I", back) + struct.pack("<H", 22) + guid(TDX_METADATA)
    end = rows + struct.pack("<H", len(rows) + 18) + guid(TABLE)
    image[-32 - len(end):-32] = end
    described = struct.pack("<4sIII", signature, 16 + 32 * len(sections) if size is None else size, version,
                            len(sections) if count is None else count)
    described += b"".join(struct.pack("<IIQQII", *section) for section in sections)
    image[-0x800:-0x800 + len(described)] = described
    return bytes(image)


def mr_td(image):
    """Intel TDX Module Base Architecture Specification: TDH.MEM.PAGE.ADD, TDH.MR.EXTEND."""
    digest = hashlib.sha384()
    for offset, _, address, size, _, attributes in TDX_SECTIONS:
        for page in range(0, size, PAGE):
            digest.update(struct.pack("<16sQ104x", b"MEM.PAGE.ADD", address + page))
            for piece in range(page, page + PAGE, 256) if attributes & 1 else ():
                digest.update(struct.pack("<16sQ104x", b"MR.EXTEND", address + piece))
                digest.update(image[offset + piece:offset + piece + 256])
    return digest.hexdigest()


class ReferenceOfTdx(unittest.TestCase):
    def setUp(self):
        self.scratch = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def reference(self, image, *words):
        (self.scratch / "fw").write_bytes(image)
        return subprocess.run([CELLA, "evidence", "reference", "--tee", "tdx", "--firmware", self.scratch / "fw", *words],
                              capture_output=True, text=True, timeout=300, check=False)

    def test_measured(self):
        image = td_firmware()
        self.assertEqual(self.reference(image).stdout, mr_td(image) + "\n")
        self.assertEqual(json.loads(self.reference(image, "--json").stdout), {"mr_td": mr_td(image)})
        code, variables = bytearray(image), bytearray(image)
        code[0x1000] ^= 1
        variables[0] ^= 1
        self.assertNotEqual(self.reference(code).stdout, self.reference(image).stdout)
        self.assertEqual(self.reference(variables).stdout, self.reference(image).stdout)

    def test_other_firmwares(self):
        section = list(TDX_SECTIONS[0])
        for image, why in [
                (noise(PAGE), "no TDX metadata"), (firmware(), "no TDX metadata"), (td_firmware()[1:], "whole pages"),
                (td_firmware(signature=b"TDVE"), "malformed"), (td_firmware(version=2), "malformed"),
                (td_firmware(count=65, size=16 + 65 * 32), "malformed"), (td_firmware(size=48), "malformed"),
                (td_firmware(back=17 * PAGE), "malformed"), (td_firmware(back=8), "malformed"),
                (td_firmware(count=64, size=16 + 64 * 32), "malformed"),
                (td_firmware([(0x2000, *section[1:])]), "not in the image"),
                (td_firmware([(0xfffff000, 0x1000, 0, 0x1000, 0, 1)]), "not in the image"),
                (td_firmware([(0, 0x1000, 0, 0x2000, 0, 1)]), "not in the image"),
                (td_firmware([(0, 0x1000, 0, 0x1000, 2, 1)]), "of the kind 2"), (td_firmware([(0, 0, 0, 0x1000, 4, 0)]), "of the kind 4"),
                (td_firmware([(0, 0, 0, 0x1000, 0, 0)]), "of the kind 0"), (td_firmware([(0, 0, 0, 0x1000, 3, 1)]), "not in the image"),
                (td_firmware([(0, 0, 1, 0x1000, 3, 0)]), "not made of pages"),
                (td_firmware([(0, 0, 0, 1 << 60, 3, 0)]), "too many")]:
            with self.subTest(why):
                done = self.reference(image)
                self.assertEqual((done.returncode, done.stdout), (NOT_UNDERSTOOD, ""))
                self.assertIn(why, done.stderr)


if __name__ == "__main__":
    unittest.main()
