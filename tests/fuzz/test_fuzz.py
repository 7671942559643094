"""Whatever is given, a command ends with a result or with one message: no traceback, no hang, no half-made file.

The examples are the same in every run; `pytest tests/fuzz --hypothesis-profile=nightly` tries a thousand new ones of
each kind.
"""

import contextlib
import json
import os
import shutil
from pathlib import Path

import click
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save
from strategies import tiny

from edgenext_search.cli import main
from edgenext_search.files import dump_yaml, read_yaml, shipped_folder

from .commands import examples, written
from .inputs import changed, damaged, values, words

OLD = Path(__file__).parents[1] / "old_folders"
RUNS = ("search", "front", "audited", "latency", "interrupted")


def documents(document):
    """Texts of a YAML file: changed in its values, damaged in its bytes, or of any value at all."""
    text = dump_yaml(document).encode()
    as_yaml = (changed(document) | values()).map(lambda value: json.dumps(value).encode())
    return as_yaml | damaged(text)


@examples(25)
@given(
    content=st.sampled_from(("edgenext", "paper")).flatmap(
        lambda n: documents(read_yaml(shipped_folder("space") / f"{n}.yaml"))
    )
)
def test_space_files(here, content):
    here.ends_well("space", "check", written("space.yaml", content))


@examples(20)
@given(
    content=st.sampled_from(("demo", "imagenet")).flatmap(
        lambda n: documents(read_yaml(shipped_folder("study") / f"{n}.yaml"))
    )
)
def test_study_files(here, content):
    """The images are missing, so that no study begins."""
    here.ends_well(
        "run",
        "--study",
        written("study.yaml", content),
        "--data",
        "missing",
        "--budget",
        "1.3M",
        "--out",
        "out",
        codes=(2,),
    )


@examples(40)
@given(
    budget=words()
    | st.lists(words(), min_size=2, max_size=3).map(",".join)
    | st.builds("{}={}".format, st.sampled_from(("params", "madds", "acts", "memory", "footprint", "latency")), words())
)
def test_budgets(here, budget):
    here.ends_well("space", "check", "edgenext", f"--budget={budget}")


@examples(40)
@given(content=documents(tiny().to_dict()))
def test_candidate_files(here, content):
    here.ends_well("cost", written("candidate.yaml", content))


def _checkpoints():
    tensors = {f"stages.{n}.weight": torch.zeros(2, 2) for n in range(4)}
    file = Path(os.environ.get("TMPDIR", "/tmp")) / f"fuzz-{os.getpid()}.pth"  # noqa: S108
    torch.save({"model": tensors, "epoch": 3}, file)
    content = file.read_bytes()
    file.unlink()
    return content, save(tensors)


@examples(40)
@given(
    content=st.sampled_from(_checkpoints()).flatmap(damaged) | st.binary(max_size=200),
    name=st.sampled_from(("a.pth", "a.safetensors")),
)
def test_checkpoints(here, content, name):
    here.ends_well("import", written(name, content), "--out", "out", codes=(2,))


@examples(40)
@given(content=damaged("\n".join(["tench", "goldfish", "great white shark"]).encode()) | st.binary(max_size=100))
def test_class_files(here, content):
    here.ends_well(
        "import", "missing.pth", "--class-names", written("classes.txt", content), "--out", "out", codes=(2,)
    )


@pytest.mark.parametrize("run", RUNS)
@examples(3)
@given(data=st.data())
def test_run_folders(here, run, data):
    """Two files of a run folder are damaged, emptied, removed, or the other's."""
    shutil.rmtree("run", ignore_errors=True)
    shutil.copytree(OLD / run, "run")
    files = sorted(
        path for path in Path("run").rglob("*") if path.is_file() and path.suffix in {".yaml", ".json", ".db", ".csv"}
    )
    contents = {file: file.read_bytes() for file in files}
    for file in data.draw(st.lists(st.sampled_from(files), min_size=1, max_size=2, unique=True)):
        content = contents[file]
        what = data.draw(st.sampled_from(("damage", "damage", "damage", "remove", "empty", "swap", "change")))
        if what == "remove":
            file.unlink()
        elif what == "swap":
            file.write_bytes(contents[data.draw(st.sampled_from(files))])
        elif what == "change" and file.suffix == ".json":
            file.write_text(json.dumps(data.draw(changed(json.loads(content)))))
        else:
            file.write_bytes(b"" if what == "empty" else data.draw(damaged(content)))
    here.ends_well("report", "run", "--json", codes=(0, 1, 2))


def _commands(group=main, path=()):
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from _commands(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = dict(_commands())


@st.composite
def command_lines(draw, command):
    """Arguments of a command by its own parameters, each with a word that may or may not suit it."""
    line = []
    for parameter in command.params:
        if isinstance(parameter, click.Argument):
            line += [
                f"./{word}" if word.startswith("-") else word
                for word in draw(st.lists(words(), min_size=1, max_size=2))
            ]
        elif draw(st.booleans()) and not {"--open", "--help"} & set(parameter.opts):
            flag = draw(st.sampled_from(parameter.opts))
            given_word = draw(words() | st.sampled_from(getattr(parameter.type, "choices", ["x"])))
            line.append(flag if parameter.is_flag else f"{flag}={given_word}")
    return line


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
@examples(6)
@given(data=st.data())
def test_flags(here, path, data, monkeypatch):
    """No study, training or measurement begins, as its images or device are missing."""
    line = data.draw(command_lines(COMMANDS[path]))
    if path in {("run",), ("train",), ("scale", "study"), ("scale", "compare"), ("data", "prepare"), ("evaluate",)}:
        line = [word for word in line if not word.startswith(("--data", "--help"))] + ["--data=missing"]
    here.ends_well(*path, *line, codes=(0, 1, 2))
    for entry in Path().iterdir():
        with contextlib.suppress(OSError):
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


def test_the_checks_above_can_fail(here, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError

    monkeypatch.setattr("edgenext_search.models.find.find_candidate", broken)
    with pytest.raises(AssertionError):
        here.ends_well("cost", "edgenext_small")
