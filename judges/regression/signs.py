"""Signs in the words of an answer that it speaks to the person: patterns, each a figure from 0 to 1."""

from __future__ import annotations

import re

_YOU = re.compile(r"\b(?:you|your|yours|yourself|u|ur|you['’](?:re|ve|ll|d))\b", re.I)
_ME = re.compile(r"\b(?:i|i['’](?:m|ve|d|ll)|me|my|mine|myself)\b", re.I)
_SORRY = re.compile(r"\b(?:sorry|hugs?|condolences|heartbreaking|awful)\b|♡|❤|<3|🤗", re.I)
_FEELING = re.compile(
    r"\b(?:feel|feels|feeling|felt|sad|scared|afraid|lonely|hurt|hurts|hurtful|pain|painful|tired"
    r"|exhaust\w*|overwhelm\w*|angry|anger|anxious|anxiety|ashamed|shame|guilt\w*|hard|tough"
    r"|difficult|frustrat\w*|worried|worry|stress\w*|upset|grief|griev\w*|alone|heartbr\w*"
    r"|devastat\w*|cry\w*|struggl\w*)\b",
    re.I,
)
_UNDERSTANDS = re.compile(
    r"\b(?:i (?:totally |completely |really |can |do )?(?:understand|get|see|hear|imagine|relate)"
    r"|makes sense|sounds? (?:like|so|really|very)|must (?:be|have|feel)|no wonder|of course you)\b",
    re.I,
)
_LISTED = re.compile(r"(?:^|\s)(?:\d[.)]|[-*•])\s")

SIGNS = (
    "asks",
    "questions",
    "you",
    "you_often",
    "me",
    "me_often",
    "sorry",
    "feeling",
    "feelings",
    "understands",
    "exclaims",
    "list",
)


def signs(answer: str, sentences: int) -> tuple[float, ...]:
    """Return the figures named by ``SIGNS``.

    Those with a plural or ``often`` are rates (of the sentences or words, bounded to 1), the others
    whether it is there at all.

    Args:
        answer: The answer.
        sentences: How many sentences it has.
    """
    words = max(1, len(answer.split()))
    you, me = len(_YOU.findall(answer)), len(_ME.findall(answer))
    feelings = len(_FEELING.findall(answer))
    return (
        float("?" in answer),
        min(1.0, answer.count("?") / max(1, sentences)),
        float(you > 0),
        min(1.0, 5 * you / words),
        float(me > 0),
        min(1.0, 5 * me / words),
        float(bool(_SORRY.search(answer))),
        float(feelings > 0),
        min(1.0, 10 * feelings / words),
        float(bool(_UNDERSTANDS.search(answer))),
        float("!" in answer),
        float(len(_LISTED.findall(answer)) > 1),
    )
