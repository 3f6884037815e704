"""Prompt rendering, the only one: training, evaluation and chat all call it.

Two forms. Where the tokenizer has a chat template, that is used; else (or where the config names a
``template``) a plain text with ``{prompt}`` in it. Either way the rendered string spells every
special token, the beginning-of-sequence token included, and :func:`encode` never adds one: the
model gets exactly what the string shows.

What users write cannot become a special token. Wherever content contains the text of one
(``<|im_end|>``, or HTML's ``<s>`` under a Llama tokenizer), a space goes in after its first
character (``< |im_end|>``), so that it is read as the plain text it is and cannot close a turn.
The headings of a plain template (``### Response:``) are ordinary text and are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from harness.errors import ConfigError, DataError
from harness.records import Message
from harness.util.digest import digest

DEFAULT_TEMPLATE = "### Instruction:\n{prompt}\n\n### Response:\n"

_PLACEHOLDER = "{prompt}"
_VERSION = 1  # Part of the fingerprint: raise it when the same input renders differently.
_MARK = "\u2063jostle\u2063"  # Placeholder of an answer, to locate the end of its turn.
# Some chat templates (Llama 3.2) print today's date. It is fixed here, or a run that is resumed
# tomorrow would render other prompts than today.
_FROZEN_DATE = (
    "{%- macro strftime_now(form) -%}{{ form"
    + "".join(
        f" | replace('{code}', '{value}')"
        for code, value in {
            "%Y": "2024", "%y": "24", "%m": "07", "%B": "July", "%b": "Jul", "%d": "26",
            "%A": "Friday", "%a": "Fri", "%H": "12", "%M": "00", "%S": "00",
        }.items()
    )
    + " }}{%- endmacro -%}"
)  # fmt: skip


def check_template(template: str) -> str:
    """Return ``template`` if prompts can be rendered with it.

    Raises:
        ConfigError: It lacks ``{prompt}``, or ends in a space: a prompt that ends in a space is
            not a token prefix of prompt + answer, because the space joins the answer's first word.
    """
    if template.count(_PLACEHOLDER) != 1:
        raise ConfigError(
            f"template {template!r} must contain {_PLACEHOLDER} exactly once, where the prompt goes"
        )
    if template != template.rstrip(" \t"):
        raise ConfigError(
            f"template {template!r} ends in a space, which would merge into the answer's first"
            " token; end it in a colon or a newline"
        )
    return template


@dataclass(frozen=True)
class Renderer:
    """Renderer of conversations into the exact text that a model continues.

    Attributes:
        tokenizer: A Hugging Face tokenizer, or None where an endpoint renders by itself.
        template: A plain template; None takes the tokenizer's chat template where it has one and
            :data:`DEFAULT_TEMPLATE` otherwise. A template that the config names replaces the
            tokenizer's.
        system_prompt: Put before conversations without a system turn. None leaves the chat
            template's default (SmolLM2 has one); ``""`` is an empty system turn.
    """

    tokenizer: Any = field(default=None, repr=False)
    template: str | None = None
    system_prompt: str | None = None

    def __post_init__(self) -> None:
        if self.template is not None:
            check_template(self.template)

    def prompt(self, messages: Sequence[Message]) -> str:
        """Render a conversation; the text ends exactly where the answer begins.

        Raises:
            DataError: No last user turn, or roles that the chat template refuses.
        """
        if not messages or messages[-1].role != "user":
            raise DataError("a conversation must end in a user turn: there is nothing to answer")
        turns = self.conversation(messages)
        return self._chat(turns) if self.uses_chat_template else self._plain(turns)

    def example(self, messages: Sequence[Message], response: str) -> tuple[str, str]:
        """Render a training example.

        Returns:
            The same text as :meth:`prompt`, and the completion exactly as the model should
            generate it, with the end of its turn. White space around the response is dropped: a
            leading newline would merge with the prompt's last one.
        """
        completion = self._lead + self.neutralise(response.strip()) + self.end_of_turn
        return self.prompt(messages), completion

    def conversation(self, messages: Sequence[Message]) -> tuple[Message, ...]:
        """Return the turns with the system prompt in front, as an endpoint gets them."""
        if self.system_prompt is None or (messages and messages[0].role == "system"):
            return tuple(messages)
        return (Message(role="system", content=self.system_prompt), *messages)

    def neutralise(self, text: str) -> str:
        """Break up the texts of special tokens by a space after the first character."""
        while self._specials is not None and self._specials.search(text):
            text = self._specials.sub(lambda m: f"{m[0][0]} {m[0][1:]}", text)
        return text

    @property
    def uses_chat_template(self) -> bool:
        """Return whether prompts go through the tokenizer's chat template."""
        return self.template is None and self._chat_template is not None

    @cached_property
    def end_of_turn(self) -> str:
        """Return what follows an answer, up to and including the token that ends its turn."""
        if not self.uses_chat_template:
            return self._eos
        after = self._probe.partition(_MARK)[2]
        special = self._specials.search(after) if self._specials else None
        return after[: special.end()] if special else after.rstrip() + self._eos

    @cached_property
    def fingerprint(self) -> str:
        """Return the digest of everything that decides the rendering."""
        return digest(
            {
                "version": _VERSION,
                "chat_template": self._chat_template if self.uses_chat_template else None,
                "template": None if self.uses_chat_template else self.template or DEFAULT_TEMPLATE,
                "system_prompt": self.system_prompt,
                "begin": self._begin,
                "end": self.end_of_turn,
                "specials": sorted(_special_texts(self.tokenizer)),
            }
        )

    @cached_property
    def _chat_template(self) -> str | None:
        template = getattr(self.tokenizer, "chat_template", None)
        return template.get("default") if isinstance(template, dict) else template

    @cached_property
    def _specials(self) -> re.Pattern[str] | None:
        texts = sorted(_special_texts(self.tokenizer), key=lambda text: (-len(text), text))
        return re.compile("|".join(map(re.escape, texts))) if texts else None

    @cached_property
    def _begin(self) -> str:
        """Return the BOS token where the tokenizer adds one itself; chat templates spell theirs."""
        if self.uses_chat_template or not _adds_bos(self.tokenizer):
            return ""
        return str(self.tokenizer.bos_token)

    @property
    def _eos(self) -> str:
        return getattr(self.tokenizer, "eos_token", None) or ""

    @cached_property
    def _probe(self) -> str:
        turns = (Message(role="user", content="?"), Message(role="assistant", content=_MARK))
        return self._apply(turns, generate=False)

    @cached_property
    def _lead(self) -> str:
        """Return what the chat template puts between prompt and answer (Llama 2: a space)."""
        if not self.uses_chat_template:
            return ""
        before = self._probe.partition(_MARK)[0]
        prompt = self._apply((Message(role="user", content="?"),), generate=True)
        return before.removeprefix(prompt) if before.startswith(prompt) else ""

    @cached_property
    def _takes_system(self) -> bool:
        """Return whether the template takes a system turn; Gemma's and Mistral v1's refuse it."""
        turns = (Message(role="system", content=_MARK), Message(role="user", content="?"))
        try:
            return _MARK in self._apply(turns, generate=True)
        except DataError:
            return False

    def _chat(self, turns: Sequence[Message]) -> str:
        clean = [Message(role=t.role, content=self.neutralise(t.content)) for t in turns]
        if clean[0].role == "system" and not self._takes_system:
            first, *rest = clean[1:]
            joined = f"{clean[0].content}\n\n{first.content}".lstrip("\n")
            clean = [Message(role=first.role, content=joined), *rest]
        return self._apply(clean, generate=True)

    def _apply(self, turns: Sequence[Message], *, generate: bool) -> str:
        from jinja2 import TemplateError

        try:
            text = self.tokenizer.apply_chat_template(
                [turn.model_dump() for turn in turns],
                chat_template=_FROZEN_DATE + str(self._chat_template),
                tokenize=False,
                add_generation_prompt=generate,
            )
        except TemplateError as error:
            raise DataError(f"the chat template refuses this conversation: {error}") from error
        return str(text)

    def _plain(self, turns: Sequence[Message]) -> str:
        """Render blocks of the template; an earlier answer ends as the model was trained to end it."""
        head, _, tail = (self.template or DEFAULT_TEMPLATE).partition(_PLACEHOLDER)
        blocks = []
        for turn in turns:
            content = self.neutralise(turn.content)
            if turn.role == "user":
                blocks.append(head + content + tail)
            elif turn.role == "assistant":
                blocks.append(content.strip() + self._eos + "\n\n")
            elif content:
                blocks.append(content + "\n\n")
        # Only a template that ends in {prompt} can leave a space here, and it must not stay.
        return self._begin + "".join(blocks).rstrip(" \t")


def encode(tokenizer: Any, text: str) -> list[int]:
    """Encode a rendered text, whose special tokens are all spelled.

    A spelled BOS becomes the BOS token, and the rest is encoded as the tokenizer would encode it
    right after its BOS: a Llama tokenizer puts its word mark before the first word only where
    nothing else precedes it.
    """
    if _adds_bos(tokenizer) and text.startswith(tokenizer.bos_token):
        rest = text[len(tokenizer.bos_token) :]
        return [int(tokenizer.bos_token_id), *_ids(tokenizer, rest)]
    return _ids(tokenizer, text)


def encode_example(tokenizer: Any, prompt: str, completion: str) -> tuple[list[int], list[int]]:
    """Encode a training example: the prompt as evaluation encodes it, and the completion.

    The prompt's ids are always those of ``encode(tokenizer, prompt)``. The completion's ids are
    those in context, or, where a token would straddle the border, those of the completion alone.
    """
    before = encode(tokenizer, prompt)
    whole = encode(tokenizer, prompt + completion)
    if whole[: len(before)] == before:
        return before, whole[len(before) :]
    return before, _ids(tokenizer, completion)


def _ids(tokenizer: Any, text: str) -> list[int]:
    return [int(i) for i in tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]]


def _adds_bos(tokenizer: Any) -> bool:
    """Return whether the tokenizer puts a BOS before plain text by default."""
    bos = getattr(tokenizer, "bos_token_id", None)
    if bos is None:
        return False
    return bool(tokenizer("a")["input_ids"][:1] == [bos] and _ids(tokenizer, "a")[:1] != [bos])


def _special_texts(tokenizer: Any) -> set[str]:
    """Return the texts of special tokens: those marked as such, and those in the chat template."""
    if tokenizer is None:
        return set()
    template = str(getattr(tokenizer, "chat_template", None) or "")
    added = tokenizer.added_tokens_decoder.values()
    special = {t.content for t in added if t.special or t.content in template}
    # The end of a turn may not be marked as special.
    special.update(getattr(tokenizer, "all_special_tokens", ()))
    return {text for text in special if len(text.strip()) > 1}
