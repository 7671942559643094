import pytest
from pydantic import Field, ValidationError, field_validator

from edgenext_search.errors import UserError
from edgenext_search.validation import Settings, describe


class Inner(Settings):
    epochs: int = Field(ge=1)
    """How long."""

    @field_validator("epochs")
    @classmethod
    def _odd(cls, value):
        if value % 2 == 0:
            raise ValueError(f"Must be odd, but got {value}")
        return value


class Outer(Settings):
    name: str
    """What it is called."""
    proxy: Inner
    """Part of it."""
    rungs: list[int] = Field(default=[])
    """Several."""
    rate: float | None = None
    """Perhaps one."""


GOOD = {"name": "x", "proxy": {"epochs": 3}}


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({**GOOD, "nme": 1}, "nme: there is no such key; the closest is name."),
        ({**GOOD, "proxy": {"epochs": 3, "lr": 1}}, "proxy.lr: there is no such key; there are epochs."),
        ({**GOOD, "n\nme\x1b": 1}, r"n\nme\x1b: there is no such key; the closest is name."),
        ({"proxy": {"epochs": 3}}, "name: the key is missing."),
        ({"name": "x", "proxy": {}}, "proxy.epochs: the key is missing."),
        ({"name": "x", "proxy": 3}, "proxy: must be a section with the keys epochs, but got 3."),
        ({"name": "x", "proxy": {"epochs": 0}}, "proxy.epochs: must be greater than or equal to 1, but got 0."),
        ({"name": "x", "proxy": {"epochs": 4}}, "proxy.epochs: must be odd, but got 4."),
        ({"name": "x", "proxy": {"epochs": "3"}}, "proxy.epochs: must be a valid integer, but got '3'."),
        ({**GOOD, "proxy": {"epochs": 3, 5: 1}}, "proxy: a key must be a name, but got 5."),
        ({**GOOD, "rungs": "x" * 999}, f"rungs: must be a valid list, but got '{'x' * 78}…."),
        ({**GOOD, "rungs": [1, "b"]}, "rungs.2: must be a valid integer, but got 'b'."),  # counted from 1
        ({**GOOD, "nme": 1, "rungs": 2}, "rungs: must be a valid list, but got 2 (also wrong: nme)."),
    ],
)
def test_one_sentence_with_path_rule_and_value(values, sentence):
    with pytest.raises(UserError) as caught:
        Outer.read(values, where="study.yaml")
    assert str(caught.value).startswith("study.yaml: ")
    assert str(caught.value).endswith(sentence)
    assert "\n" not in str(caught.value)


def test_what_is_no_mapping_at_all():
    with pytest.raises(
        UserError, match=r"^here: the file: must be a section with the keys name, proxy, rungs, rate, but got 3\.$"
    ):
        Outer.read(3, where="here")


def test_the_first_of_several_is_told():
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate({"name": 1, "proxy": 2, "rungs": 3})
    sentence = describe(caught.value)
    assert sentence.startswith("name: must be a valid string, but got 1")
    assert sentence.endswith("(also wrong: proxy, rungs).")


def test_settings_are_frozen_and_strict():
    settings = Outer.read(GOOD, where="here")
    with pytest.raises(ValidationError, match="frozen"):
        settings.name = "y"
    with pytest.raises(UserError, match=r"rate: .*finite number"):
        Outer.read({**GOOD, "rate": float("nan")}, where="here")


def test_settings_to_plain_values_and_back():
    settings = Outer.read({**GOOD, "rungs": [1, 3]}, where="here")
    assert settings.to_dict().items() >= {"name": "x", "proxy": {"epochs": 3}, "rungs": [1, 3]}.items()
    assert Outer.read(settings.to_dict(), where="here") == settings
