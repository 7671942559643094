import os
import signal
import threading
import time

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


def test_a_request_interrupts_a_block_that_waits_and_one_that_begins_later():
    with stop_requests(STOP, announce=lambda _: None, interrupting=()) as requests:
        with requests.interruptible():
            pass
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGTERM)).start()
        with pytest.raises(KeyboardInterrupt), requests.interruptible():
            time.sleep(100)
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt), requests.interruptible():
            pytest.fail("the block was entered")


def test_sighup_stays_ignored_under_nohup():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stop_requests((signal.SIGHUP,), announce=pytest.fail, interrupting=()) as requested:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not requested()
    finally:
        signal.signal(signal.SIGHUP, before)


def test_other_threads_leave_signals_alone():
    requests = []

    def work():
        with stop_requests(STOP, announce=lambda _: None, interrupting=()) as requested:
            requests.append(requested())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert requests == [False]
