from pathlib import Path

import pytest

from harness.config import AdapterSpec, SubjectSpec
from harness.errors import PluginError
from harness.models.hf import HFModel
from harness.models.openai import EndpointModel
from harness.models.scripted import ScriptedModel
from harness.models.subjects import open_model


def test_prefixes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    assert isinstance(open_model([SubjectSpec(name="a", model="scripted:echo")]), ScriptedModel)
    assert isinstance(open_model([SubjectSpec(name="a", model="openai:gpt")]), EndpointModel)
    with pytest.raises(PluginError, match="Did you mean 'openai'"):
        open_model([SubjectSpec(name="a", model="opnai:gpt")])


def test_subjects_share_one_load(tiny_llama: Path, tiny_adapter: Path) -> None:
    model = open_model(
        [
            SubjectSpec(name="base", model=str(tiny_llama), dtype="float32"),
            SubjectSpec(
                name="tuned v1.1",
                model=str(tiny_llama),
                dtype="float32",
                adapters=(AdapterSpec(path=str(tiny_adapter), weight=0.5),),
            ),
        ]
    )
    assert isinstance(model, HFModel)
    assert list(model._adapters._nets) == ["tuned v1.1"]
    assert model.fingerprint("tuned v1.1") != model.fingerprint()


def test_nothing_heavy_is_imported_before_a_model_is_opened() -> None:
    import subprocess
    import sys

    code = (
        "import sys, harness.models.subjects, harness.models.scripted, harness.models.prompting;"
        " heavy = {'torch', 'transformers', 'peft', 'openai'} & set(sys.modules);"
        " sys.exit(str(heavy) if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
