"""TeX formulas approximated in Unicode, on one line: `\\frac{a+b}{2}` as `(a+b)/2`, `x_i^2` as `xᵢ²`.

A formula with anything in it that is not known here is not changed at all: a wrong formula is worse than its source.
(Of the libraries that do this one writes `a+b/2` for that fraction, one leaves fractions and matrices, one moves the
limits of sums into the wrong place; so this is a table of our own.)
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_TOKENS: Final = re.compile(r"\\[A-Za-z]+\*?|\\.|[{}^_&]|\s+|.", re.DOTALL)
_FENCES: Final = (("$$", "$$"), ("\\[", "\\]"), ("\\(", "\\)"), ("$", "$"))
_DEEPEST: Final = 20


def _words(text: str) -> list[str]:
    return text.split()


_NAMED: Final = _words(
    "alpha α beta β gamma γ delta δ epsilon ϵ varepsilon ε zeta ζ eta η theta θ vartheta ϑ iota ι kappa κ "
    "lambda λ mu μ nu ν xi ξ omicron ο pi π varpi ϖ rho ρ varrho ϱ sigma σ varsigma ς tau τ upsilon υ phi "
    "ϕ varphi φ chi χ psi ψ omega ω Gamma Γ Delta Δ Theta Θ Lambda Λ Xi Ξ Pi Π Sigma Σ Upsilon Υ Phi Φ "
    "Psi Ψ Omega Ω times × cdot · div ÷ pm ± mp ∓ ast ∗ star ⋆ circ ∘ bullet • oplus ⊕ ominus ⊖ otimes ⊗ "
    "odot ⊙ wedge ∧ land ∧ vee ∨ lor ∨ neg ¬ lnot ¬ cap ∩ cup ∪ setminus ∖ le ≤ leq ≤ ge ≥ geq ≥ ne ≠ neq "
    "≠ ll ≪ gg ≫ approx ≈ sim ∼ simeq ≃ cong ≅ equiv ≡ propto ∝ prec ≺ succ ≻ in ∈ notin ∉ ni ∋ subset ⊂ "
    "subseteq ⊆ supset ⊃ supseteq ⊇ emptyset ∅ varnothing ∅ perp ⊥ parallel ∥ mid ∣ to → rightarrow → "
    "leftarrow ← leftrightarrow ↔ Rightarrow ⇒ Leftarrow ⇐ Leftrightarrow ⇔ implies ⇒ iff ⇔ mapsto ↦ "
    "uparrow ↑ downarrow ↓ longrightarrow ⟶ hookrightarrow ↪ sum ∑ prod ∏ coprod ∐ int ∫ iint ∬ iiint ∭ "
    "oint ∮ bigcup ⋃ bigcap ⋂ nabla ∇ partial ∂ infty ∞ forall ∀ exists ∃ nexists ∄ top ⊤ bot ⊥ vdash ⊢ "
    "models ⊨ therefore ∴ because ∵ angle ∠ triangle △ square □ ldots … cdots ⋯ dots … vdots ⋮ ddots ⋱ "
    "prime ′ hbar ℏ ell ℓ Re ℜ Im ℑ aleph ℵ wp ℘ dagger † degree ° langle ⟨ rangle ⟩ lfloor ⌊ rfloor ⌋ "
    "lceil ⌈ rceil ⌉ lbrace { rbrace } vert | Vert ‖ lvert | rvert | lVert ‖ rVert ‖ backslash \\ "
    "blacksquare ■ checkmark ✓"
)
_SYMBOLS: Final = dict(zip((f"\\{name}" for name in _NAMED[::2]), _NAMED[1::2], strict=True)) | {
    "\\,": " ", "\\;": " ", "\\:": " ", "\\ ": " ", "\\!": "", "\\quad": "  ", "\\qquad": "    ",
    "\\{": "{", "\\}": "}", "\\%": "%", "\\$": "$", "\\&": "&", "\\#": "#", "\\_": "_", "\\|": "‖",
    "~": " ", "'": "′",
}  # fmt: skip
_RELATIONS: Final = frozenset("×÷±∓∧∨∩∪≤≥≠≪≫≈∼≃≅≡∝∈∉⊂⊆⊃⊇→←↔⇒⇐⇔↦⟶=<>")
_BIG: Final = frozenset("∑∏∐∫∬∭∮⋃⋂")
_FUNCTIONS: Final = frozenset(
    _words(
        "\\sin \\cos \\tan \\cot \\sec \\csc \\arcsin \\arccos \\arctan \\sinh \\cosh \\tanh \\log \\ln \\lg \\exp "
        "\\min \\max \\sup \\inf \\lim \\limsup \\liminf \\det \\dim \\ker \\gcd \\arg \\deg \\Pr \\bmod \\mod"
    )
)
_TEXT: Final = frozenset(
    _words("\\text \\mathrm \\textrm \\operatorname \\operatorname* \\mathsf \\mathtt \\textbf \\textit \\mbox")
)
_PLAIN: Final = frozenset(_words("\\mathbf \\boldsymbol \\bm \\mathit \\mathnormal"))
_IGNORED: Final = frozenset(
    _words(
        "\\left \\right \\big \\Big \\bigg \\Bigg \\bigl \\bigr \\Bigl \\Bigr \\biggl \\biggr \\displaystyle "
        "\\textstyle \\limits \\nolimits \\middle"
    )
)
_ACCENTS: Final = {
    "\\hat": "\u0302", "\\widehat": "\u0302", "\\bar": "\u0304", "\\overline": "\u0305", "\\vec": "\u20d7",
    "\\tilde": "\u0303", "\\widetilde": "\u0303", "\\dot": "\u0307", "\\ddot": "\u0308", "\\underline": "\u0332",
}  # fmt: skip
_DOUBLE: Final = dict(zip("CHNPQRZ", "ℂℍℕℙℚℝℤ", strict=True))
_SCRIPT: Final = dict(zip("BEFHILMR", "ℬℰℱℋℐℒℳℛ", strict=True))
_UP: Final = dict(
    zip(
        "0123456789+-=()abcdefghijklmnoprstuvwxyzABDEGHIJKLMNOPRTUVWαβγδθφχ′∗",
        "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻᴬᴮᴰᴱᴳᴴᴵᴶᴷᴸᴹᴺᴼᴾᴿᵀᵁⱽᵂᵅᵝᵞᵟᶿᵠᵡ′*",
        strict=True,
    )
)
_DOWN: Final = dict(zip("0123456789+-=()aehijklmnoprstuvxβγρφχ", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓᵦᵧᵨᵩᵪ", strict=True))
_MATRICES: Final = {
    "matrix": ("", ""), "pmatrix": ("(", ")"), "bmatrix": ("[", "]"), "vmatrix": ("|", "|"), "Bmatrix": ("{", "}"),
    "Vmatrix": ("‖", "‖"), "smallmatrix": ("", ""), "array": ("", ""), "cases": ("{ ", ""),
}  # fmt: skip
_LINES: Final = frozenset(_words("align align* aligned gather gather* gathered equation equation* split"))


class _Unknown(Exception):
    """Something in the formula is not known here."""


@lru_cache(maxsize=1024)
def approximate(source: str) -> str | None:
    """The formula *source*, with its dollars or brackets, in Unicode; None if it is not understood."""
    fence = next(((a, b) for a, b in _FENCES if source.startswith(a) and source.endswith(b)), None)
    if fence is None or len(source) < len(fence[0]) + len(fence[1]):
        return None
    reader = _Reader(_TOKENS.findall(source[len(fence[0]) : -len(fence[1])].strip()))
    try:
        text = reader.group(None)
    except _Unknown:
        return None
    lines = (" ".join(line.split()) for line in text.split("\n"))
    return "\n".join(line for line in lines if line) or None


class _Reader:
    """Reads tokens one by one."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    def group(self, end: str | None) -> str:
        """Everything up to the token *end*, which is taken too; None: up to the end of all."""
        self._depth += 1
        if self._depth > _DEEPEST:
            raise _Unknown
        out: list[str] = []
        while (part := self._next()) != end:
            if part is None or part in ("}", "&", "\\\\", "\\end"):
                raise _Unknown
            if part in "^_":
                out[-1:] = [text.rstrip() for text in out[-1:]]  # "lim _(x)"
                out.append(self._script(part))
            else:
                out.append(self._one(part))
        self._depth -= 1
        return "".join(out)

    def _next(self) -> str | None:
        if self._at >= len(self._tokens):
            return None
        self._at += 1
        return self._tokens[self._at - 1]

    def _argument(self) -> str:
        """What a command or a power applies to: a group or the next token."""
        while (part := self._next()) is not None and part.isspace():
            pass
        if part is None or part in "}&^_":
            raise _Unknown
        return self.group("}") if part == "{" else self._one(part)

    def _raw(self) -> str:
        """A group in braces as it is written."""
        if self._next() != "{":
            raise _Unknown
        out: list[str] = []
        while (part := self._next()) != "}":
            if part is None or part == "{":
                raise _Unknown
            out.append(part)
        return "".join(out)

    def _script(self, sign: str) -> str:
        text = self._argument().strip()
        table = _UP if sign == "^" else _DOWN
        if all(char in table for char in text.replace(" ", "")):
            return "".join(table[char] for char in text.replace(" ", ""))
        return f"{sign}{text}" if len(text) == 1 else f"{sign}({text})"

    def _one(self, part: str) -> str:
        if part == "{":
            return self.group("}")
        if (symbol := _SYMBOLS.get(part)) is not None:
            return f" {symbol} " if symbol in _RELATIONS else f" {symbol}" if symbol in _BIG else symbol
        if not part.startswith("\\"):
            if part.isspace():
                return " "
            return f" {part} " if part in _RELATIONS else part
        return self._command(part)

    def _command(self, name: str) -> str:
        if name in ("\\frac", "\\dfrac", "\\tfrac", "\\cfrac"):
            return f"{_grouped(self._argument())}/{_grouped(self._argument())}"
        if name in ("\\binom", "\\dbinom"):
            return f"C({self._argument()}, {self._argument()})"
        if name == "\\sqrt":
            return self._root()
        if name in _FUNCTIONS:
            return f"{name[1:]} "
        if name in _TEXT:
            return self._raw()
        if name in _PLAIN:
            return self._argument()
        if name in _IGNORED:
            return self._delimiter() if name in ("\\left", "\\right", "\\middle") else ""
        if name in ("\\mathbb", "\\mathcal", "\\mathscr"):
            return self._letters(_DOUBLE if name == "\\mathbb" else _SCRIPT)
        if name in _ACCENTS:
            return self._accent(_ACCENTS[name])
        if name == "\\begin":
            return self._environment(self._raw())
        raise _Unknown

    def _delimiter(self) -> str:
        part = self._next()
        if part is None:
            raise _Unknown
        return "" if part == "." else self._one(part)

    def _root(self) -> str:
        sign = "√"
        if self._at < len(self._tokens) and self._tokens[self._at] == "[":
            self._next()
            degree = self.group("]").strip()
            if degree not in _UP:
                raise _Unknown
            sign = f"{_UP[degree]}√"
        return sign + _grouped(self._argument())

    def _letters(self, table: dict[str, str]) -> str:
        text = self._argument()
        if any(char not in table for char in text):
            raise _Unknown
        return "".join(table[char] for char in text)

    def _accent(self, mark: str) -> str:
        text = self._argument()
        if len(text) > 4:
            raise _Unknown
        return "".join(char + mark for char in text)

    def _environment(self, name: str) -> str:
        if name not in _MATRICES and name not in _LINES:
            raise _Unknown
        if name == "array":
            self._raw()
        rows = self._rows(name)
        if name in _LINES:
            return "\n".join(" ".join(cell for cell in row) for row in rows)
        before, after = _MATRICES[name]
        gap = "  " if name == "cases" else " "
        return before + "; ".join(gap.join(row) for row in rows) + after

    def _rows(self, name: str) -> list[list[str]]:
        """The cells up to the end of the environment."""
        rows: list[list[str]] = [[""]]
        while True:
            part = self._next()
            if part is None:
                raise _Unknown
            if part == "\\end":
                if self._raw() != name:
                    raise _Unknown
                return [cells for row in rows if any(cells := [cell.strip() for cell in row])]
            if part == "&":
                rows[-1].append("")
            elif part == "\\\\":
                rows.append([""])
            else:
                rows[-1][-1] += self._script(part) if part in "^_" else self._one(part)


def _grouped(text: str) -> str:
    """*text* in brackets, unless it is one thing."""
    text = text.strip()
    return text if re.fullmatch(r"\w+[⁰¹²³⁴⁵⁶⁷⁸⁹₀-₉ᵢⱼₙ]*|[^\W\d]\w*|\d+(?:\.\d+)?", text) else f"({text})"
