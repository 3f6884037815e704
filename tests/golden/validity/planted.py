"""Plausible bad variants, one way of going wrong a fault, to see whether a reader notices.

Each function takes a parsed prompt and a random stream, and gives the bad text or None where this
fault cannot be made of it.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping

from harness.text.parse import Text
from harness.text.roles import role_graph
from perturbations.common import match_case

Fault = Callable[[Text, random.Random], str | None]

# Synonyms of another sense, as WordNet offers them.
_WRONG_SENSE: Mapping[str, str] = {
    "sad": "deplorable", "time": "prison term", "hard": "arduously solid", "kind": "charitable",
    "feel": "palpate", "feeling": "palpating", "miss": "overshoot", "right": "rightfield",
    "leave": "bequeath", "left": "bequeathed", "long": "hanker", "mean": "average", "like": "alike",
    "love": "beloved", "life": "biography", "people": "citizenry", "help": "aider",
    "relationship": "kinship", "married": "wed lock", "bad": "spoilt", "good": "commodity",
    "years": "twelvemonths", "friends": "Quakers", "work": "oeuvre", "keep": "dungeon",
    "family": "phratry", "start": "commencement exercise", "talk": "lecture", "told": "narrated",
    "find": "discovery", "issues": "offspring", "problem": "trouble sum", "change": "small coins",
    "think": "cerebrate", "want": "privation", "know": "recognise biblically", "lose": "mislay",
    "cheated": "cuckolded", "depressed": "concave", "stop": "terminus", "tell": "recount numerically",
}  # fmt: skip
_REAL_WORDS: Mapping[str, str] = {
    "want": "wait", "from": "form", "friend": "fiend", "friends": "fiends", "angry": "hungry",
    "left": "lift", "hurt": "hut", "love": "move", "loves": "moves", "sad": "mad", "feel": "fuel",
    "marriage": "carriage", "trust": "rust", "things": "thongs", "years": "tears", "talk": "tale",
    "husband": "husbands", "wife": "knife", "mother": "smother", "past": "pasta", "dating": "eating",
    "cheated": "heated", "live": "love", "lost": "lust", "know": "now", "scared": "scarred",
    "anxiety": "angriest", "have": "hate", "therapist": "the rapist", "never": "ever", "hate": "have",
    "not": "now", "can't": "can", "don't": "do", "won't": "will",
}  # fmt: skip
_FALSE_FRIENDS: Mapping[str, str] = {
    "practice": "practise", "connection": "connexion", "story": "storey", "check": "cheque",
    "draft": "draught", "mad": "bonkers tyre", "fall": "autumn", "falls": "autumns", "meet": "metre",
    "tired": "tyred", "tire": "tyre", "program": "programme code", "learn": "learnt", "pants": "knickers",
    "mean": "nasty", "smart": "cleverly", "school": "public school", "friend": "mate's",
    "kids": "kerbs", "kid": "kerb", "license": "licence", "gets": "gottens", "got": "gotten",
    "sick": "poorly house", "really": "reely", "size": "sise", "prize": "prise", "your": "youre",
    "or": "our", "for": "four", "color": "collour", "because": "because of whilst",
    "phone": "mobile", "house": "flat", "job": "dole", "girl": "lorry", "people": "queues",
}  # fmt: skip


def _replaced(text: Text, table: Mapping[str, str], rng: random.Random) -> str | None:
    words = [(s, e) for s, e in text.words if text.raw[s:e].lower().replace("’", "'") in table]
    words = [(s, e) for s, e in words if not text.is_protected(s, e)]
    if not words:
        return None
    start, end = rng.choice(words)
    word = text.raw[start:end]
    other = match_case(word, table[word.lower().replace("’", "'")])
    return text.raw[:start] + other + text.raw[end:]


def wrong_sense(text: Text, rng: random.Random) -> str | None:
    """A word by a synonym of another of its senses."""
    return _replaced(text, _WRONG_SENSE, rng)


def wrong_inflection(text: Text, rng: random.Random) -> str | None:
    """A verb left in a form that does not stand here."""
    from perturbations.substitution import inflect

    verbs = [
        t for t in text.doc if t.pos_ == "VERB" and t.tag_ in ("VBD", "VBG", "VBZ") and t.is_alpha
    ]
    verbs = [t for t in verbs if not text.is_protected(t.idx, t.idx + len(t.text))]
    if not verbs:
        return None
    verb = rng.choice(verbs)
    other = {"VBD": "VBG", "VBG": "VBZ", "VBZ": "VBG"}[verb.tag_]
    word = match_case(verb.text, inflect(verb.lemma_.lower(), other))
    if word == verb.text:
        return None
    return text.raw[: verb.idx] + word + text.raw[verb.idx + len(verb.text) :]


def ambiguous_order(text: Text, rng: random.Random) -> str | None:
    """Two sentences swapped, the second of which starts with a pronoun for what the first says."""
    pairs = []
    for one, two in zip(text.sentences, text.sentences[1:], strict=False):
        second = text.raw[two.start : two.end]
        gap = text.raw[one.end : two.start]
        if re.match(r"(?:He|She|It|They|This|That|These)\b", second) and gap.strip(" ") == "":
            pairs.append((one, two))
    if not pairs:
        return None
    one, two = rng.choice(pairs)
    raw = text.raw
    return (
        raw[: one.start]
        + raw[two.start : two.end]
        + raw[one.end : two.start]
        + raw[one.start : one.end]
        + raw[two.end :]
    )


def roles_reversed(text: Text, rng: random.Random) -> str | None:
    """Who does it and to whom, exchanged."""
    matches = list(
        re.finditer(
            r"\b(I) (told|love|loved|hurt|hate|asked|left|cheated on|helped|miss|called) (him|her|them)\b",
            text.raw,
        )
    )
    if not matches:
        return None
    match = rng.choice(matches)
    subject = {"him": "he", "her": "she", "them": "they"}[match.group(3)]
    start = match.start() == 0 or text.raw[: match.start()].rstrip()[-1:] in ".!?"
    subject = subject.capitalize() if start else subject
    return text.raw[: match.start()] + f"{subject} {match.group(2)} me" + text.raw[match.end() :]


def broken_order(text: Text, rng: random.Random) -> str | None:
    """Three neighbouring words out of order."""
    words = [t for t in text.doc[2:-4] if t.is_alpha and t.nbor(1).is_alpha and t.nbor(2).is_alpha]
    if not words:
        return None
    one = rng.choice(words)
    start, end = one.idx, one.nbor(2).idx + len(one.nbor(2).text)
    pieces = [one.nbor(2).text, one.text, one.nbor(1).text]
    return text.raw[:start] + " ".join(pieces) + text.raw[end:]


def real_word(text: Text, rng: random.Random) -> str | None:
    """A slip that makes another word, and another sense."""
    return _replaced(text, _REAL_WORDS, rng)


def garbled(text: Text, rng: random.Random) -> str | None:
    """So many slips that nobody can read it."""
    words = [(s, e) for s, e in text.words if e - s > 3]
    if len(words) < 4:
        return None
    raw = text.raw
    for start, end in sorted(rng.sample(words, max(4, 2 * len(words) // 3)), reverse=True):
        letters = list(raw[start:end])
        rng.shuffle(letters)
        letters[rng.randrange(len(letters))] = rng.choice("xqzjkv")
        raw = raw[:start] + "".join(letters) + raw[end:]
    return raw


def one_mention(text: Text, rng: random.Random) -> str | None:
    """A role changed at one of its mentions only, so that there seem to be two people."""
    mentions = role_graph().mentions(text.raw)
    twice = [m for m in mentions if sum(o.role == m.role for o in mentions) > 1]
    if not twice:
        return None
    mention = rng.choice(twice)
    other = rng.choice(["uncle", "landlord", "teacher", "cousin", "coworker"])
    return text.raw[: mention.start] + other + text.raw[mention.end :]


def other_gender(text: Text, rng: random.Random) -> str | None:
    """A man for a woman or the reverse, with the pronouns as they were."""
    swap = {"husband": "wife", "wife": "husband", "boyfriend": "girlfriend", "mother": "father",
            "girlfriend": "boyfriend", "mom": "dad", "dad": "mom", "father": "mother",
            "sister": "brother", "brother": "sister", "son": "daughter", "daughter": "son"}  # fmt: skip
    if not re.search(r"\b(?:he|him|his|she|her)\b", text.raw):
        return None
    mentions = [
        m for m in role_graph().mentions(text.raw) if text.raw[m.start : m.end].lower() in swap
    ]
    if not mentions:
        return None
    mention = rng.choice(mentions)
    word = text.raw[mention.start : mention.end]
    return (
        text.raw[: mention.start] + match_case(word, swap[word.lower()]) + text.raw[mention.end :]
    )


def contradiction(text: Text, rng: random.Random) -> str | None:
    """A person whom the rest of the story does not allow."""
    found = [
        m
        for m in role_graph().mentions(text.raw)
        if m.role in ("husband", "wife", "daughter", "son")
    ]
    if not found:
        return None
    other = {"husband": "dentist", "wife": "landlady", "daughter": "grandmother", "son": "boss"}
    raw = text.raw
    role = rng.choice(found).role
    for mention in reversed([m for m in found if m.role == role]):
        raw = raw[: mention.start] + other[role] + raw[mention.end :]
    return raw


def false_friend(text: Text, rng: random.Random) -> str | None:
    """A word by one that the other dialect does not use so."""
    return _replaced(text, _FALSE_FRIENDS, rng)


_NEGATION = re.compile(r"\b(?:not|never)\b ?|(?<=\w)n['’]t\b", re.IGNORECASE)
_LIMITS = (
    "Keep it under 50 words.", "Answer in Spanish.", "List exactly three points.",
    "Do not give any examples.", "Only use free tools.", "Write it for a child.",
)  # fmt: skip
_OUT_OF_PLACE = (
    "Good morning, Professor.", "Thanks for your help yesterday.", "Sorry that I missed your call.",
    "As I said in my last letter,", "Happy birthday!", "See you on Monday.",
)  # fmt: skip
_MISHEARD: Mapping[str, str] = {
    "want": "won't", "can't": "can", "accept": "except", "son": "sun dried", "wife": "wi-fi",
    "feel": "fill", "list": "least", "function": "junction", "should": "shouldn't",
    "write": "right wing", "find": "fined", "string": "strong", "number": "lumber",
    "my": "mike", "help": "held up", "how": "who", "what": "watt hours", "have": "halve",
}  # fmt: skip


def negation_turned(text: Text, rng: random.Random) -> str | None:
    """A negation lost."""
    places = list(_NEGATION.finditer(text.raw))
    if not places:
        return None
    match = rng.choice(places)
    return text.raw[: match.start()] + text.raw[match.end() :]


def sentence_lost(text: Text, rng: random.Random) -> str | None:
    """A sentence that says something left out."""
    long = [s for s in text.sentences if len(text.raw[s.start : s.end].split()) >= 5]
    if len(long) < 2:
        return None
    sentence = rng.choice(long)
    return (text.raw[: sentence.start] + text.raw[sentence.end :].lstrip(" ")).strip()


def limit_added(text: Text, rng: random.Random) -> str | None:
    """A wish that nobody had."""
    return f"{text.raw.rstrip()} {rng.choice(_LIMITS)}"


def out_of_place(text: Text, rng: random.Random) -> str | None:
    """A politeness that does not fit here."""
    return f"{rng.choice(_OUT_OF_PLACE)} {text.raw}"


def misheard(text: Text, rng: random.Random) -> str | None:
    """A word that a listener would take for another one, and another sense."""
    return _replaced(text, _MISHEARD, rng)


def other_question(text: Text, rng: random.Random) -> str | None:
    """Another question word."""
    match = re.search(r"\b(?:how|why|what|when|where)\b", text.raw, re.IGNORECASE)
    if match is None:
        return None
    swap = {"how": "when", "why": "how", "what": "why", "when": "why", "where": "when"}
    word = match_case(match[0], swap[match[0].lower()])
    return text.raw[: match.start()] + word + text.raw[match.end() :]


FAULTS: Mapping[str, tuple[Fault, ...]] = {
    "synonym": (wrong_sense, wrong_inflection),
    "reorder": (ambiguous_order, roles_reversed, broken_order),
    "typo": (real_word, garbled),
    "role": (one_mention, other_gender, contradiction),
    "dialect": (false_friend,),
    "surface": (negation_turned, real_word, broken_order),
    "filler": (limit_added, out_of_place, sentence_lost),
    "compose": (wrong_sense, broken_order, negation_turned),
    "register": (negation_turned, real_word, sentence_lost),
    "verbosity": (limit_added, sentence_lost, negation_turned),
    "voice": (misheard, negation_turned, broken_order),
    "question": (other_question, limit_added, sentence_lost),
    "second_language": (negation_turned, wrong_sense, garbled),
}
