import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.runs.setting_fields import format_toml
from studio.runs.settings import parse_settings
from studio.workspace.errors import EXPECTED_ERRORS

VALUES = (
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
)


@given(VALUES)
def test_a_value_that_is_written_as_toml_is_read_back(value):
    assert parse_settings([f"ema={format_toml(value)}"]) == {"ema": value}


@given(st.text(max_size=20))
def test_any_text_behind_the_equals_sign_is_a_value(text):
    assert list(parse_settings([f"augmentation={text}"])) == ["augmentation"]


def test_words_without_quotes_are_texts_and_the_last_of_a_name_counts():
    given_twice = ["loss=hinge", "ema = 0.5", "loss=wasserstein"]
    assert parse_settings(given_twice) == {"loss": "wasserstein", "ema": 0.5}


def test_what_has_no_equals_sign_is_refused():
    with pytest.raises(EXPECTED_ERRORS, match=r"'loss' is no setting\. Use NAME=VALUE\."):
        parse_settings(["loss"])
