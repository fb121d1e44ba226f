"""Markdown as lines of styled runs: one renderer for `coda ask`, the plain mode and the chat's transcript."""
