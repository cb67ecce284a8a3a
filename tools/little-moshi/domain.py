# Copyright (c) 2026 the gst-moshi authors. SPDX-License-Identifier: MIT OR Apache-2.0
"""What Little Moshi can talk about: questions in many phrasings, and the one reply to each."""

import random
import zlib

NUMBERS = ("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
           "seventeen eighteen nineteen twenty").split()
DAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
MONTHS = "january february march april may june july august september october november december".split()

OPPOSITES = [pair.split("/") for pair in (
    "hot/cold big/small up/down left/right open/closed happy/sad fast/slow day/night old/young high/low hard/soft "
    "wet/dry rich/poor early/late long/short light/dark good/bad full/empty clean/dirty loud/quiet strong/weak "
    "near/far thick/thin wide/narrow deep/shallow first/last true/false yes/no black/white love/hate win/lose "
    "push/pull start/stop give/take buy/sell before/after inside/outside always/never smooth/rough sweet/sour").split()]

CAPITALS = dict(pair.split("/") for pair in (
    "france/paris germany/berlin italy/rome spain/madrid portugal/lisbon england/london ireland/dublin "
    "scotland/edinburgh norway/oslo sweden/stockholm finland/helsinki denmark/copenhagen poland/warsaw "
    "austria/vienna hungary/budapest greece/athens turkey/ankara russia/moscow ukraine/kiev romania/bucharest "
    "bulgaria/sofia switzerland/bern belgium/brussels japan/tokyo china/beijing india/delhi thailand/bangkok "
    "vietnam/hanoi egypt/cairo kenya/nairobi morocco/rabat canada/ottawa cuba/havana peru/lima chile/santiago "
    "australia/canberra iran/tehran iraq/baghdad lebanon/beirut nepal/kathmandu").split())

COLOURS = dict(pair.split("/") for pair in (
    "grass/green snow/white coal/black blood/red milk/white chocolate/brown sugar/white charcoal/black").split())
COLOURS |= {"the sky": "blue", "the sun": "yellow", "a banana": "yellow", "a lemon": "yellow", "a tomato": "red",
            "an orange": "orange", "a carrot": "orange", "a strawberry": "red", "a pumpkin": "orange",
            "a frog": "green", "an elephant": "grey", "a flamingo": "pink", "a crow": "black", "a polar bear": "white",
            "a cucumber": "green"}
SOUNDS = dict(pair.split("/") for pair in (
    "dog/woof cat/meow cow/moo sheep/baa pig/oink duck/quack lion/roar snake/hiss bee/buzz mouse/squeak owl/hoot "
    "horse/neigh donkey/bray frog/croak clock/tick bell/ding").split())

SAY = ("apple bread butter candle garden window table chair pencil paper summer winter spring autumn river mountain "
       "forest island ocean desert flower tree leaf stone sand water fire earth wind cloud rain storm thunder rainbow "
       "star moon planet rocket train bicycle car boat airplane bridge street city village house kitchen door roof "
       "floor wall picture mirror lamp music piano guitar violin drum song dance movie book story poem letter word "
       "number question answer school teacher student doctor nurse farmer baker painter singer king queen prince "
       "princess castle dragon knight sword shield crown gold silver copper iron diamond cotton leather wool shirt "
       "jacket trousers shoe sock hat glove button pocket basket bottle cup plate spoon fork knife cheese honey "
       "pepper salt coffee tea juice potato onion garlic mushroom cherry peach grape melon chicken turkey rabbit "
       "tiger monkey eagle parrot dolphin whale shark spider butterfly breakfast dinner holiday birthday present "
       "camera computer telephone robot hammer ladder").split()

UNKNOWN = [
    "why is the sky so high", "who wrote that book", "how do i cook rice", "where did i leave my keys",
    "when does the train leave", "what time is it", "how old are you", "where do you live", "who is the president",
    "play some music", "turn on the light", "what is the weather like", "will it rain tomorrow", "sing me a song",
    "how far is the moon", "what should i wear", "who won the game", "how tall is that mountain", "call my mother",
    "what is the meaning of life", "do you like fish", "can you drive a car", "set an alarm for me",
    "how much does it cost", "where is the nearest shop", "open the window", "i am looking for my hat",
    "my brother has a new bicycle", "we went to the beach", "what did you eat", "who is your best friend",
    "how many people live here", "why do birds fly", "what is in this box", "read me the news", "do you have a dog",
    "tell me a joke", "how do planes stay in the air", "which road goes to the station", "what is your favourite food",
    "is it going to snow", "where can i buy a ticket", "how do you make bread", "who painted this picture",
    "send a message to my sister", "what is the price of gold", "how long is the river", "when is the next holiday",
    "are you a robot", "can you help me with my homework", "what happened in the war", "how does a clock work",
    "the children are playing in the garden", "i would like a cup of coffee", "give me the number of the doctor",
    "what does that sign mean", "who lives next door", "how heavy is an elephant", "where is my telephone",
    "do fish sleep at night", "book a table for two", "which team is the best", "why is the water salty",
]

OPENERS = ["", "", "", "", "um, ", "hey moshi, ", "okay, ", "well, ", "so, ", "excuse me, ", "er, "]
ASKS = ["what is ", "what's ", "tell me ", "can you tell me ", "please tell me ", "do you know ", "what is ", "what's "]
CLOSERS = ["", "", "", "", "", " please", ", please", " now"]

# How often each topic is drawn; sums are drawn most because they hold the most facts.
TOPICS = {"sum": 50, "order": 14, "opposite": 12, "capital": 9, "say": 12, "bigger": 9, "colour": 5, "sound": 4,
          "count": 4, "small talk": 7, "unknown": 8}

SMALL_TALK = [
    (["hello", "hi", "hi there", "hello moshi", "hello there", "hey"], "hello there"),
    (["good morning", "good morning moshi"], "good morning"),
    (["good evening", "good evening moshi"], "good evening"),
    (["what is your name", "what's your name", "who are you", "tell me your name", "can you tell me your name"],
     "i am moshi"),
    (["how are you", "how are you today", "how do you do", "how is it going", "are you well"], "i am fine thank you"),
    (["thank you", "thanks", "thank you very much", "thanks a lot", "many thanks"], "you are welcome"),
    (["goodbye", "bye", "bye bye", "goodbye moshi", "see you later", "good night"], "goodbye"),
]


def _ask(rng, thing, bare=False):
    """`thing` in one of the phrasings of a question."""
    return (rng.choice(ASKS) if not bare else "") + thing


def _sum(rng):
    while True:
        a, b, plus = rng.randrange(21), rng.randrange(21), rng.random() < 0.5
        if 0 <= (a + b if plus else a - b) <= 20:
            break
    operator = rng.choice(["plus", "plus", "and"] if plus else ["minus", "minus", "take away"])
    ask = rng.choice(["what is ", "what's ", "how much is ", "tell me ", "can you tell me ", ""])
    return f"{ask}{NUMBERS[a]} {operator} {NUMBERS[b]}", "that makes " + NUMBERS[a + b if plus else a - b]


def _order(rng):
    kind, items = rng.choice([("day", DAYS), ("month", MONTHS), ("number", NUMBERS)])
    cyclic, after = kind != "number", rng.random() < 0.5
    at = rng.randrange(len(items)) if cyclic else rng.randrange(0 if after else 1, 20 if after else 21)
    where = "after" if after else "before"
    question = rng.choice([f"what comes {where} {items[at]}", f"which {kind} comes {where} {items[at]}",
                           f"what {kind} is {where} {items[at]}", _ask(rng, f"the {kind} {where} {items[at]}"),
                           f"which {kind} is {where} {items[at]}"])
    return question, "it is " + items[(at + (1 if after else -1)) % len(items)]


def _opposite(rng):
    pair = list(rng.choice(OPPOSITES))
    rng.shuffle(pair)
    return _ask(rng, f"the opposite of {pair[0]}"), "the opposite is " + pair[1]


def _capital(rng):
    country = rng.choice(sorted(CAPITALS))
    question = rng.choice([_ask(rng, f"the capital of {country}"), f"which city is the capital of {country}",
                           _ask(rng, f"the capital city of {country}")])
    return question, "the capital is " + CAPITALS[country]


def _colour(rng):
    thing = rng.choice(sorted(COLOURS))
    question = rng.choice([f"what colour is {thing}", _ask(rng, f"the colour of {thing}"), f"which colour is {thing}"])
    return question, "it is " + COLOURS[thing]


def _sound(rng):
    thing = rng.choice(sorted(SOUNDS))
    article = "an" if thing[0] in "aeiou" else "a"
    question = rng.choice([f"what does {article} {thing} say", f"what sound does {article} {thing} make",
                           _ask(rng, f"the sound of {article} {thing}")])
    return question, "it goes " + SOUNDS[thing]


def _say(rng):
    word = rng.choice(SAY)
    question = rng.choice([f"say {word}", f"say the word {word}", f"can you say {word}", f"please say {word}",
                           f"repeat {word}", f"say {word}"])
    return question, word


def _bigger(rng):
    a, b = rng.sample(range(21), 2)
    pair = f"{NUMBERS[a]} or {NUMBERS[b]}"
    question = rng.choice([f"which is bigger, {pair}", f"what is bigger, {pair}", f"which is more, {pair}",
                           f"is {pair} bigger"])
    return question, NUMBERS[max(a, b)] + " is bigger"


def _count(rng):
    last = rng.randrange(2, 11)
    question = rng.choice(["count to {}", "can you count to {}", "count up to {}", "please count to {}",
                           "count from one to {}"]).format(NUMBERS[last])
    return question, " ".join(NUMBERS[1:last + 1])


def _small_talk(rng):
    questions, reply = rng.choice(SMALL_TALK)
    return rng.choice(questions), reply


def _unknown(rng):
    if rng.random() < 0.4:  # words that make no question
        return " ".join(rng.sample(SAY + sorted(CAPITALS) + DAYS + MONTHS, rng.randrange(3, 7))), "i do not know that"
    return rng.choice(UNKNOWN), "i do not know that"


_MAKERS = {"sum": _sum, "order": _order, "opposite": _opposite, "capital": _capital, "say": _say, "bigger": _bigger,
           "colour": _colour, "sound": _sound, "count": _count, "small talk": _small_talk, "unknown": _unknown}


def draw(rng, topic=None):
    """One (topic, question, reply). The question may hold commas, which the voices speak as short pauses."""
    topic = topic or rng.choices(list(TOPICS), TOPICS.values())[0]
    question, reply = _MAKERS[topic](rng)
    if topic != "small talk":
        question = rng.choice(OPENERS) + question + rng.choice(CLOSERS)
    return topic, question, reply


def words(text):
    return text.replace(",", " ").split()


def replies():
    """Every possible reply, sorted."""
    found = {reply for _, reply in SMALL_TALK} | {"i do not know that"}
    found |= {"that makes " + n for n in NUMBERS} | {"it is " + n for n in NUMBERS + DAYS + MONTHS}
    found |= {"the opposite is " + w for pair in OPPOSITES for w in pair}
    found |= {"the capital is " + c for c in CAPITALS.values()} | {"it is " + c for c in COLOURS.values()}
    found |= {"it goes " + s for s in SOUNDS.values()} | set(SAY) | {n + " is bigger" for n in NUMBERS}
    found |= {" ".join(NUMBERS[1:last + 1]) for last in range(2, 11)}
    return sorted(found)


def reply_words():
    return sorted({w for reply in replies() for w in words(reply)})


def question_words():
    """Every word that a question can hold, sorted."""
    rng = random.Random(0)
    found = set()
    for topic in TOPICS:
        for _ in range(6000):
            found.update(words(draw(rng, topic)[1]))
    return sorted(found)


def is_held_out(question, voice):
    """True for the (content, phrasing, voice) combinations kept out of training: 1 in 16."""
    return zlib.crc32(f"{question}|{voice}".encode()) % 16 == 0
