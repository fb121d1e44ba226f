"""Formulas in Unicode: right, or not touched."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from coda_cli.markdown.render import MarkdownRenderer
from coda_cli.markdown.tex import approximate
from coda_cli.markdown.text import plain


@pytest.mark.parametrize(
    ("source", "seen"),
    [
        (r"$E = mc^2$", "E = mc²"),
        (r"$\frac{a+b}{2}$", "(a+b)/2"),
        (r"$$\sum_{i=1}^{n} x_i^2 \le \infty$$", "∑ᵢ₌₁ⁿ xᵢ² ≤ ∞"),
        (r"\(\sqrt[3]{x+1} \neq \sqrt2\)", "³√(x+1) ≠ √2"),
        (r"\[\begin{pmatrix}1 & 2\\3 & 4\end{pmatrix}\]", "(1 2; 3 4)"),
        (r"$f\colon$", None),
        (r"$\lim_{x\to 0} \frac{\sin x}{x}$", "lim_(x → 0) (sin x)/x"),
        (r"$$\begin{aligned} a &= b \\ c &= d \end{aligned}$$", "a = b\nc = d"),
        (r"$e^{i\pi} + 1$", "e^(iπ) + 1"),
        (r"$\mathbb{R}^n$", "ℝⁿ"),
        (r"$\text{if } x_{max}$", "if xₘₐₓ"),
        (r"$x^{", None),
        (r"$\frac{a}$", None),
        (r"$\def\x{}$", None),
        ("$" + "{" * 5000 + "$", None),
    ],
)
def test_a_formula_is_shown_in_unicode_or_as_it_is(source: str, seen: str | None) -> None:
    assert approximate(source) == seen


def test_money_is_no_formula_and_only_a_widget_changes_any() -> None:
    text = "It costs $5 and $10, that is $x^2$."
    shown = [plain(line) for line in MarkdownRenderer(widget=True).render(text, 80)]
    assert shown == ["It costs $5 and $10, that is x²."]
    assert [plain(line) for line in MarkdownRenderer().render(text, 80)] == [text]


@given(st.text(alphabet="\\{}^_&$ab1 +fracsqtbegind[]()", max_size=60))
def test_nothing_that_a_model_writes_makes_it_fail(text: str) -> None:
    found = approximate(f"${text}$")
    assert found is None or "\\frac" not in found
