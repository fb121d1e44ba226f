"""Whether real small models follow verbosity: the mean length of answers for five values of the trait, in one table.

    python -m tests.bench.bench_persona [--questions N] [--model FILE.gguf ...]

Every answer is greedy and cut at 256 tokens, so longer ones count as cut. Nothing of it is kept.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import tempfile
from pathlib import Path
from typing import Final

from coda_cli import ConversationManager, LLMConfig, LLMManager, LLMProvider, PersonalityManager, ProviderConfig
from coda_cli.engine.personality.persona import persona_file
from tests.weights import SMALL, smollm2_path, weights_home

VALUES: Final = (0.1, 0.35, 0.5, 0.65, 0.9)
MOST_TOKENS: Final = 256
QUESTIONS: Final = (
    "Why is the sky blue?",
    "What is a binary search?",
    "How do I boil an egg?",
    "What does a database index do?",
    "Why do cats purr?",
    "What is the difference between TCP and UDP?",
    "How does a bicycle stay upright?",
    "What is inflation?",
)


async def lengths(model: Path, questions: int) -> dict[float, list[int]]:
    """The words of each answer of *model*, for each value of verbosity."""
    found: dict[float, list[int]] = {}
    config = LLMConfig(
        providers={"local": ProviderConfig(provider=LLMProvider.LOCAL, model=str(model))}, default_provider="local"
    )
    async with LLMManager(config, store=ConversationManager.in_memory()) as manager:
        for value in VALUES:
            file = persona_file(f"verbosity-{int(value * 100)}")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"[traits]\nverbosity = {value}\n", encoding="utf-8")
            await manager.set_personality_manager(PersonalityManager(file.stem))
            found[value] = []
            for question in QUESTIONS[:questions]:
                answer = await manager.generate_response(question, max_tokens=MOST_TOKENS, temperature=0.0)
                found[value].append(len(answer.content.split()))
    return found


def main() -> None:
    """Print one row a model."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--questions", type=int, default=len(QUESTIONS))
    parser.add_argument("--model", type=Path, action="append")
    asked = parser.parse_args()
    print("| model | " + " | ".join(f"verbosity {value}" for value in VALUES) + " |")
    print("|---|" + "--:|" * len(VALUES))
    for model in asked.model or [smollm2_path(), weights_home() / SMALL]:
        with tempfile.TemporaryDirectory() as home:
            os.environ["CODA_HOME"] = home
            found = asyncio.run(lengths(model, asked.questions))
        means = " | ".join(f"{statistics.mean(found[value]):.0f}" for value in VALUES)
        print(f"| {model.stem} | {means} |", flush=True)


if __name__ == "__main__":
    main()
