"""Who hears of a study."""

from __future__ import annotations

import inspect

from edgenext_search.search.study.listener import Listener, Listeners


def hooks():
    return {name: call for name, call in inspect.getmembers(Listener, inspect.isfunction) if not name.startswith("_")}


def test_several_hear_everything_in_order():
    heard = []

    class Ear(Listener):
        def __init__(self, name):
            self.name = name

        def __getattribute__(self, item):
            if item in hooks():
                return lambda *args, **kwargs: heard.append((object.__getattribute__(self, "name"), item, args, kwargs))
            return object.__getattribute__(self, item)

    both = Listeners(Ear("a"), Ear("b"))
    for name, call in hooks().items():
        parameters = list(inspect.signature(call).parameters.values())[1:]
        args = [p.name for p in parameters if p.kind is not p.KEYWORD_ONLY]
        kwargs = {p.name: p.name for p in parameters if p.kind is p.KEYWORD_ONLY}
        heard.clear()
        getattr(both, name)(*args, **kwargs)
        assert heard == [("a", name, tuple(args), kwargs), ("b", name, tuple(args), kwargs)]
