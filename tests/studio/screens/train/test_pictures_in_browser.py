"""The pictures that are trained on: seen, described, and added by dropping them, in a browser."""

import shutil
import urllib.error
import urllib.request

import numpy as np
import pytest
from PIL import Image

from studio.datasets.listing import list_datasets, open_dataset
from studio.screens.train.sheet_route import sheet_address

pytestmark = pytest.mark.browser


@pytest.mark.slow
def test_pictures_are_seen_and_described_before_they_are_trained_on(page):
    sheet = page.locator("#datasets img.dataset-sheet")
    sheet.wait_for()
    page.wait_for_function("image => image.naturalWidth > 200", arg=sheet.element_handle())
    page.locator("#datasets", has_text="24 pictures of 32 x 32 pixels").wait_for()
    page.locator("#datasets", has_text="Mean colour #").wait_for()


def test_real_pictures_stand_below_those_that_are_made(page):
    page.locator("#live figcaption", has_text="real below: streets").wait_for()
    real = page.get_by_alt_text("Real pictures of streets")
    page.wait_for_function("image => image.naturalWidth > 60", arg=real.element_handle())


@pytest.mark.slow
def test_dropped_pictures_become_a_dataset(page, served, tmp_path):
    workspace = served[0]
    numbers, files = np.random.default_rng(0), []
    for number in range(5):
        files.append(tmp_path / f"own {number}.png")
        Image.fromarray(numbers.integers(0, 256, (40, 40, 3), np.uint8)).save(files[-1])
    page.get_by_role("button", name="Add pictures").click()
    page.locator("#own-pictures input[type=file]").set_input_files(files)
    folder = page.locator("#pictures-folder input, #pictures-folder textarea").first
    page.wait_for_function(
        "field => field.value.includes('pictures-')", arg=folder.element_handle()
    )
    page.get_by_label("Call it").first.fill("own")
    page.get_by_role("button", name="Add the folder").click()
    try:
        page.locator("#datasets", has_text="Preparing pictures").wait_for()
        page.wait_for_function("() => !document.querySelector('#datasets .bar')")
        assert list_datasets(workspace) == ["own", "streets"]
        assert len(open_dataset(workspace, "own")) == 5
    finally:
        shutil.rmtree(workspace.dataset("own"), ignore_errors=True)


def test_a_sheet_is_that_of_its_key_or_a_sentence(served):
    workspace, url = served
    address = sheet_address(open_dataset(workspace, "streets"), 3)
    with urllib.request.urlopen(f"{url}/{address}") as answer:
        assert answer.headers["Content-Type"] == "image/png"
        assert "immutable" in answer.headers["Cache-Control"]
    for forged, said in (
        (address.replace("columns=3", "columns=9"), "1 to 8 columns"),
        (address.replace("key=", "key=0"), "others by now"),
        (address.replace("streets", "lanes"), "There is no dataset"),
    ):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{url}/{forged}")
        assert refused.value.code == 404
        assert said in refused.value.read().decode()
