"""Markdown to read, in the colours of the chat. Links show their targets; nothing is fetched or clicked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.style import Style

from coda_cli.markdown.render import MarkdownRenderer
from coda_cli.tui.screens.text_view import TextView

if TYPE_CHECKING:
    from coda_cli.tui.transcript.styles import Styles

_OWN: Final = "\x1f"
"""Begins and parts the names of Markdown styles; what comes without it is a style of the screens' own."""


class MarkdownView(TextView):
    """A `TextView` of Markdown, laid out anew for each width: hits are looked for in the lines as they are seen."""

    def __init__(self, source: str = "", *, id: str | None = None) -> None:  # noqa: A002 - the name in Textual
        super().__init__(id=id)
        self._source = source
        self._chat_styles: Styles | None = None

    def show(self, text: str) -> None:
        """Show untrusted Markdown from its start."""
        self._source = text
        super().show_lines(())

    def _wrap(self) -> None:
        width = max(1, self.scrollable_content_region.width)
        rendered = MarkdownRenderer().render(self._source, width, folded=True)
        self._set([[(text, _OWN + _OWN.join(key)) for text, key in line if text] for line in rendered])
        super()._wrap()

    def _style(self, name: str) -> Style:
        if not name.startswith(_OWN):
            return super()._style(name)
        style = self._styles.get(name)
        if style is None:
            style = super()._style("")
            for part in name.split(_OWN):
                if part and part[0] not in "@!":
                    style += self._look().of_mark(part)
            self._styles[name] = style
        return style

    def _look(self) -> Styles:
        if self._chat_styles is None:
            from coda_cli.tui.app import CodaApp
            from coda_cli.tui.transcript.styles import Styles

            self._chat_styles = self.app.styles_of_theme if isinstance(self.app, CodaApp) else Styles()
        return self._chat_styles

    def notify_style_update(self) -> None:
        """The theme has changed."""
        self._chat_styles = None
        super().notify_style_update()
