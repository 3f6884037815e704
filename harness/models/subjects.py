"""A suite's subjects bound to one loaded model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.config import SubjectSpec
from harness.models.opening import open_model
from harness.models.prompting import Renderer
from harness.protocols import Model


class OpenSubjects:
    """Subjects that share base weights, ready to be asked.

    Attributes:
        model: Answers for all of them; a request's ``adapter`` says for whom.
        warnings: What the user must know before trusting the answers.
    """

    def __init__(self, model: Model, specs: Sequence[SubjectSpec]) -> None:
        self.model = model
        self._specs = {spec.name: spec for spec in specs}
        tokenizer: Any = getattr(model, "tokenizer", None)
        self._renderers = {
            spec.name: Renderer(tokenizer, spec.template, spec.system_prompt) for spec in specs
        }
        self.warnings: tuple[str, ...] = tuple(getattr(model, "warnings", ()))

    @property
    def durable(self) -> bool:
        """Whether answers may be kept across runs."""
        return self.model.durable

    def adapter(self, name: str) -> str | None:
        """The adapter that a subject's requests name."""
        return name if self._specs[name].adapters else None

    def renderer(self, name: str) -> Renderer:
        """Renders a subject's prompts."""
        return self._renderers[name]

    def fingerprint(self, name: str) -> dict[str, str]:
        """Content digests that decide a subject's answers."""
        return self.model.fingerprint(self.adapter(name))

    def close(self) -> None:
        """Let go of the weights."""
        close = getattr(self.model, "close", None)
        if close is not None:
            close()


def open_subjects(specs: Sequence[SubjectSpec]) -> OpenSubjects:
    """Load the one model that these subjects share, with all their adapters.

    Raises:
        ModelError: It cannot be loaded, or an adapter does not fit it.
    """
    return OpenSubjects(open_model(specs), specs)


def check_places(specs: Sequence[SubjectSpec]) -> None:
    """See that local models and adapters are there, before anything is spent on a suite.

    Raises:
        ModelError: One is not.
    """
    from harness.models.checkpoints import local_folder

    for spec in specs:
        if ":" not in spec.model:  # neither embedded:, openai: nor scripted:
            local_folder(spec.model)
        for adapter in spec.adapters:
            local_folder(adapter.path, what=f"adapter of {spec.name!r}")
