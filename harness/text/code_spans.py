"""Finds code and data in a prompt: fences, inline code, code-like lines."""

from __future__ import annotations

import re
from itertools import pairwise, takewhile

CODE_SHARE = 0.02
"""Share of brackets, semicolons and the like from which a text is taken to be largely code."""

FENCED = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
"""A code block in an answer, closed or not."""

_CODE_MARK = re.compile(r"[{}()\[\];=<>+]")
_FENCE = re.compile(r"^[ \t]*(```|~~~).*?(?:^[ \t]*\1[^\S\r\n]*$|\Z)", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(
    r"(`+)(?:(?!\1).)+?\1"  # `code`
    r"|<!?/?[A-Za-z][\w-]*(?:\s[^<>\n]*)?/?>"  # <tag attr="x">
    r"|\b\w+(?:\.\w+)*\([^()\n]{0,80}\)"  # call(x)
    r"|\b[A-Za-z]\w*_\w+\b|\b_+\w+\b"  # snake_case
    r"|\b[a-z]+[A-Z]\w*\b|\b[A-Z][a-z]+[A-Z]\w*\b"  # camelCase, JavaScript
    r"|\b[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+\b(?!\.\s)"  # dotted.name
    r"|\b[A-Za-z]+\d\w*\b|\b[A-Za-z](?:\+\+|#)"  # x1, utf8, C++
    r"|(?<!\S)\.{0,2}/[\w./-]+|\b[A-Za-z]:\\\S+"  # ./path, C:\path
    r"|[\[{][^\[\]{}\n]*[\]}]|\(\d[^()\n]*\)"  # [1, 2], {a}
    r"|\$[A-Za-z_]\w*|@\w+|#\w+|\\\w+"  # $x, @decorator, #id
    r"|\b\w+\s?(?:[*=^+]|<=|>=|==|!=|&&|\|\|)\s?\w+\b"  # x*x, n = 5
    r"|\b\w{1,2}\s[-/%<>&|]\s\w{1,2}\b",  # a % b
    re.MULTILINE,
)
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r|\Z)")
_KEYWORD_LINE = re.compile(
    r"\s*(?:"
    r"(?:async\s+)?def\s+\w+\s*\(|class\s+\w+\s*[:({]|import\s+[\w.{*]+|from\s+[\w.]+\s+import\b"
    r"|return\b.*[;\w)\]]$|(?:for|while|if|elif|with|switch|catch)\b.*[:{]\s*$"
    r"|(?:for|while|if|switch)\s*\(.*\)|(?:else|try|finally|do)\s*[:{]?\s*$|except\b.*:$|pass$|break;?$"
    r"|(?:public|private|protected|static|final|void|int|float|double|char|bool|boolean|string|long"
    r"|const|let|var|function|func|fn|struct|enum|interface|namespace|using|package|extends)\b.*[;{(=)}\]]"
    r"|(?:print|console\.log|printf|echo|assert|yield|lambda|raise|throw)\b\s*[\w(\"'$]"
    r"|#include|#define|#!|//|/\*|\*/|\*\s|--\s|>>>|\$\s|\|.*\||[+|]?-{3,}"
    r")"
)
_SQL_LINE = re.compile(
    r"\s*(?:SELECT\s|INSERT INTO|UPDATE \w+ SET|DELETE FROM|CREATE TABLE|ALTER TABLE|DROP TABLE"
    r"|FROM\s|WHERE\s|GROUP BY|ORDER BY|(?:LEFT |INNER |RIGHT )?JOIN\s|VALUES\b|LIMIT\s)"
)
_ASSIGNMENT = re.compile(
    r"\s*(?:\w[\w.\[\]'\"]*\s+){0,3}[\w.\[\]'\"]+\s*(?:[-+*/%|&^:]?=)(?!=)\s*\S"
)
_OPENER = re.compile(r"\s*(?:[\[{}\])<]|[\"'“‘(]\S.*[\"'”’)],?\s*$)")
_ENDER = re.compile(r".*(?:[;{}\[\\]|\)\s*=>|=>|[)\]}]\s*[;,:])\s*$")
_LABEL = re.compile(r"\s*[A-Za-z][\w ()'\-]{0,30}:(?:\s+\S.{0,60})?$")
_SYMBOLS = frozenset("{}[]()<>=;|\\_*+/%$#@&^~`→")
_PROSE_END = (".", "?", "!", ".”", '."', "?”", '?"', "!”", '!"', ".)", "?)", "!)")


def largely_code(text: str) -> bool:
    """Return whether a text is largely code, by the share of its brackets and the like."""
    return len(_CODE_MARK.findall(text)) > CODE_SHARE * len(text)


def code_spans(raw: str, *, blocks_only: bool = False) -> list[tuple[int, int]]:
    """Find the spans of code and of data given as input, by character.

    Args:
        raw: The prompt.
        blocks_only: Leave out code inside a sentence.
    """
    spans = [m.span() for m in _FENCE.finditer(raw)]
    spans += _line_spans(raw)
    if not blocks_only:
        spans += (m.span() for m in _INLINE.finditer(raw))
    return sorted(spans)


def _line_spans(raw: str) -> list[tuple[int, int]]:
    """Find whole lines of code or data. Lines between two of them belong to them."""
    lines = [m.span() for m in _LINE.finditer(raw) if m.start() < len(raw)]
    bodies = [raw[s:e].rstrip() for s, e in lines]
    is_code = [_is_code(body, i, bodies) for i, body in enumerate(bodies)]
    marked = [i for i, code in enumerate(is_code) if code]
    for before, after in pairwise(marked):
        if after - before <= 3 and not any(map(_is_prose, bodies[before + 1 : after])):
            is_code[before:after] = [True] * (after - before)
    if marked:  # what follows code is code as well, up to prose
        for i in takewhile(lambda i: not _is_prose(bodies[i]), range(marked[-1] + 1, len(lines))):
            is_code[i] = True
    return [(s, s + len(b)) for (s, _), b, m in zip(lines, bodies, is_code, strict=True) if m and b]


def _is_prose(line: str) -> bool:
    words = re.findall(r"[A-Za-z'’]{2,}", line)
    return len(words) >= 4 and sum(c in _SYMBOLS for c in line) <= len(line) * 0.05


def _is_code(line: str, index: int, lines: list[str]) -> bool:
    if not line.strip():
        return False
    density = sum(c in _SYMBOLS for c in line) / len(line.strip())
    sentence = _reads_as_sentence(line)
    assigns = bool(_ASSIGNMENT.match(line))
    return bool(
        _SQL_LINE.match(line)
        or (not sentence and (assigns or density > 0.15 or _KEYWORD_LINE.match(line)))
        or (_ENDER.match(line) and density > 0.02 and not line.rstrip().endswith(_PROSE_END))
        or (
            index > 0
            and (assigns or (_OPENER.match(line) and not sentence) or _is_data(line, lines))
        )
    )


def _reads_as_sentence(line: str) -> bool:
    """Return whether a line has many ordinary words and few signs: it only mentions code."""
    words = re.findall(r"(?<![\w.])[A-Za-z]+(?:['’][a-z]+)?(?=[\s,.?!:;]|$)", line)
    return len(words) >= 5 and len(" ".join(words)) > 0.6 * len(line.strip())


def _is_data(line: str, lines: list[str]) -> bool:
    """Return whether a line is input below an instruction: ``Radius: 3``, ``John Doe - Sales``."""
    if line.rstrip().endswith(_PROSE_END) or any(len(other) > 400 for other in lines):
        return False
    words = line.split()
    return bool(
        _LABEL.match(line)
        or (len(words) <= 2 and all(re.fullmatch(r"[\w\-]+", w) for w in words))
        or (len(words) <= 10 and re.search(r"\d", line) and re.search(r" - |[,|\t]", line))
    )
