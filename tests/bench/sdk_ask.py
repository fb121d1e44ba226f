"""The baseline: the smallest streaming client over the bare openai SDK. Usage: sdk_ask.py MODEL PROMPT."""

import sys

from openai import OpenAI

answer = OpenAI().chat.completions.create(
    model=sys.argv[1], messages=[{"role": "user", "content": sys.argv[2]}], stream=True
)
for chunk in answer:
    if chunk.choices and chunk.choices[0].delta.content:
        sys.stdout.write(chunk.choices[0].delta.content)
        sys.stdout.flush()
