"""The poster of a run: growth, curves and numbers on one sheet."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from renderers.pictures.paper import pixels_of
from studio.films.stills.run_posters import CITIES, HEIGHT, STAGES, WIDTH, choose_stages
from tests.studio.conftest import BATCHES

SVG = "{http://www.w3.org/2000/svg}"


def test_a_poster_shows_every_city_at_every_stage_with_its_labels(studio, tmp_path):
    words = ["--points", "0.0,0.1,seed:4", "--out", tmp_path / "poster.svg", "--json"]
    told = studio("render", "poster", "city", *words).json
    assert told["labels"] == ["0.0", "0.1", "seed:4"]
    assert (told["batches"][0], told["batches"][-1]) == (1, BATCHES)
    root = ET.parse(tmp_path / "poster.svg").getroot()
    assert len(root.findall(f"{SVG}image")) == 3 * len(told["batches"])
    texts = [text.text for text in root.findall(f"{SVG}text")]
    assert {"city", "0.0", "seed:4", "Losses", "checkpoints kept"} <= set(texts)
    for text in root.findall(f"{SVG}text"):
        assert 0 <= float(text.get("x")) <= WIDTH
        assert 0 <= float(text.get("y")) <= HEIGHT


def test_a_poster_is_an_a3_page_and_lies_among_the_films_by_default(studio, workspace):
    (folder,) = (studio("render", "poster", "city").status == 0) and workspace.renders.glob(
        "city-poster-*"
    )
    with Image.open(folder / "city-poster.png") as image:
        assert image.size == (pixels_of(WIDTH), pixels_of(HEIGHT))
        assert np.asarray(image.convert("L")).std() > 10


def test_stages_are_denser_where_pictures_change():
    metrics = [{"batch": batch, "change": 10.0 if batch < 100 else 0.1} for batch in range(1000)]
    stages = choose_stages(range(1000), metrics)
    assert len(stages) == STAGES
    assert (stages[0], stages[-1]) == (0, 999)
    assert sum(stage < 100 for stage in stages) >= 5
    assert choose_stages([3, 4], metrics) == [3, 4]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--points", f"seed:0-{CITIES}"], "A poster shows 9 cities; 10 were asked for"),
        (["--points", "0.999"], "0.999"),
        (["--out", "poster.gif"], "must end in .png"),
    ],
)
def test_a_poster_that_cannot_be_is_refused_and_writes_nothing(studio, workspace, words, sentence):
    before = set(workspace.renders.iterdir())
    told = studio("render", "poster", "city", *words)
    assert told.status == 1
    assert sentence in " ".join(told.err.split())
    assert set(workspace.renders.iterdir()) == before
