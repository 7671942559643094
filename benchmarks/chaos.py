"""Commands that are disturbed at random moments and repeated: do they come to the undisturbed result, to the digit?

Each scenario is a command on a tiny study. It runs undisturbed. Then, moment by moment, it begins anew, is disturbed,
is repeated or resumed until it ends. A moment is ``KIND@SECONDS``, several in a row joined by commas, one for
each attempt: ``--scenario run --replay kill_child@3.2,eio@1.5`` repeats one.

Disturbances: kill -9 of the command, of one of its other processes, or of all; SIGTERM, SIGHUP or SIGINT to the command
or to all; SIGSTOP of the command or another process and SIGCONT some seconds later; for some seconds a full disk (a
small tmpfs; needs root), or ENOSPC, EIO or EACCES of its files (``chaos.c``; needs gcc); a clock that jumps.

Checked: result, exit codes, messages; that no process, temporary file or lock is left; that nothing takes for ever.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import errno
import fcntl
import hashlib
import json
import os
import random
import re
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from common import conditions, emit, parser

PATIENCE = 300.0  # seconds for a command, some times what it takes on a busy machine
GONE_WITHIN = 20.0  # seconds in which other processes end once the command has; torch's loaders look every five
MARK = "CHAOS_MOMENT"
CODES = {0, 1, 2, 130, -signal.SIGTERM, -signal.SIGHUP, -signal.SIGKILL}
CODES |= {-signal.SIGINT}  # before the command answers signals
BAD_WORDS = ("Traceback", "This is a bug", "Exception ignored", "Warning:", "core dumped")
TIMES = {"seconds", "images_per_second", "input_wait", "load", "date", "began", "conditions"}

Result = dict[str, str]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a scenario runs; the same paths in every moment, so that all that is written is alike.

    Attributes:
        root: The folder of all that the command writes: ``out``, ``cache`` and ``tmp``.
        shared: What it only reads: images, candidate, and for an audit a finished run.
    """

    root: Path
    shared: Path

    @property
    def out(self) -> Path:
        """Run folder, training or profile."""
        return self.root / "out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A command, how it goes on, and what it comes to."""

    command: Callable[[Place], list[str]]
    result: Callable[[Path], Result]
    resume: Callable[[Place], list[str]] | None = None
    prepare: Callable[[Place], None] = lambda _place: None
    begun: str = "study.yaml"
    """What is in its folder once it can be resumed."""
    may_differ: str = r"$^"
    """Pattern of files that depend on where the command was interrupted."""


@dataclass(frozen=True, slots=True)
class Disturbance:
    """One disturbance of a moment.

    Attributes:
        kind: A key of :data:`KINDS`.
        seconds: When, since the start of the command.
    """

    kind: str
    seconds: float

    def __str__(self) -> str:
        """As ``--replay`` takes it."""
        return f"{self.kind}@{self.seconds:g}"

    @classmethod
    def read(cls, text: str) -> Disturbance:
        """The disturbance of a text."""
        kind, _, seconds = text.partition("@")
        if kind not in KINDS:
            raise SystemExit(f"There is no disturbance {kind!r}; there are {', '.join(KINDS)}.")
        return cls(kind, float(seconds))


@dataclass(slots=True)
class Attempt:
    """A command under way: the process, and what it is disturbed by."""

    process: subprocess.Popen[bytes]
    mark: str
    place: Place
    control: Path
    rng: random.Random
    until: list[tuple[float, Callable[[], None]]] = field(default_factory=list)
    """What ends disturbances, and when."""

    def others(self) -> list[int]:
        """The living processes that the command started, and theirs."""
        return [pid for pid in marked(self.mark) if pid != self.process.pid]

    def send(self, pid: int, number: int) -> None:
        """Send a signal to a process that may have ended."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)

    def send_all(self, number: int) -> None:
        """Send a signal to the process group, as a terminal does."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def later(self, action: Callable[[], None]) -> None:
        """End a disturbance some seconds from now."""
        self.until.append((time.monotonic() + self.rng.uniform(0.5, 4), action))

    def set(self, error: int = 0, jump: int = 0) -> None:
        """What ``chaos.c`` reads."""
        with self.control.open("r+b") as file:
            file.write(struct.pack("qq", error, jump))


def _kill_child(attempt: Attempt) -> None:
    if others := attempt.others():
        attempt.send(attempt.rng.choice(others), signal.SIGKILL)


def _signal(number: int) -> Callable[[Attempt], None]:
    def send(attempt: Attempt) -> None:
        if attempt.rng.random() < 0.5:
            attempt.send_all(number)
        else:
            attempt.send(attempt.process.pid, number)

    return send


def _stop(of: Callable[[Attempt], list[int]]) -> Callable[[Attempt], None]:
    def stop(attempt: Attempt) -> None:
        if pids := of(attempt):
            pid = attempt.rng.choice(pids)
            attempt.send(pid, signal.SIGSTOP)
            attempt.later(lambda: attempt.send(pid, signal.SIGCONT))

    return stop


def _error(number: int) -> Callable[[Attempt], None]:
    def fail(attempt: Attempt) -> None:
        attempt.set(error=number)
        attempt.later(attempt.set)

    return fail


def _fill(attempt: Attempt) -> None:
    ballast = attempt.place.root / "ballast"
    status = os.statvfs(attempt.place.root)
    with contextlib.suppress(OSError), ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, status.f_bavail * status.f_frsize)
    attempt.later(lambda: ballast.unlink(missing_ok=True))


def _jump(attempt: Attempt) -> None:
    attempt.set(jump=attempt.rng.choice((-400 * 86400, -7200, -2, 3600, 30 * 86400)))


KINDS: dict[str, Callable[[Attempt], None]] = {
    "kill": lambda attempt: attempt.send(attempt.process.pid, signal.SIGKILL),
    "kill_child": _kill_child,
    "kill_all": lambda attempt: attempt.send_all(signal.SIGKILL),
    "sigterm": _signal(signal.SIGTERM),
    "sighup": _signal(signal.SIGHUP),
    "sigint": _signal(signal.SIGINT),
    "stop": _stop(lambda attempt: [attempt.process.pid]),
    "stop_child": _stop(Attempt.others),
    "full": _fill,
    "enospc": _error(errno.ENOSPC),
    "eio": _error(errno.EIO),
    "eacces": _error(errno.EACCES),
    "clock": _jump,
}
QUICK = [("kill", 0.3), ("sigterm", 0.5)]  # the one moment, as shares of the duration
PRELOADED = {"enospc", "eio", "eacces", "clock"}
TMPFS = {"full"}


def main() -> None:
    """Disturb, compare and print."""
    arguments = parser(__doc__)
    arguments.add_argument("--scenario", nargs="+", choices=SCENARIOS, default=None, help="of all")
    arguments.add_argument("--moments", type=int, default=50, help="of each scenario (default: 50)")
    arguments.add_argument(
        "--record", type=Path, help="folder that keeps what was done; a run that is repeated goes on"
    )
    arguments.add_argument("--replay", metavar="KIND@SECONDS,...", help="one moment alone, of one scenario")
    options = arguments.parse_args()
    signal.signal(
        signal.SIGHUP, signal.SIG_DFL
    )  # what is ignored, under nohup or in the background, commands ignore too
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    names = options.scenario or (["train"] if options.quick else list(SCENARIOS))
    with _work_folder(options.record) as work, _tools(work) as tools:
        moments = [moment for name in names for moment in _scenario(name, work, tools, options)]
    figures: dict[str, Any] = {}
    for name in names:
        own = [moment for moment in moments if moment["scenario"] == name]
        figures[f"{name}_moments"] = len(own)
        figures[f"{name}_disturbed"] = sum(moment["hit"] for moment in own)
        figures[f"{name}_attempts"] = sum(len(moment["codes"]) for moment in own)
        figures[f"{name}_failed"] = sum(bool(moment["problems"]) for moment in own)
    kinds = Counter(Disturbance.read(text).kind for moment in moments for text in moment["moment"].split(","))
    where = conditions(
        "torch", "optuna", n=len(moments), seed=options.seed, budget="60k", deployment="10 classes, 32 px",
        kinds=dict(kinds), preload=tools.library is not None, tmpfs=tools.mounts,
    )  # fmt: skip
    emit("chaos", figures, where)
    sys.exit(any(moment["problems"] for moment in moments))


@contextlib.contextmanager
def _work_folder(record: Path | None) -> Iterator[Path]:
    """Where everything is written; short paths, which sockets need."""
    if record is not None:
        record.mkdir(parents=True, exist_ok=True)
        yield record.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="chaos-") as name:
        yield Path(name)


@dataclass(frozen=True, slots=True)
class Tools:
    """What this host can do: the built ``chaos.c``, None without gcc; and whether a tmpfs may be mounted."""

    library: Path | None
    mounts: bool

    def kinds(self) -> list[str]:
        """Disturbances that can be made here."""
        without = (set() if self.library else PRELOADED) | (set() if self.mounts else TMPFS)
        return [kind for kind in KINDS if kind not in without]


@contextlib.contextmanager
def _tools(work: Path) -> Iterator[Tools]:
    library: Path | None = None
    if (compiler := shutil.which("gcc")) is not None:
        library = work / "chaos.so"
        source = Path(__file__).with_name("chaos.c")
        subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"], check=True)
    place = work / "here"
    _unmount(place)
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    mounts = os.geteuid() == 0 and _mount(place)
    _unmount(place)
    try:
        yield Tools(library, mounts)
    finally:
        _unmount(place)


def _mount(place: Path) -> bool:
    command = ["mount", "-t", "tmpfs", "-o", "size=256m", "tmpfs", str(place)]
    return (
        shutil.which("mount") is not None and not subprocess.run(command, capture_output=True, check=False).returncode
    )


def _unmount(place: Path) -> None:
    if os.path.ismount(place):
        subprocess.run(["umount", "-l", str(place)], check=True)  # noqa: S607


def _scenario(name: str, work: Path, tools: Tools, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """The moments of a scenario; those that the record has are not repeated."""
    shared, file = work / "shared", work / f"{name}-{options.seed}.jsonl"
    if not shared.exists():
        _write_shared(shared)
    stage = Stage(name, Place(work / "here", shared), tools, work)
    lines = file.read_text("utf-8").splitlines() if file.exists() else []
    if lines:
        reference = Reference(**json.loads(lines[0]))
    else:
        reference = stage.undisturbed(1 if options.quick else 2)
        file.write_text(json.dumps({key: getattr(reference, key) for key in Reference.__slots__}) + "\n", "utf-8")
    print(f"{name}: undisturbed in {reference.seconds:.1f} s, {len(reference.files)} files", flush=True)
    known = {moment["number"]: moment for moment in map(json.loads, lines[1:])}
    if options.replay:
        yield _told(stage.disturbed([Disturbance.read(text) for text in options.replay.split(",")], reference))
        return
    seconds = reference.seconds
    plan = [QUICK] if options.quick else _moments(name, options.seed, options.moments, tools)
    for number, planned in enumerate(plan, 1):
        found = known.get(number)
        if found is None:
            moment = [Disturbance(kind, round(share * seconds, 2)) for kind, share in planned]
            found = {"number": number, **_told(stage.disturbed(moment, reference))}
            with file.open("a", encoding="utf-8") as journal:
                journal.write(json.dumps(found) + "\n")
        if found["codes"] == [0]:  # from beginning to end: other work makes the machine slower and faster
            seconds = (seconds + found["seconds"]) / 2
        yield found


def _told(found: dict[str, Any]) -> dict[str, Any]:
    """Say what came of a moment."""
    verdict = "as undisturbed" if found["hit"] else "ended before"
    if found["problems"]:
        again = f"python benchmarks/chaos.py --scenario {found['scenario']} --replay {found['moment']}"
        verdict = "\n    ".join(["FAILED", *found["problems"], f"again: {again}"])
    codes = ", ".join(map(str, found["codes"]))
    print(
        f"{found['scenario']}  {found['moment']}  exit codes {codes}, {found['seconds']:.0f} s: {verdict}", flush=True
    )
    return found


def _moments(name: str, seed: int, count: int, tools: Tools) -> Iterator[list[tuple[str, float]]]:
    """Kinds and shares of the duration: spread over all of it, every kind as often; a quarter several in a row."""
    rng, kinds = random.Random(f"{name} {seed}"), tools.kinds()
    order = [kinds[index % len(kinds)] for index in range(count)]
    shares = [(index + rng.random()) / count for index in range(count)]
    rng.shuffle(order)
    rng.shuffle(shares)
    for kind, share in zip(order, shares, strict=True):
        moment = [(kind, share)]
        while rng.random() < 0.25:
            moment.append((rng.choice(kinds), rng.random()))
        yield moment


@dataclass(frozen=True, slots=True)
class Reference:
    """What the undisturbed command came to.

    Attributes:
        result: All that has to be the same.
        files: Relative paths of all files that it left.
        seconds: How long it took.
    """

    result: Result
    files: list[str]
    seconds: float


@dataclass(frozen=True, slots=True)
class Stage:
    """A scenario where it is played."""

    name: str
    place: Place
    tools: Tools
    work: Path

    @property
    def scenario(self) -> Scenario:
        """The command and what belongs to it."""
        return SCENARIOS[self.name]

    def undisturbed(self, times: int) -> Reference:
        """Run the command as it is; the last time counts, since it finds the caches of the system warm."""
        results: list[Result] = []
        for _ in range(times):
            self._begin(tmpfs=False)
            start = time.monotonic()
            code, _ = self._attempt(self.scenario.command(self.place), None, random.Random(0))
            seconds = time.monotonic() - start
            if code:
                raise SystemExit(f"{self.name} ends with {code} where nothing disturbs it:\n{self._said()}")
            results.append(self.scenario.result(self.place.out))
        if differing := _differing(results[0], results[-1]):
            raise SystemExit(f"{self.name} {'; '.join(differing)} where nothing disturbs it.")
        return Reference(results[-1], self._files(), seconds)

    def disturbed(self, moment: list[Disturbance], reference: Reference) -> dict[str, Any]:
        """Begin, disturb, repeat, compare."""
        text = ",".join(map(str, moment))
        rng = random.Random(text)
        start = time.monotonic()
        self._begin(tmpfs=self.tools.mounts)
        before, hit = set(_shared_memory()), False
        codes: list[int] = []
        problems: list[str] = []
        for disturbance in (*moment, None):
            resume = self.scenario.resume if self._begun() and rng.random() < 0.5 else None
            command = (resume or self.scenario.command)(self.place)
            try:
                code, happened = self._attempt(command, disturbance, rng)
            except TimeoutError:
                problems.append(f"attempt {len(codes) + 1} did not end in {PATIENCE:.0f} s")
                break
            codes.append(code)
            hit |= happened
            problems += self._said_wrong(code, len(codes))
            if code == 0:
                break
            if disturbance is None:
                problems.append(f"attempt {len(codes)}, undisturbed, ended with exit code {code}")
        problems += self._left()
        if codes and codes[-1] == 0:
            problems += _differing(reference.result, self.scenario.result(self.place.out))
            problems += self._other_files(reference.files)
        problems += [f"left in shared memory: {name}" for name in sorted({*_shared_memory()} - before)]
        if problems:
            self._keep(text)
        took = round(time.monotonic() - start, 1)
        return {
            "scenario": self.name,
            "moment": text,
            "hit": hit,
            "codes": codes,
            "problems": problems,
            "seconds": took,
        }

    def _begun(self) -> bool:
        return (self.place.out / self.scenario.begun).exists()

    def _begin(self, *, tmpfs: bool) -> None:
        """An empty place."""
        root = self.place.root
        _unmount(root)
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir()
        if tmpfs:
            _mount(root)
        (root / "tmp").mkdir()
        shutil.rmtree(self.work / "said", ignore_errors=True)
        (self.work / "said").mkdir()
        self.scenario.prepare(self.place)

    def _attempt(self, command: list[str], disturbance: Disturbance | None, rng: random.Random) -> tuple[int, bool]:
        """Run a command, with at most one disturbance; gives its exit code, and whether it was disturbed.

        Raises:
            TimeoutError: It did not end, and was killed.
        """
        number, control = len(list((self.work / "said").glob("*.err"))), self.work / "control"
        control.write_bytes(struct.pack("qq", 0, 0))
        mark = f"{os.getpid()}-{rng.getrandbits(40):x}"
        env = {**os.environ, MARK: mark, "TMPDIR": str(self.place.root / "tmp"), "OMP_NUM_THREADS": "1"}
        if self.tools.library is not None and disturbance is not None and disturbance.kind in PRELOADED:
            env |= {"LD_PRELOAD": str(self.tools.library), "CHAOS_CONTROL": str(control)}
            env["CHAOS_FOLDERS"] = f"{self.place.root}:{self.place.shared}"
        said = self.work / "said" / f"{number}"
        said.with_suffix(".command").write_text(f"{shlex.join(command)}\n{disturbance}\n", "utf-8")
        with said.with_suffix(".out").open("wb") as out, said.with_suffix(".err").open("wb") as err:
            process = subprocess.Popen(
                [sys.executable, "-m", "edgenext_search", *command],
                stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=env, cwd=self.work, start_new_session=True,
            )  # fmt: skip
        attempt = Attempt(process, mark, self.place, control, rng)
        start, due = time.monotonic(), disturbance
        try:
            while process.poll() is None:
                now = time.monotonic()
                if due is not None and now - start >= due.seconds:
                    KINDS[due.kind](attempt)
                    due = None
                for ended in [entry for entry in attempt.until if entry[0] <= now]:
                    attempt.until.remove(ended)
                    ended[1]()
                if now - start > PATIENCE:
                    raise TimeoutError
                time.sleep(0.01)
            return process.returncode, disturbance is not None and due is None
        finally:
            for _, action in attempt.until:
                action()
            deadline = time.monotonic() + GONE_WITHIN
            while attempt.others() and time.monotonic() < deadline and process.poll() is not None:
                time.sleep(0.05)
            if left := [pid for pid in marked(mark) if process.poll() is None or pid != process.pid]:
                names = [_command_of(pid) for pid in left]
                for pid in left:
                    attempt.send(pid, signal.SIGKILL)
                said.with_suffix(".left").write_text("\n".join(names), "utf-8")
            process.wait()

    def _said(self) -> str:
        return "\n".join(path.read_text("utf-8", "replace") for path in sorted((self.work / "said").glob("*.err")))

    def _said_wrong(self, code: int, number: int) -> list[str]:
        """What of the last attempt's messages, exit code and processes is against the rules."""
        said = self.work / "said" / str(number - 1)
        problems = [] if code in CODES else [f"attempt {number} ended with exit code {code}"]
        text = said.with_suffix(".err").read_text("utf-8", "replace")
        problems += [f"attempt {number} said {words!r}" for words in BAD_WORDS if words in text]
        if (left := said.with_suffix(".left")).exists():
            problems += [f"left after attempt {number}: {line}" for line in left.read_text("utf-8").splitlines()]
        return problems

    def _left(self) -> list[str]:
        """Locks that are held after the end."""
        held = []
        for path in self.place.root.rglob("*"):
            if path.name in (".lock", "lock") and path.is_file():
                with path.open("rb") as file:
                    try:
                        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    except BlockingIOError:
                        held.append(f"lock held: {path.relative_to(self.place.root)}")
        return held

    def _files(self) -> list[str]:
        root = self.place.root
        return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file() or path.is_symlink() or
                      not any(path.iterdir()))  # fmt: skip

    def _other_files(self, wanted: list[str]) -> list[str]:
        may_differ = re.compile(self.scenario.may_differ)
        there, here = ({name for name in names if not may_differ.search(name)} for names in (wanted, self._files()))
        return [f"file left: {name}" for name in sorted(here - there)] + [
            f"file missing: {name}" for name in sorted(there - here)
        ]

    def _keep(self, text: str) -> None:
        """Keep messages and files of a moment that failed."""
        kept = self.work / "failed" / f"{self.name}-{text}"
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(self.work / "said", kept / "said")
        shutil.copytree(self.place.root, kept / "root", ignore_dangling_symlinks=True)


def marked(mark: str) -> list[int]:
    """Living processes whose environment has a mark: those that an attempt started, whatever their group."""
    wanted, found = f"{MARK}={mark}".encode(), []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                if wanted in (folder / "environ").read_bytes().split(b"\0"):
                    found.append(int(folder.name))
    return sorted(found)


def _command_of(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")[:200]
    return f"process {pid}"


def _shared_memory() -> list[str]:
    """Segments of torch whose process has ended."""
    found = []
    for path in Path("/dev/shm").glob("torch_*"):  # noqa: S108 - where they are
        pid = path.name.split("_")[1]
        if pid.isdigit() and not Path("/proc", pid).exists():
            found.append(path.name)
    return found


def _differing(wanted: Result, found: Result) -> list[str]:
    """The first values in which two results differ."""
    keys = [key for key in sorted({*wanted, *found}) if wanted.get(key) != found.get(key)]
    return [f"differs in {key}: {wanted.get(key)} / {found.get(key)}" for key in keys[:3]]


def _flat(value: Any, prefix: str) -> Result:  # noqa: ANN401 - JSON
    """The values of a JSON object by their path, without times."""
    if isinstance(value, dict):
        return {
            k: v for key, inner in value.items() if key not in TIMES for k, v in _flat(inner, f"{prefix}.{key}").items()
        }
    if isinstance(value, list):
        return {k: v for index, inner in enumerate(value) for k, v in _flat(inner, f"{prefix}.{index}").items()}
    return {prefix: repr(value)}


def _json(path: Path) -> Result:
    return _flat(json.loads(path.read_text("utf-8")), path.name)


def _table(path: Path) -> Result:
    with path.open(newline="", encoding="utf-8") as file:
        return _flat(list(csv.DictReader(file)), path.name)


def _digests(folder: Path, pattern: str) -> Result:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob(pattern)
    }


def _run_result(out: Path) -> Result:
    result = _json(out / "summary.json") | _digests(out, "winners/*/*")
    table = out / "report" / "trials.csv"
    return result | (_table(table) if table.exists() else {})


def _train_result(out: Path) -> Result:
    result = _json(out / "summary.json") | _table(out / "metrics.csv") | _digests(out, "model/*")
    checkpoints = sorted((out / "checkpoints").glob("*.pt"))
    return result | _state(checkpoints[0]) | _state(checkpoints[-1])  # the best one, and the last


def _state(path: Path) -> Result:
    """The values of a checkpoint, each tensor by its digest."""
    import torch

    def plain(value: Any) -> Any:  # noqa: ANN401 - of a checkpoint
        if isinstance(value, torch.Tensor):
            return hashlib.sha256(value.contiguous().numpy().tobytes()).hexdigest()
        if isinstance(value, dict):
            return {str(key): plain(inner) for key, inner in value.items()}
        return [plain(inner) for inner in value] if isinstance(value, (list, tuple)) else value

    return _flat(plain(torch.load(path, weights_only=True)), path.name)


IMAGES = ["--num-classes", "10", "--img-size", "32", "--device", "cpu", "--parallel", "2"]
STUDY = [
    "--budget", "60k", "--study", "demo", "--trials", "4",
    "--set", "search.cohort=2", "--set", "search.finalists=1",
    "--set", "search.rescore_seeds=1", "--set", "search.rematch_seeds=0", "--set", "proxy.img_size=32",
    "--set", "proxy.epochs=2", "--set", "proxy.rungs=[0.5, 1.0]", "--set", "proxy.batch_size=16",
]  # fmt: skip
TRAIN = [
    "--batch-size", "4", "--accumulate", "1", "--workers", "1", "--threads", "1", "--device", "cpu",
    "--checkpoint-minutes", "0.01", "--set", "train.epochs=4", "--set", "train.img_size=32", "--set", "train.lr=0.002",
    "--set", "train.lr_batch_size=8", "--set", "train.channels_last=false", "--set", "train.mixup=0.2",
]  # fmt: skip


def _run(place: Place) -> list[str]:
    return ["run", *STUDY, *_where(place), *IMAGES, "--out", str(place.out)]


def _where(place: Place) -> list[str]:
    return ["--data", str(place.shared / "images"), "--cache-dir", str(place.root / "cache")]


def _resume(*command: str) -> Callable[[Place], list[str]]:
    options = ["--device", "cpu", "--parallel", "2"]
    return lambda place: [*command, str(place.out), *options, "--cache-dir", str(place.root / "cache")]


def _train(processes: int) -> Callable[[Place], list[str]]:
    def command(place: Place) -> list[str]:
        data = ["--data", str(place.shared / "images"), "--out", str(place.out)]
        return ["train", str(place.shared / "tiny.yaml"), *data, *TRAIN, "--processes", str(processes)]

    return command


def _profile(place: Place) -> list[str]:
    small = ["--networks", "24", "--stages", "0", "--num-classes", "10", "--img-size", "32", "--seconds", "0.2"]
    device = f"cmd:{shlex.quote(str(place.shared / 'bench.py'))}"
    return ["latency", "profile", "--device", device, *small, "--out", str(place.out / "profile.json")]


def _prepare_profile(place: Place) -> None:
    place.out.mkdir()


def _profile_result(out: Path) -> Result:
    return _json(out / "profile.json")


def _scale(place: Place) -> list[str]:
    keys = ["--budgets", "60k,40k", "--shapes", "4", "--seeds", "1", "--set", "proxy.epochs=1"]
    return ["scale", "study", *keys, *_where(place), *IMAGES, "--out", str(place.out)]


def _audit(place: Place) -> list[str]:
    return [*_resume("audit")(place), "--n", "4", "--seeds", "1", "--reference-epochs", "3"]


def _prepare_audit(place: Place) -> None:
    """A finished run, made once."""
    finished = place.shared / "run"
    if not finished.exists():
        command = [sys.executable, "-m", "edgenext_search", *_run(place)]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        shutil.copytree(place.out, finished)
        shutil.rmtree(place.root / "cache")
        shutil.rmtree(place.out)
    shutil.copytree(finished, place.out)


SCENARIOS: dict[str, Scenario] = {
    "run": Scenario(command=_run, resume=_resume("resume"), result=_run_result),
    "train": Scenario(command=_train(1), result=_train_result, may_differ=r"checkpoints/step-"),
    "train-2": Scenario(command=_train(2), result=_train_result, may_differ=r"checkpoints/step-"),
    "latency-profile": Scenario(command=_profile, prepare=_prepare_profile, result=_profile_result),
    "scale-study": Scenario(command=_scale, resume=_resume("scale", "resume"), begun="scratch", result=_run_result),
    "audit": Scenario(command=_audit, prepare=_prepare_audit, result=_run_result),
}

CANDIDATE = """\
widths: [8, 16, 24, 32]
depths: [1, 2, 1, 1]
kernel_sizes: [3, 5, 7, 9]
sdta_splits: [2, 2, 3, 4]
sdta_blocks: [0, 1, 0, 1]
heads: [4, 4, 4, 8]
expand_ratio: 2
pos_emb: [false, true, false, false]
"""
DEVICE = """\
#!{python}
import json, os, sys, zlib
base = os.path.getsize(sys.argv[1]) / 100
times = [base * (1 + zlib.crc32(b"%d %d" % (base, run)) % 1000 / 1e5) for run in range(200)]
print(json.dumps({{"times_us": times, "runtime": "made up", "version": "1", "machine": "a program", "threads": 1}}))
"""
CLASSES = ("bright", "dark", "left")


def _write_shared(folder: Path) -> None:
    """Images of three classes, a candidate, and a program that is a device."""
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(0)
    for part, count in (("train", 16), ("val", 6)):
        for name in CLASSES:
            images = folder / "images" / part / name
            images.mkdir(parents=True)
            for number in range(count):
                pixels = rng.integers(0, 90, (40, 36, 3))
                pixels[:, : 18 if name == "left" else 36] += 0 if name == "dark" else 150
                Image.fromarray(pixels.astype(np.uint8)).save(images / f"{number}.jpg")
    (folder / "tiny.yaml").write_text(CANDIDATE, "utf-8")
    program = folder / "bench.py"
    program.write_text(DEVICE.format(python=sys.executable), "utf-8")
    program.chmod(0o755)


if __name__ == "__main__":
    main()
