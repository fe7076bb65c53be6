"""Runs README.md and docs/*.md: each file is one program, in the order in which a reader would type it.

Python blocks of a file share one namespace, `rocket-keras` commands between them run at smoke size, installing
commands are checked against pyproject.toml and tox.ini. A block or command of an unknown kind fails, so that nothing
is left out unseen. A line of the program has the number that it has in the document.
"""

import configparser
import os
import re
import shlex
import subprocess
import sys
import textwrap
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVED = Path(__file__).with_name("served.py")
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

SHELL = {"bash", "console", "sh"}
PROSE = {"bibtex", "json", "mermaid", "text"}  # shown, not run
# Appended: an option's last value counts.
SMOKE = {
    "launch": ("--epochs", "1", "--train-rows", "256", "--seeds", "1"),
    "daily": ("--light", "8", "--booster", "16,8", "--dim", "4"),
    # A machine that runs tests has no quiet moment for a budget.
    "search": ("--epochs", "1", "--train-rows", "2000", "--max-trials", "3", "--budget-ms", "1000"),
    "compare": (
        *("--epochs", "1", "--train-rows", "128", "--seeds", "1"),
        *("--methods", "base,kd,rocket", "--grid", "1", "--no-same-seconds"),
    ),
}


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the 0-based number of its first line, its lines without common indentation."""

    language: str
    start: int
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Program:
    """A document as Python source, and the lines that need a data folder and had none."""

    source: str
    left_out: tuple[str, ...]


def fenced_blocks(text: str) -> list[Block]:
    found, lines = [], text.splitlines()
    fence, language, start = "", "", 0
    for number, line in enumerate(lines):
        mark = re.match(r"\s*(`{3,}|~{3,})\s*(\S*)", line)
        if not mark:
            continue
        if not fence:
            fence, language, start = mark[1], mark[2], number + 1
        elif mark[1].startswith(fence) and not mark[2]:
            body = textwrap.dedent("\n".join(lines[start:number])).split("\n")
            found.append(Block(language, start, tuple(body)))
            fence = ""
    if fence:
        raise ValueError(f"line {start}: expected the block to be closed, received the end of the file; add {fence}")
    return found


def commands(block: Block) -> list[tuple[int, list[str]]]:
    """(0-based line, words) of every command; where a block has `$` prompts, its other lines are output."""
    prompts = any(line.startswith("$ ") for line in block.lines)
    found, joined, first = [], "", 0
    for number, line in enumerate(block.lines, block.start):
        if not joined:
            first = number
            if prompts and not line.startswith("$ "):
                continue
            line = line.removeprefix("$ ")
        joined += line.removesuffix("\\")
        if line.endswith("\\"):
            continue
        found += [(first, words) for part in joined.split("&&") if (words := shlex.split(part, comments=True))]
        joined = ""
    if joined:
        raise ValueError(f"line {first + 1}: expected a line after the last \\, received the end of the block")
    return found


def check_pip(words: list[str]) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for word in words[2:]:
        match = re.fullmatch(r"(rocket-keras|\.|tox|-e|-U)(?:\[(.+)\])?", word)
        asked = {extra.strip() for extra in (match[2] or "").split(",")} - {""} if match else set()
        if words[1] != "install" or not match or not asked <= extras.keys():
            raise ValueError(f"expected pip to install tox or rocket-keras with extras of its own, received {word!r}")


def check_tox(words: list[str]) -> None:
    config = configparser.ConfigParser(interpolation=None)
    config.read(ROOT / "tox.ini")
    known = {section.removeprefix("testenv:") for section in config.sections()}
    known |= {name.strip() for name in config["tox"]["env_list"].split(",")}
    asked = words[words.index("-e") + 1].split(",") if "-e" in words else []
    if not set(asked) <= known - {"tox", "testenv"}:
        raise ValueError(f"expected tox environments of tox.ini, received {asked}")


def check_script(words: list[str]) -> None:
    if words[1:3] not in (["-m", "venv"], ["-m", "pip"]) and not (ROOT / words[1]).is_file():
        raise ValueError(f"expected a script of the repository, received {words[1]!r}")


def check_export(words: list[str]) -> None:
    backends = ("jax", "tensorflow", "torch")
    if words[1:] not in [[f"KERAS_BACKEND={name}"] for name in backends]:
        raise ValueError(f"expected export KERAS_BACKEND={'|'.join(backends)}, received {shlex.join(words)}")


def check_nothing(words: list[str]) -> None:
    """Changing folders and cloning leave nothing to hold against the repository."""


# An export is not obeyed: a document runs where its reader has set nothing.
CHECKED = {
    "pip": check_pip,
    "tox": check_tox,
    "python": check_script,
    "export": check_export,
    "git": check_nothing,
    "cd": check_nothing,
}


def at_smoke_size(words: list[str], data: str | None) -> list[str] | None:
    """The `rocket-keras` command that is run instead; None where it needs data and there is none."""
    if "--data-dir" in words:
        if data is None:
            return None
        place = words.index("--data-dir") + 1
        words = [*words[:place], data, *words[place + 1 :]]
    return [*words, *SMOKE.get(words[1], ())]


def shell_statement(words: list[str], data: str | None) -> str | None:
    """The Python statement that stands for a command: empty if it is only checked, None if it lacks its data."""
    if words[0] in CHECKED:
        CHECKED[words[0]](words)
        return ""
    if words[0] != "rocket-keras":
        known = ", ".join(["rocket-keras", *CHECKED])
        raise ValueError(f"expected one of {known}, received {words[0]!r}; mend the document or teach the runner")
    command = at_smoke_size(words, data)
    if command and words[1] == "serve":
        return f"__import__('runpy').run_path({str(SERVED)!r})['start']({command!r}); "
    return command and f"__import__('subprocess').run({command!r}, check=True); "


def program(text: str, data: str | None) -> Program:
    lines, left_out = [""] * len(text.splitlines()), []
    for block in fenced_blocks(text):
        if block.language == "python":
            lines[block.start : block.start + len(block.lines)] = block.lines
        elif block.language in SHELL:
            for number, words in commands(block):
                statement = shell_statement(words, data)
                if statement is None:
                    left_out.append(f"line {number + 1}: {shlex.join(words)}")
                lines[number] += statement or ""
        elif block.language not in PROSE:
            known = ", ".join(sorted({"python", *SHELL, *PROSE}))
            raise ValueError(f"line {block.start}: expected a block of {known}, received {block.language!r}; name it")
    return Program("\n".join(lines), tuple(left_out))


def run(source: str, name: str, folder: Path, environment: dict[str, str]) -> None:
    script = folder / f"{name}.py"
    script.write_text(source)
    done = subprocess.run(
        [sys.executable, script],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )
    assert done.returncode == 0, f"{name} failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"


@pytest.mark.docs
@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_document_runs(document, tmp_path, nothing_set):
    found = program(document.read_text(), os.environ.get("ROCKET_KERAS_DATA"))
    run(found.source, document.name, tmp_path, nothing_set)
    if found.left_out:
        pytest.skip(f"all else ran; set ROCKET_KERAS_DATA to run {'; '.join(found.left_out)}")


SAMPLE = """\
# Sample

```python
import pathlib
def twice(x):
    return 2 * x
```

- an indented block of the same namespace

  ```python
  pathlib.Path("out.txt").write_text(str(twice(21)))
  ```

```console
$ pip install tox && tox -e launch,lint
some output
$ rocket-keras launch digits \\
    --out a  # a comment
```

```sh
rocket-keras launch ml1m --data-dir D
rocket-keras zoo list
```

```text
rocket-keras is not run here
```
"""


@pytest.mark.docs
def test_python_blocks_share_a_namespace_and_line_numbers(tmp_path, nothing_set):
    python_only = SAMPLE.partition("```console")[0]
    run(program(python_only, None).source, "sample", tmp_path, nothing_set)
    assert (tmp_path / "out.txt").read_text() == "42"
    with pytest.raises(AssertionError, match=r'sample\.py", line 12'):
        run(program(python_only.replace("twice(21)", "thrice(21)"), None).source, "sample", tmp_path, nothing_set)


@pytest.mark.docs
def test_commands_run_at_smoke_size_where_the_reader_types_them():
    lines = program(SAMPLE, "/data").source.splitlines()
    smoke = repr(list(SMOKE["launch"]))[1:-1]
    assert (
        lines[17]
        == f"__import__('subprocess').run(['rocket-keras', 'launch', 'digits', '--out', 'a', {smoke}], check=True); "
    )
    assert f"['rocket-keras', 'launch', 'ml1m', '--data-dir', '/data', {smoke}]" in lines[22]
    assert "['rocket-keras', 'zoo', 'list']" in lines[23]
    assert "subprocess" not in "".join([*lines[:17], *lines[18:22], *lines[24:]])


@pytest.mark.docs
def test_a_command_without_its_data_is_named():
    found = program(SAMPLE, None)
    assert found.left_out == ("line 23: rocket-keras launch ml1m --data-dir D",)
    assert "ml1m" not in found.source


@pytest.mark.docs
@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("```sh\ncurl x\n```", "expected one of rocket-keras, pip"),
        ("```sh\nexport KERAS_BACKEND=theano\n```", "expected export KERAS_BACKEND="),
        ("```sh\ntox -e nothing\n```", "expected tox environments of tox.ini"),
        ("```sh\npip install rocket-keras[nothing]\n```", "expected pip to install"),
        ("```sh\npython benchmarks/nothing.py\n```", "expected a script of the repository"),
        ("```\nx = 1\n```", "line 1: expected a block of bash"),
        ("```python\nx = 1\n", "expected the block to be closed"),
        ("```sh\nrocket-keras zoo \\\n```", r"line 2: expected a line after the last"),
    ],
)
def test_what_the_runner_does_not_know_fails(text, line):
    with pytest.raises(ValueError, match=line):
        program(text, None)
