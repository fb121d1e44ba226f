"""Runs one fake vendor until Ctrl-C, for trying Coda by hand: `python -m tests.servers --vendor openai --port 8123`."""

import argparse
import asyncio
from typing import cast, get_args

from tests.servers.errors import KINDS, ErrorKind, error_reply
from tests.servers.vendors import FakeVendor
from tests.servers.wire import Vendor


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.servers", description="A stand-in for a vendor's API.")
    parser.add_argument("--vendor", choices=get_args(Vendor), default="openai")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--answer", default="Hello there, friend.", help="what it says")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds between two pieces of an answer")
    parser.add_argument("--fail", choices=KINDS, help="begin with errors of this kind")
    parser.add_argument("--times", type=int, default=1, help="how many errors")
    parser.add_argument("--retry-after", help="the Retry-After header of those errors")
    return parser.parse_args()


async def _serve(options: argparse.Namespace) -> None:
    vendor = cast("Vendor", options.vendor)
    fake = FakeVendor(vendor, answer=options.answer, port=options.port)
    fake.shape = lambda reply: reply.but(delay_between=options.delay)
    if options.fail:
        kind = cast("ErrorKind", options.fail)
        fake.fail_first(options.times, error_reply(vendor, kind, retry_after=options.retry_after))
    async with fake:
        print(fake.url, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    try:
        asyncio.run(_serve(_arguments()))
    except KeyboardInterrupt:
        pass
