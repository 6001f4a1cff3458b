import tomllib
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from studio.runs.config import (
    AUGMENTATION_NAMES,
    TrainingConfig,
    describe_settings,
    read_settings,
)
from studio.training.recipes.augmentation import AUGMENTATIONS
from studio.workspace.errors import EXPECTED_ERRORS, StudioError
from studio.workspace.names import MAX_WHOLE


def test_what_is_written_as_toml_is_read_back_equal(tmp_path):
    config = TrainingConfig(
        generator_options={"width": 0.25, "upsampling": 'a "quoted" ünicode', "deep": True},
        learning_rate_g=1e-5,
        betas=(0.0, 0.99),
        augmentation="color,cutout",
        random_flips=False,
        seed=2**63 - 1,
    )
    path = tmp_path / "run.toml"
    path.write_text(config.to_toml(), encoding="utf-8")
    assert TrainingConfig.read(path) == config


@pytest.mark.parametrize("name", ["", "..", "/dev/zero", "x" * 300, "a/" * 3000])
def test_settings_are_read_from_a_regular_file_alone(tmp_path, name):
    with pytest.raises(StudioError, match=r"no file|no training config|cannot be read"):
        read_settings(tmp_path / name)


def test_what_a_file_does_not_name_keeps_its_default(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text("batch_size = 8\nema = 0\n")
    assert TrainingConfig.read(path) == replace(TrainingConfig(), batch_size=8, ema=0.0)


def test_an_unknown_key_is_refused_with_the_closest_known_one(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text("learning_rate_q = 0.1\n")
    with pytest.raises(
        EXPECTED_ERRORS, match=r"'learning_rate_q'. Did you mean learning_rate_[gd]\?"
    ):
        TrainingConfig.read(path)


def test_an_unknown_key_that_is_like_no_other_is_refused_with_all_known_ones():
    with pytest.raises(EXPECTED_ERRORS, match=r"'xyzzy'. Known: dataset, negatives, held_out"):
        TrainingConfig.from_dict({"xyzzy": 1})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("batch_size", 1),
        ("batch_size", 8.0),
        ("batch_size", True),
        ("learning_rate_g", -1e-4),
        ("learning_rate_d", float("nan")),
        ("learning_rate_d", "fast"),
        ("betas", [0.5]),
        ("betas", [0.5, 1.0]),
        ("loss", "earth"),
        ("discriminator_norm", 3),
        ("augmentation", "color,blur"),
        ("ema", 1.0),
        ("random_flips", 1),
        ("generator_options", {"width": [1.5, 2]}),
        ("generator_options", {"channels": [[[1]]]}),
        ("generator_options", {"z_dim": 50}),
        ("generator_options", 3),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_name(name, value):
    with pytest.raises(EXPECTED_ERRORS, match=name):
        TrainingConfig.from_dict({name: value})


@pytest.mark.parametrize(
    ("content", "message"), [(b"batch_size = ", "not TOML"), (b"\xff\xfe", "not TOML")]
)
def test_a_file_that_is_not_toml_is_refused_by_name(tmp_path, content, message):
    path = tmp_path / "run.toml"
    path.write_bytes(content)
    with pytest.raises(EXPECTED_ERRORS, match=rf"run\.toml.*{message}"):
        TrainingConfig.read(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(EXPECTED_ERRORS, match=r"no training config at .*absent\.toml"):
        TrainingConfig.read(tmp_path / "absent.toml")


def test_the_generator_spec_carries_the_sizes_beside_the_options():
    config = TrainingConfig(z_dim=16, image_size=128, generator_options={"width": 0.5})
    spec = config.generator_spec()
    assert (spec.architecture, spec.z_dim, spec.image_size) == ("dcgan", 16, 128)
    assert spec.options["width"] == 0.5


def test_the_config_knows_all_augmentations_there_are():
    assert set(AUGMENTATION_NAMES) == set(AUGMENTATIONS)


def test_an_augmentation_that_adapts_needs_one_to_adapt():
    with pytest.raises(EXPECTED_ERRORS, match="augmentation is empty"):
        TrainingConfig(augmentation_target=0.6)


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        ("ema=0.5", "NAME=VALUE@BATCH with semicolons between.*not 'ema=0.5'"),
        ("ema=0.5@soon", "not 'ema=0.5@soon'"),
        ("ema@5", "'ema' is no setting"),
        ("ema=0.5@0", "a batch is from 1 to"),
        ("emma=0.5@5", "no training setting 'emma'. Did you mean ema?"),
        ("ema=0.5@5; ema=2@9", "at batch 9: ema is from 0 to 0.999999, not 2"),
        ("batch_size=8@5", "batch_size cannot change at a batch"),
        ("alarm_command=reboot@5", "alarm_command cannot change at a batch"),
        ("planned_changes=ema=0.5@7@5", "planned_changes cannot change at a batch"),
        ("augmentation_target=0.5@5", "at batch 5: augmentation_target adapts"),
        ("; ".join(["ema=0.5@5"] * 101), "at most 100 changes, not 101"),
    ],
)
def test_a_plan_that_cannot_be_followed_is_refused_before_a_run_is_made(plan, words):
    with pytest.raises(EXPECTED_ERRORS, match=f"planned_changes.*{words}|{words}"):
        TrainingConfig(planned_changes=plan)


def test_a_plan_is_kept_as_it_was_written_and_understands_settings_that_go_together(tmp_path):
    plan = "augmentation_target=0.5@7; augmentation=color,cutout@7; learning_rate=1e-05@9"
    config = TrainingConfig(planned_changes=plan)
    config.write(tmp_path / "run.toml")
    assert TrainingConfig.read(tmp_path / "run.toml") == config


@pytest.mark.parametrize(
    ("settings", "norm"),
    [
        ({}, "batch"),
        ({"loss": "hinge"}, "batch"),
        ({"loss": "wasserstein"}, "none"),
        ({"loss": "relativistic"}, "none"),
        ({"gradient_penalty": 1.0}, "none"),
        ({"discriminator": "residual"}, "none"),
        ({"loss": "wasserstein", "discriminator_norm": "spectral"}, "spectral"),
    ],
)
def test_batch_norm_is_left_out_by_itself_where_it_would_mix_penalised_pictures(settings, norm):
    assert TrainingConfig(**settings).norm_of_d == norm


def test_every_setting_is_described_in_a_line_and_its_default_fits():
    described = {setting.name: setting for setting in describe_settings()}
    assert list(described) == TrainingConfig.names()
    for name, setting in described.items():
        assert 5 < len(setting.help) <= 80, name
        assert not setting.help.endswith("."), name
        assert isinstance(getattr(TrainingConfig(), name), setting.type), name
        if setting.minimum is not None:
            assert setting.minimum <= setting.default <= setting.maximum, name
        if setting.choices:
            assert setting.default in setting.choices, name
    assert [name for name, setting in described.items() if setting.live] == (
        TrainingConfig.live_names()
    )
    assert described["blur_sigma_px"].unit == "px"


@pytest.mark.parametrize("name", [s.name for s in describe_settings() if s.minimum is not None])
def test_the_ends_of_a_range_fit_and_what_lies_beyond_is_refused_with_them(name):
    (setting,) = (s for s in describe_settings() if s.name == name)
    base = {"augmentation": "color"} if name == "augmentation_target" else {}
    for end, beyond in ((setting.minimum, -1), (setting.maximum, 1)):
        assert getattr(TrainingConfig(**base, **{name: setting.type(end)}), name) == end
        with pytest.raises(EXPECTED_ERRORS, match=f"{name} is from"):
            TrainingConfig(**base, **{name: setting.type(end + beyond)})


def test_a_run_of_an_older_version_is_read_under_the_old_name_of_a_setting(tmp_path):
    path = tmp_path / "run.toml"
    path.write_text('dataset = "maps"\nnull_pictures = "forests"\n')
    assert TrainingConfig.read(path).negatives == "forests"


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NAMES = st.text("abz_é", min_size=1, max_size=8)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)


@given(
    generator=TEXTS,
    options=st.dictionaries(
        NAMES,
        st.booleans() | st.integers(-MAX_WHOLE, MAX_WHOLE) | FLOATS | TEXTS,
        max_size=4,
    ),
    rate=st.floats(0, 1),
    betas=st.tuples(st.floats(0, 0.999), st.floats(0, 0.999)),
    seed=st.integers(0, 2**63 - 1),
)
@example(generator='\x7f\t\n"\\', options={}, rate=0, betas=(0, 0), seed=0)
@settings(max_examples=60)
def test_any_config_comes_back_from_its_own_toml(generator, options, rate, betas, seed):
    config = TrainingConfig(
        generator=generator,
        generator_options=options,
        learning_rate_g=rate,
        betas=betas,
        seed=seed,
    )
    assert TrainingConfig.from_dict(tomllib.loads(config.to_toml())) == config
