"""Stand-ins for model servers: loopback fakes that speak each vendor's wire format and can fail on purpose.

No model runs behind any of them. What each module offers:

- `http`: `FakeServer`, `Reply`, `Recorded`, `Gate`, `Pause`: an HTTP/1.1 server with faults at the byte level
- `script`: the vendor-neutral vocabulary (`Say`, `Think`, `Call`, `Stop`, `Used`, ...)
- `wire`: a script as the exact bytes of a vendor (`openai_chat`, `openai_responses`, `anthropic_messages`,
  `ollama_chat`) and as the JSON of a whole answer (the same names with `_whole`)
- `errors`: error replies of each vendor, and the spellings of Retry-After
- `framings`: the ways one and the same body can be laid out and cut
- `vendors`: `FakeVendor`, which joins all of these
- `threaded`: `ThreadedServer`, which keeps one alive beside blocking code; `dead_port` and `SilentPort`

By hand: `python -m tests.servers --vendor openai --port 8123`.
"""
