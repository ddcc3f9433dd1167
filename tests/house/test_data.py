#!/usr/bin/python3
"""Does `make data` check what it fetches and leave nothing half done?"""
import hashlib
import os
import struct
import subprocess
import tempfile
import unittest
import zipfile
from pathlib import Path

FETCH = Path(__file__).resolve().parents[2] / "scripts/fetch-ecg-data"


def recording(samples=3000):
    return struct.pack("<5i", 30, 1, samples, 0, 4) + b"val\0" + bytes(2 * samples)


class Data(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.site, self.to = Path(folder.name, "site"), Path(folder.name, "data")
        self.site.mkdir()
        self.recordings = {f"A{n:05}": recording(2714 + n) for n in range(1, 13)}
        self.labels = {record: "NAO~"[n % 4] for n, record in enumerate(self.recordings)}

    def publish(self, digest=None):
        with zipfile.ZipFile(self.site / "training2017.zip", "w") as archive:
            for record, data in self.recordings.items():
                archive.writestr(f"training2017/{record}.mat", data)
            archive.writestr("training2017/RECORDS", "A00001")
        content = (self.site / "training2017.zip").read_bytes()
        digest = digest or hashlib.sha256(content).hexdigest()
        (self.site / "SHA256SUMS.txt").write_text(f"{'0' * 64} LICENSE.txt\n{digest} training2017.zip\n")
        (self.site / "REFERENCE-v3.csv").write_text("".join(f"{r},{label}\n" for r, label in self.labels.items()))

    def fetch(self, **env):
        env = {**os.environ, "CELLA_ECG_URL": f"file://{self.site}", "CELLA_ECG_COUNT": "12", **env}
        done = subprocess.run([FETCH, self.to], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              check=False)
        return done.returncode, done.stdout

    def refuses(self, *words):
        status, text = self.fetch()
        self.assertEqual(status, 1, text)
        for word in words:
            self.assertIn(word, text)
        self.assertEqual(list(self.to.iterdir()), [])

    def test_recordings_and_labels(self):
        self.publish()
        status, text = self.fetch()
        self.assertEqual(status, 0, text)
        self.assertEqual((self.to / "training2017/A00003.mat").read_bytes(), self.recordings["A00003"])
        lines = (self.to / "labels.csv").read_text().splitlines()
        self.assertEqual(lines[:3], ["record,label,split", "A00001,N,train", "A00002,A,train"])
        self.assertEqual(len(lines), 13)
        self.assertEqual(sorted(path.name for path in self.to.iterdir()), ["labels.csv", "training2017"])
        self.assertIn("already", self.fetch()[1])

    def test_every_fifth_of_a_class_is_for_testing(self):
        self.labels = dict.fromkeys(self.recordings, "N")
        self.publish()
        self.fetch()
        lines = (self.to / "labels.csv").read_text().splitlines()
        self.assertEqual([line[:6] for line in lines if line.endswith("test")], ["A00005", "A00010"])

    def test_another_digest(self):
        self.publish(digest="1" * 64)
        self.refuses("SHA-256")

    def test_too_few_recordings(self):
        del self.recordings["A00007"]
        self.publish()
        self.refuses("holds 11 recordings instead of 12")

    def test_a_malformed_recording(self):
        for data in (b"", b"x" * 24, recording()[:-1], recording(9), recording().replace(b"val", b"lav")):
            with self.subTest(data[:24]):
                self.recordings["A00007"] = data
                self.publish()
                self.refuses("A00007.mat is no recording")

    def test_labels_of_other_recordings(self):
        self.labels["A00099"] = "N"
        self.publish()
        self.refuses("other recordings")

    def test_an_unknown_label(self):
        self.labels["A00002"] = "X"
        self.publish()
        self.refuses("unknown label X")

    def test_no_archive_but_something_else(self):
        self.publish()
        (self.site / "training2017.zip").write_bytes(b"<html>")
        digest = hashlib.sha256(b"<html>").hexdigest()
        (self.site / "SHA256SUMS.txt").write_text(f"{digest} training2017.zip\n")
        self.refuses("not a zip file")

    def test_no_network(self):
        status, text = self.fetch(CELLA_ECG_URL="http://127.0.0.1:1")
        self.assertEqual(status, 1)
        self.assertIn("no way to the internet", text)


if __name__ == "__main__":
    unittest.main()
