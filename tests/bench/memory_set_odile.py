"""A set written blind and only ever measured: neither its tables nor its misses were looked at when rules changed.

Once a number is set on it, or a rule made for one of its questions, it is blind no longer.
"""

from __future__ import annotations

from typing import Final

from tests.bench.memory_sets import MemorySet

_MEMORIES: Final = """
name | 2025-11-25 | My name is Odile Gagnon, but everybody at the hospital calls me Didi
job | 2025-11-25 | I work as a clinical pharmacist at the Saint-Maurice hospital in Trois-Rivières
husband | 2025-11-25 | my husband is called Matías, he comes from Rosario in Argentina and teaches the cello
kids | 2025-11-26 | We have two kids: Clara is 11 and Benoît is 7
bdaym | 2025-11-26 | Matías's birthday is on the 14th of April
bdayc | 2025-11-26 | Clara was born on 2 July
wedding | 2025-11-26 | we got married in Rosario on 9 September 2011
nuts | 2025-11-28 | Benoît is allergic to hazelnuts, his EpiPen is in the red pouch in his schoolbag
sulfa | 2025-11-28 | I can't take sulfa antibiotics, they bring me out in hives
mother | 2025-11-30 | My mother Huguette lives in Shawinigan at the residence Les Érables, room 214
mumcall | 2025-11-30 | I phone my mother every Sunday at five
brother | 2025-12-01 | my brother Rémi drives a truck between Montréal and Halifax, every other Wednesday he sleeps here
inlaws | 2025-12-01 | The in-laws come over from Rosario every June and stay for three weeks
cat | 2025-12-02 | Our cat is named Bielle, she's grey and only has half a tail
vet | 2025-12-02 | the vet for the cat is Dr Samson at the Clinique Laviolette
brief | 2025-12-02 | Please keep your answers short and don't end them with a summary
*rust | 2025-12-03 | Worked out how to get the rust out of the R60's tank: electrolysis with washing soda, then sealer.
units | 2025-12-04 | always give me volumes in millilitres and torque in newton metres
typed | 2025-12-04 | In Python I want type hints and pytest, never unittest
editor | 2025-12-04 | I write my code in VS Code with vim keys
laptop | 2025-12-04 | My laptop is a Framework 13 with Fedora on it
nas | 2025-12-05 | backups run to the Synology in the basement every night at 2
address | 2025-12-06 | We live at 48 rue des Ormes, the yellow house on the corner
r60 | 2025-12-07 | My big restoration is a 1967 BMW R60/2 that I found in a barn in Yamachiche
mz | 2025-12-07 | I also have a 1969 MZ ES 250, a two-stroke, it runs on a 1:33 mix
ride | 2025-12-07 | for everyday I ride a Honda CB500X
shop | 2025-12-07 | My workshop is half of old Lemieux's barn, I pay him 120 dollars a month
colour | 2025-12-08 | I want the R60 painted black with white pinstripes
db@ruptures | 2025-12-10 | this project keeps everything in SQLite, the file is data/stock.db
feed@ruptures | 2025-12-10 | The wholesaler's feed arrives at 5 a.m. as CSV, semicolons, Latin-1
din@ruptures | 2025-12-10 | drugs are identified by their DIN, eight digits, never drop the leading zeros
nopatients@ruptures | 2025-12-11 | No patient data may ever land in this repo, not even in tests
boss | 2025-12-12 | my boss at the pharmacy is Lucie Charbonneau
onco | 2025-12-12 | I do the oncology clinic on Tuesdays
weekend | 2025-12-12 | I'm on call every fifth weekend
florence | 2025-12-12 | Florence Dubé is the colleague who covers for me when I'm away
resident | 2025-12-15 | My resident this year is Amira Belkacem, she's with us until the summer
robot | 2025-12-15 | the dispensing robot is a Swisslog, the technicians call it Gaston
*menu | 2025-12-17 | Planned the Réveillon menu: tourtière, Matías's empanadas and a bûche from Pâtisserie Lavoie.
coffee | 2025-12-19 | I take my coffee black, two cups before work
pork | 2025-12-19 | I don't eat pork, and Matías won't touch fish
doctor | 2026-01-05 | my GP is Dr Pellerin, she only picks up before 9 in the morning
narcotics | 2026-01-06 | The narcotics count is on the last Friday of the month
licence | 2026-01-06 | my licence with the Ordre des pharmaciens has to be renewed by 31 March
hours | 2026-01-06 | I need 40 hours of continuing education per cycle and have 26 so far
*fnc1 | 2026-01-09 | Debugged a regex that split lot number and expiry in GS1 barcodes; FNC1 was the culprit.
printer@etiquettes | 2026-01-12 | labels are printed on a Zebra ZD421 at 300 dpi
labelsize@etiquettes | 2026-01-12 | A label is 100 by 50 mm and the name of the drug is at least 11 point
stack@etiquettes | 2026-01-12 | backend is FastAPI, the front is plain HTMX, please no React
tallman@etiquettes | 2026-01-13 | Look-alike names go in tall man letters, as in DOXOrubicin and DAUNOrubicin
signoff@etiquettes | 2026-01-13 | every change to a template needs the sign-off of two pharmacists before it goes live
swim | 2026-01-15 | I go swimming on Monday evenings at the CAPS pool
knee | 2026-01-15 | My left knee was operated on in 2019, so I don't run
lessons | 2026-01-16 | Clara has piano lessons on Wednesdays with Mme Vigneault
hockey | 2026-01-16 | Benoît plays hockey, practice is Fridays at 6 p.m. in the Claude-Mongrain arena
skates | 2026-01-16 | Clara wears size 37 skates
*tax | 2026-01-22 | Went through which course fees and professional dues are deductible; the receipts: blue binder.
bank | 2026-01-25 | The household account is with Desjardins, my own one for the bikes is with Tangerine
budget | 2026-01-25 | I allow myself 250 dollars a month for motorcycle parts
krause | 2026-01-27 | BMW parts I order from Krause Oldtimerteile in Chemnitz, my customer number there is 30417
gerard | 2026-01-28 | Gérard Houle, who is 78, taught me how to build wheels. He has no email, you have to ring him
club | 2026-01-28 | the vintage bike club, Les Vieux Pistons, meets every second Friday of the month at Brasserie Godin
*carbs | 2026-02-06 | Balanced the two Bing carburettors of the R60 step by step; the left needle was one notch too low.
valves | 2026-02-07 | Valve clearance on the R60: 0.15 inlet and 0.20 exhaust, engine cold
headnuts | 2026-02-07 | the cylinder head nuts of the R60 get 38 newton metres
plugs | 2026-02-07 | spark plugs for the MZ are Isolator M14-260
oil | 2026-02-07 | The R60 takes two litres of mineral 20W-50
puller | 2026-02-08 | the bearing puller lives in the third drawer of the red cabinet
hugo@garagelog | 2026-02-10 | The site is built with Hugo and a theme I made myself
domain@garagelog | 2026-02-10 | it's hosted on Netlify, the domain pistonsetpilules.ca has to be renewed every February
photos@garagelog | 2026-02-10 | Photos: 1600 pixels wide, WebP, and take the GPS data out
posts@garagelog | 2026-02-10 | new posts come out on Sunday evenings, in French with a short English abstract
tracking@garagelog | 2026-02-11 | no comments and no analytics on this site, I don't want a cookie banner
committee | 2026-02-12 | I sit on the antimicrobial stewardship committee, noon on the first Wednesday of each month
*poster | 2026-02-19 | Cut the poster for the provincial congress from 900 words down to 350 and chose one graph.
cohort@vanco | 2026-02-23 | cohort: 212 adults treated between 2021 and 2024, dialysis patients excluded
target@vanco | 2026-02-23 | The paper takes a trough of 15 to 20 mg/L as its target
authors@vanco | 2026-02-23 | co-authors in this order: Florence, Dr Bergevin from nephrology, Amira
rstats@vanco | 2026-02-24 | models are fitted in R with nlmixr2, figures in ggplot2 with a colour-blind palette
zotero@vanco | 2026-02-24 | references are Vancouver style and live in the Zotero group VancoTR
ethics@vanco | 2026-02-24 | Ethics approval is number 2024-417, it must be mentioned in the methods
journal@vanco | 2026-02-24 | We're going to submit to the Canadian Journal of Hospital Pharmacy
*cefazolin | 2026-03-05 | Looked at what to stock instead during the cefazolin shortage; wrote the surgeons a memo.
hood | 2026-03-06 | the laminar flow hood is certified every six months by a firm called Contrôle Boréal
arsenault | 2026-03-09 | The nurse manager on 4B is Sylvain Arsenault, extension 5127
waste | 2026-03-10 | chemo waste gets picked up Tuesdays and Fridays before 7
locker | 2026-03-10 | My locker at work is number 88
parking | 2026-03-12 | I park in lot P3, the permit runs from September to August
*paint | 2026-03-18 | Compared two-pack paint with cellulose for the R60; two-pack lasts longer but needs a booth.
painter | 2026-03-20 | Steeve Morin in Bécancour does the painting, he is booked up three months ahead
chrome | 2026-03-20 | For chrome I go to Galvano Mauricie, ask for Ginette
saddle | 2026-03-21 | Nathalie in Louiseville reupholsters the saddles, she takes cash only
*rosario | 2026-04-02 | Compared flights to Rosario for New Year; the cheapest went via Bogotá with a long stop.
trip | 2026-04-06 | We've booked: we fly to Argentina on 27 December and are back on 10 January 2027
*bow | 2026-04-09 | Collected ideas for Matías's 40th: rehairing his best bow, or a weekend in Québec without kids.
recipe | 2026-04-12 | my crêpe batter: 2 cups of buckwheat flour, 3 eggs and a bottle of blonde beer
resto | 2026-04-15 | When there's something to celebrate we go to Chez Auguste by the river
*raid | 2026-04-24 | Brought the Synology back after a disk failed; replaced it and rebuilt the array overnight.
insurance | 2026-04-28 | The old bikes are insured with Promutuel, it renews on 1 May
croston@ruptures | 2026-04-30 | forecasts use Croston for slow movers and exponential smoothing for everything else
justcheck@ruptures | 2026-04-30 | run the tests with `just check`, never against the live feed
ansible@ruptures | 2026-05-04 | deploys go through Ansible, weekdays only and not after 3 p.m.
*noise | 2026-05-07 | Wrote to the city about the night works in front of the house and asked for the noise permit.
filter | 2026-05-10 | the furnace filter is a 16x25x4, I change it in October
bins | 2026-05-10 | Garbage goes out on Mondays, recycling every second Thursday
theriault | 2026-05-10 | our neighbour Mr Thériault clears the driveway for 400 dollars a winter
velo | 2026-05-12 | L'été je vais au travail à vélo, vingt minutes par la piste du fleuve
tires | 2026-05-14 | Les pneus d'hiver sont entreposés au Garage Dubuc, rangée 7
*wheel | 2026-05-21 | Laced a 36-spoke wheel, cross three, and trued it to under half a millimetre.
atkinson@etiquettes | 2026-05-25 | typeface is Atkinson Hyperlegible, nothing under 8 point
matrix@etiquettes | 2026-05-25 | the code on the label is a GS1 DataMatrix, not a QR code
french@etiquettes | 2026-05-26 | text on the bag is in French only, with all the accents
trunk@etiquettes | 2026-05-26 | the main branch here is called principal
sitter | 2026-06-01 | When we go out Maëlle looks after the kids, 15 dollars an hour
car | 2026-06-02 | We drive a 2014 Mazda 5
spanish | 2026-06-04 | I'm learning Spanish, I'm at B1, correct me when I make a mistake
suegra | 2026-06-08 | Mi suegra Graciela no puede comer gluten
*pgloader | 2026-06-11 | Tried out pgloader to move the stock tables out of SQLite; dates needed a cast.
db2@ruptures | 2026-06-15 | we've moved to PostgreSQL, it runs on the server apotek
*outings | 2026-06-25 | Listed outings with Matías's parents: the old prison, Île Saint-Quentin, a boat on the Saguenay.
resident2 | 2026-07-02 | Amira has finished, my new resident is Étienne Roy, here until next June
*tsb | 2026-07-07 | Weighed Croston against TSB for drugs that go out of use; TSB lets the forecast fade to nothing.
cottage | 2026-07-10 | we rent the same cottage on Lac Mékinac in the first week of August
*packing | 2026-07-16 | Made a packing list for the lake: life vests, head lamps, Benoît's pouch, fly net, board games.
wifi | 2026-07-20 | the guest wifi at home is called BielleNet, the password hangs on the fridge
shop2 | 2026-07-25 | I've left Lemieux's barn, the workshop is now a unit on rue Bellefeuille, 210 dollars a month
compressor | 2026-07-28 | At the new unit the compressor mustn't run after 9 in the evening
*reviewer | 2026-08-04 | Drafted the answer to Reviewer 2, who doubted Bayesian estimates from one level per patient.
target2@vanco | 2026-08-06 | the reviewers had their way: target is now an AUC of 400 to 600 instead of the trough
journal2@vanco | 2026-08-10 | the Canadian Journal turned us down, we're sending it to Pharmacotherapy
limit@vanco | 2026-08-10 | limit is 3500 words and four figures
torquewrench | 2026-08-14 | I've lent the small torque wrench to Gérard
*gearbox | 2026-08-20 | Found out why the MZ jumps out of third: worn dogs on the sliding gear; priced a used one.
*schoolrun | 2026-08-27 | Drew up a timetable of who brings and fetches the children on which day.
adjei | 2026-08-31 | Benoît's teacher this year is Monsieur Adjei
coffee2 | 2026-09-03 | I've given up coffee because of my stomach, in the morning I have mate now
*heartburn | 2026-09-03 | Talked about heartburn at night: raise the bed's head, eat earlier, see the doctor in a month.
car2 | 2026-09-08 | The Mazda is gone, we have a used Kia Niro now, the electric one
lessons2 | 2026-09-10 | Clara has dropped the piano, she plays the drums now, Saturdays at 10
ride2 | 2026-09-12 | Sold the CB500X to Rémi. I ride a Royal Enfield Himalayan now
swim2 | 2026-09-14 | no more swimming, on Monday evenings I go bouldering with Jade
*accred | 2026-09-17 | Prepared a checklist for the accreditors' visit to the sterile room: gowning, air samples, logs.
sitter2 | 2026-09-19 | Maëlle is off to Cégep in Québec, the neighbours' son Thomas babysits now, 17 an hour
editor2 | 2026-09-29 | I switched from VS Code to Zed
*zed | 2026-09-29 | Carried the key bindings and the snippets over into Zed's settings.
onco2 | 2026-10-01 | From now on I have the oncology clinic on Thursdays, Florence took the Tuesdays
cover@ruptures | 2026-10-05 | an alert mail goes out as soon as the cover of a drug falls below 10 days
*doubleprint | 2026-10-08 | Found why the form printed every bag twice: HTMX sent it on enter and on click.
printer2@etiquettes | 2026-10-12 | The Zebra died, we're printing on a Brother TD-4550 now
*costume | 2026-10-15 | Designed Benoît's Halloween costume: a cardboard spark plug with a torch inside.
colour2 | 2026-10-18 | I've decided against black, the R60 will be Dover white
*farewell | 2026-10-22 | Wrote a farewell speech for Lucie with the story of the flooded vault.
*dynamo | 2026-10-29 | Traced why the charging light on the R60 stays on: the regulator, not the dynamo brushes.
vet2 | 2026-10-30 | We've changed vets, Bielle goes to Dr Okafor in Cap-de-la-Madeleine now
boss2 | 2026-11-02 | Lucie retired, Karim Haddad is head of the pharmacy from today
mails | 2026-11-02 | Mails an Karim bitte immer auf Französisch und mit Sie-Form, also vous
locker2 | 2026-11-03 | They've moved the changing room, I have locker 141 now
talk | 2026-11-04 | I'm giving a talk in Halifax on 6 February 2027, at the hospital pharmacists' conference
*slides | 2026-11-05 | Outlined the Halifax talk: twelve slides, two patient cases, one joke about Gaston.
dentist | 2026-11-09 | dentist on 12 January at 8:15, Dr Tran
glasses | 2026-11-09 | new glasses: -2.75 on the left, -3.25 on the right
rally | 2026-11-11 | The club's rally will be in Saint-Élie-de-Caxton on 22 May 2027, I promised to do the route sheets
*hugobuild | 2026-11-12 | Repaired the broken Netlify build by pinning Hugo to 0.128.
passport | 2026-11-13 | my passport is good until March 2028, the kids' ones only until next August
*rota | 2026-11-17 | Redid the on-call rota for the holidays so that nobody has both Christmas and New Year.
*lentils | 2026-11-19 | Found three suppers for a pot of leftover lentils.
*plating | 2026-11-21 | Worked out what it costs to plate the handlebar, both rims and the exhausts: some 1,150 dollars.
*slowquery | 2026-11-23 | Sped up the shortage report: an index on drug and date took the query from 40 seconds to 1.
"""

_QUESTIONS: Final = """
same | what is our cat named? | cat
same | what do I do for work, at which hospital? | job
same | Where does my mother live, which room? | mother
same | what is Benoît allergic to? | nuts
same | valve clearance on the R60? | valves
same | how many newton metres for the cylinder head nuts? | headnuts
same | which spark plugs does the MZ need | plugs
same | where is the bearing puller | puller
same | what's my customer number at Krause? | krause
same | when does the bike club meet? | club
same | what size skates does Clara wear? | skates
same | when is the narcotics count? | narcotics
same | extension of the nurse manager on 4B | arsenault
same | who certifies the laminar flow hood? | hood
same | when is chemo waste picked up? | waste
same | what size is the furnace filter? | filter
same | by when does my licence have to be renewed? | licence
same | when is Matías's birthday | bdaym
same | what's the guest wifi called? | wifi
same | where do we rent the cottage? | cottage
same | who is Benoît's teacher? | adjei
same | when do I have the dentist? | dentist
same@ruptures | what encoding is the wholesaler's feed in? | feed
same@ruptures | how do I run the tests? | justcheck
same@ruptures | how many digits does a DIN have, and what about leading zeros? | din
same@etiquettes | what's the main branch called? | trunk
same@etiquettes | how big is a label? | labelsize
same@etiquettes | who needs to sign off a change to a template? | signoff
same@garagelog | how wide should photos be? | photos
same@garagelog | when does the domain need renewing? | domain
same@vanco | what's the ethics approval number? | ethics
same@vanco | what's the word limit? | limit
same@vanco | which Zotero group are the references in? | zotero
same | Où sont entreposés les pneus d'hiver ? | tires
same | ¿Qué no puede comer mi suegra? | suegra
other | what's the name of the man I'm married to? | husband
other | which drugs must nobody prescribe me? | sulfa
other | what year is the BMW I'm restoring? | r60
other | petrol to oil ratio for the MZ? | mz
other | how much do I let myself spend on the bikes each month? | budget
other | how much oil goes into the R60? | oil
other | can I get hold of Gérard by mail? | gerard
other | is there anything Matías won't eat? | pork
other | which company covers the old bikes? | insurance
other | what does the neighbour charge for shovelling snow? | theriault
other | who stands in for me when I'm on holiday, which colleague? | florence
other | how late can I use the compressor? | compressor
other | when's my talk? | talk
other | does the woman who does the saddles take cards? | saddle
other | what nickname did the robot get? | robot
other | what time should I ring Dr Pellerin? | doctor
other | how many eggs go into the crêpes? | recipe
other | whereabouts in the hospital grounds do I leave the car, which lot? | parking
other | who has my torque wrench at the moment? | torquewrench
other | what's up with my knee? | knee
other | which day do I have to put the recycling on the kerb? | bins
other@ruptures | which forecasting method is used for drugs that hardly sell? | croston
other@ruptures | can I deploy on a Saturday? | ansible
other@ruptures | when is an alert sent? | cover
other@etiquettes | should I use a QR code for scanning? | matrix
other@etiquettes | what's the smallest point size I may use? | atkinson
other@garagelog | what language should I write posts in? | posts
other@vanco | who comes first among the authors? | authors
other@vanco | how many adults did we include? | cohort
other | How old is my son? | kids
other | who could put a new cover on the seat? | saddle
other | how do my colleagues address me? | name
other | when is our wedding anniversary? | wedding
other | where is the money for my hobby kept? | bank
other | which computer am I on? | laptop
other | are my files saved anywhere else? | nas
other | how should you phrase things when replying to me? | brief
other | where do we usually have a fancy dinner? | resto
other | how often do I have to work on Saturdays and Sundays? | weekend
other | what day is my daughter's birthday? | bdayc
other | how strong are my lenses? | glasses
other | do I still need to collect training credits? | hours
other | who does the shiny metal finish for me? | chrome
other | how soon could I get the tank sprayed? | painter
other | what sport does my boy do and where? | hockey
other | when do my husband's parents visit? | inlaws
other | how good is my castellano? | spanish
other | which test framework do I like? | typed
other | do we need new travel documents any time soon? | passport
other | what did I sign up to do for the meet next spring? | rally
other | when do I ring mum? | mumcall
other | my street and house? | address
other@ruptures | can I use a real admission record as a fixture? | nopatients
other@etiquettes | am I allowed to bring in Vue or something like it for the interface? | stack
other@etiquettes | how do we stop people mixing up two medicines that sound alike? | tallman
other@garagelog | can I add Matomo so I see how many visitors come? | tracking
other@garagelog | which generator makes the pages? | hugo
other@vanco | what software did the statistics? | rstats
other | comment est-ce que je me rends à l'hôpital quand il fait beau ? | velo
other | in welcher Sprache schreibe ich meinem Chef? | mails
other | ¿Cuándo viajamos a Argentina? | trip
other | Wie heißt unsere Katze? | cat
other | quel est le numéro de la chambre de maman à la résidence ? | mother
time | what did we talk about yesterday? | slowquery
time | what did we do last Saturday? | plating
time | what were we working on a week ago? | rota
time | What did we discuss last week? | rota lentils plating
time | what did we talk about in August? | reviewer gearbox schoolrun
time | what did we do together last month? | doubleprint costume farewell dynamo
time | which conversations did we have in April? | rosario bow raid
time | what was it we looked at in January? | fnc1 tax
time | what was our chat on 7 May about? | noise
time | what did we talk about in December last year? | rust menu
time | when did we lace the wheel? | wheel
time | when did we deal with the rust in the tank? | rust
time | when did we bring the Synology back to life? | raid
time | when did I change to Zed? | editor2 zed
time | when did Lucie retire? | boss2
time | what did we go through last Thursday? | lentils
time | what was the thing with the two carburettors in February, which needle was it? | carbs
time | back in March, what did I end up writing to the surgeons? | cefazolin
time | how long ago did the gearbox of the MZ come up? | gearbox
time | what have I got on in January? | dentist trip
time | anything in my diary for February 2027? | talk
time | what did we do on 12 November? | hugobuild
time | de quoi a-t-on parlé hier ? | slowquery
time | Worüber haben wir im September gesprochen? | heartburn accred zed
time | ¿de qué hablamos en julio? | tsb packing
changed | who is my boss? | boss2
changed | which day is the oncology clinic? | onco2
changed | who's the cat's vet? | vet2
changed | what do I drink in the morning? | coffee2
changed | what car do we have? | car2
changed | what do I do on Monday evenings? | swim2
changed | which instrument does Clara play? | lessons2
changed | which editor do I use? | editor2
changed | what's the name of my resident? | resident2
changed | which motorcycle do I ride every day? | ride2
changed | how much is the rent for my workshop? | shop2
changed | where is the workshop? | shop2
changed | what colour will the R60 be? | colour2
changed | what's my locker number? | locker2
changed | who can babysit on Friday? | sitter2
changed@ruptures | which database does this use? | db2
changed@etiquettes | which printer do we print on? | printer2
changed@vanco | what's the target in the paper? | target2
changed@vanco | which journal are we submitting to? | journal2
changed | wer leitet jetzt die Apotheke? | boss2
changed | Clara joue de quel instrument maintenant ? | lessons2
several | which lessons and practices do the kids have, and when? | hockey lessons2
several | which settings and fluids do I need for the R60? | valves headnuts oil
several | what do I have to pay attention to when cooking for the family? | pork nuts suegra
several | which people do work on my bikes for me? | painter chrome saddle
several | what do you know about Gérard? | gerard torquewrench
several | what did we find out about the MZ so far? | mz plugs gearbox
several | what happens on Fridays? | hockey narcotics waste club
several | tell me what you know about the Halifax talk | talk slides
several | what's fixed about our trip to Argentina and how did we choose the flights? | trip rosario
several | who do I work with at the hospital? | boss2 florence resident2 arsenault
several | what has been going on with the Synology? | nas raid
several | what do you know about Karim? | boss2 mails
several | all I told you about the vintage bike club | club rally
several | which allergies and intolerances are there in the family? | nuts sulfa suegra
several | what are my duties at the hospital, with their days? | onco2 weekend narcotics committee
several | what did you and I do about painting the R60? | paint colour2 painter
several | what do you remember about Clara? | kids bdayc skates lessons2
several@ruptures | what should I watch out for with the tests here? | justcheck nopatients
several@etiquettes | what are the rules for the text on a label? | labelsize tallman atkinson french
several@etiquettes | everything about printing, please | printer2 doubleprint
several@vanco | how do I have to format the manuscript? | zotero limit rstats
several@garagelog | what are the rules for a new post with pictures? | posts photos
several | ¿qué sabes de Rosario y mi familia? | husband wedding inlaws
none | what's my sister called? |
none | how much did I pay for the R60? |
none | what's my blood type? |
none | when is Benoît's birthday? |
none | what grade is Clara in? |
none | what is Karim's phone number? |
none | which dentist does Matías go to? |
none | what's the mileage of the Himalayan? |
none | how much do I earn at the hospital? |
none | what time does the pharmacy open on Sundays? |
none | what did my mother do for a living? |
none | which airline are we flying with? |
none | where did I go to university? |
none | what tyre pressure does the MZ want? |
none | which beer did Rémi bring along? |
none | what is the licence plate of the Kia? |
none | what's the name of Rémi's wife? |
none | how tall is Benoît? |
none | Which mobile provider am I with? |
none | what is the elimination half-life of vancomycin? |
none | how does exponential smoothing work? |
none | what's the difference between a trough level and an AUC? |
none | who wrote Don Quixote? |
none | what's the capital of Argentina? |
none | how many strings does a cello have? |
none | why do two-stroke engines smoke? |
none | what's the boiling point of washing soda? |
none | is hazelnut a tree nut or a legume? |
none | what does an index do in a database? |
none | how old can a grey cat get? |
none | write a regex that matches eight digits followed by a letter |
none | write a SQL query that lists the ten newest orders per customer |
none | translate "the bag is on the third shelf" into Spanish |
none | write a bash loop that renames all .jpg files to their date |
none | convert 210 dollars to euros |
none | give me a haiku about snow on a driveway |
none | write a short thank-you card for a retiring teacher |
none | how do I centre a button in CSS? |
none | summarise the plot of Hamlet in three sentences |
none | what is 17 times 38? |
none | explain git rebase as you would to a child |
none | make a table of the planets with their number of moons |
none | hi, how are you today? |
none | thanks, that's perfect |
none@ruptures | how do I undo the last commit? |
none@ruptures | write a docstring for this function |
none@etiquettes | why does the browser cache my stylesheet? |
none@etiquettes | what does HTTP status 422 mean? |
none@vanco | is "data" singular or plural? |
none@garagelog | what does WebP stand for? |
none | Comment fait-on une béchamel ? |
none | Wie viele Einwohner hat Chemnitz? |
none | ¿Cómo se dice "bujía" en inglés? |
"""

ODILE: Final = MemorySet("Odile, blind", True, _MEMORIES, _QUESTIONS)
