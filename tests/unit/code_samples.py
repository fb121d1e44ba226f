"""A piece of code in each of many languages, with what is hard to lex in parts: strings and comments over lines."""

from __future__ import annotations

from typing import Final

SAMPLES: Final[dict[str, str]] = {
    "python": (
        "import os\n"
        "\n"
        "@decorate\n"
        "class A(B):\n"
        '    """Over\n'
        '    two lines."""\n'
        "\n"
        "    def f(self, x: int = 1) -> str:\n"
        '        return f"{x!r} {os.sep}" + r"\\d" # why\n'
        "\n"
    ),
    "javascript": (
        "/* a comment\n"
        " over lines */\n"
        "const f = async (x) => {\n"
        "  // one\n"
        "  return `over ${x +\n"
        "    1} lines`;\n"
        "};\n"
        "let r = /a[b/]c/g.test('x');\n"
        "\n"
    ),
    "typescript": (
        "interface A<T> {\n"
        "  b: T | null;\n"
        "}\n"
        "export class C implements A<string> {\n"
        "  constructor(private b: string) {}\n"
        "}\n"
        "/** doc\n"
        " */\n"
        "\n"
    ),
    "java": (
        "package a.b;\n"
        "/* two\n"
        "lines */\n"
        "public class A extends B {\n"
        "    private int x = 0x1F;\n"
        '    @Override public String toString() { return "a\\"b"; }\n'
        "}\n"
        "\n"
    ),
    "c": (
        "#include <stdio.h>\n"
        "#define X(a) \\\n"
        "  ((a) + 1)\n"
        "/* two\n"
        "   lines */\n"
        "int main(void) {\n"
        '  printf("%d\\n", X(3));\n'
        "  return 0;\n"
        "}\n"
        "\n"
    ),
    "cpp": (
        "template <typename T>\n"
        "class A : public B<T> {\n"
        " public:\n"
        "  // one\n"
        '  auto f() const -> T { return R"(raw\n'
        'string)"; }\n'
        "};\n"
        "\n"
    ),
    "go": (
        'package main\n\nimport "fmt"\n\nvar s = `raw\nstring`\n\nfunc main() {\n\tfmt.Println(s, 0x1f) // end\n}\n\n'
    ),
    "rust": (
        "/* a /* nested */ one */\n"
        "fn main() {\n"
        '    let s = "over\n'
        '    lines";\n'
        "    let c = 'x';\n"
        '    println!("{}", s);\n'
        "}\n"
        "\n"
    ),
    "bash": (
        "#!/bin/bash\n"
        "for f in *.txt; do\n"
        '  echo "$f and ${f%.txt}" # why\n'
        "done\n"
        "cat <<EOF\n"
        "here $HOME\n"
        "EOF\n"
        "x=$(( 1 + 2 ))\n"
        "\n"
    ),
    "sql": ("-- one\nSELECT a, 'it''s', count(*) FROM t\nWHERE x > 1 /* two\nlines */ GROUP BY a;\n\n"),
    "html": (
        "<!-- a\n"
        "comment -->\n"
        '<div class="a">\n'
        "<script>\n"
        'let x = "<b>";\n'
        "</script>\n"
        "<style>\n"
        ".a { color: red; }\n"
        "</style>\n"
        "</div>\n"
        "\n"
    ),
    "css": ("/* a\ncomment */\n.a > b:hover {\n  color: #fff; /* x */\n  background: url(a.png);\n}\n\n"),
    "json": ('{\n  "a": [1, 2.5, true, null],\n  "b": {"c": "d\\n"}\n}\n'),
    "yaml": ("# a comment\na: 1\nb:\n  - x: y\n    z: |\n      text over\n      lines\n  - 'q'\n\n"),
    "ruby": ('# one\nclass A < B\n  def f(x)\n    puts "#{x} y"\n    <<~TXT\n      here\n    TXT\n  end\nend\n\n'),
    "php": ("<?php\n/* two\nlines */\nfunction f($x) {\n  return \"a $x b\" . 'c';\n}\n?>\n\n"),
    "toml": ('# one\n[a.b]\nc = "d"\ne = """over\nlines"""\nf = 1979-05-27\n\n'),
    "diff": ("--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n-old\n+new\n same\n"),
}
