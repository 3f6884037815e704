"""A suite's subjects on one loaded model: the provider opened, prompts rendered, adapters named."""

from __future__ import annotations

from collections.abc import Sequence

from harness.config import SubjectSpec
from harness.models.adapters import mixtures
from harness.models.checkpoints import local_folder
from harness.models.hf import HFModel
from harness.models.prompting import Renderer
from harness.protocols import Closable, Model, TokenizesLocally, WarnsUsers
from harness.registry import models


def open_model(specs: Sequence[SubjectSpec]) -> Model:
    """Load the one model that these subjects share, with all their adapters.

    ``prefix:rest`` goes to the provider registered under that prefix, called with ``specs``;
    everything else is a Hugging Face model (hub id, folder, or ``embedded:…``).

    Raises:
        ModelError: It cannot be loaded, or an adapter does not fit it.
        PluginError: No provider of that prefix.
    """
    first = specs[0]
    prefix, colon, _ = first.model.partition(":")
    if colon and prefix != "embedded":
        model: Model = models.get(prefix)(specs)
        return model
    return HFModel.load(
        first.model,
        adapters=mixtures(specs),
        dtype=first.dtype,
        quantization=first.quantization,
        revision=first.revision,
    )


class OpenSubjects:
    """Subjects that share base weights, ready to answer.

    Attributes:
        model: Answers for all of them; a request's ``adapter`` selects the subject.
        warnings: What the user must know before trusting the answers.
    """

    def __init__(self, model: Model, specs: Sequence[SubjectSpec]) -> None:
        self.model = model
        self._specs = {spec.name: spec for spec in specs}
        tokenizer = model.tokenizer if isinstance(model, TokenizesLocally) else None
        self._renderers = {
            spec.name: Renderer(tokenizer, spec.template, spec.system_prompt) for spec in specs
        }
        self.warnings = tuple(model.warnings) if isinstance(model, WarnsUsers) else ()

    @property
    def durable(self) -> bool:
        """Return whether answers are valid across runs."""
        return self.model.durable

    def adapter(self, name: str) -> str | None:
        """Return the adapter that a subject's requests name; None for the base model."""
        return name if self._specs[name].adapters else None

    def renderer(self, name: str) -> Renderer:
        """Return the renderer of a subject's prompts."""
        return self._renderers[name]

    def fingerprint(self, name: str) -> dict[str, str]:
        """Return the content digests that decide a subject's answers."""
        return self.model.fingerprint(self.adapter(name))

    def close(self) -> None:
        """Release the weights."""
        if isinstance(self.model, Closable):
            self.model.close()


def open_subjects(specs: Sequence[SubjectSpec]) -> OpenSubjects:
    """Load the one model that these subjects share; see :func:`open_model`."""
    return OpenSubjects(open_model(specs), specs)


def check_local_folders(specs: Sequence[SubjectSpec]) -> None:
    """Raise ModelError where a local model or adapter is missing, before anything is spent."""
    for spec in specs:
        if ":" not in spec.model:  # neither embedded:, openai: nor scripted:
            local_folder(spec.model)
        for adapter in spec.adapters:
            local_folder(adapter.path, what=f"adapter of {spec.name!r}")
