import os
import sys
import time

import pytest

from edgenext_search.latency.devices.bounded_process import STDERR_BYTES, LimitError, Limits, run

WIDE = Limits(seconds=20, silence=20, output=1_000_000)


def python(code):
    return [sys.executable, "-c", code]


def test_what_a_program_says():
    done = run(python("import sys; print('a'); print('b', file=sys.stderr); sys.exit(3)"), limits=WIDE)
    assert (done.code, done.stdout, done.last_words) == (3, b"a\n", "b")


def test_lines_come_as_they_are_written():
    lines = []
    code = "import time\nfor i in range(3): print(i, flush=True); time.sleep(0.1)\nprint('no end', end='')"
    run(python(code), limits=WIDE, on_line=lambda line: lines.append((line, time.monotonic())))
    assert [line for line, _ in lines] == [b"0", b"1", b"2"]
    assert lines[2][1] - lines[0][1] > 0.1


def test_an_input(tmp_path):
    (tmp_path / "input").write_text("hello")
    with (tmp_path / "input").open("rb") as file:
        assert run(["cat"], limits=WIDE, stdin=file).stdout == b"hello"
    assert run(["cat"], limits=WIDE).stdout == b""


@pytest.mark.parametrize(
    ("code", "limits", "limit"),
    [
        ("while True: print('x' * 1000)", {"output": 10_000}, "output"),
        ("while True: print('x')", {"seconds": 0.5, "output": 10**9}, "seconds"),
        ("import time; time.sleep(60)", {"silence": 0.3}, "silence"),
        ("import os, time; os.close(1); os.close(2); time.sleep(60)", {"silence": 0.3}, "silence"),
        ("import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)", {"silence": 0.3}, "silence"),
    ],
    ids=["flood", "long", "silent", "closed", "stubborn"],
)
def test_limits(code, limits, limit):
    begin = time.monotonic()
    with pytest.raises(LimitError) as raised:
        run(python(code), limits=Limits(**{"seconds": 20, "silence": 20, "output": 1_000_000, **limits}))
    assert raised.value.limit == limit
    assert time.monotonic() - begin < 10


def test_only_the_end_of_a_long_complaint_is_kept():
    done = run(python("import sys\nfor i in range(100000): print(i, file=sys.stderr)"), limits=WIDE)
    assert len(done.stderr) <= STDERR_BYTES
    assert done.last_words == "99999"


def test_an_error_in_a_line_ends_the_program(tmp_path):
    def stop(line):
        raise KeyError(line)

    code = f"import os, time; print(os.getpid(), flush=True); time.sleep(1); open({str(tmp_path / 'late')!r}, 'w')"
    with pytest.raises(KeyError) as raised:
        run(python(code), limits=WIDE, on_line=stop)
    pid = int(raised.value.args[0])
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert not (tmp_path / "late").exists()


def test_a_program_that_is_not_there():
    with pytest.raises(FileNotFoundError):
        run(["no-such-program"], limits=WIDE)
