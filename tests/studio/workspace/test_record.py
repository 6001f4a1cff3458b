"""Records: what is declared is described, read, refused in a sentence, and written again."""

import pickle
from contextlib import suppress
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.workspace.errors import StudioError
from studio.workspace.names import MAX_WHOLE
from studio.workspace.records.declarations import (
    Commas,
    DurationS,
    Share,
    SizeBytes,
    declared_fields,
)
from studio.workspace.records.record import (
    AskedRecord,
    DeclaredRecord,
    InvalidValueError,
    option,
)


class Meal(DeclaredRecord):
    """What is eaten."""

    guests: int = option(2, "How many eat.", ge=1, le=20)
    dish: Literal["soup", "bread"] = option("soup", "What there is.")
    spices: Commas = option((), "With commas between.")
    budget: SizeBytes | None = option(None, "A size.")
    time: DurationS | None = option(None, "A time.", unit="s")
    part: Share | None = option(None, "A share.")
    recipe: Path | None = option(None, "A file.")
    cook: str = option(help="Who cooks.")


def len_of(number):
    return f"{len(str(number))} digits"


class Order(AskedRecord):
    """What is asked for from outside."""

    count: int = option(1, "How many.")
    seats: tuple[int, ...] = option((), "Which.")


@pytest.mark.parametrize("number", [MAX_WHOLE + 1, -MAX_WHOLE - 1, 10**400], ids=len_of)
@pytest.mark.parametrize("write", [int, str], ids=["a number", "a text"])
def test_a_whole_number_that_no_database_keeps_is_refused_however_it_is_written(write, number):
    if len(str(number)) < 100:
        assert Order.read({"count": write(MAX_WHOLE), "seats": [write(-MAX_WHOLE)]})
    for values in ({"count": write(number)}, {"seats": [write(1), write(number)]}):
        with pytest.raises(InvalidValueError, match=r"too large|will not do: it is"):
            Order.read(values)


def test_every_field_is_described_as_its_faces_need_it():
    fields = {field.name: field for field in declared_fields(Meal)}
    assert [fields[name].kind for name in ("guests", "dish", "recipe", "cook", "budget")] == [
        *("whole", "choice", "path", "text", "text")
    ]
    assert (fields["guests"].minimum, fields["guests"].maximum) == (1, 20)
    assert fields["dish"].choices == ("soup", "bread")
    assert fields["spices"].many == "commas"
    assert (fields["budget"].metavar, fields["time"].unit) == ("SIZE", "s")
    assert [name for name, field in fields.items() if field.required] == ["cook"]


def test_values_are_read_as_a_person_a_form_or_json_gives_them():
    meal = Meal.read(
        {
            "guests": "3",
            "spices": "salt, pepper",
            "budget": "2 GB",
            "time": "1h30m",
            "part": "5%",
            "cook": "Ada",
        }
    )
    assert (meal.guests, meal.spices, meal.budget) == (3, ("salt", "pepper"), 2 * 10**9)
    assert (meal.time, meal.part) == (5400.0, 0.05)
    assert Meal.read(meal.model_dump(mode="json")) == meal
    assert meal.given() == {
        **{"guests": 3, "spices": ["salt", "pepper"], "budget": "2GB", "time": "90m"},
        **{"part": 0.05, "cook": "Ada"},
    }


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, "cook is missing. Who cooks."),
        ({"guests": 0}, "guests 0 is out of range: use 1 or more."),
        ({"guests": 99}, "guests 99 is out of range: use 20 or less."),
        ({"guests": "many"}, "guests 'many' will not do: it is a whole number."),
        ({"guests": 2.5}, "guests '2.5' will not do: it is a whole number."),
        ({"dish": "cake"}, "dish 'cake' is not known. Use 'soup' or 'bread'."),
        ({"dishh": "soup"}, "dishh is not known here. Did you mean dish?"),
        ({"spices": "a,,b"}, "spices cannot be read: 'a,,b' has an empty place"),
        ({"part": "7"}, "part cannot be read: '7' is no share. Write it as 5% or 0.05."),
        ({"budget": "much"}, "'much' is no size"),
        ({"time": float("nan")}, "time 'nan' will not do: it is a finite number."),
    ],
)
def test_what_does_not_fit_is_refused_in_a_sentence(given, sentence):
    with pytest.raises(StudioError) as refused:
        Meal.read({**({"cook": "Ada"} if given else {}), **given})
    assert sentence in str(refused.value)


def test_a_sentence_names_fields_as_each_face_writes_them():
    error = InvalidValueError("{dish} and {cook} exclude each other.")
    assert str(error) == "dish and cook exclude each other."
    assert error.spelled({"dish": "--dish"}) == "--dish and cook exclude each other."
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_a_record_does_not_change():
    with pytest.raises(ValueError, match="frozen"):
        Meal(cook="Ada").guests = 5


@given(st.integers(1, 10**23), st.floats(1e-9, 1e12, exclude_max=True))
def test_sizes_and_times_are_read_as_they_are_written(size, seconds):
    meal = Meal(cook="Ada", budget=size, time=seconds)
    assert Meal.read(meal.model_dump(mode="json")) == meal


@given(st.text(max_size=8))
def test_a_share_is_between_none_and_all_or_refused(text):
    with suppress(InvalidValueError):
        assert 0 < Meal.read({"cook": "Ada", "part": text}).part <= 1
