"""Tools of MCP servers: programs and addresses that the person has named in coda.toml.

Nothing here but `process` and `connection` knows how a server is spoken to, and only `connection` imports the SDK (the
extra `mcp`, 0.45 s): when a server is really asked. All that a server says is data of a stranger.
"""
