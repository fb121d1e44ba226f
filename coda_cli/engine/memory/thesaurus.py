"""Everyday words that people use for the same thing when they tell it and when they ask for it later.

English only, and only what is near enough in any context; the rest is the business of the extra `semantic`.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from coda_cli.engine.memory.words import stem

MOST: Final = 8
_GROUPS: Final = """
live lives living moved based home reside
city town
work works working job employer employed joined company profession occupation living
boss manager supervisor lead
colleague coworker teammate
kid child kids children daughter son
baby child newborn
dad father daddy
mom mum mother mommy
parents mother father
grandma grandmother granny
grandpa grandfather grandad
wife husband spouse partner
married wedding marriage marry marrying
pet pets cat dog
dog puppy hound greyhound
cat kitten
vet veterinarian
doctor physician gp
dentist orthodontist
medicine medication meds tablets pills drops drug
allergic allergy allergies
vegetarian vegan meat
milk dairy lactose
alcohol drink beer wine
coffee espresso
breakfast morning
dinner meal food eat eats
restaurant cuisine
spicy hot chili
movie movies film films
series show tv
book books novel novels
author authors writer
reading read
song track
instrument play plays
camera photograph photographs photos
picture photo image
car vehicle drive
bike bicycle cycling
commute travel
plane planes flight flights fly
train rail
trip journey travel
vacation vacations holiday holidays
hotel pension
couch sofa settee
flat apartment building
elevator lift
rent lease
landlord owner
neighbour neighbor neighbours neighbors
parcel parcels package packages
garbage trash rubbish bin
washing laundry
computer laptop machine notebook
phone mobile smartphone cellphone
screen monitor display
headphones earphones
browser firefox
editor ide
shell
terminal console
os system
mail email e-mail
password passwords credentials
backup backups
server servers host hosted cluster
database db
cache caching
log logs logging
deploy deploys deployment deployments release releases ship
bug bugs defect issue overflow error
unreliable flaky fails failing
test tests testing
repo repository
branch branches
review approve approval
line columns width
library package crate
programming coding code
language languages
framework
message messages messaging
queue broker
outage outages incident
instructions runbook guide manual
safety safe
intern trainee
customer client customers clients
robot machine
battery charge
fast speed quick
deadline due
budget money
salary pay wage raise
meeting meetings standup
office workplace
lunch lunches eats
team group
talk speak presentation lecture conference
paper article manuscript
school college
university uni studied study degree
tall height metres
shoe shoes
hobby hobbies
sport sports exercise run climb boulder swim
race marathon
running run jogging
injury injured hurt tore
surgery operation replaced
afraid fear scared
smoke smoking cigarettes
stopped quit gave
favourite favorite preferred best
gift gifts present presents
birthday born
charity donate donation
bank account
tax taxes
house home
plant plants monstera
vegetable vegetables tomatoes tomato
flower flowers
garden allotment
swimming swim
lesson lessons class course
toy toys lego
babysitter sitter nanny
paediatrician pediatrician
sleep bed bedtime
wake morning
diary journal
nickname called
name called named
native natively mother
productive best focus
schedule plan
decide decided decision agree agreed
choose chose chosen picked
buy bought purchase
own have owns
lend lent borrowed
leash free
visit visits visiting
sister sibling
brother sibling
friend friends
expires expire expiry
licence license
colour color
"""


@cache
def _table() -> dict[str, tuple[str, ...]]:
    table: dict[str, dict[str, None]] = {}
    for line in _GROUPS.strip().splitlines():
        group = line.split()
        for word in group:
            table.setdefault(word, {}).update(dict.fromkeys(one for one in group if one != word))
    return {word: tuple(others)[:MOST] for word, others in table.items()}


def alike(word: str) -> tuple[str, ...]:
    """Other words for *word*, none for most."""
    table = _table()
    return table.get(word) or table.get(stem(word), ())
