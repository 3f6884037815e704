"""The command as its users meet it: help, errors in one line, exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import DataError

SUITE = """\
suite: {name: tiny, similarity_gate: false, variants_per_prompt: 1}
data: {path: DATA}
subjects:
  - {name: base, model: "scripted:echo"}
perturbations: [typo]
judges: [rouge_l]
"""


def suite_file(folder: Path, data: str = "data.jsonl", text: str = SUITE) -> str:
    path = folder / "suite.yaml"
    path.write_text(text.replace("DATA", data))
    return str(path)


BAD_DATA = {
    "empty": b"",
    "broken": b'{"prompt": "a"}\n' * 6 + b"{",
    "field": b'{"promt": "a"}\n',
    "number": b'{"prompt": 7}\n',
    "utf8": b'{"prompt": "\xc3"}\n',
    "nul": b'{"prompt": "a\x00"}\n',
    "huge": b'{"prompt": "' + b"a " * 1_000_000 + b'"}\n',
    "ids": b'{"id": 1, "prompt": "a"}\n{"id": 1, "prompt": "b"}\n',
}


@pytest.mark.parametrize("case", BAD_DATA)
def test_bad_data_is_one_line_and_exit_2(jostle, tmp_path: Path, case: str) -> None:
    (tmp_path / "data.jsonl").write_bytes(BAD_DATA[case])
    code, out, err = jostle("run", suite_file(tmp_path))
    assert code == 2
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("jostle: error: data.jsonl")
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("change", "fragment"),
    [
        (("suite: {name: tiny", "suite: {nam: tiny"), "Did you mean 'name'?"),
        (("[typo]", "[tpyo]"), "unknown perturbation 'tpyo'. Did you mean 'typo'?"),
        (("[rouge_l]", "[rogue_l]"), "unknown judge 'rogue_l'. Did you mean 'rouge_l'?"),
        (("[typo]", "[{typo: {rat: 1}}]"), "no option 'rat'"),
        (('"scripted:echo"', '"scripted:echo", adapters: [absent/adapter]'), "absent/adapter"),
        (('"scripted:echo"', "no/such/folder/anywhere"), "no/such/folder/anywhere"),
    ],
)
def test_bad_suites_are_one_line_and_exit_2(
    jostle, tmp_path: Path, change: tuple[str, str], fragment: str
) -> None:
    (tmp_path / "data.jsonl").write_text('{"prompt": "Why is the weather cold?"}\n')
    code, _, err = jostle("run", suite_file(tmp_path, text=SUITE.replace(*change)))
    assert code == 2
    assert fragment in err
    assert err.splitlines()[-1].startswith("jostle: error: ")
    assert "Traceback" not in err


@pytest.mark.parametrize("command", ["run", "probe"])
def test_a_missing_adapter_is_seen_before_anything_is_done(
    jostle, tmp_path: Path, command: str
) -> None:
    out = tmp_path / "run"
    code, _, text = jostle(
        command, "demo", "--out", str(out), f"subjects.1.adapters=[{tmp_path}/absent]"
    )
    assert code == 2
    assert f"adapter of 'tuned' {tmp_path}/absent: no such folder" in text
    assert not out.exists()


def test_unknown_commands_and_missing_files(jostle) -> None:
    code, _, err = jostle("rum")
    assert code == 2
    assert "Did you mean 'run'?" in err
    code, _, err = jostle("run", "absent.yaml")
    assert (code, err) == (2, "jostle: error: absent.yaml: no such file\n")
    code, _, err = jostle("run", "absent")
    assert code == 2
    assert "no shipped one of that name (code, counseling, demo" in err
    code, _, err = jostle("report", "absent")
    assert code == 2
    assert "no run there" in err


def test_ctrl_c_says_how_to_resume(jostle, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("harness.config.load_suite", stop)
    code, _, err = jostle("run", "demo")
    assert code == 130
    assert "run the same command again" in err


def test_convert_writes_prompt_response(jostle, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("Context,Response,topic\nHelp me,Gladly,x\n")
    code, _, _ = jostle("convert", "a.csv", "-o", "a.jsonl")
    assert code == 0
    assert (tmp_path / "a.jsonl").read_text() == (
        '{"topic": "x", "prompt": "Help me", "response": "Gladly"}\n'
    )
    code, out, _ = jostle("convert", "bundled:data/code/valid.jsonl")
    assert code == 0
    assert out.count("\n") >= 30


@pytest.mark.parametrize("command", ["convert", "unknown"])
def test_no_command_writes_over_the_data_that_it_reads(
    jostle, tmp_path: Path, command: str
) -> None:
    data = tmp_path / "data.jsonl"
    data.write_text('{"prompt": "Sort a list in Python.", "response": "sorted(x)"}\n')
    (tmp_path / "link.jsonl").symlink_to(data)
    before = data.read_bytes()
    for out in ("data.jsonl", "./data.jsonl", "link.jsonl"):
        code, _, text = jostle(command, "data.jsonl", "-o", out)
        assert code == 2
        assert "is the input itself and would be overwritten" in text
    assert data.read_bytes() == before


def test_list_prints_the_schema_of_the_summary(jostle) -> None:
    code, out, _ = jostle("list", "--schema", "summary")
    assert code == 0
    assert "traffic_lights" in json.loads(out)["properties"]


def test_list_names_every_plug_in_with_a_line(jostle) -> None:
    code, out, _ = jostle("list")
    assert code == 0
    for name in ("typo", "rouge_l", "embedded:smollm2-135m", "counseling", "bundled:data/code"):
        assert name in out
    assert all(line == "" or len(line.split()) > 1 for line in out.splitlines() if line[:1] == " ")


def test_help_needs_no_heavy_import() -> None:
    code = (
        "import sys; sys.argv = ['jostle', '--help']\n"
        "from harness.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'transformers', 'numpy', 'pandas', 'spacy', 'pydantic'}\n"
        "print('HEAVY', sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "jostle" in done.stdout.lower()
    assert "HEAVY []" in done.stdout


def test_any_error_of_ours_is_one_line(jostle, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise DataError("x.jsonl:1: bad")

    monkeypatch.setattr("harness.config.load_suite", fail)
    assert jostle("run", "demo") == (2, "", "jostle: error: x.jsonl:1: bad\n")
