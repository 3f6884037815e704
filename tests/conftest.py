"""Shared fixtures: no network, a cache folder of its own, and tiny models built on the spot."""

from __future__ import annotations

import ipaddress
import json
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

# Before anything imports huggingface_hub: tests never ask it for anything.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

REAL_CACHE = os.environ.get("JOSTLE_CACHE")

CORPUS = """How do I stop worrying about my exams all the time?
I feel sad and lonely since I moved to a new city; what could I do?
Write a function that returns the largest of three numbers.
def add(a, b):
    return a + b
### Instruction: and ### Response: stand in the template.
It sounds like you have been carrying this for a while, and that can be very tiring.
My father doesn't listen to me. She said that "nothing helps", and I am not so sure anymore.
"""


def _is_local(host: object) -> bool:
    if isinstance(host, bytes):
        host = host.decode()
    if host in (None, "", "localhost"):
        return True
    try:
        return ipaddress.ip_address(str(host).split("%")[0]).is_loopback
    except ValueError:
        return False


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse every connection and look-up that would leave this machine."""
    connect, connect_ex, lookup = (
        socket.socket.connect,
        socket.socket.connect_ex,
        socket.getaddrinfo,
    )

    def check(address: Any) -> None:
        if isinstance(address, tuple) and not _is_local(address[0]):
            raise AssertionError(f"a test tried to reach the network: {address!r}")

    def guarded(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: socket.socket, address: Any) -> Any:
            check(address)
            return function(self, address)

        return call

    def guarded_lookup(host: Any, *args: Any, **kwargs: Any) -> Any:
        check((host,))
        return lookup(host, *args, **kwargs)

    monkeypatch.setattr(socket.socket, "connect", guarded(connect))
    monkeypatch.setattr(socket.socket, "connect_ex", guarded(connect_ex))
    monkeypatch.setattr(socket, "getaddrinfo", guarded_lookup)


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``JOSTLE_CACHE`` in a folder of the test's own, so that no answer comes from another run."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("JOSTLE_CACHE", str(folder))
    return folder


@pytest.fixture(scope="session")
def embedded_checkpoint() -> Path:
    """The embedded model as a plain checkpoint, in the machine's real cache: made once, reused."""
    from harness.errors import MissingPackage
    from harness.models.embedded import checkpoint

    with pytest.MonkeyPatch.context() as patch:
        if REAL_CACHE is None:
            patch.delenv("JOSTLE_CACHE", raising=False)
        else:
            patch.setenv("JOSTLE_CACHE", REAL_CACHE)
        try:
            return checkpoint("smollm2-135m")
        except MissingPackage as error:
            pytest.skip(str(error))


def build_tokenizer(folder: Path) -> Path:
    """A LlamaTokenizer (BPE with metaspace and byte fallback, as TinyLlama's), vocabulary ~400."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import LlamaTokenizer

    specials = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    bpe = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    bpe.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="first")
    trainer = trainers.BpeTrainer(vocab_size=420, special_tokens=specials, show_progress=False)
    bpe.train_from_iterator(CORPUS.splitlines(), trainer)
    model = json.loads(bpe.to_str())["model"]
    tokenizer = LlamaTokenizer(
        vocab=model["vocab"],
        merges=[tuple(merge) for merge in model["merges"]],
        add_bos_token=True,
    )
    tokenizer.save_pretrained(folder)
    return folder


def build_llama(folder: Path, *, seed: int = 0) -> Path:
    """A random two-layer LlamaForCausalLM with its tokenizer, saved as safetensors."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    build_tokenizer(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        initializer_range=0.3,  # Large enough that a random model's answers differ from each other.
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
    model.save_pretrained(folder)
    return folder


def build_adapter(base: Path, folder: Path, *, seed: int = 1, r: int = 8) -> Path:
    """A LoRA adapter on q, k, v and o with random, non-zero weights."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    from harness.models.libraries import quiet

    with torch.random.fork_rng(), quiet():
        torch.manual_seed(seed)
        model = get_peft_model(
            AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32),
            LoraConfig(
                r=r,
                lora_alpha=32,
                target_modules=["q_proj", "k_proj", "v_proj", "o_proj"],
                init_lora_weights=False,
                task_type="CAUSAL_LM",
            ),
        )
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a tiny random Llama, of TinyLlama's architecture and tokenizer class."""
    return build_llama(tmp_path_factory.mktemp("tiny-llama"))


@pytest.fixture(scope="session")
def tiny_adapter(tiny_llama: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of an active LoRA adapter for ``tiny_llama``."""
    return build_adapter(tiny_llama, tmp_path_factory.mktemp("tiny-adapter"))


@pytest.fixture(scope="session")
def make_llama() -> Callable[..., Path]:
    """``make_llama(folder, seed=0)`` builds further tiny models."""
    return build_llama


@pytest.fixture(scope="session")
def make_adapter() -> Callable[..., Path]:
    """``make_adapter(base, folder, seed=1, r=8)`` builds further adapters."""
    return build_adapter
