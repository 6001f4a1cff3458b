import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.runs.setting_fields import format_toml
from studio.runs.settings import apply_settings, parse_settings
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


def test_options_of_the_generator_are_written_one_by_one_or_as_toml_or_json():
    base = {"generator_options": {"width": 0.5, "deep": True}}
    one = apply_settings(base, parse_settings(["generator_options.width=0.25"]))
    assert one["generator_options"] == {"width": 0.25, "deep": True}
    for whole in ('generator_options={"width": 0.25}', "generator_options={width = 0.25}"):
        assert apply_settings(base, parse_settings([whole]))["generator_options"] == {"width": 0.25}


def test_sizes_among_the_options_are_the_settings_of_their_names():
    assert apply_settings({}, {"generator_options.z_dim": 64})["z_dim"] == 64
    with pytest.raises(EXPECTED_ERRORS, match=r"z_dim is 8, and 64 in generator_options"):
        apply_settings({}, {"z_dim": 8, "generator_options": {"z_dim": 64}})


def test_the_learning_rate_is_that_of_both_networks_but_where_one_is_named():
    rates = apply_settings({}, parse_settings(["learning_rate_d=1e-4", "learning_rate=1e-5"]))
    assert rates == {"learning_rate_g": 1e-5, "learning_rate_d": 1e-4}


def test_another_generator_leaves_the_options_of_the_one_before_behind():
    base = {"generator": "dcgan", "generator_options": {"deep": True}}
    given = {"generator_options.width": 0.5, "generator": "skyline"}
    assert apply_settings(base, given) == {
        "generator": "skyline",
        "generator_options": {"width": 0.5},
    }


@pytest.mark.parametrize("text", ["2020-01-01", "1\nseed = 3", "[" * 100_000])
def test_a_value_that_no_setting_can_have_is_a_text(text):
    assert parse_settings([f"negatives={text}"]) == {"negatives": text}
