import os
import signal
import threading

import pytest

from edgenext_search.signals import stop_requests

STOP = (signal.SIGTERM, signal.SIGUSR1)


def test_the_first_signal_is_a_request_and_a_second_one_may_interrupt():
    before = [signal.getsignal(number) for number in STOP]
    announced = []
    with stop_requests(STOP, announce=announced.append, interrupting=(signal.SIGUSR1,)) as requested:
        assert not requested()
        os.kill(os.getpid(), signal.SIGUSR1)
        assert requested()
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGUSR1)
    assert announced == [signal.SIGUSR1]
    assert [signal.getsignal(number) for number in STOP] == before


def test_other_threads_leave_signals_alone():
    requests = []

    def work():
        with stop_requests(STOP, announce=lambda _: None, interrupting=()) as requested:
            requests.append(requested())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert requests == [False]
