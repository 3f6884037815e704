"""What decides a model's answers, as content digests: no path and no name goes in."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.errors import StoreError
from harness.util.digest import digest, file_digest
from harness.util.files import make_folder, write_atomically
from harness.util.resources import cache_root

# Fields of an adapter's configuration that do not touch what it computes.
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
    """Digest of a checkpoint's safetensors files, whatever they are called and wherever they lie."""
    return digest(sorted(cached_digest(path) for path in folder.glob("model*.safetensors")))


def config_digest(config: dict[str, Any], stops: list[int]) -> str:
    """Digest of an architecture's configuration and of the tokens that end an answer."""
    kept = {key: value for key, value in config.items() if key not in _CONFIG_NOTES}
    kept.pop("dtype", None)  # Stands in the fingerprint by itself, as what was loaded.
    return digest(json.loads(json.dumps([kept, sorted(stops)], default=str)))


def tokenizer_digest(tokenizer: Any) -> str:
    """Digest of how a tokenizer turns text into ids; its chat template shows in the prompt itself."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        made_of: Any = {"vocabulary": tokenizer.get_vocab(), "class": type(tokenizer).__name__}
    else:
        made_of = json.loads(backend.to_str())
        for state in ("padding", "truncation"):  # Left behind by whoever called it last.
            made_of.pop(state, None)
    specials = {key: str(value) for key, value in tokenizer.special_tokens_map.items()}
    return digest([made_of, specials])


def adapter_digest(folder: Path) -> str:
    """Digest of an adapter's tensors and of the settings that decide what they do."""
    config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    kept = {key: value for key, value in config.items() if key not in _ADAPTER_NOTES}
    if isinstance(kept.get("target_modules"), list):
        kept["target_modules"] = sorted(kept["target_modules"])
    return digest([kept, cached_digest(folder / "adapter_model.safetensors")])


def cached_digest(path: Path) -> str:
    """SHA-256 of a file, remembered in the cache folder by (path, size, time of change).

    Hashing gigabytes takes many seconds. A file that is changed without any of the three changing
    would be taken for the old one; nothing that writes files does that by accident.
    """
    path = path.resolve()
    status = path.stat()
    key = digest([str(path), status.st_size, status.st_mtime_ns, status.st_ino])
    remembered = cache_root() / "digests" / key
    with suppress(OSError):
        known = remembered.read_text(encoding="ascii")
        if len(known) == 64:
            return known
    found = file_digest(path)
    # A cache that cannot be written costs time, not results.
    with suppress(StoreError):
        make_folder(remembered.parent)
        write_atomically(remembered, found)
    return found
