"""One HTML file of a conversation: no script, nothing from outside, and nothing in it that a model or a person wrote
can be more than text.

Four walls stand one behind the other: markdown-it without HTML, a renderer that lets only http, https and mailto links
through, escaping of everything else, and a Content-Security-Policy that allows no script, no request and no style but
the one whose hash it names.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING, Any, Final, assert_never

from coda_cli.engine.conversations.outline import Numbered, attached, moment, outline, speaker
from coda_cli.engine.conversations.tree import Conversation
from coda_cli.engine.core.messages import (
    AudioPart,
    FilePart,
    ImagePart,
    MessageRole,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from coda_cli.engine.rendering.parsing import MAX_NESTING, parser
from coda_cli.engine.rendering.sanitize import sanitize

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.renderer import RendererHTML
    from markdown_it.rules_core import StateCore
    from markdown_it.token import Token

SAFE_IMAGES: Final = ("image/png", "image/jpeg", "image/gif", "image/webp")

# Inline parsing of one paragraph is not linear for hostile input, nor are all of Pygments' lexers.
_INLINE_LIMIT: Final = 30_000
_HIGHLIGHT_LIMIT: Final = 100_000
_LINK: Final = re.compile(r"(?:https?://|mailto:)", re.IGNORECASE)
_LANGUAGE: Final = re.compile(r"[A-Za-z0-9+#._-]{1,40}")

_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1c1e21; --dim: #5d6673; --paper: #fff; --wash: #f3f4f6; --line: #d9dde3;
  --link: #0b57d0; }
@media (prefers-color-scheme: dark) { :root { --ink: #e3e6ea; --dim: #9aa4b1; --paper: #15181c; --wash: #1f242a;
  --line: #363d46; --link: #8ab4f8; } }
body { background: var(--paper); color: var(--ink); font: 16px/1.6 system-ui, sans-serif; margin: 0 auto;
  max-width: 50rem; padding: 1.5rem; overflow-wrap: anywhere; }
h1 { line-height: 1.25; } a { color: var(--link); }
.facts, .who { color: var(--dim); font-size: .875rem; }
.who { margin: 0 0 .5rem; } .who b { color: var(--ink); }
.branch { border-top: 2px solid var(--line); margin-top: 2.5rem; padding-top: 1rem; }
article { border-top: 1px solid var(--line); padding: 1rem 0; }
article.user { background: var(--wash); border: 0; border-radius: .75rem; margin: .75rem 0; padding: 1rem; }
details { border: 1px solid var(--line); border-radius: .5rem; margin: .75rem 0; padding: .5rem .75rem; }
summary { color: var(--dim); cursor: pointer; }
pre { background: var(--wash); border-radius: .5rem; overflow-x: auto; padding: .75rem; font-size: .875rem; }
article.user pre { background: var(--paper); }
pre.text { white-space: pre-wrap; } code { font-family: ui-monospace, monospace; font-size: .9em; }
blockquote { border-left: 3px solid var(--line); color: var(--dim); margin-left: 0; padding-left: 1rem; }
table { border-collapse: collapse; display: block; overflow-x: auto; }
th, td { border: 1px solid var(--line); padding: .3rem .6rem; } .right { text-align: right; }
.center { text-align: center; } img { height: auto; max-width: 100%; }
@media print { details:not([open]) { display: none; } }
"""


def html(conversation: Conversation, *, tree: bool, branch: str | None) -> str:
    """See `export_html`."""
    plan = outline(conversation, tree=tree, branch=branch)
    name = _line(conversation.name or "Untitled")
    body = [f"<header><h1>{name}</h1>", f'<p class="facts">{_facts(conversation, plan.summary)}</p></header>']
    if plan.compacted is not None:
        text, covered = plan.compacted
        which = f"messages {covered[0]} to {covered[-1]}" if covered else "earlier messages"
        body.append(_details(f"Summary that stands for {which}", _markdown(text)))
    for one in plan.branches:
        if one.heading:
            body.append(f'<h2 class="branch">{_line(one.heading)}</h2>')
        body += [_message(numbered) for numbered in one.messages]
    content = "\n".join(body)
    style = _STYLE + (_syntax() if 'class="hl"' in content else "")
    return _page(name, style, content)


def _page(name: str, style: str, content: str) -> str:
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{name}</title>\n<style>{style}</style>\n</head>\n<body>\n{content}\n</body>\n</html>\n"
    )


def _line(text: str) -> str:
    """Untrusted *text* as one line of HTML text, safe inside an attribute too."""
    return escape(" ".join(sanitize(text).split()))


def _block(text: str) -> str:
    return f'<pre class="text">{escape(sanitize(text))}</pre>'


def _facts(conversation: Conversation, summary: str) -> str:
    facts = [moment(conversation.created), summary, _line(conversation.id)]
    if conversation.tags:
        facts.insert(1, f"tags: {', '.join(map(_line, conversation.tags))}")
    return " · ".join(filter(None, facts))


def _message(numbered: Numbered) -> str:
    message = numbered.node.message
    status = _line(message.status) if message.status != "complete" else ""
    rated = f"rated {numbered.node.rating}" if numbered.node.rating is not None else ""
    facts = [moment(message.created), status, "pinned" if numbered.node.pinned else "", rated]
    who = " · ".join(filter(None, [f"<b>{numbered.number}. {_line(speaker(numbered.node))}</b>", *facts]))
    parts = "\n".join(filter(None, (_part(part, message.role) for part in message.parts)))
    return (
        f'<article class="{message.role.value}" id="m{numbered.number}" dir="auto">\n<p class="who">{who}</p>\n'
        f"{parts}\n</article>"
    )


def _part(part: Part, role: MessageRole) -> str:
    match part:
        case TextPart():
            return _markdown(part.text, breaks=role is MessageRole.USER)
        case ReasoningPart():
            return _details("Reasoning", _markdown(part.text)) if part.text else ""
        case ToolCallPart():
            return _details(f"Call of {_line(part.name)}", _code(part.arguments, "json"))
        case ToolResultPart():
            what = "Error" if part.is_error else "Result"
            return _details(f"{what} of {_line(part.name)}", _block(part.text))
        case ImagePart():
            told = _line(attached(part))
            if part.media_type not in SAFE_IMAGES:
                return f"<p>[{told}]</p>"
            data = base64.b64encode(part.data).decode()
            return f'<p><img src="data:{part.media_type};base64,{data}" alt="{told}"></p>'
        case AudioPart() | FilePart():
            return f"<p>[{_line(attached(part))}]</p>"
        case _:
            assert_never(part)


def _details(summary: str, body: str) -> str:
    return f"<details><summary>{summary}</summary>\n{body}\n</details>"


# ---- Markdown -------------------------------------------------------------------------------------------------------


def _markdown(text: str, *, breaks: bool = False) -> str:
    made = _renderer()
    env: dict[str, Any] = {"breaks": breaks, "links": []}
    clean = sanitize(text)
    tokens = made.parse(clean, env)
    if any(token.level >= MAX_NESTING - 1 for token in tokens):
        return _block(text)  # markdown-it leaves out what is nested deeper
    return str(made.renderer.render(tokens, made.options, env)).rstrip("\n")


@lru_cache(maxsize=1)
def _renderer() -> MarkdownIt:
    made: MarkdownIt = parser.__wrapped__()  # one of our own: what is changed here is for HTML only
    made.options["html"] = False
    made.disable(["html_block", "html_inline"])
    made.core.ruler.at("inline", _inline)
    for name, rule in _RULES.items():
        made.add_render_rule(name, rule)
    return made


def _inline(state: StateCore) -> None:
    """The core rule that parses what stands in a block, or leaves it as text where it is too long."""
    from markdown_it.token import Token

    for token in state.tokens:
        if token.type == "inline":
            token.children = []
            if len(token.content) > _INLINE_LIMIT:
                token.children = [Token("text", "", 0, content=token.content)]
            else:
                state.md.inline.parse(token.content, state.md, state.env, token.children)


def _link_open(self: RendererHTML, tokens: Sequence[Token], at: int, options: Any, env: dict[str, Any]) -> str:
    target = str(tokens[at].attrs.get("href", ""))
    safe = _LINK.match(target) is not None
    env["links"].append(safe)
    if not safe:
        return ""
    shown = escape(target)
    return f'<a href="{shown}" title="{shown}" rel="noopener noreferrer nofollow">'


def _link_close(self: RendererHTML, tokens: Sequence[Token], at: int, options: Any, env: dict[str, Any]) -> str:
    return "</a>" if env["links"].pop() else ""


def _image(self: RendererHTML, tokens: Sequence[Token], at: int, options: Any, env: dict[str, Any]) -> str:
    """Nothing is fetched to show an answer: a picture elsewhere is a link to it."""
    target, told = str(tokens[at].attrs.get("src", "")), _line(tokens[at].content or "image")
    if any(env["links"]) or _LINK.match(target) is None:
        return f"[{told}]"
    shown = escape(target)
    return f'<a href="{shown}" title="{shown}" rel="noopener noreferrer nofollow">[{told}]</a>'


def _fence(self: RendererHTML, tokens: Sequence[Token], at: int, options: Any, env: dict[str, Any]) -> str:
    words = tokens[at].info.split()
    return _code(tokens[at].content, words[0] if words else "") + "\n"


def _cell(self: RendererHTML, tokens: Sequence[Token], at: int, options: Any, env: dict[str, Any]) -> str:
    # markdown-it says it with a style attribute, which the policy forbids
    side = next((side for side in ("right", "center") if side in str(tokens[at].attrs.get("style", ""))), "")
    return f'<{tokens[at].tag} class="{side}">' if side else f"<{tokens[at].tag}>"


def _softbreak(self: RendererHTML, tokens: Sequence[Token], at: int, options: Any, env: dict[str, Any]) -> str:
    return "<br>\n" if env["breaks"] else "\n"


def _hardbreak(self: RendererHTML, tokens: Sequence[Token], at: int, options: Any, env: dict[str, Any]) -> str:
    return "<br>\n"


def _math(self: RendererHTML, tokens: Sequence[Token], at: int, options: Any, env: dict[str, Any]) -> str:
    return f"<code>{escape(tokens[at].content)}</code>"


def _mark(self: RendererHTML, tokens: Sequence[Token], at: int, options: Any, env: dict[str, Any]) -> str:
    return f"<sup>{escape(tokens[at].content)}</sup>"


def _note(self: RendererHTML, tokens: Sequence[Token], at: int, options: Any, env: dict[str, Any]) -> str:
    return f"<div><sup>{escape(tokens[at].info)}</sup> "


def _raw(self: RendererHTML, tokens: Sequence[Token], at: int, options: Any, env: dict[str, Any]) -> str:
    return escape(tokens[at].content)  # never made with `html` off: a second lock


def _rule(self: RendererHTML, tokens: Sequence[Token], at: int, options: Any, env: dict[str, Any]) -> str:
    return "<hr>\n"


_RULES: Final = {
    "link_open": _link_open, "link_close": _link_close, "image": _image, "fence": _fence, "code_block": _fence,
    "th_open": _cell, "td_open": _cell, "softbreak": _softbreak, "hardbreak": _hardbreak, "math_inline": _math,
    "html_block": _raw, "html_inline": _raw, "hr": _rule,
    "footnote_mark": _mark, "footnote_open": _note,
}  # fmt: skip


# ---- code -----------------------------------------------------------------------------------------------------------


def _code(code: str, language: str) -> str:
    code = sanitize(code)
    return f'<pre class="hl"><code>{_lit(code, language) or escape(code)}</code></pre>'


def _lit(code: str, language: str) -> str | None:
    if not _LANGUAGE.fullmatch(language) or len(code) > _HIGHLIGHT_LIMIT:
        return None
    from pygments import highlight
    from pygments.formatters import HtmlFormatter

    lexer = _lexer(language.lower())
    return str(highlight(code, lexer, HtmlFormatter(nowrap=True, classprefix="hl-"))) if lexer is not None else None


@lru_cache(maxsize=32)
def _lexer(language: str) -> object | None:
    from pygments.lexers import get_lexer_by_name

    if language not in _aliases():
        return None
    lexer: object = get_lexer_by_name(language, stripnl=False, ensurenl=False)
    return lexer


@lru_cache(maxsize=1)
def _aliases() -> frozenset[str]:
    from pygments.lexers import get_all_lexers

    # Without plugins: looking for them reads the metadata of every installed package.
    return frozenset(alias for _, aliases, _, _ in get_all_lexers(plugins=False) for alias in aliases)


@lru_cache(maxsize=1)
def _syntax() -> str:
    from pygments.formatters import HtmlFormatter

    def rules(style: str) -> str:
        made = HtmlFormatter(style=style, classprefix="hl-")
        lines: Iterator[str] = iter(made.get_token_style_defs(".hl"))
        return "\n".join(lines)

    return f"{rules('default')}\n@media (prefers-color-scheme: dark) {{\n{rules('github-dark')}\n}}\n"
