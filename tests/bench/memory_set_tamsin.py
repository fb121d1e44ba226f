"""A set written blind. It was measured once, its misses were read, and the reading of times was written anew after that."""

# ruff: noqa: E501 - a table, one line a row

from __future__ import annotations

from typing import Final

from tests.bench.memory_sets import MemorySet

_MEMORIES: Final = """
lotte | 2025-12-01 | my daughter is called Lotte and she was born on 14 May 2018
emil | 2025-12-01 | our little boy is Emil, he turned one in October
husband | 2025-12-01 | my husband Joaquín is from Oviedo and speaks Spanish with the kids
teaches | 2025-12-03 | Joaquín teaches chemistry and physics at the Goethe-Gymnasium
mum | 2025-12-03 | my mum Hilary lives in Whitby on her own and has a bad hip
callum | 2025-12-04 | my brother Callum lives in Halifax, Nova Scotia, so he is five hours behind us
dog | 2025-12-04 | we have a wire-haired dachshund called Brisket
wedding | 2025-12-08 | Joaquín and I got married on 9 September 2016 in Cudillero
priya | 2025-12-08 | my oldest friend is Priya Nair, we shared a flat in Bristol when we were students
rohan | 2026-01-11 | I'm godmother to Priya's son Rohan, he was born on 2 January
ramiro | 2026-07-30 | el padre de Joaquín se llama Ramiro y hace su propia sidra
hug | 2026-07-08 | Frau Hug on the ground floor has a spare key to our flat
hives | 2025-12-10 | Lotte can't have hazelnuts, she comes out in hives
school | 2026-09-14 | Lotte is in year three at the Hebelschule, her class teacher is Herr Brandl
kita | 2026-01-15 | Emil's nursery closes at half past four, Fridays at three
kita2 | 2026-10-05 | Emil's nursery now closes at four every day because they are short of staff
swim | 2026-01-20 | Lotte has her swimming lesson on Tuesdays at 16:15
swim2 | 2026-09-15 | Lotte's swimming lesson has moved to Thursdays at 17:00
chess | 2026-09-20 | Lotte goes to the chess club on Saturday mornings, she is mad about it
sitter | 2026-02-03 | our babysitter is Mathilda, she takes 14 euros an hour
sitter2 | 2026-10-11 | Mathilda has gone off to uni, our babysitter is Jannik now and he takes 15 euros an hour
tooth | 2026-11-02 | Lotte is getting a brace in February, the orthodontist is Dr. Panagiotou
laterne | 2026-11-04 | Emils Laternenumzug ist am 27. November um 17 Uhr am Rathaus
penicillin | 2025-12-10 | I'm allergic to penicillin
asthma | 2025-12-10 | I have asthma and take two puffs of salbutamol before running
gp | 2025-12-15 | my GP is Dr. Eckhoff on Habsburgerstraße
knee | 2026-01-06 | I tore the meniscus in my left knee in 2019, so no deep squats for me
lenses | 2026-01-28 | my contact lenses are -3.25 on the left and -2.75 on the right
iron | 2026-03-05 | the blood test showed low ferritin, so I'm on iron tablets until the end of June
dentist | 2026-11-10 | I have a dentist appointment on 3 December at 9:40 with Dr. Wenzel
seizure | 2026-02-17 | Emil had a febrile seizure this month, if he runs a temperature we are to bring it down early
migraine | 2026-05-26 | red wine gives me migraines, even one glass
blood | 2026-06-09 | my blood group is 0 negative and I give blood every spring
address | 2025-12-02 | we live at Lehener Straße 41 in Freiburg, third floor, no lift
address2 | 2026-07-02 | we've moved, we live at Am Rohrgraben 6 in Merzhausen now
rent | 2025-12-02 | our rent is 1,480 euros a month without heating
rent2 | 2026-07-02 | our rent is 1,720 euros a month now, heating included
fritz | 2026-07-05 | the router is a Fritzbox 7590, it sits in the hall cupboard behind the coats
boiler | 2026-07-12 | the boiler is a Vaillant ecoTEC and has to be serviced every September
washer | 2026-08-25 | the washing machine leaks if it spins faster than 1200
bins | 2026-07-10 | the paper bin is emptied every second Wednesday, the bio bin every Friday
janitor | 2026-07-16 | Merk dir: unser Hausmeister heißt Klausmann und kommt immer donnerstags
paint | 2026-07-20 | the living room wall is painted in Farrow & Ball Pigeon
insurance | 2026-02-20 | our household insurance is with the Badische, policy HR-2209184
bank | 2025-12-18 | I bank with the Sparkasse Freiburg
bank2 | 2026-06-18 | I've switched my current account from the Sparkasse to the GLS
power | 2026-07-03 | the electricity meter read 40,218 when we got the keys
car | 2026-01-04 | we drive an old Skoda Octavia estate, diesel
car2 | 2026-08-31 | we sold the Octavia, when we need a car we take one from the Grüne Flotte car-share
cargo | 2026-04-21 | our cargo bike is a Riese & Müller Load, frame number WG4471K
sofa | 2026-08-03 | the new sofa comes from Høyer in Basel and has a five-year guarantee
plumber | 2026-09-08 | the plumber who fixed the shower was Sanitär Feigenbutz, quick and fair
diet | 2025-12-05 | I've been a vegetarian since 2009
diet2 | 2026-09-22 | I've started eating fish again, but still no meat
coffee | 2025-12-05 | I take my coffee black, three cups a day
coffee2 | 2026-06-04 | I've given up coffee, I only drink rooibos now
starter | 2026-01-17 | my sourdough starter is called Gerald and gets fed 1:2:2 with rye flour
oven | 2026-07-25 | our oven runs about fifteen degrees too hot
coriander | 2026-02-08 | Joaquín can't stand coriander, it tastes of soap to him
stollen | 2026-11-15 | my mother-in-law Covadonga wants a stollen without candied peel this year
alto | 2025-12-07 | I sing alto in the Kammerchor Wiehre
choirday | 2025-12-07 | choir rehearsals are on Mondays at half past seven
choirday2 | 2026-09-10 | choir rehearsals are on Wednesdays at eight from now on, in the parish hall
concert | 2026-10-14 | the choir sings the Fauré Requiem on 12 December in St. Johann
accordion | 2026-03-22 | I'm learning the accordion with Olga Reznik, a lesson every other Friday
half | 2026-01-09 | I'm training for the Freiburg half marathon on 12 April and want to get under 1:55
result | 2026-04-12 | I finished the half marathon in 1:53:20
plot | 2026-03-14 | our allotment is plot 87 in the Mooswald gardens
slugs | 2026-06-23 | slugs ate all the runner beans, next year I want copper tape round the beds
bookclub | 2026-01-08 | my book club meets on the first Thursday of the month at Katrin's
book | 2026-05-08 | the book club is reading The Wall by Marlen Haushofer next
book2 | 2026-11-06 | the book club is reading Stoner by John Williams next
cardigan | 2026-10-22 | the cardigan I'm knitting for Rohan needs 4 mm needles and five balls of merino
film | 2026-02-14 | my favourite film is Local Hero, I have seen it about twenty times
camera | 2026-05-30 | I take photos with a Fujifilm X-T30 and a 35 mm lens
august | 2026-03-30 | every August we spend two weeks in Oviedo with Joaquín's parents
ferry | 2026-10-20 | the ferry to Hull is booked, it leaves Rotterdam on 27 December at 20:30
passport | 2026-09-28 | my British passport runs out in March 2027
citizen | 2026-05-12 | I handed in my application for German citizenship, the file number is EB-0771
backwards | 2026-02-25 | I feel sick on trains when I sit facing backwards
bahncard | 2026-01-13 | I have a BahnCard 50, second class, it renews in January
vienna | 2026-05-09 | in Vienna I stayed at the Pension Neuer Markt and would go there again
japan | 2026-08-19 | Priya and I want to go to Japan for cherry blossom in 2028
kayak | 2026-08-16 | on the Sella we hired kayaks from Los Cauces, half the price of the others
role | 2025-12-02 | I work as a data engineer at Pegelwerk, we monitor river levels
role2 | 2026-10-01 | as of today I lead the data team at Pegelwerk
size | 2026-01-22 | Pegelwerk has about forty people, half of them in Koblenz
boss | 2025-12-02 | my boss is Henrike Vogt
boss2 | 2026-10-01 | my boss is Tobias Lindqvist now, Henrike has gone to the ministry
anselm | 2026-01-26 | Anselm does the firmware, he sits in the Koblenz office
mireille | 2026-01-26 | Mireille is our product owner, she is French and best reached in the mornings
leave | 2026-11-12 | Mireille part en congé maternité début janvier, Florian la remplace
yusuf | 2026-10-08 | Yusuf is our working student, he is in on Mondays and Thursdays
dayoff | 2025-12-16 | I work four days a week and have Fridays off
dayoff2 | 2026-09-01 | my day off is Wednesday from September on
standup | 2026-01-12 | our stand-up is at 9:15 every morning
standup2 | 2026-10-06 | we've cut the stand-up down to Mondays and Thursdays at 9:30
customer | 2026-02-11 | our biggest customer is the Wasserverband Eifel-Rur
basel | 2026-03-17 | the contract with the city of Basel ends in March 2027 and Tobias wants it renewed
dbu | 2026-11-03 | the final report for the DBU grant is due on 15 January
oncall | 2026-04-27 | I'm on call in the odd calendar weeks
framework | 2026-01-29 | my work laptop is a Framework 13 with Fedora on it
helix | 2026-01-29 | I edit everything in Helix and my shell is fish
vpn | 2026-03-26 | from the train the company VPN only works with the TCP fallback
offsite | 2026-09-02 | the team offsite is on 17 and 18 September in a hut on the Feldberg
expenses | 2026-06-11 | travel expenses go to Frau Odenthal, receipts within thirty days
phone | 2026-01-30 | my phone is an iPhone 12 mini
phone2 | 2026-08-11 | I've got a new phone, a Fairphone 5
advisor | 2026-02-22 | our tax adviser is Frau Stiegler, she wants everything by the end of May
domain | 2026-06-16 | the domain achterberg.example is registered with Netcup and renews every June
tw_db@tidewatch | 2026-01-19 | tidewatch keeps its readings in TimescaleDB on Postgres 15
tw_db2@tidewatch | 2026-09-03 | tidewatch has moved off TimescaleDB, the readings are in ClickHouse now
tw_tests@tidewatch | 2026-01-19 | the integration tests need the compose profile "gauges" running first
tw_mm@tidewatch | 2026-01-21 | water levels are stored in millimetres above gauge datum, never in metres
tw_utc@tidewatch | 2026-01-21 | every timestamp in the pipeline is UTC, local time only at the very edge
tw_release@tidewatch | 2026-02-05 | we tag releases on Tuesdays only, and never while a flood warning is out
tw_style@tidewatch | 2026-02-05 | line length is 100 here, ruff for everything, no black
tw_flaky@tidewatch | 2026-03-31 | test_backfill_leap is flaky around the clock change, just rerun it
tw_mqtt@tidewatch | 2026-02-10 | the gauges publish over MQTT on pw/STATION/level every five minutes
tw_twice@tidewatch | 2026-04-16 | the Ruhr stations send each reading twice, we deduplicate on station and timestamp
tw_deploy@tidewatch | 2026-02-10 | deployment goes through GitLab CI to the Nomad cluster in Falkenstein
tw_deploy2@tidewatch | 2026-08-20 | deployment no longer goes to Nomad but to the Kubernetes cluster in Falkenstein
tw_review@tidewatch | 2026-04-16 | anything under decoder/ has to be reviewed by Anselm
tw_py@tidewatch | 2026-05-19 | we are stuck on Python 3.11 because of the numpy wheel on the edge boxes
tw_keep@tidewatch | 2026-06-02 | raw readings are kept for eighteen months, after that only hourly means
tw_dead@tidewatch | 2026-03-10 | a sensor counts as dead after 45 minutes without a value
tw_dead2@tidewatch | 2026-10-13 | a sensor counts as dead after 20 minutes without a value
su_stack@sluice | 2026-02-12 | sluice-ui is Svelte 5 with TypeScript, built by Vite
su_chart@sluice | 2026-03-12 | the charts use uPlot because Chart.js choked on 50,000 points
su_colours@sluice | 2026-03-12 | the flood colours yellow, orange, red and violet are prescribed, nobody may change them
su_audit@sluice | 2026-11-09 | an accessibility audit of sluice-ui is coming in February, it must meet WCAG AA
su_mock@sluice | 2026-04-23 | npm run dev:mock starts the front end with canned data
su_i18n@sluice | 2026-05-21 | the translations are in locales/, Mireille checks the French ones
su_map@sluice | 2026-06-25 | we serve our own map tiles since MapTiler got too expensive
gd_venue@drift | 2026-03-03 | the gauge drift paper goes to HESS
gd_venue2@drift | 2026-07-14 | HESS turned the drift paper down, it goes to the Journal of Hydrology now
gd_authors@drift | 2026-03-03 | my co-authors are Idris Bello from Wageningen and Anselm
gd_typst@drift | 2026-03-03 | the paper is written in Typst, not in LaTeX
gd_data@drift | 2026-03-19 | the analysis uses 2004 to 2023 from 61 stations on the Moselle and the Saar
gd_smooth@drift | 2026-04-02 | we estimate the drift with a Kalman smoother
gd_rev2@drift | 2026-10-09 | reviewer 2 wants a comparison with double-mass curves, due on 30 November
he_pi@heron | 2026-01-31 | heron is the Raspberry Pi 4 at home, it runs Home Assistant and Pi-hole
he_zig@heron | 2026-02-28 | the Zigbee stick hangs on an extension lead because USB 3 disturbs it
he_drip@heron | 2026-07-18 | the drip valve on the balcony opens at 6:30 for six minutes
he_backup@heron | 2026-04-08 | restic backs everything up to a Hetzner storage box at three every night
*g_marble | 2025-12-14 | Talked over Christmas presents for Lotte and settled on a wooden marble run
*g_gaps | 2025-12-19 | Wrote a SQL query with window functions that finds gaps in gauge readings
*g_tax | 2026-01-24 | Went through what can be deducted for the home office and commuting in the tax return
*g_fever | 2026-02-12 | Asked how to bring down a toddler's high temperature and when to go to casualty
*g_pandas | 2026-02-26 | Cut the memory use of a pandas job from 11 to 3 GB with categoricals and chunks
*g_taper | 2026-03-08 | Made a four-week running plan with a taper before race day
*g_papers | 2026-03-16 | Collected the documents needed for naturalisation and drafted the cover letter
*g_grafana | 2026-03-24 | Built a Grafana panel that shows the delay of each station
*g_slides | 2026-04-18 | Shortened the talk for Vienna to twelve slides and rewrote the opening
*g_flat | 2026-04-25 | Compared two flats, Vauban and Merzhausen, by rent, light and way to school
*g_party | 2026-05-05 | Planned a pirate birthday party for Lotte with a treasure hunt in the Mooswald
*g_prior | 2026-05-20 | Discussed how to choose the process noise for the smoother
*g_movers | 2026-06-10 | Got three quotes from removal firms and chose Umzüge Kaltenbach for 1,150 euros
*g_helm | 2026-06-19 | Turned the Nomad job files into a first Helm chart
*g_curtains | 2026-07-22 | Worked out how much fabric the curtains for four windows take, 14 metres
*g_picos | 2026-07-28 | Picked hikes in the Picos de Europa that a child can manage, Ruta del Cares first
*g_copy | 2026-08-27 | Rehearsed the copy of the readings into ClickHouse, it took seven hours
*g_agenda | 2026-09-09 | Drew up the agenda for the days on the Feldberg, with half a day for the roadmap
*g_raise | 2026-09-25 | Prepared the talk with Tobias about the new role and what salary to ask for
*g_reply | 2026-10-16 | Drafted the answer to the reviewers, point by point
*g_route | 2026-10-18 | Weighed flying to Leeds against the boat, the boat won because of the dog
*g_cables | 2026-10-25 | Read a knitting chart together, how the cable crosses to the left
*g_nights | 2026-11-08 | Talked about Emil waking at four and shifted his nap to before one
*g_contrast | 2026-11-13 | Checked contrast ratios of the buttons, two greys have to get darker
*g_zoom | 2026-11-17 | Hunted down why zooming a chart drops the last point, it was an off-by-one
*g_dough | 2026-11-19 | Worked out a stollen recipe without candied peel for two loaves
*g_outline | 2026-11-20 | Outlined the final report in six chapters, Florian writes the one on outreach
*g_parser | 2026-11-23 | Wrote a parser for the old station files with their comma decimals
"""
_QUESTIONS: Final = """
same | when was Lotte born? | lotte
same | What is Emil's nursery's closing time? | kita2
same | which subjects does Joaquín teach? | teaches
same | where does my mum live? | mum
same | what time zone is my brother Callum in, how many hours behind? | callum
same | remind me, when did Joaquín and I get married | wedding
same | Who is Lotte's class teacher? | school
same | who is my GP? | gp
same | what are the values of my contact lenses? | lenses
same | What's my blood group? | blood
same | when is my dentist appointment? | dentist
same | which knee was it where I tore the meniscus? | knee
same | what's the policy number of our household insurance? | insurance
same | when is the paper bin emptied? | bins
same | What colour is the living room wall painted in? | paint
same | what's the frame number of the cargo bike? | cargo
same | where does the router sit? | fritz
same | how do I feed the sourdough starter? | starter
same | what is the number of our allotment plot? | plot
same | how fast did I finish the half marathon? | result
same | when does the ferry from Rotterdam leave? | ferry
same | when does my passport run out? | passport
same | what's the file number of my citizenship application? | citizen
same | Who is our biggest customer? | customer
same | in which calendar weeks am I on call? | oncall
same | when is the DBU report due? | dbu
same | Where is the domain registered? | domain
same@tidewatch | which compose profile do the integration tests need? | tw_tests
same@tidewatch | how long are raw readings kept? | tw_keep
same@tidewatch | who has to review changes under decoder/? | tw_review
same@sluice | how do I start the front end with canned data? | su_mock
same@drift | Which stations and years does the analysis use? | gd_data
same@drift | what does reviewer 2 want? | gd_rev2
same@heron | when does the drip valve on the balcony open? | he_drip
same | Wann ist Emils Laternenumzug? | laterne
same | ¿Cómo se llama el padre de Joaquín? | ramiro

other | How old is my daughter? | lotte
other | what does my partner do for a living? | teaches
other | which languages are spoken in our house? | husband
other | what breed is our pet? | dog
other | Is it too late to ring my sibling in Canada right now? | callum
other | I'm baking a birthday cake for my eldest's class, anything she mustn't have in it? | hives
other | The doctor wants to prescribe me an antibiotic. Anything I should mention? | penicillin
other | which inhaler do I use? | asthma
other | what is my family doctor's name | gp
other | I want new spectacles, how short-sighted am I? | lenses
other | my toddler feels hot this evening, what were we told to do? | seizure
other | Can you give me a leg workout for the gym? | knee
other | can I pour myself a Rioja tonight? | migraine
other | how long do I have to keep taking the supplements? | iron
other | We've locked ourselves out, who can let us in? | hug
other | The internet is down, where's the box I need to restart? | fritz
other | who do I call about the broken light in the stairwell? | janitor
other | when is the heating due for maintenance again? | boiler
other | why is there a puddle under the laundry appliance? | washer
other | which day does the garbage truck take cardboard? | bins
other | I need to touch up a scratch in the lounge, what shade is it? | paint
other | The tap drips. Which tradesman did we like last time? | plumber
other | somebody stole our bicycle, what do I tell the police to identify it? | cargo
other | My bread always burns at the stated temperature, why could that be? | oven
other | what herb should I leave out when I cook for my husband? | coriander
other | which voice part do I sing? | alto
other | who gives me music lessons? | accordion
other | What did I want to do differently against pests in the vegetable garden? | slugs
other | at whose place do we discuss novels each month? | bookclub
other | Suggest something to watch tonight in the spirit of the movie I like best | film
other | what wool do I need to buy for my godchild's jumper? | cardigan
other | which lens do I own for my photography? | camera
other | where do we usually spend our summer holidays? | august
other | book me a seat on the ICE, anything to watch out for? | backwards
other | do I get a discount on train tickets? | bahncard
other | can you recommend somewhere to sleep in Austria that I already know? | vienna
other | at which outfit did we rent the boats in Asturias? | kayak
other | where do I hand in my hotel bill from the business trip? | expenses
other | Which operating system do I use at the office? | framework
other | what text editor am I used to? | helix
other | I can't get into the corporate network on the ICE, what was the trick? | vpn
other | who looks after our taxes and what's her cut-off date? | advisor
other | how big is the company I work for? | size
other | who writes the embedded code for our devices? | anselm
other | what's a good hour to phone our product owner? | mireille
other | Which of our clients' agreements expires next spring? | basel
other@tidewatch | what unit is the height column in? | tw_mm
other@tidewatch | may I ship version 2.9 on Thursday? | tw_release
other@tidewatch | a unit test fails at random in late March, is that my fault? | tw_flaky
other@tidewatch | why am I seeing duplicate rows for some measuring points? | tw_twice
other@tidewatch | can I use PEP 695 type parameter syntax in this code base? | tw_py
other@tidewatch | which protocol do the devices talk to us with? | tw_mqtt
other@tidewatch | How wide may a row of source code be? | tw_style
other@tidewatch | do I need to convert to CEST before I insert a row? | tw_utc
other@tidewatch | run the whole suite and fix whatever fails | tw_tests
other@sluice | Which framework is the dashboard made with? | su_stack
other@sluice | could we make the danger levels blue and pink instead? | su_colours
other@sluice | why did we drop the former plotting library? | su_chart
other@sluice | a label is wrong for our Belgian users, in which directory do I fix it and who proofreads? | su_i18n
other@sluice | where does the background of the geographic view come from? | su_map
other@drift | Who else's name is on the manuscript? | gd_authors
other@drift | I need a table with merged cells for the manuscript, show me the syntax | gd_typst
other@drift | which statistical method do we use for the sensors' slow error? | gd_smooth
other@heron | my lights keep losing their wireless connection, what did I do about interference? | he_zig
other@heron | where would I restore a deleted file from? | he_backup
other@heron | which gadget blocks ads in our flat? | he_pi
other | ¿Cuándo vence mi documento de viaje? | passport
other | Wann bekommt die Große ihre Zahnspange, und bei wem? | tooth
other | Qui remplace notre product owner l'année prochaine ? | leave
other | Wie heißt noch mal unser Hund? | dog
other | Auf welchem Fleckchen bauen wir unser Gemüse an? | plot
other | what should I not put in the Christmas cake for my mother-in-law? | stollen g_dough

time | what did we talk about last week? | g_zoom g_dough g_outline
time | what did you help me with yesterday? | g_parser
time | What did we discuss in March? | g_taper g_papers g_grafana
time | Was haben wir im Oktober besprochen? | g_reply g_route g_cables
time | what did we work on in the second half of August? | g_copy
time | what did I ask you about on 12 February? | g_fever
time | Before the summer you helped me plan a party, what was the theme? | g_party
time | which present did we settle on last Christmas? | g_marble
time | two weeks ago we talked about Emil's sleep, what did we decide? | g_nights
time | what were the two chats in July about? | g_curtains g_picos
time | last month we looked at a knitting chart, what was it about? | g_cables
time | in September we prepared for a talk with my boss, remember? | g_raise
time | what did we do in June for the move? | g_movers
time | In the spring we compared two places to live. Which ones? | g_flat
time | what was that thing with the chart last Tuesday? | g_zoom
time | have we worked on anything since Sunday? | g_parser
time | what did we talk about in December last year? | g_marble g_gaps
time | ¿De qué hablamos en mayo? | g_party g_prior
time | what was the pandas thing from February? | g_pandas
time | At the beginning of the year we looked at taxes, what did we go through? | g_tax
time | what do I have on in the first week of December? | dentist
time | is anything happening on Friday this week? | laterne
time@drift | what's due by the end of this month? | gd_rev2
time | what did I say about slugs in the summer? | slugs

changed | where do I live? | address2
changed | what's my postal address? I need it for a delivery | address2
changed | how much rent do we pay? | rent2
changed | on which day is Lotte's swimming lesson? | swim2
changed | when is choir rehearsal? | choirday2
changed | do we own a car? | car2
changed | which bank am I with? | bank2
changed | Am I a vegetarian? | diet2
changed | can you suggest a restaurant dinner I would eat, salmon maybe? | diet2
changed | how do I take my coffee? | coffee2
changed | What is the book club reading next? | book2
changed | who is my boss? | boss2
changed | what's my position at work these days? | role2
changed | which day of the week am I not working? | dayoff2
changed | who is our babysitter and what does she or he cost? | sitter2
changed | what phone do I have? | phone2
changed | when is the stand-up? | standup2
changed | by when must I pick up Emil from nursery on a Friday? | kita2
changed@tidewatch | which database does tidewatch use? | tw_db2
changed@tidewatch | where does deployment go? | tw_deploy2
changed@tidewatch | after how many minutes is a sensor dead? | tw_dead2
changed@drift | which journal is the paper going to? | gd_venue2
changed | Wie hoch ist unsere Miete? | rent2

several | which allergies are there in our family? | penicillin hives
several | what are my children called? | lotte emil
several | what's on in December? | dentist concert ferry
several@drift | What do I have to hand in by the middle of January at the latest? | dbu gd_rev2
several | tell me about the choir | alto choirday2 concert
several | what do you know about Priya? | priya rohan japan
several | what does Mireille do and until when is she there? | mireille leave
several | what are Lotte's weekly activities? | swim2 chess
several | who works in my team and with me? | anselm mireille yusuf boss2
several | what should I know about Joaquín's parents? | ramiro stollen august
several | which medical conditions of mine should a new doctor know about? | asthma penicillin knee migraine
several | what did we sort out for the trip to Whitby at Christmas? | ferry g_route
several@tidewatch | what are the rules for tests and releases in this project? | tw_tests tw_release tw_flaky
several@sluice | what do we have to do about accessibility? | su_audit g_contrast
several@heron | what runs on the Raspberry Pi and how is it backed up? | he_pi he_backup
several | what do you remember about my half marathon? | half result g_taper
several | how is the citizenship thing going, what did we do so far? | citizen g_papers
several@drift | what do the reviewers want and have we answered them? | gd_rev2 g_reply
several | what do you know about our new flat's appliances: oven, washing machine, boiler? | oven washer boiler
several@tidewatch | how did the move from Nomad go? | tw_deploy2 g_helm

none | write a regex that matches an ISO 8601 timestamp |
none | what is the capital of Nova Scotia? |
none | how do I undo the last commit in git but keep the changes? |
none | Write a haiku about a river in autumn |
none | what's my sister's name? |
none | which gym am I a member of? |
none | What size shoes does Lotte wear? |
none | when is Joaquín's birthday? |
none | how much do I earn? |
none | what's the name of our vet? |
none | what did my father do for a living? |
none | which streaming services do we subscribe to? |
none | where did I go to university for my doctorate? |
none | translate "the train is late again" into Spanish |
none | how long do I boil an egg so the yolk stays soft? |
none | write a python function that removes duplicates from a list and keeps the order |
none | explain the difference between a mutex and a semaphore |
none | what does HTTP status 429 mean? |
none | who wrote the Goldberg Variations? |
none | how many millimetres are in an inch? |
none | thanks, that was exactly what I needed |
none | Can you shorten this sentence: "We are writing to inform you that the water will be turned off."? |
none | why does TypeScript say 'object is possibly undefined' here? |
none | how do I sort a list of dictionaries by a key in Python? |
none | What's a good name for a cat? |
none | give me three synonyms for "expensive" |
none | who won the World Cup in 1998? |
none | how does a heat pump work? |
none | what's the boiling point of ethanol? |
none | write a bash one-liner that deletes all files older than thirty days |
none | what's the weather like in Lisbon tomorrow? |
none | convert 240 pounds to euros at a rate of 1.17 |
none | Schreib mir ein kurzes Gedicht zum Geburtstag einer Kollegin |
none | quelle est la capitale de l'Australie ? |
none | which airline did I fly with to Canada? |
none | what's the licence of the tidewatch code? |
none | how high is our deposit for the flat? |
none | which ski resort did we go to last winter? |
none | how do I centre a div with CSS? |
none | what colour do you get when you mix yellow and violet? |
none | is 2028 a leap year? |
none | write a SQL query that returns the second highest salary |
none | Proofread this: "The meeting on Thursday have been moved to next week." |
none | how do I explain photosynthesis to a child? |
none | what is the plural of "octopus"? |
none | okay, go on |
none@tidewatch | what does this traceback mean: KeyError: 'level' |
none@sluice | rename the component Button to ActionButton everywhere |
none@drift | make the abstract sound less pompous |
"""

TAMSIN: Final = MemorySet("Tamsin, blind until her misses were read", True, _MEMORIES, _QUESTIONS)
