"""How a prompt is written: casually, or pasted in part, such as log lines and code-like words."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from itertools import pairwise

from harness.text.parse import Text
from perturbations.common import lexicon_lines

# Where a unit of writing ends: a new line, or a full stop before a capital.
_BREAK = re.compile(r"[\r\n]+|(?<=[.?!])\s+(?=[\"'“‘(]?[A-Z])")

# Names written in two humps that are words of everyday English.
_NAMES = (
    r"JavaScript|TypeScript|CoffeeScript|YouTube|GitHub|GitLab|LinkedIn|PayPal|PowerPoint|WhatsApp|MySQL|OpenAI"
    r"|ChatGPT|TikTok|FaceTime|WordPress|WiFi|DoorDash|AirPods|PlayStation|QuickBooks|MasterCard"
    r"|HubSpot|SharePoint|OneDrive|DropBox|McDonald|MacBook|iPhones?|iPads?|iPods?|iTunes|iCloud|iMac|iOS|macOS|eBay"
)
_MARKS = re.compile(
    rf"(?!\b(?:{_NAMES})\b)\b[A-Za-z]*[a-z][A-Z][a-z]\w*"  # camelCase, NullPointer
    r"|\b[A-Z]{2,}[a-z]{3,}\w*|\w_\w|::|->|=>|\(\)|&&|\|\||[{}<>\[\]\\`$]"
    r"|\b\d+\.\d+\.[\d*]|\b\d+\.\*|[~^]\d"  # versions
    r"|\b[A-Za-z][\w-]*\.[a-z]\w*\b(?<!\.com)(?<!\.org)(?<!\.net)(?<!\be\.g)(?<!\bi\.e)(?<!\b[ap]\.m)"  # names of files
    r"|\b(?!(?:and|he|she|his|him|yes|his|her|w|n|km|either|on|in|pros|his)/)[a-z]+/[a-z]+[/.\d-]"  # paths
    r"|(?:^|\s)\.{0,2}/\w|(?:^|\s)--?[a-z]+\b(?=\s|$)"
    r"|\b\w+(?:Error|Exception)\b|\b(?:errno|stderr|stacktrace|traceback|segfault)\b"
    r"|\b(?:error|exception|warning|fatal|failed|failure|notice|debug|info)\b ?(?:\d+ ?)?:"
    r"|\b\d\d:\d\d:\d\d\b|\b0x[0-9a-f]+"
)
_LOWER = re.compile(r"\b(?:ERROR|FATAL|WARN(?:ING)?|INFO|DEBUG)\b|^\s*(?:at|in) [\w.]+\(")

# What follows these words and a colon is what a machine has said.
_SAID = re.compile(
    r"\b(?:errors?|messages?|warnings?|exceptions?|logs?|output|says|saying|reads|traceback|code|query|command|title"
    r"|prints?|returns?|response)\b[^:.?!\n]{0,25}:\s*\S[^\n]*",
    re.IGNORECASE,
)


def pasted_spans(text: Text) -> tuple[tuple[int, int], ...]:
    """Return the spans of a prompt that look like something pasted, or that name code."""
    raw = text.raw
    cuts = [0, *(at for m in _BREAK.finditer(raw) for at in (m.start(), m.end())), len(raw)]
    units = [(a, b) for a, b in pairwise(cuts) if raw[a:b].strip() and _odd(raw[a:b])]
    return (*units, *(m.span() for m in _SAID.finditer(raw)))


def outside_pasted(text: Text) -> Callable[[int, int], bool]:
    """Return a test of whether a span of the prompt lies outside of all that looks pasted."""
    spans = pasted_spans(text)
    return lambda start, end: all(b <= start or end <= a for a, b in spans)


def _odd(unit: str) -> bool:
    return bool(_MARKS.search(unit) or _LOWER.search(unit))


def is_casual(text: Text) -> bool:
    """Return whether a prompt has marks of casual writing: small starts, slang, doubled signs."""
    return bool(_marks().search(text.raw))


@cache
def _marks() -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{line})" for line in lexicon_lines("casual_marks.txt")))
