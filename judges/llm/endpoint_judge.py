"""Base of the judges behind an endpoint: options, client, version and how they ask."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.endpoint import ChatCall, EndpointClient, endpoint_settings
from harness.protocols import JudgeTraits, Spending
from harness.records import Message
from harness.text.refusals import Refusals
from harness.util.digest import digest
from harness.util.secrets import first_fault
from judges.llm import prompts
from judges.llm.rubric_file import RubricFile
from judges.llm.structured_output import Level, StructuredChat


class PromptSettings(BaseModel):
    """How a judge asks, as a suite gives it.

    Attributes:
        temperature: Null leaves it out, for models that refuse the field.
        max_tokens: Of the verdict with its reasons.
        max_characters: Of one shown text; the middle of a longer one is left out.
        structured: Start at this level: ``json_schema``, ``json_object_schema`` (llama.cpp's way),
            ``json_object`` or ``text``.
        allow_self_judging: Let an endpoint's model judge its own answers.
    """

    # Strict: what YAML reads as a text or as true is a slip of the pen, and would be sent.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)

    temperature: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = 0.0
    max_tokens: int = Field(default=512, ge=1)
    max_characters: int = Field(default=prompts.MAX_CHARACTERS, ge=100)
    structured: Level = "json_schema"
    allow_self_judging: bool = False


class EndpointJudge:
    """A language model behind an OpenAI-compatible endpoint, with a rubric to judge by.

    Args:
        kind: Begins the version, where it is not the rubric judge.
        rubric: What is judged.
        options: How it asks, see ``PromptSettings``; the others are those of its endpoint
            (``model``, ``base_url``, ``revision``, ``prices`` and so on, see ``EndpointSettings``).

    Raises:
        EndpointError: The endpoint needs a key and none is set.
        ValueError: An option does not fit: one line that names it.
    """

    traits = JudgeTraits(llm=True)

    def __init__(self, kind: str, rubric: RubricFile, options: Mapping[str, Any]) -> None:
        endpoint = dict(options)
        prompting = {n: endpoint.pop(n) for n in PromptSettings.model_fields if n in endpoint}
        try:
            self._prompt_settings = PromptSettings.model_validate(prompting)
        except ValidationError as error:
            raise ValueError(first_fault(error, list(PromptSettings.model_fields))) from None
        settings = endpoint_settings(endpoint)
        self.rubric = rubric
        self.client = EndpointClient(settings)
        self.traits = JudgeTraits(
            llm=True,
            durable=settings.durable,
            fingerprint=settings.fingerprint,
            allow_self_judging=self._prompt_settings.allow_self_judging,
            shows=rubric.texts,
            priced="prices" in settings.model_fields_set,
        )
        self._chat = StructuredChat(self.client, self._prompt_settings.structured)
        self._refusals = Refusals(similarity=None)
        decides = [
            settings.fingerprint,
            self._prompt_settings.model_dump(exclude={"allow_self_judging"}),
            prompts.PROMPT_VERSION,
        ]
        self.version = (
            f"{kind}{rubric.label}, {settings.model}@{settings.revision or 'undeclared'},"
            f" settings {digest(decides)[:8]}"
        )

    @property
    def level(self) -> Level | None:
        """Return how the endpoint is held to JSON, as its first answers showed; None before."""
        return self._chat.level if self._chat.known else None

    @property
    def spent(self) -> Spending:
        """Return what the endpoint counted, failed attempts included; its judgements have seconds."""
        usage = self.client.usage
        return Spending(
            calls=usage.calls,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            money=usage.money,
            uncounted=usage.uncounted,
        )

    def _call(
        self, messages: tuple[Message, ...], response_format: dict[str, Any] | None, seed: int
    ) -> ChatCall:
        return ChatCall(
            messages=messages,
            max_tokens=self._prompt_settings.max_tokens,
            temperature=self._prompt_settings.temperature,
            # Some servers know no seed: it is sent only where it can matter.
            seed=seed if self._prompt_settings.temperature else None,
            response_format=response_format,
        )
