#!/usr/bin/python3
"""Does the style check see what it must refuse, and nothing else?"""
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
import c_source  # noqa: E402


def check(name, text, allow=""):
    """Status and messages of the check on a tree with one file."""
    with tempfile.TemporaryDirectory() as folder:
        for path, content in ((name, text), ("scripts/style.allow", allow)):
            Path(folder, path).parent.mkdir(parents=True, exist_ok=True)
            Path(folder, path).write_text(content)
        done = subprocess.run([ROOT / "scripts/check-style", folder], stderr=subprocess.PIPE, text=True, check=False)
        return done.returncode, done.stderr


class Style(unittest.TestCase):
    def refuses(self, name, text, word):
        status, messages = check(name, text)
        self.assertEqual(status, 1)
        self.assertIn(word, messages)

    def passes(self, name, text, allow=""):
        self.assertEqual(check(name, text, allow), (0, ""))

    def test_calls_that_are_banned(self):
        for call in ("strcpy(a, b)", "sprintf(a, \"x\")", "strcat (a, b)", "gets(a)", "alloca(9)", "system(a)",
                     "popen(a, b)", "atoi(a)"):
            with self.subTest(call):
                self.refuses("src/base/a.c", f"void f(void)\n{{\n\t{call};\n}}\n", "src/base/a.c:3")

    def test_names_that_only_resemble_them(self):
        self.passes("src/base/a.c", 'void f(void)\n{\n\tmy_strcpy(a); /* strcpy(a) */\n\tlog("system(x)");\n\tsnprintf(a);\n}\n')

    def test_memcmp_where_secrets_are(self):
        text = "int f(void)\n{\n\treturn memcmp(a, b, 3);\n}\n"
        self.refuses("src/crypto/a.c", text, "memcmp")
        self.passes("src/wasm/a.c", text)
        self.passes("src/crypto/a.c", text, "memcmp src/crypto/a.c # public bytes\n")

    def test_an_exception_that_nothing_needs_is_refused(self):
        status, messages = check("src/base/a.c", "int a;\n", "memcmp src/crypto/a.c\n")
        self.assertEqual(status, 1)
        self.assertIn("nothing needs", messages)

    def test_goto_leads_to_out(self):
        self.passes("src/base/a.c", "void f(void)\n{\n\tgoto out;\nout:\n\treturn;\n}\n")
        self.refuses("src/base/a.c", "void f(void)\n{\n\tgoto again;\nagain:\n\treturn;\n}\n", "goto")

    def test_openssl_belongs_to_crypto(self):
        self.passes("src/crypto/a.c", "#include <openssl/evp.h>\n")
        self.refuses("src/seal/a.c", "#include <openssl/evp.h>\n", "openssl")

    def test_a_function_of_sixty_lines_passes_and_of_sixty_one_not(self):
        body = "\tx++;\n"
        self.passes("src/base/a.c", "void f(int x)\n{\n" + 60 * body + "}\n")
        self.refuses("src/base/a.c", "void f(int x)\n{\n" + 61 * body + "}\n", "f has 61 lines")

    def test_comments_and_rows_of_tables_do_not_count(self):
        rows = "".join(f"\tcase {i}: return {i};\n" for i in range(100))
        self.passes("src/base/a.c", "int f(int x)\n{\n\tswitch (x) {\n" + rows + "\t}\n\t/* a\n\n b */\n}\n")

    def test_a_long_file_is_refused(self):
        self.passes("src/base/a.c", 600 * "int a;\n")
        self.refuses("src/base/a.c", 601 * "int a;\n", "601 code lines")
        self.passes("src/base/a.c", 5000 * "/* a */\n")

    def test_text(self):
        self.refuses("src/base/a.c", "int a; \n", "white space")
        self.refuses("src/base/a.c", "int a;", "no new line")
        self.refuses("src/base/a.c", "/* TO" "DO: more */\n", "unfinished")
        self.refuses("src/base/a.h", "#ifndef A\n", "header")
        self.refuses("src/base/a.c", "/* " + 110 * "x" + " */\n", "columns")
        self.refuses("src/base/a.c", "int a; /* " + 110 * "x" + " */\n", "columns")
        self.passes("src/base/a.c", 'const char a[] = "' + 110 * "x" + '";\n')

    def test_scripts_do_not_sleep(self):
        self.refuses("tests/integration/a.sh", "#!/bin/bash\n\tsleep 3\n", "a.sh:2")


class Reader(unittest.TestCase):
    def test_functions_are_found_by_their_heads(self):
        text = """
static const struct x t = { .f = { 1, 2 } };
struct s { int a; };
#define M(a) \\
	do { a; } while (0)
static int *one(int (*f)(int, char), struct s *p) __attribute__((noreturn))
{
	if (f) { return "}" /* { */; }
	return 0;
}
#ifdef A
int two(void)
#else
int two(int b)
#endif
{
	char c = '{';
	return c;
}
"""
        found = [(function.name, function.length) for function in c_source.functions(text)]
        self.assertEqual(found, [("one", 2), ("two", 2)])


if __name__ == "__main__":
    unittest.main()
