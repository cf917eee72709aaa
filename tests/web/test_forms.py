"""A form becomes a value, or every mistake in it at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated
from uuid import UUID

import pytest

from models.base.errors import Invalid
from web.forms import choice, clean, identity, read, text, tick, whole


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


def shouted(value: str) -> str:
    if value == "quiet":
        raise Invalid({"anything": "Speak up"})
    return value.upper()


@dataclass(frozen=True, slots=True)
class Order:
    name: Annotated[str, text("Enter a name", max_length=10, then=shouted)]
    colour: Annotated[Colour, choice(Colour, "Choose a colour")]
    count: Annotated[int, whole("Enter how many", least=1, most=99)]
    thing: Annotated[UUID, identity("Choose a thing")]
    agreed: Annotated[bool, tick("Agree to go on")]
    notes: Annotated[str, text(max_length=20, is_prose=True)] = ""
    gift: Annotated[bool, tick()] = False

    def problems(self) -> Mapping[str, str]:
        return {"count": "Blue things come in pairs"} if self.colour is Colour.BLUE and self.count % 2 else {}


THING = "00000000-0000-7000-8000-000000000001"
RIGHT = {
    "name": [" ada "],
    "colour": ["red"],
    "count": ["3"],
    "thing": [THING],
    "agreed": ["yes"],
    "notes": ["one\r\ntwo"],
    "unknown": ["ignored"],
}


def test_a_right_form_is_a_value():
    assert read(Order, RIGHT) == Order("ADA", Colour.RED, 3, UUID(THING), True, "one\ntwo", False)


def test_everything_wrong_is_said_at_once():
    with pytest.raises(Invalid) as caught:
        read(Order, {"name": [" "], "colour": ["green"], "count": ["3.5"], "thing": ["7"]})

    assert caught.value.fields == {
        "name": "Enter a name",
        "colour": "Choose a colour",
        "count": "Enter a whole number, like 12.",
        "thing": "Choose a thing",
        "agreed": "Agree to go on",
    }


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("name", "x" * 11, "Shorten this to 10 characters; it has 11."),
        ("name", "quiet", "Speak up"),
        ("name", "a\x00b", "Remove the characters that cannot be seen, or type it instead of pasting it."),
        ("name", "a\u202eb", "Remove the characters that cannot be seen, or type it instead of pasting it."),
        ("name", "a\nb", "Remove the characters that cannot be seen, or type it instead of pasting it."),
        ("name", "\u200b\ufeff", "Enter a name"),
        ("count", "", "Enter how many"),
        ("count", "0", "Enter a number from 1 to 99."),
        ("count", "100", "Enter a number from 1 to 99."),
        ("count", "-1", "Enter a number from 1 to 99."),
        ("count", "\u0663", "Enter a whole number, like 12."),
        ("count", "9" * 21, "Enter a number from 1 to 99."),
        ("count", "-" + "9" * 5000, "Enter a number from 1 to 99."),
        ("count", "--3", "Enter a whole number, like 12."),
    ],
)
def test_each_mistake_is_said_at_its_field(field: str, value: str, words: str):
    with pytest.raises(Invalid) as caught:
        read(Order, RIGHT | {field: [value]})

    assert caught.value.fields == {field: words}


def test_fields_are_looked_at_together_once_each_is_right():
    with pytest.raises(Invalid) as caught:
        read(Order, RIGHT | {"colour": ["blue"]})

    assert caught.value.fields == {"count": "Blue things come in pairs"}


def test_letters_are_composed():
    assert clean("Zoe\u0308") == "Zo\u00eb"


def test_a_class_that_does_not_say_how_to_read_a_field_is_a_mistake_of_ours():
    @dataclass
    class Careless:
        name: str

    with pytest.raises(TypeError, match="does not say how it is read"):
        read(Careless, {})
