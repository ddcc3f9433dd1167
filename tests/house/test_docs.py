#!/usr/bin/python3
"""Do the documents' links lead somewhere, and does the index name every document?"""
import re
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")


def anchors(path):
    """The anchors that a Markdown file's headings make."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


class Docs(unittest.TestCase):
    def test_links_lead_somewhere(self):
        for document in DOCUMENTS:
            for link in LINK.findall(document.read_text(encoding="utf-8")):
                if "://" in link:
                    continue
                with self.subTest(f"{document.name}: {link}"):
                    name, _, anchor = link.partition("#")
                    target = (document.parent / name).resolve() if name else document
                    self.assertTrue(target.exists(), "no such file")
                    if anchor:
                        self.assertIn(anchor, anchors(target))

    def test_the_index_names_every_document(self):
        index = (ROOT / "docs/README.md").read_text(encoding="utf-8")
        for document in ROOT.glob("docs/**/*.md"):
            name = str(document.relative_to(ROOT / "docs"))
            if name != "README.md":
                with self.subTest(name):
                    self.assertIn(f"({name})", index)


if __name__ == "__main__":
    unittest.main()
