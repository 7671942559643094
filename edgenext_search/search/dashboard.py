"""A run in optuna-dashboard, the extra ``dashboard``: for looking, on this machine alone, with candidates in words."""

from __future__ import annotations

import copy
import socketserver
import wsgiref.simple_server
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from optuna.storages import BaseStorage

from edgenext_search.errors import UserError

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

    from edgenext_search.search.store.store import StudyStore

LOOPBACK = "127.0.0.1"
_READING = ("GET", "HEAD")
_NAMES = ("localhost", LOOPBACK)
_Environ = dict[str, Any]
_App = Callable[[_Environ, Callable[..., Any]], Iterable[bytes]]


def dashboard_server(store: StudyStore, port: int) -> wsgiref.simple_server.WSGIServer:
    """A server of the dashboard on loopback, ready to ``serve_forever``.

    It shows the record as it grows, and changes nothing of it: trials are told by the run alone.

    Args:
        store: The run's record.
        port: Where it listens; 0 for a free one.

    Raises:
        UserError: optuna-dashboard is missing, or the port is taken.
    """
    try:
        from optuna_dashboard import wsgi
    except ImportError as error:
        raise UserError(
            "The dashboard needs optuna-dashboard: pip install 'edgenext-search[dashboard]'. Without it, "
            "`edgenext-search report RUN --open` works while the run goes on, too."
        ) from error
    app = read_only(wsgi(readable(store)))
    try:
        return wsgiref.simple_server.make_server(LOOPBACK, port, app, _Server, _Quiet)
    except OSError as error:
        raise UserError(
            f"Port {port} of {LOOPBACK} cannot be used ({error.strerror}); give another by --port."
        ) from error


def readable(store: StudyStore) -> BaseStorage:
    """A read-only view of a study's storage that holds this study alone, with candidates field by field."""
    storage, mine = store.storage, store.storage.get_study_name_from_id(store.study_id)

    def passed_on(name: str) -> Callable[..., Any]:
        return lambda _self, *args, **kwargs: getattr(storage, name)(*args, **kwargs)

    def refused(_self: BaseStorage, *_args: object, **_kwargs: object) -> None:
        raise RuntimeError("The dashboard only reads.")

    members: dict[str, Any] = {
        name: passed_on(name) if name.startswith("get_") else refused for name in BaseStorage.__abstractmethods__
    }
    members["get_all_studies"] = lambda _self: [
        study for study in storage.get_all_studies() if study.study_name == mine
    ]
    members["get_all_trials"] = lambda _self, *args, **kwargs: [
        in_words(trial) for trial in storage.get_all_trials(*args, **kwargs)
    ]
    members["get_trial"] = lambda _self, trial_id: in_words(storage.get_trial(trial_id))
    made: BaseStorage = type("ReadableStorage", (BaseStorage,), members)()
    return made


def in_words(trial: FrozenTrial) -> FrozenTrial:
    """A copy of a trial whose attributes a person can read: the candidate field by field, and its costs."""
    attributes = trial.user_attrs
    fields = {
        name: "-".join(str(int(item)) for item in value) if isinstance(value, list) else value
        for name, value in attributes.get("candidate", {}).items()
    }
    names = ("fingerprint", "origin", "cohort", "seed", "duplicate_of", "reason")
    rest = {name: attributes.get(name) for name in names}
    values = {**rest, **fields, **attributes.get("cost", {})}
    seconds = sum(value for name, value in attributes.items() if name.startswith("seconds:"))
    shown = copy.copy(trial)
    shown.user_attrs = {name: value for name, value in values.items() if value is not None} | {"seconds": seconds}
    return shown


def read_only(app: _App) -> _App:
    """An application that answers only what reads, and only under this machine's own names.

    A page of another site that a browser has open can send requests to loopback, or have its own name point there.
    """

    def answer(environ: _Environ, start: Callable[..., Any]) -> Iterable[bytes]:
        host = str(environ.get("HTTP_HOST", "")).rpartition(":")[0] or str(environ.get("HTTP_HOST", ""))
        if environ["REQUEST_METHOD"] not in _READING or host not in _NAMES:
            start("403 Forbidden", [("Content-Type", "application/json")])
            return [b'{"reason": "This dashboard only reads, and only on this machine."}']
        return app(environ, start)

    return answer


class _Server(socketserver.ThreadingMixIn, wsgiref.simple_server.WSGIServer):
    daemon_threads = True


class _Quiet(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, *_args: object) -> None:
        """Say nothing of each request."""
