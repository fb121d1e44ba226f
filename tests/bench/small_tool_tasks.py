"""Questions for small models: fifty that need one of five tools, fifty that need none. Written before any was asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

FILES: Final = {
    "notes.txt": "The meeting with Ingrid is on Thursday.\n",
    "todo.md": "- water the ferns\n- call the dentist\n",
    "config.toml": "port = 8417\n",
    "src/main.py": 'print("hello from the heron")\n',
    "docs/intro.md": "# Kestrel\n\nKestrel counts birds.\n",
    "data/prices.csv": "apple,3\npear,5\n",
    "README.md": "This project is called Wren.\n",
    "shopping.txt": "milk, saffron, bread\n",
    "LICENSE.txt": "MIT licence, owned by Ottilie Brandt\n",
    "secret-plan.txt": "Paint the shed turquoise.\n",
}


@dataclass(frozen=True, slots=True)
class Task:
    """`question` needs `tool`; the answer must say all of `values` ("": what the tool gave)."""

    question: str
    tool: str
    values: tuple[str, ...] = ("",)
    arguments: tuple[tuple[str, object], ...] = ()


def _sum(question: str, *values: str) -> Task:
    return Task(question, "calculator", values)


def _read(question: str, *values: str) -> Task:
    return Task(question, "read_file", values)


def _list(question: str, *values: str) -> Task:
    return Task(question, "list_files", values)


def _time(question: str, zone: str = "") -> Task:
    return Task(question, "get_time", arguments=(("timezone", zone),) if zone else ())


def _random(question: str, low: int, high: int) -> Task:
    return Task(question, "random_number", arguments=(("minimum", low), ("maximum", high)))


TASKS: Final = (
    _time("What time is it now?"),
    _time("Can you tell me the current time?"),
    _time("what's the time in Tokyo", "Asia/Tokyo"),
    _time("What time is it in New York right now?", "America/New_York"),
    _time("I need to call Berlin, what time is it there?", "Europe/Berlin"),
    _time("current time please"),
    _time("Is it late in Sydney? Tell me the time there.", "Australia/Sydney"),
    _time("How late is it?"),
    _time("Give me the time in UTC", "UTC"),
    _time("What does the clock say in London at the moment?", "Europe/London"),
    _sum("What is 17 * 23?", "391"),
    _sum("what's 2+2?", "4"),
    _sum("Calculate 1234 + 5678", "6912"),
    _sum("How much is 144 divided by 12?", "12"),
    _sum("Compute (3 + 4) * 5", "35"),
    _sum("What's 15% of 240?", "36"),
    _sum("I bought 6 apples for 3 dollars each, how much is 6 times 3?", "18"),
    _sum("What is 2 to the power of 16?", "65536"),
    _sum("Please multiply 99 by 101", "9999"),
    _sum("1000 - 387 = ?", "613"),
    _random("Give me a random number between 1 and 10", 1, 10),
    _random("Pick a random number from 1 to 100", 1, 100),
    _random("Roll a dice for me", 1, 6),
    _random("I need a random integer between 50 and 60", 50, 60),
    _random("Choose a number between 3 and 7 at random", 3, 7),
    _random("generate a random number between 1000 and 9999", 1000, 9999),
    _random("Throw a six-sided die, please: a random number from 1 to 6", 1, 6),
    _random("random number 1-20", 1, 20),
    _random("Please draw a random number between 1 and 49 for the lottery", 1, 49),
    _random("Surprise me with a random number between 0 and 5", 0, 5),
    _read("What does notes.txt say?", "Thursday"),
    _read("Read the file todo.md", "ferns", "dentist"),
    _read("Which port is set in config.toml?", "8417"),
    _read("Show me src/main.py", "heron"),
    _read("What is Kestrel, according to docs/intro.md?", "birds"),
    _read("Look into data/prices.csv: what does a pear cost?", "5"),
    _read("What is this project called? Look in README.md", "Wren"),
    _read("Open shopping.txt and tell me what to buy", "milk", "saffron", "bread"),
    _read("Who owns the licence in LICENSE.txt?", "Ottilie"),
    _read("please print the contents of secret-plan.txt", "turquoise"),
    _list("Which files are in this folder?", "notes.txt", "README.md"),
    _list("List the files here", "todo.md", "config.toml"),
    _list("What files are in the src folder?", "main.py"),
    _list("Show me the files in docs", "intro.md"),
    _list("ls data", "prices.csv"),
    _list("What's in the current directory?", "notes.txt", "shopping.txt"),
    _list("list all files in the data directory", "prices.csv"),
    _list("Are there any files in the docs folder?", "intro.md"),
    _list("Please give me a listing of this directory", "README.md", "todo.md"),
    _list("What files do I have in my working folder?", "notes.txt", "LICENSE.txt"),
)

ROUGH: Final = (
    _time("yo what time we at"),
    _time("is it past 5 yet? check the time"),
    _time("my sister lives in Madrid, whats the time for her", "Europe/Madrid"),
    _time("Seoul time?", "Asia/Seoul"),
    _sum("7 people pay 13 each, total?", "91"),
    _sum("whats half of 86", "43"),
    _sum("add up 10, 20 and 35", "65"),
    _sum("how many hours are in 365 days, 24 each?", "8760"),
    _random("need a dice roll", 1, 6),
    _random("think of a number between 20 and 30", 20, 30),
    _random("lottery: random number up to 6, starting at 1", 1, 6),
    _random("any random number from 300 to 400 will do", 300, 400),
    _read("whats in my shopping.txt", "saffron"),
    _read("according to README.md, what's the project's name", "Wren"),
    _read("can u show docs/intro.md", "birds"),
    _read("price of an apple? it's in data/prices.csv", "3"),
    _list("anything in docs/?", "intro.md"),
    _list("whats in here", "notes.txt"),
    _list("give me the file list of src", "main.py"),
    _list("folder data, what does it hold?", "prices.csv"),
)
"""Rougher ones, written after everything was in its place, and asked once."""

NO_TOOL: Final = (
    "What is the capital of France?",
    "Who wrote Romeo and Juliet?",
    "Explain what a variable is in Python.",
    "Tell me a joke.",
    "What is the time complexity of binary search?",
    "How do I read a file in Python?",
    "What is a random forest?",
    "Write a haiku about the sea.",
    "What does HTTP stand for?",
    "How many legs does a spider have?",
    "Who was the first man on the moon?",
    "What is the difference between a list and a tuple?",
    "Translate 'thank you' into German.",
    "Why do cats purr?",
    "What is the time value of money?",
    "Hi there!",
    "What's your name?",
    "Give me three synonyms for happy.",
    "What is a directory in Linux?",
    "Who invented the telephone?",
    "How does a calculator work?",
    "What is the meaning of the word 'serendipity'?",
    "Name the planets of the solar system.",
    "What is the chemical symbol for gold?",
    "Write a function that adds two numbers.",
    "What is a prime number?",
    "How do I list files in bash?",
    "What happened in 1989 in Berlin?",
    "Is 2 the only even prime number?",
    "Why is 42 a famous number?",
    "What are the 7 wonders of the world?",
    "Explain the 3 laws of robotics.",
    "What is daylight saving time?",
    "How long does it take to boil an egg?",
    "What does random mean?",
    "How do dice work in Monopoly?",
    "What is a .csv file?",
    "What is package.json used for?",
    "What does the ls command do?",
    "Write a Python script that prints the time.",
    "What is the best time to visit Japan?",
    "Who painted the Mona Lisa in the 1500s?",
    "How many files can a folder hold?",
    "What does 'time flies' mean?",
    "What is the plot of The Lord of the Rings?",
    "Summarise the theory of evolution in two sentences.",
    "What is 3D printing?",
    "Should I learn Python 3 or Java 17 first?",
    "Thanks, that was helpful.",
    "What should I cook tonight?",
)
