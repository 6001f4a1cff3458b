import json
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from studio.specimens.passports import (
    ASCII_PREFIX,
    EXIF_IFD,
    USER_COMMENT,
    Passport,
    read_passport,
    save_specimen,
)
from studio.workspace.errors import EXPECTED_ERRORS

FRAME = np.full((8, 8, 3), 128, np.uint8)
floats = st.floats(width=32, allow_nan=False, allow_infinity=False)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("passports") / "specimen.jpg"


@settings(max_examples=50)
@given(
    run=st.text(min_size=1, max_size=20),
    label=st.text(min_size=1, max_size=20),
    batch=st.integers(0, 10**15),
    z=st.lists(floats, max_size=64),
)
def test_a_passport_is_read_back_to_the_bit(path, run, label, batch, z):
    passport = Passport(run, label, batch, torch.tensor(z, dtype=torch.float32), "abc")
    found = read_passport(save_specimen(FRAME, path, passport, ""))
    assert (found.run, found.label, found.batch) == (run, label, batch)
    assert found.weights_digest == "abc"
    assert found.z.numpy().tobytes() == passport.z.numpy().tobytes()


@pytest.mark.filterwarnings("ignore::UserWarning")
@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=6))
def test_whatever_bytes_a_picture_has_it_has_a_passport_or_is_refused(path, changes):
    passport = Passport("city", "1.2", 1, torch.ones(16), "abc")
    content = bytearray(save_specimen(FRAME, path, passport, "").read_bytes())
    for place, byte in changes:
        content[place % len(content)] = byte
    changed = path.with_name("changed.jpg")
    changed.write_bytes(content)
    try:
        found = read_passport(changed)
    except EXPECTED_ERRORS:
        return
    assert torch.isfinite(found.z).all()


@pytest.mark.parametrize(
    "document",
    [
        "[" * 20_000,
        "[]",
        '"z"',
        "{}",
        json.dumps({"run": "a", "label": "1.2", "batch": 1, "weights": "", "z": "!"}),
        json.dumps({"run": "a", "label": "1.2", "batch": 1, "weights": "", "z": "AAA="}),
        json.dumps({"run": "a", "label": "1.2", "batch": 1, "weights": "", "z": "AADAfw=="}),
        json.dumps({"run": "a", "label": "1.2", "batch": "x", "weights": "", "z": ""}),
    ],
    ids=["nested", "list", "text", "empty", "not base64", "three bytes", "not finite", "no batch"],
)
def test_what_is_no_passport_is_refused(path, document):
    exif = Image.Exif()
    exif.get_ifd(EXIF_IFD)[USER_COMMENT] = ASCII_PREFIX + document.encode()
    Image.fromarray(FRAME).save(path, format="JPEG", exif=exif)
    with pytest.raises(EXPECTED_ERRORS, match="does not say which latent point it shows"):
        read_passport(path)


def test_a_place_that_cannot_be_written_to_is_a_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    passport = Passport("city", "1.2", 1, torch.ones(4), "abc")
    with pytest.raises(EXPECTED_ERRORS, match=r"Cannot write .*a\.jpg: .*choose another folder"):
        save_specimen(FRAME, tmp_path / "file" / "a.jpg", passport, "")


def test_the_copyright_notice_keeps_its_letters(tmp_path):
    notice = "© OpenStreetMap contributors, <ODbL> & Müller"
    passport = Passport("city", "1.2", 1, torch.zeros(4), "")
    saved = save_specimen(FRAME, tmp_path / "a.jpg", passport, notice)
    with Image.open(saved) as image:
        described = "".join(ElementTree.fromstring(image.info["xmp"]).itertext())
        assert image.getexif()[0x8298].startswith("(c) OpenStreetMap")
    assert described.strip() == notice
    assert read_passport(saved).label == "1.2"
