import inspect

from edgenext_search.cli.progress import LineListener, LiveListener
from edgenext_search.search.listener import Listener

EVENTS = [name for name in vars(Listener) if not name.startswith("_")]


def test_every_listener_hears_every_event_with_the_same_arguments():
    assert len(EVENTS) >= 6
    for listener in (LineListener, LiveListener):
        for event in EVENTS:
            own, promised = (inspect.signature(getattr(cls, event)) for cls in (listener, Listener))
            assert own.parameters.keys() == promised.parameters.keys(), (listener, event)
            assert [p.kind for p in own.parameters.values()] == [p.kind for p in promised.parameters.values()]
