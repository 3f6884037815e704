"""Content digests of what decides a model's answers: no path and no name goes in."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.errors import StoreError
from harness.models.adapter_files import changes_base
from harness.util.digest import digest, file_digest
from harness.util.files import make_folder, write_atomically
from harness.util.resources import cache_root

# Fields of an adapter's configuration that do not change what it computes.
_ADAPTER_NOTES = {
    "auto_mapping",
    "base_model_name_or_path",
    "inference_mode",
    "init_lora_weights",
    "lora_dropout",
    "megatron_core",
    "peft_version",
    "revision",
    "task_type",
}
_CONFIG_NOTES = {"_name_or_path", "_model_name_or_path", "architectures", "transformers_version"}


def weights_digest(folder: Path) -> str:
    """Digest a checkpoint's safetensors files, whatever their names and folder."""
    return digest(sorted(cached_digest(path) for path in folder.glob("model*.safetensors")))


def config_digest(config: dict[str, Any], stops: list[int]) -> str:
    """Digest an architecture's configuration and the tokens that end an answer."""
    decisive = {key: value for key, value in config.items() if key not in _CONFIG_NOTES}
    decisive.pop("dtype", None)  # The fingerprint has the dtype that was loaded.
    return digest(json.loads(json.dumps([decisive, sorted(stops)], default=str)))


def tokenizer_digest(tokenizer: Any) -> str:
    """Digest how a tokenizer turns text into ids; its chat template shows in the prompt itself."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        made_of: Any = {"vocabulary": tokenizer.get_vocab(), "class": type(tokenizer).__name__}
    else:  # Padding and truncation are state of the last call, not of the tokenizer.
        state = json.loads(backend.to_str())
        made_of = {k: v for k, v in state.items() if k not in ("padding", "truncation")}
    specials = {key: str(value) for key, value in tokenizer.special_tokens_map.items()}
    return digest([made_of, specials])


def adapter_digest(folder: Path) -> str:
    """Digest an adapter's tensors and the settings that decide what they do."""
    config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    decisive = {key: value for key, value in config.items() if key not in _ADAPTER_NOTES}
    if changes_base(config):  # PiSSA and others start by moving the base's weights
        decisive["init_lora_weights"] = config.get("init_lora_weights")
    if isinstance(decisive.get("target_modules"), list):
        decisive["target_modules"] = sorted(decisive["target_modules"])
    return digest([decisive, cached_digest(folder / "adapter_model.safetensors")])


def cached_digest(path: Path) -> str:
    """Return the SHA-256 of a file, cached in the cache folder by (path, size, time of change).

    Hashing gigabytes takes many seconds. A file that changes while all three stay the same would be
    taken for the old one; nothing that writes files does that by accident.
    """
    path = path.resolve()
    status = path.stat()
    key = digest([str(path), status.st_size, status.st_mtime_ns, status.st_ino])
    cached = cache_root() / "digests" / key
    with suppress(OSError):
        known = cached.read_text(encoding="ascii")
        if len(known) == 64:
            return known
    sha256 = file_digest(path)
    # A cache that cannot be written costs time, not results.
    with suppress(StoreError):
        make_folder(cached.parent)
        write_atomically(cached, sha256)
    return sha256
