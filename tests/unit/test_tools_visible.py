"""What a person reads before they say yes: nothing hidden, nothing that only looks like something else."""

from __future__ import annotations

import os
import re
import unicodedata

import pytest
from hypothesis import given, settings, strategies as st

from coda_cli.engine.tools import visible as module
from coda_cli.engine.tools.visible import deceptive, visible, visible_line

LONG = 20 if os.environ.get("CODA_TEST_LONG") else 1
TABLE = {
    # Controls: a terminal's escapes, a line that overwrites itself.
    "rm -rf x\rls       ": "rm -rf x\\u{000D}ls       ",
    "ls\x1b[8m; rm x\x1b[0m": "ls\\u{001B}[8m; rm x\\u{001B}[0m",
    "ls\x08\x08rm": "ls\\u{0008}\\u{0008}rm",
    "a\x00b": "a\\u{0000}b",
    "a\x7fb": "a\\u{007F}b",
    "a\x9bb": "a\\u{009B}b",
    "a\x85b": "a\\u{0085}b",
    "a\x0bb\x0cc": "a\\u{000B}b\\u{000C}c",
    "a\x07": "a\\u{0007}",
    # Bidi: what is read in another order than it runs.
    "echo \u202egnp.exe": "echo \\u{202E}gnp.exe",
    "a\u202ab\u202cc": "a\\u{202A}b\\u{202C}c",
    "a\u2066b\u2069c": "a\\u{2066}b\\u{2069}c",
    "a\u2067b\u2068c": "a\\u{2067}b\\u{2068}c",
    "a\u200eb\u200fc": "a\\u{200E}b\\u{200F}c",
    "a\u061cb": "a\\u{061C}b",
    # Nothing to see.
    "git\u200bstatus": "git\\u{200B}status",
    "git\u200cstatus": "git\\u{200C}status",
    "git\u200dstatus": "git\\u{200D}status",
    "git\u2060status": "git\\u{2060}status",
    "\ufeffgit": "\\u{FEFF}git",
    "gi\u00adt": "gi\\u{00AD}t",
    "a\u180eb": "a\\u{180E}b",
    "a\u034fb": "a\\u{034F}b",
    "a\u115fb\u1160c": "a\\u{115F}b\\u{1160}c",
    "a\u3164b\uffa0c": "a\\u{3164}b\\u{FFA0}c",
    "a\u2800b": "a\\u{2800}b",
    "a\u17b4b": "a\\u{17B4}b",
    "a\ufe0fb": "a\\u{FE0F}b",
    "a\ufe00b": "a\\u{FE00}b",
    "a\U000e0100b": "a\\u{E0100}b",
    "a\ufff9b": "a\\u{FFF9}b",
    # Tags: a whole sentence for the model that nobody sees.
    "hi\U000e0072\U000e006d": "hi\\u{E0072}\\u{E006D}",
    "hi\U000e0001": "hi\\u{E0001}",
    # Spaces and breaks that are none.
    "git\u00a0status": "git\\u{00A0}status",
    "git\u2003status": "git\\u{2003}status",
    "git\u202fstatus": "git\\u{202F}status",
    "git\u3000status": "git\\u{3000}status",
    "git\u1680status": "git\\u{1680}status",
    "a\u2028b": "a\\u{2028}b",
    "a\u2029b": "a\\u{2029}b",
    # No character at all, or nobody's.
    "a\ue000b": "a\\u{E000}b",
    "a\U000f0000b": "a\\u{F0000}b",
    "a\ufdd0b": "a\\u{FDD0}b",
    "a\uffffb": "a\\u{FFFF}b",
    "a\udc80b": "a\\u{DC80}b",
    # Letters of other scripts among Latin ones.
    "g\u0456t status": "g\\u{0456}t status",
    "https://\u0430pple.com/": "https://\\u{0430}pple.com/",
    "curl https://g\u03bfogle.com": "curl https://g\\u{03BF}ogle.com",
    "https://\u0441\u043e\u0441\u043e.com": "https://\\u{0441}\\u{043E}\\u{0441}\\u{043E}.com",
    "\u0440\u0430\u0443\u0440\u0430l.com": "\\u{0440}\\u{0430}\\u{0443}\\u{0440}\\u{0430}l.com",
    "\u0501ocs.py": "\\u{0501}ocs.py",
    "\u13d2it status": "\\u{13D2}it status",
    "\uff47\uff49\uff54 status": "\\u{FF47}\\u{FF49}\\u{FF54} status",
    "\U0001d5c0it": "\\u{1D5C0}it",
    "\u24d6it": "\\u{24D6}it",
    "\u0261it": "\\u{0261}it",
    "g\u0131t": "g\\u{0131}t",
    "\u017fudo": "\\u{017F}udo",
    "k\u212aey": "k\\u{212A}ey",
    "\ufb01le": "\\u{FB01}le",
    # Signs that read as those of a shell or an address.
    "ls \uff1b rm": "ls \\u{FF1B} rm",
    "a\uff1b\uff1bb": "a\\u{FF1B}\\u{FF1B}b",
    "ls \uff5c sh": "ls \\u{FF5C} sh",
    "ls\u037e rm": "ls\\u{037E} rm",
    "https:\u2215\u2215a": "https:\\u{2215}\\u{2215}a",
    "a.com\u2044b": "a.com\\u{2044}b",
    "a.com\uff0fb": "a.com\\u{FF0F}b",
    "a\u2024com": "a\\u{2024}com",
    "a\uff0ecom": "a\\u{FF0E}com",
    "a\ua789b": "a\\u{A789}b",
    "rm \u2010rf": "rm \\u{2010}rf",
    "rm \u2212rf": "rm \\u{2212}rf",
    "a\u01c0b": "a\\u{01C0}b",
    "a\u0338=b": "a\\u{0338}=b",
    "/\u0301etc": "/\\u{0301}etc",
    "a" + "\u0301" * 5: "a" + "\u0301" * 3 + "\\u{0301}" * 2,
}
AT_HOME = (
    "git status --short | wc -l && echo '$HOME' > \"a b\"",
    "",
    "naïve café, Überstraße, señor, Ångström, e\u0301",
    "привет, мир: это обычный текст",
    "сосо — это слово",
    "git commit -m 'исправлена ошибка'",
    "VPN-сервис",
    "Ελληνικά, και αυτό",
    "日本語：テスト；使用git命令。",
    "中文（说明）！",
    "한국어 text",
    "שָׁלוֹם עולם",
    "مرحبا بالعالم",
    "नमस्ते दुनिया",
    "สวัสดีชาวโลก",
    "Tiếng Việt có dấu",
    "“quoted” ‘text’ – and — more…",
    "½ m² ™ © ± × ÷ → ✓ │ ─ █",
    "😀 ❤️ 🎉",
)


@pytest.mark.parametrize("text", TABLE, ids=ascii)
def test_what_hides_or_misleads_is_written_out(text: str) -> None:
    assert visible(text) == TABLE[text]
    assert deceptive(text)


@pytest.mark.parametrize("text", AT_HOME, ids=ascii)
def test_what_people_write_stays_as_it_is(text: str) -> None:
    assert visible_line(text) == text
    assert not deceptive(text)


def test_line_breaks_and_tabs_stay_in_a_text_and_show_in_a_line() -> None:
    assert visible("a\n\tb\n") == "a\n\tb\n"
    assert visible_line("ls\n\trm") == "ls\\u{000A}\\u{0009}rm"
    assert deceptive("ls\nrm")


def test_a_diff_shows_what_it_would_bring_in() -> None:
    diff = "--- a\n+++ b\n@@ -1 +1 @@\n-if admin:\n+if admin\u202e:  # \u2066\n"
    assert visible(diff) == "--- a\n+++ b\n@@ -1 +1 @@\n-if admin:\n+if admin\\u{202E}:  # \\u{2066}\n"


@given(st.text(max_size=80))
@settings(max_examples=200 * LONG, deadline=None)
def test_nothing_without_a_shape_comes_out_and_nothing_gets_lost(text: str) -> None:
    shown = visible_line(text)
    assert all(unicodedata.category(char)[0] != "C" and (char == " " or not char.isspace()) for char in shown)
    if "\\u{" not in text:
        assert re.sub(r"\\u\{([0-9A-F]+)\}", lambda found: chr(int(found[1], 16)), shown) == text


def _letter_by_letter(text: str) -> str:
    """`visible` as it is defined, without any haste."""
    home = {
        module._script(char) for char in text if char.isalpha() and not char.isascii() and char not in module._TWINS
    }
    doubtful: set[int] = set()
    for match in re.finditer(r"\w+", text):
        letters = [i for i in range(*match.span()) if text[i].isalpha()]
        foreign = {i for i in letters if not text[i].isascii() and module._foreign(text[i])}
        twins = all(text[i] in module._TWINS and module._script(text[i]) not in home for i in letters)
        if any(text[i].isascii() for i in letters) or (twins and re.search("[A-Za-z]", text)):
            doubtful |= foreign
    shown, row, base = "", 0, " "
    for i, char in enumerate(text):
        kind = module._kind(char) if not (" " <= char <= "~" or char in "\n\t") else "shown"
        row = row + 1 if kind == "mark" else 0
        base = base if row > 1 else text[i - 1 : i] or " "
        wrong = kind == "written" or (kind == "mark" and module._misplaced(char, base, row)) or i in doubtful
        shown += module._written(char) if wrong or (kind == "sign" and module._in_disguise(text, i)) else char
    return shown


MIXED = (
    "abZ_1 \n\u0301\u0338\ufe0f\u0430\u0432\u0441\u0435\u0416\u03b1\u03bf"
    "\u65e5\uff1b\uff08\u2474\u249c\u00b2\u202e\u00a0\u0131\u02bc\u2215.\u2764\uff11"
)


@given(st.text(st.one_of(st.sampled_from(MIXED), st.characters()), max_size=20))
@settings(max_examples=200 * LONG, deadline=None)
def test_all_at_once_is_the_same_as_letter_by_letter(text: str) -> None:
    assert visible(text) == _letter_by_letter(text)


@pytest.mark.parametrize(
    "part", ["\u65e5\u672c\uff1b", "e\u0301", "g\u0456t ", "\u0441\u043e a ", "\u202ea", "\uff1ba"], ids=ascii
)
def test_of_a_huge_text_the_end_hides_nothing_either(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LOOKED_AT", 100)
    shown = visible(part * 1000 + "g\u0456t\u202e \uff1b/\u0301")
    assert shown.startswith(visible(part * 99))
    assert shown.endswith(r"g\u{0456}t\u{202E} \u{FF1B}/\u{0301}")


def test_as_many_different_characters_as_nobody_writes_are_all_written_out() -> None:
    text = "".join(map(chr, range(0x4E00, 0x9000)))
    assert visible(f"a{text}").isascii()
    assert visible(text[:5000]) == text[:5000]


@given(st.text(st.characters(max_codepoint=0x7E, min_codepoint=0x20), max_size=80))
@settings(max_examples=50 * LONG, deadline=None)
def test_plain_ascii_is_shown_as_it_is(text: str) -> None:
    assert visible(text) == text == visible_line(text)


@given(st.text(st.sampled_from("a\u0301\u0430\u202e日；Ж \n"), max_size=20).map(lambda text: text * 2000))
@settings(max_examples=5 * LONG, deadline=None)
def test_a_long_text_is_read_once(text: str) -> None:
    """Work that grew with the square of the length would not end here."""
    assert len(visible(text)) >= len(text)
