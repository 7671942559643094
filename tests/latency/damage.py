"""Hypothesis strategies for damaged messages and files: flipped bytes, cuts, and JSON with other values in it."""

import json

from hypothesis import strategies as st

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["1e400", "\ud800", "\x1b[31m", "a\nb", 10**400, -1, 0, "run"])
)
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
)


@st.composite
def damaged_bytes(draw, content):
    """The content with some bytes replaced, and perhaps cut."""
    damaged = bytearray(content)
    for _ in range(draw(st.integers(1, 5))):
        damaged[draw(st.integers(0, len(damaged) - 1))] = draw(st.integers(0, 255))
    return bytes(damaged[: draw(st.none() | st.integers(0, len(damaged)))])


@st.composite
def damaged_json(draw, values):
    """The JSON text of the values, with one or two of them replaced or removed at random places."""
    values = json.loads(json.dumps(values))
    for _ in range(draw(st.integers(1, 2))):
        parent, key = values, draw(st.sampled_from(sorted(values)))
        while isinstance(parent[key], (dict, list)) and parent[key] and draw(st.integers(0, 3)):
            parent = parent[key]
            key = draw(st.sampled_from(sorted(parent) if isinstance(parent, dict) else range(len(parent))))
        if draw(st.booleans()):
            del parent[key]
        else:
            parent[key] = draw(json_values)
        if not values:
            break
    return json.dumps(values).encode()


def assert_one_line(message):
    """A message for a terminal: one printable line of moderate length."""
    assert message.isprintable()
    assert len(message) < 1000
