"""The set that the rules of recall were written with: its misses have been read, so it shows what they can do at best."""

# ruff: noqa: E501 - a table, one line a row

from __future__ import annotations

from typing import Final

from tests.bench.memory_sets import MemorySet

_MEMORIES: Final = """
name | 400 | My name is Judith Marlow
city1 | 390 | I live in Lisbon
city2 | 40 | I moved to Berlin
birthday | 380 | My birthday is on the 3rd of May
work1 | 370 | I work at Brightwell Analytics
work2 | 35 | I joined Nordlicht Robotics
role | 34 | I am a backend engineer in the perception team
boss | 30 | My manager is Tobias Renn
partner | 360 | My partner Alma is a cardiologist
daughter | 355 | Our daughter Ines is four years old
daycare | 33 | Ines goes to the daycare on Kastanienallee
sister | 350 | My sister Vera lives in Toronto
brother | 349 | My brother Noah is a firefighter
mother | 348 | My mother is called Helena and is retired
father | 347 | My father repairs violins
grandma | 346 | My grandmother turns ninety in February
cat | 345 | My cat is called Pixel
dog | 200 | We adopted a greyhound named Biscuit
vet | 199 | Biscuit's vet is Doctor Hanisch
peanut | 344 | I am allergic to peanuts
lactose | 343 | Alma does not tolerate lactose
veg | 342 | I have been vegetarian since 2015
coffee | 341 | I drink my espresso without sugar
tea | 340 | I only drink green tea after six in the evening
wine | 339 | I do not drink alcohol
breakfast | 338 | For breakfast I usually have oatmeal with blueberries
cuisine | 337 | My favourite cuisine is Ethiopian
chili | 336 | Very spicy food gives me heartburn
knee | 335 | I tore the meniscus of my left knee while skiing
run | 334 | I run ten kilometres every Sunday
marathon | 60 | I signed up for the Hamburg marathon in April
climb | 333 | I boulder on Wednesdays with Priya
swim | 332 | I cannot swim very well
sleep | 331 | I go to bed at half past ten
glasses | 330 | My glasses have minus three dioptres
dentist | 329 | My dentist is in the Torstrasse
insurance | 328 | My health insurance is with Techniker
meds | 327 | I take thyroid tablets every morning
blood | 326 | My blood type is O negative
car1 | 325 | My car is an old Volvo estate
car2 | 50 | My car is now an electric Renault
bike | 324 | I commute on a blue Brompton folding bicycle
bahn | 323 | I have a BahnCard 50
flight | 322 | On planes I want an aisle seat
train | 321 | I get sick when I sit backwards in a train
passport | 320 | My passport expires in June 2028
visa | 319 | I need a visa for India
trip | 20 | We fly to Lisbon on the 22nd of December for Christmas
honeymoon | 318 | Our honeymoon was in Patagonia
summer | 317 | Last summer we hiked through the Dolomites
hotel | 316 | In Porto we always stay at the pension of Dona Rosa
japan | 315 | I want to see the cherry blossom in Kyoto one day
cello | 314 | I play the cello in an amateur orchestra
bach | 313 | My favourite piece is the fifth cello suite by Bach
concert | 15 | The orchestra plays Dvorak on the 12th of December
guitar | 312 | Noah plays bass guitar in a punk band
band | 311 | The band I listen to most is Khruangbin
podcast | 310 | I listen to podcasts at one and a half speed
book | 309 | I am reading The Dispossessed by Le Guin
author | 308 | My favourite author is Ursula Le Guin
crime | 307 | I find crime novels boring
film | 306 | The film I have seen most often is Spirited Away
series | 305 | We watch Borgen together on Friday nights
chess | 304 | I play chess online under the name rookery
elo | 303 | My chess rating is about 1650
game | 302 | Alma and I play Wingspan on rainy weekends
lego | 301 | Ines is crazy about dinosaurs
knit | 300 | I am knitting a scarf for my mother
garden | 299 | We have an allotment garden behind the Mauerpark
tomato | 298 | I grow six kinds of tomatoes
compost | 297 | The compost heap must be turned in March
plants | 296 | The monstera gets water on Saturdays
photo | 295 | I photograph with a Fuji X100
film2 | 294 | I develop black and white film in the bathroom
sourdough | 293 | My sourdough starter is called Gertrude
bread | 292 | I bake bread every other Saturday
volunteer | 291 | I volunteer at the repair café on the first Thursday of the month
party | 290 | I vote by mail
religion | 289 | I was brought up Catholic and am not religious
german | 288 | I speak German at level B2
portuguese | 287 | Portuguese is my mother tongue
french | 286 | I learned French at school and forgot most of it
japanese | 285 | I do ten minutes of Japanese flash cards a day
school | 284 | I went to school in Coimbra
uni | 283 | I studied computer science at the Técnico in Lisbon
thesis | 282 | My thesis was about incremental parsing
phd | 281 | I left my doctorate after two years
laptop | 280 | My laptop is a Framework 13 with 32 GB of memory
os1 | 279 | My operating system is Ubuntu
os2 | 70 | My operating system is now NixOS
editor1 | 278 | My editor is Vim
editor2 | 65 | My editor is now Helix
shell | 277 | My shell is fish
terminal | 276 | I work in Ghostty with the Gruvbox theme
font | 275 | My font is Iosevka at 14 points
keyboard | 274 | My keyboard is a split Moonlander with the Colemak layout
monitor | 273 | I have one 32-inch monitor at home
chair | 272 | I sit on a kneeling chair
phone | 271 | My phone is a Fairphone 5
watch | 270 | I do not wear a watch
headphones | 269 | My headphones are the Sennheiser HD 600
printer | 268 | The printer at home is called papageno
nas | 267 | The backup runs on the NAS every night at three
router | 266 | The router at home is a Fritzbox 7590
vpn | 265 | I use Mullvad when I travel
pwman | 264 | My passwords are stored in Bitwarden
mail | 263 | My mail is hosted by Posteo
browser | 262 | My browser is Firefox
calendar | 261 | My calendar week begins on Monday
notes | 260 | I take notes in Obsidian
todo | 259 | My tasks live in a plain text file
lang | 258 | The language I like best is Rust
python | 257 | At work most of our code is Python
cpp | 28 | The motion controller is written in C++
java | 256 | I have not written Java for ten years
go | 255 | The deployment tool is written in Go
ts | 254 | The web dashboard is a Svelte application
db1 | 253 | Our database is MySQL
db2 | 25 | Our database is now PostgreSQL 17
queue | 24 | Messages between services go through NATS
cache | 23 | Redis holds the sessions for thirty minutes
k8s | 22 | Everything runs on a Kubernetes cluster at Hetzner
staging | 21 | The staging server is called haddock
prod | 21 | The production cluster is called marlin
port | 20 | The metrics endpoint listens on port 9464
grafana | 20 | The dashboards are in Grafana under Perception
logs | 19 | Logs are kept for fourteen days in Loki
ci | 19 | The pipeline runs on self-hosted Forgejo runners
flaky | 18 | test_lidar_sync fails about once in fifty runs
deploy | 18 | We deploy on Tuesdays and Thursdays, never on Friday
freeze | 17 | The code freeze begins on the 14th of December
oncall | 17 | I am on call in the first week of January
runbook | 16 | The runbook for outages is in the folder ops/fire
pager | 16 | Alarms reach me through Signal
branch | 15 | Our branch names begin with the ticket number
review | 15 | Two people must approve every merge request
style | 14 | Our Python is formatted with ruff at 100 columns
typing | 14 | Type hints are mandatory in the perception package
tests | 13 | The integration tests need Docker and the lidar recordings
record | 13 | The lidar recordings are in the bucket nl-recordings
fixture | 12 | Fixtures older than a year are deleted
license | 12 | Our libraries are under the Apache licence
robot | 32 | Our robot is called Puffin and carries parcels
lidar | 31 | Puffin has two Ouster lidars
battery | 31 | Puffin's battery lasts five hours
speed | 30 | Puffin drives at six kilometres an hour at most
customer | 29 | Our biggest customer is the Charité hospital
pilot | 28 | The pilot in Rotterdam starts in March
budget1 | 27 | The budget is 40,000 euros
budget2 | 8 | The budget is 55,000 euros
deadline1 | 26 | The deadline is the 1st of December
deadline2 | 6 | The deadline is the 19th of December
team | 26 | The perception team has seven people
priya | 25 | Priya maintains the calibration code
lukas | 25 | Lukas wrote the simulator
mei | 24 | Mei is responsible for hardware safety
omar | 24 | Omar joined as an intern in September
standup | 23 | The daily meeting is at a quarter past nine
retro | 23 | Retrospectives are on the last Friday of the month
office | 22 | The office is in the Backfabrik, third floor
wifi | 22 | The guest network in the office is called puffin-guest
lunch | 21 | On Thursdays the team eats at the Vietnamese place
remote | 21 | I work from home on Mondays and Fridays
vacation | 20 | I have thirty days of holiday a year
notice | 20 | My notice period is three months
salary | 19 | My pay is reviewed every April
union | 19 | Nordlicht has a works council
desk | 18 | My desk is beside the window, number 314
badge | 18 | Visitors must be announced the day before
expenses | 17 | Expenses are filed in Payhawk
train2 | 17 | The company pays for the Deutschlandticket
conf | 90 | I spoke at RustConf about parsers
talk | 11 | My next talk is at FOSDEM about time series
paper | 11 | We are writing a paper on ground segmentation
reviewer | 10 | The second reviewer asked for an ablation study
blog | 250 | My blog is written with Zola
domain | 249 | My domain is marlow.codes
rss | 248 | I read feeds in Miniflux
mast | 247 | I am on Mastodon and nowhere else
oss | 246 | I maintain a crate called tinygrid
issue | 9 | Somebody reported an overflow in tinygrid's resize
release | 9 | The next release of tinygrid drops support for Rust 1.70
flat | 39 | Our flat is on the fourth floor without a lift
rent | 38 | The rent is 1,450 euros warm
landlord | 38 | The landlord is called Mr Przybylski
heating | 37 | The heating makes noises at night
neighbour | 37 | Our neighbour Mrs Okafor takes our parcels
keys | 36 | A spare key is at Priya's
trash | 36 | Paper is collected every second Thursday
internet | 35 | The internet contract is with Telekom until 2027
power | 35 | We have green electricity from Naturstrom
washing | 34 | The washing machine leaks a little
sofa | 33 | We are looking for a corner sofa in dark green
kitchen | 33 | The kitchen has an induction hob
bank | 245 | My bank is GLS
tax | 244 | My tax adviser is Frau Lindqvist
invest | 243 | I put 200 euros a month into an index fund
mortgage | 242 | We do not want to buy a house before 2030
will | 241 | I donate to Doctors Without Borders every year
gift | 240 | Alma wants a ceramic course for her birthday
almabday | 239 | Alma's birthday is on the 17th of August
wedding | 238 | We married on the 9th of September 2018
inesfood | 237 | Ines refuses to eat mushrooms
inessleep | 236 | Ines needs her stuffed owl to fall asleep
inesdoc | 235 | The paediatrician is Doctor Sato
school2 | 10 | Ines starts school in August 2028
sitter | 234 | Our babysitter is called Lotte and comes on Tuesdays
swimclass | 12 | Ines has a swimming class on Saturdays at ten
veratrip | 14 | Vera visits us over New Year
noahbaby | 13 | Noah and Kim are expecting a child in February
momhip | 45 | My mother had her hip replaced in October
dadworkshop | 233 | My father's workshop is in the Rua das Flores
friend | 232 | My oldest friend is called Marta
marta | 231 | Marta moved to Melbourne
priyawed | 7 | Priya is getting married in June
book2 | 80 | I lent Lukas my copy of Crafting Interpreters
bookclub | 75 | The book club meets every six weeks at Hanna's
orchestra2 | 72 | Orchestra rehearsals are on Monday evenings
cellocase | 71 | The clasp of my cello case is broken
strings | 70 | I use Larsen strings
luthier | 69 | The luthier in Berlin is called Bertrand
piano | 68 | Ines may begin the piano next year
museum | 67 | We have a yearly ticket for the natural history museum
zoo | 66 | Ines is afraid of the zoo's reptile house
park | 64 | Biscuit may run free in the Humboldthain
dogfood | 63 | Biscuit eats only grain-free food
catmed | 62 | Pixel gets eye drops twice a day
fish | 61 | We gave the aquarium away
fear | 230 | I am afraid of heights
morning | 229 | I think best before noon
introvert | 228 | Large groups tire me
decide | 227 | I need a night's sleep before big decisions
learn | 226 | I learn best from worked examples
maths | 225 | I know linear algebra well and statistics badly
pomodoro | 224 | I work in blocks of fifty minutes
music | 223 | I cannot work with music that has lyrics
meeting | 222 | I do not take meetings before ten
email | 221 | I answer mail twice a day
news | 220 | I read the news only on Sundays
screen | 219 | No screens after nine in the evening
goal | 218 | My goal this year is to publish the time series library
resolution | 217 | I want to see Noah more often
habit | 216 | I write three sentences in a diary every night
smoke | 215 | I stopped smoking in 2019
weight | 214 | I am 1.72 metres tall
shoe | 213 | My shoe size is 40
colour | 212 | My favourite colour is ochre
season | 211 | I like autumn best
smell | 210 | I cannot stand the smell of lavender
flower | 209 | My favourite flowers are ranunculus
nickname | 208 | My friends call me Ju
sign | 207 | I am left-handed
hair | 206 | I cut my hair myself
tattoo | 205 | I have a tattoo of a swift on my wrist
dream | 204 | I would love to build a small observatory
telescope | 203 | My telescope is an eight-inch Dobsonian
meteor | 202 | We watch the Geminids every December
birds | 201 | I count birds for the winter census
umbrella | 48 | I left my grey umbrella at the cinema Zeughaus
bakery | 47 | The best croissants are at Bäckerei Siebert
ferry | 46 | The ferry to Bornholm leaves from Sassnitz
drill | 45 | Marta still has my cordless drill
vase | 44 | The green vase was a present from Helena
stairs | 43 | The third stair in my parents' house creaks
recipe | 42 | Vera's pastel de nata recipe is in the tin box
museumjob | 41 | As a student I worked as a guide in the tile museum
opera | 40 | We saw Jenufa at the Komische Oper
jacket | 39 | My rain jacket is from Fjällräven
ski | 38 | We no longer go skiing
sauna | 37 | The sauna is open for women on Mondays
library | 36 | My library card expires in January
choir | 35 | Alma sings alto in the hospital choir
*parser | 6 | Parser design. decided: let's use a hand-written recursive descent parser; recovery at statement ends
*lexer | 13 | Lexer speed. decided: we will use a table-driven lexer. asked: why is the lexer slow on long comments
*schema | 7 | Telemetry schema. decided: we agreed on Protobuf with one file a topic
*cachegist | 27 | Session cache. decided: we use write-through caching with a TTL of thirty minutes
*hiring | 5 | Hiring plan. decided: we hire one senior engineer before summer
*kitchenplan | 12 | Kitchen renovation. decided: oak worktop, no upper cupboards
*xmas | 8 | Christmas presents. decided: a microscope for Ines, theatre tickets for my parents
*itin | 19 | Trip to Rotterdam. decided: take the train on the 2nd of March and stay two nights
*logo | 41 | Logo for tinygrid. decided: go with the blue hexagon
*naming | 55 | Naming the service. decided: let's call the new service Kestrel
*testing | 3 | Test strategy. decided: property tests for the codec, golden files for the rest
*garden2 | 240 | Garden plan. decided: two raised beds and a pear tree
*migration | 24 | Database migration. decided: we move with logical replication on a Sunday
*talkplan | 4 | Talk outline. decided: begin with the leap second bug, no live demo
*cv | 52 | Rewriting my CV. asked: how long should a CV be
*sql | 2 | Slow query. asked: why does the planner choose a sequential scan; decided: add a partial index on open orders
*regex | 1 | Regular expressions. asked: how to match balanced parentheses; decided: we do not use regex for that
*essay | 31 | Essay for the school board. asked: make this paragraph friendlier
*physio | 29 | Knee exercises. decided: three times a week, no lunges
*budgetgist | 9 | Household budget. decided: eat out twice a month at most
*podcastgist | 16 | Podcast idea. decided: six episodes about old computers, first one about the Z3
*backup | 44 | Backup plan. decided: one copy at my brother's place, encrypted with age
*licensegist | 21 | Licence of the library. decided: go with Apache instead of MIT
*api | 10 | Public API. decided: errors are values, no exceptions across the boundary
*retry | 11 | Retries in the client. decided: three attempts with full jitter
*coffeegist | 17 | Coffee machine. decided: buy the used Rancilio
*curtains | 18 | Curtains. decided: linen in the bedroom, none in the study
*speech | 7 | Speech for Priya's wedding. decided: tell the story of the lost tent
*bikegist | 22 | Bicycle repair. asked: why does the Brompton click; decided: replace the chain tensioner
*tax2 | 58 | Tax return. asked: can I deduct the home office
"""

_QUESTIONS: Final = """
same | What is my cat called? | cat
same | What is my partner's job, is Alma a cardiologist? | partner
same | Who is my manager? | boss
same | Which peanuts could I eat, am I allergic? | peanut
same | When does my passport expire? | passport
same | What is the staging server called? | staging
same | What is the production cluster called? | prod
same | On which port does the metrics endpoint listen? | port
same | How long are logs kept? | logs
same | Which days do we deploy? | deploy
same | When does the code freeze begin? | freeze
same | What is my blood type? | blood
same | What is my shoe size? | shoe
same | Who is our babysitter? | sitter
same | What is my favourite colour? | colour
same | What is my sourdough starter called? | sourdough
same | Where are the lidar recordings? | record
same | Who maintains the calibration code? | priya
same | Who wrote the simulator? | lukas
same | How many people must approve a merge request? | review
same | What does the rent cost? | rent
same | Who is our landlord? | landlord
same | When is Alma's birthday? | almabday
same | Which telescope do I have? | telescope
same | What is my chess rating? | elo
same | What strings do I use on the cello? | strings
same | What is the guest network in the office called? | wifi
same | When is the daily meeting? | standup
same | What is my notice period? | notice
same | What did I tell you about the washing machine? | washing
same | Where is the spare key? | keys
same | What was my thesis about? | thesis
same | Which layout does my keyboard have? | keyboard
same | How long does Puffin's battery last? | battery
same | How fast does Puffin drive? | speed
same | What are the names of the Puffin lidars? | lidar
same | Where does the pilot start in March? | pilot
same | Which bank am I with, is my bank GLS? | bank
same | What does Ines refuse to eat? | inesfood
same | Who is the paediatrician? | inesdoc
same | What is the printer at home called? | printer
same | When are orchestra rehearsals? | orchestra2
same | What is my domain? | domain
same | Who is the tax adviser? | tax
same | When do I take my thyroid tablets? | meds
same | Which insurance do I have? | insurance
other | Can you suggest a dinner that I can eat? I don't touch meat | veg
other | How old is my kid? | daughter
other | What pets do we have? | cat dog
other | What is my name? | name
other | Which instrument do I play? | cello
other | What does my dad do for a living? | father
other | What is my mom called? | mother
other | What does my brother do for work? | brother
other | Where does my sister live? | sister
other | Which sport do I do on Wednesdays? | climb
other | Which knee did I injure? | knee
other | How do I get to the office every day, by bicycle? | bike
other | Which seat should you book for my flight? | flight
other | What race am I training for? | marathon
other | Write a shopping list without milk products for Alma | lactose
other | What should I not order at a restaurant because it is too hot? | chili
other | Do I take sugar in my coffee? | coffee
other | Should I order a beer? I do not drink | wine
other | What do I eat in the morning? | breakfast
other | Which restaurant would I enjoy most, what cuisine? | cuisine
other | Where did we go after the wedding, on our honeymoon? | honeymoon
other | When did we get married? | wedding
other | Which book am I in the middle of? | book
other | Recommend a novel by a writer I love | author
other | Which movie did I watch most? | film
other | What computer do I own? | laptop
other | Which web browser do I use? | browser
other | What command line shell do I have? | shell
other | Which mobile phone do I own? | phone
other | Which programming language do I enjoy most? | lang
other | What is the controller for motion programmed in? | cpp
other | What framework is the dashboard built with? | ts
other | How do our microservices exchange messages? | queue
other | Where are our servers hosted, which cluster? | k8s
other | Which test is unreliable? | flaky
other | Where do I find the instructions for an outage? | runbook
other | How should I name my git branch? | branch
other | What is the maximum line width in our Python code? | style
other | What is the robot that we build called? | robot
other | Who is our most important client? | customer
other | Who takes care of safety? | mei
other | Who is the new intern? | omar
other | Where is the team having lunch? | lunch
other | On which days do I work from home? | remote
other | How many vacation days do I get? | vacation
other | When does my salary get reviewed? | salary
other | Which conference will I speak at next? | talk
other | What did the reviewers of our paper want? | reviewer
other | Which open source package do I maintain? | oss
other | What bug was reported in tinygrid? | issue
other | Is there an elevator in our building, which floor is the flat? | flat
other | Which neighbour accepts packages for us? | neighbour
other | What couch do we want? | sofa
other | When is the paper recycling picked up? | trash
other | Which charity do I give money to? | will
other | What could I give Alma as a present? | gift
other | What does Ines need at bedtime? | inessleep
other | What toys would my daughter like, dinosaurs? | lego
other | When is the swimming lesson? | swimclass
other | Who is having a baby? | noahbaby
other | What surgery did my mother have? | momhip
other | Whose wedding is next year? | priyawed
other | To whom did I lend a book? | book2
other | Where can the dog be off the leash? | park
other | What medicine does the cat need? | catmed
other | What am I scared of, heights? | fear
other | At what time of day am I most productive? | morning
other | How do I learn new things best? | learn
other | How good is my statistics? | maths
other | What kind of music distracts me while working? | music
other | When should you not schedule meetings for me? | meeting
other | Which hand do I write with? | sign
other | How tall am I? | weight
other | What nickname do my friends use? | nickname
other | Which language do I speak natively? | portuguese
other | Where did I study? | uni
other | What do I do against forgetting, do I write a diary? | habit
other | Which camera do I take photographs with? | photo
other | When did I quit smoking? | smoke
other | When do I water the plants, the monstera? | plants
other | What vegetables do I grow? | tomato
other | Where do I keep my passwords? | pwman
other | Which e-mail provider do I have? | mail
other | At what hour do the nightly backups run? | nas
other | Which flowers should Alma bring me? | flower
time | What did we decide about the parser last week? | parser
time | What did we decide about the lexer? | lexer
time | What did we agree on for the telemetry schema? | schema
time | What did I ask yesterday about regular expressions? | regex
time | What did we talk about yesterday, parentheses? | regex
time | What was the slow query problem on Sunday? | sql
time | What did we settle for the test strategy on Saturday? | testing
time | What did I decide about hiring last week? | hiring
time | What was the plan for the talk last Friday? | talkplan
time | Which presents did we choose for Christmas? | xmas
time | What did we decide about the trip to Rotterdam? | itin
time | What was the name we found for the new service in September? | naming
time | What did we decide about the database migration last month? | migration
time | Which licence did we choose for the library? | licensegist license
time | What did we decide three weeks ago about the licence? | licensegist
time | How did we want to handle errors in the public API? | api
time | How many retries did we decide on two weeks ago? | retry
time | Which coffee machine did I decide to buy? | coffeegist
time | What did we decide about the curtains? | curtains
time | What story did I want to tell in the wedding speech? | speech
time | Why did the Brompton click? | bikegist
time | What was the plan for the kitchen renovation? | kitchenplan
time | Which exercises did we choose for my knee last month? | physio
time | What did we decide about eating out? | budgetgist
time | What is the podcast idea? | podcastgist
changed | Where do I live? | city2
changed | Which city did I move to? | city2
changed | Who do I work for, which company did I join? | work2
changed | What car do I drive? | car2
changed | Which operating system do I run? | os2
changed | Which editor do I use? | editor2
changed | Which database do we use? | db2
changed | What is the budget? | budget2
changed | When is the deadline? | deadline2
changed | How much money is in the budget now? | budget2
changed | What must I install on my operating system? | os2
changed | Where did I live before Berlin, in Lisbon? | city1
changed | Which editor did I use before? | editor1
changed | What was our database before? | db1
changed | Where did I work at before? | work1
none | What is the capital of Mongolia? |
none | How do I reverse a linked list in Haskell? |
none | Explain the theory of relativity |
none | Write a poem about the moon |
none | What is 17 times 23? |
none | Translate good evening into Korean |
none | Who won the world cup in 1998? |
none | How does photosynthesis work? |
none | What is the difference between TCP and UDP? |
none | Give me a recipe for lasagna |
none | How many planets are there? |
none | What is a monad? |
none | Fix this stack trace: NullPointerException at line 12 |
none | Why is the sky blue? |
none | What does the acronym HTTP stand for? |
none | How do vaccines work? |
none | Summarise the plot of Hamlet |
none | What is the boiling point of ethanol? |
none | How do I center a div? |
none | Which year did the Berlin Wall fall? |
none | What is the population of Canada? |
none | Convert 5 miles to kilometres |
none | How do I exit nano? |
none | Define entropy |
none | Who painted the Mona Lisa? |
none | Is zero an even number? |
none | What causes inflation in an economy? |
none | Tell me a joke about penguins |
none | How do I undo the last git commit? |
none | What is the airspeed velocity of a swallow? |
none | Suggest a title for my essay on glaciers |
none | Hello! |
none | Thanks, that helped |
none | Can you explain that again? |
none | Sort these numbers: 5 3 9 |
none | What is the time complexity of quicksort? |
none | How tall is Mount Everest? |
none | What rhymes with orange? |
none | Compare Kant and Hume |
none | Which vitamins are in spinach? |
none | How do I write a for loop in Bash? |
none | What is the meaning of the word ephemeral? |
none | How far away is Jupiter? |
none | How do I format a date in JavaScript? |
none | Who was the first person in space? |
none | What is my favourite brand of toothpaste? |
none | What is the name of my accountant's dog? |
none | What is my Netflix subscription? |
none | When is my next haircut appointment? |
none | Which golf club do I belong to? |
"""

JUDITH: Final = MemorySet("Judith, the rules were written with her", False, _MEMORIES, _QUESTIONS)
