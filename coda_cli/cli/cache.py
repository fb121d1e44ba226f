"""`coda cache`: the answers that are kept for questions that are asked again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Final

import typer

from coda_cli.chat.words import ago, counted
from coda_cli.cli.output import put, put_json, say
from coda_cli.engine.cache import MAX_BYTES, ResponseCache
from coda_cli.engine.core.errors import CodaError
from coda_cli.settings.load import load_settings

app: Final = typer.Typer(
    help="Answers that are kept for the very same question, where `enable_caching = true` in coda.toml.",
    epilog="Example: coda cache stats",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
)
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command(epilog="Example: coda cache stats --json")
def stats(json: Json = False) -> None:
    """Show how many answers are kept, how large they are, and whether they are used."""
    settings, cache = load_settings(), ResponseCache()
    found = cache.stats()
    if json:
        put_json(
            {
                "enabled": settings.enable_caching,
                "folder": str(cache.folder),
                "answers": found.answers,
                "bytes": found.size,
                "max_bytes": MAX_BYTES,
                "ttl_seconds": settings.cache_ttl_seconds,
                "oldest": _iso(found.oldest),
                "newest": _iso(found.newest),
            }
        )
        return
    put(f"{counted(found.answers, 'answer')}, {found.size / 1e6:.1f} MB of at most {MAX_BYTES / 1e6:.0f} MB")
    if found.oldest is not None and found.newest is not None:
        put(f"used last {ago(found.newest)}, the one unused longest {ago(found.oldest)}")
    put(f"an answer is good for {settings.cache_ttl_seconds:g} s" if settings.enable_caching else "the cache is off")
    if not settings.enable_caching:
        say("`enable_caching = true` in coda.toml switches it on")


@app.command(epilog="Example: coda cache clear")
def clear(json: Json = False) -> None:
    """Take all kept answers away. The conversations stay."""
    try:
        count = ResponseCache().clear()
    except OSError as error:
        raise CodaError(
            f"the cache could not be cleared: {error.strerror or error}", hint="look at its folder"
        ) from error
    if json:
        put_json({"cleared": count})
    else:
        say(f"{counted(count, 'answer')} cleared")


def _iso(when: float | None) -> str | None:
    return None if when is None else datetime.fromtimestamp(when, UTC).isoformat(timespec="seconds")
