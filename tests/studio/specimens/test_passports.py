import base64
import json
import os
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from studio.specimens.passports import (
    Passport,
    compute_checksum,
    read_passport,
    save_specimen,
)
from studio.specimens.picture_metadata import ASCII_PREFIX, EXIF_IFD, SUFFIXES, USER_COMMENT
from studio.workspace.errors import EXPECTED_ERRORS

FRAME = np.full((8, 8, 3), 128, np.uint8)
NAMESPACE, NAME = "urn:latent-city-studio", "LatentCityPassport"
floats = st.floats(2.0**-100, 10**6, width=32)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("passports") / "specimen.jpg"


@settings(max_examples=50)
@given(
    run=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", fullmatch=True),
    label=st.from_regex(r"seed:[0-9]{1,19}|[0-9]{1,15}\.[0-9]{1,9}", fullmatch=True),
    batch=st.integers(0, 10**15 - 1),
    z=st.lists(floats, min_size=1, max_size=64),
)
def test_a_passport_is_read_back_to_the_bit(path, run, label, batch, z):
    passport = Passport(run, label, batch, torch.tensor(z, dtype=torch.float32), "abc")
    found = read_passport(save_specimen(FRAME, path, passport, ""))
    assert (found.run, found.label, found.batch) == (run, label, batch)
    assert found.weights_digest == "abc"
    assert found.z.numpy().tobytes() == passport.z.numpy().tobytes()


@pytest.mark.slow
def test_a_thousand_random_specimens_come_back_to_the_bit(tmp_path):
    drawn = np.random.default_rng(0)
    wrong = 0
    for number in range(1000):
        z = torch.from_numpy(drawn.standard_normal(drawn.integers(1, 600), np.float32))
        batch = int(drawn.integers(0, 10**6))
        label = f"seed:{number}" if number % 5 == 0 else f"{batch}.{drawn.integers(0, 10**5)}"
        options = {"size": f"{batch}x{batch}", "scaling": "lanczos"} if number % 2 else {}
        passport = Passport(f"run-{number}", label, batch, z, f"{batch:032x}", options)
        path = tmp_path / f"a{SUFFIXES[number % 3]}"
        found = read_passport(save_specimen(FRAME, path, passport, "\u00a9 <Somebody> & \u00fc"))
        same = (found.run, found.label, found.batch, found.weights_digest, found.options) == (
            *(passport.run, label, batch, passport.weights_digest),
            options,
        )
        wrong += not same or found.z.numpy().tobytes() != z.numpy().tobytes()
        wrong += found.licence != "\u00a9 <Somebody> & \u00fc"
    assert wrong == 0


@pytest.mark.parametrize("place", ["EXIF", "XMP"])
def test_a_passport_forged_in_one_place_alone_is_refused(tmp_path, place):
    """The forger sealed it well, yet the other place says otherwise."""
    path, z = tmp_path / "a.jpg", torch.ones(16)
    save_specimen(FRAME, path, Passport("city", "1.3", 1, z, "abc"), "")
    with Image.open(path) as image:
        forged = {"EXIF": {"exif": image.info["exif"]}, "XMP": {"xmp": image.info["xmp"]}}[place]
    save_specimen(FRAME, path, Passport("city", "1.2", 1, z, "abc"), "")
    with Image.open(path) as image:
        metadata = {"exif": image.info["exif"], "xmp": image.info["xmp"], **forged}
        image.save(path, format="JPEG", **metadata)
    with pytest.raises(EXPECTED_ERRORS, match="its EXIF and its XMP say different things"):
        read_passport(path)


def test_a_comment_of_another_program_hides_no_passport(tmp_path):
    path = tmp_path / "a.jpg"
    save_specimen(FRAME, path, Passport("city", "1.2", 1, torch.ones(16), "abc"), "")
    with Image.open(path) as image:
        exif = Image.Exif()
        exif.get_ifd(EXIF_IFD)[USER_COMMENT] = ASCII_PREFIX + b"Helsinki?"
        image.save(path, format="JPEG", exif=exif, xmp=image.info["xmp"])
    assert read_passport(path).label == "1.2"


def test_xmp_that_was_written_as_attributes_is_read(tmp_path):
    path = tmp_path / "a.webp"
    save_specimen(
        FRAME, path, Passport("city", "1.2", 1, torch.ones(16), "abc"), "\u00a9 'A' & \"B\""
    )
    with Image.open(path) as image:
        said = json.loads(
            ElementTree.fromstring(image.info["xmp"]).findtext(f".//{{{NAMESPACE}}}{NAME}")
        )
        packet = ElementTree.Element("x", {f"{{{NAMESPACE}}}{NAME}": json.dumps(said)})
        image.save(path, format="WEBP", xmp=ElementTree.tostring(packet))
    assert read_passport(path).label == "1.2"


def test_a_point_without_room_in_a_jpeg_is_exported_as_another_kind(tmp_path):
    passport = Passport("city", "1.2", 1, torch.ones(12_500), "abc")
    with pytest.raises(EXPECTED_ERRORS, match=r"has no room in a JPEG\. Export as png or webp"):
        save_specimen(FRAME, tmp_path / "a.jpg", passport, "")
    assert list(tmp_path.iterdir()) == []
    for suffix in (".png", ".webp"):
        found = read_passport(save_specimen(FRAME, tmp_path / f"a{suffix}", passport, ""))
        assert torch.equal(found.z, passport.z)


def test_pictures_of_former_formats_are_read(tmp_path):
    """The second had a checksum, and neither options, a licence, nor XMP."""
    z = np.arange(1, 17, dtype="<f4")
    said = {
        **{"format": "latent-city-studio/2", "run": "city", "label": "12.3", "batch": 12},
        **{"z": base64.b64encode(z.tobytes()).decode(), "weights": "abc"},
    }
    said["checksum"] = compute_checksum(said)
    for raw in (None, json.dumps(said).encode()):
        found = read_passport(forge(tmp_path / "x.jpg", z=z, raw=raw))
        assert (found.label, found.options, found.licence) == ("12.3", {}, "")
        assert found.z.numpy().tobytes() == z.tobytes()


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
    with pytest.raises(EXPECTED_ERRORS, match=r"Cannot write .*a\.jpg: .*\. Choose another folder"):
        save_specimen(FRAME, tmp_path / "file" / "a.jpg", passport, "")


def test_the_copyright_notice_keeps_its_letters(tmp_path):
    notice = "© OpenStreetMap contributors, <ODbL> & Müller"
    passport = Passport("city", "1.2", 1, torch.ones(4), "abc")
    saved = save_specimen(FRAME, tmp_path / "a.jpg", passport, notice)
    with Image.open(saved) as image:
        rights = "{http://purl.org/dc/elements/1.1/}rights"
        packet = ElementTree.fromstring(image.info["xmp"])
        described = "".join(next(packet.iter(rights)).itertext())
        assert image.getexif()[0x8298].startswith("(c) OpenStreetMap")
    assert described.strip() == notice
    found = read_passport(saved)
    assert (found.label, found.licence) == ("1.2", notice)


def forge(path, run="city", label="12.3", batch=12, z=None, weights="x", raw=None, size=(32, 32)):
    """A JPEG whose EXIF says what a passport of the first format says, or anything else."""
    z = np.ones(16, "<f4") if z is None else np.asarray(z, "<f4")
    document = {
        **{"format": "latent-city-studio/1", "run": run, "label": label, "batch": batch},
        **{"z": base64.b64encode(z.tobytes()).decode(), "weights": weights},
    }
    exif = Image.Exif()
    said = json.dumps(document).encode() if raw is None else raw
    exif.get_ifd(EXIF_IFD)[USER_COMMENT] = ASCII_PREFIX + said
    Image.new("RGB", size).save(path, format="JPEG", exif=exif)
    return path


FORGED = {
    "outside": {"label": "x/../../../../pwned"},
    "NUL": {"label": "1.2\0"},
    "half a character": {"label": "\udcff"},
    "long": {"label": "4" * 5000},
    "markup": {"label": "[/red]"},
    "lines": {"label": "1.2\nok"},
    "label is a number": {"label": 1.2},
    "run outside": {"run": "../r"},
    "run empty": {"run": ""},
    "run is a list": {"run": ["city"]},
    "batch infinite": {"batch": float("inf")},
    "batch huge": {"batch": 10**30},
    "batch negative": {"batch": -5},
    "batch is text": {"batch": "1"},
    "batch is true": {"batch": True},
    "nested": {"raw": b"[" * 60_000},
    "NaN": {"z": [float("nan")] * 16},
    "infinite": {"z": [float("inf")] * 16},
    "overflowing": {"z": [3e38] * 16},
    "zeros": {"z": [0.0] * 16},
    "no numbers": {"z": []},
    "other length": {"z": [1.0] * 7},
    "weights": {"weights": "\x1b[2J"},
}


@pytest.mark.parametrize("said", FORGED.values(), ids=FORGED)
def test_a_forged_passport_ends_in_a_sentence_and_writes_nothing(studio, tmp_path, said):
    picture, before = forge(tmp_path / "x.jpg", **said), sorted(tmp_path.rglob("*"))
    for words in (["specimens", "export", "city", picture], ["near", "city", picture]):
        refused = studio(*words)
        assert refused.status == 1
        assert "x.jpg" in refused.err
        assert refused.err.count("\n") == 1
    now = [path for path in sorted(tmp_path.rglob("*")) if path.name != "studio.db-journal"]
    assert now == before


def test_a_picture_of_65535_pixels_a_side_is_read_by_its_passport_alone(tmp_path):
    picture = forge(tmp_path / "x.jpg")
    content = bytearray(picture.read_bytes())
    place = content.index(b"\xff\xc0")
    content[place + 5 : place + 9] = b"\xff" * 4
    picture.write_bytes(content)
    with pytest.raises(EXPECTED_ERRORS, match="does not say which latent point"):
        read_passport(picture)


def test_a_genuine_label_with_other_numbers_replaces_neither_file_nor_point(studio, tmp_path):
    (genuine,) = studio("specimens", "export", "city", "0.1", "--out", tmp_path, "--json").json
    before = Path(genuine["path"]).read_bytes()
    picture = forge(tmp_path / "x.jpg", label="0.1")
    said = studio("specimens", "export", "city", picture, "--out", tmp_path, "--json")
    assert said.status == 0
    assert "has other numbers than 0.1 of run 'city'" in said.err
    assert "drawn by other weights than those of run 'city' at batch 12" in said.err
    assert Path(genuine["path"]).read_bytes() == before
    assert said.json[0]["label"].startswith("0.1-")
    again = read_passport(Path(said.json[0]["path"]))
    assert again.label == said.json[0]["label"]


def test_a_genuine_picture_is_taken_at_its_word(studio, tmp_path):
    (genuine,) = studio("specimens", "export", "city", "0.1", "--out", tmp_path, "--json").json
    again = studio("specimens", "export", "city", genuine["path"], "--out", tmp_path, "--json")
    assert again.json[0]["label"] == "0.1"
    assert again.err == ""


def test_one_changed_character_of_a_passport_is_found(tmp_path):
    passport = Passport("city", "1.2", 1, torch.ones(16), "abc")
    path = save_specimen(FRAME, tmp_path / "a.jpg", passport, "")
    path.write_bytes(path.read_bytes().replace(b'"label": "1.2"', b'"label": "1.3"'))
    with pytest.raises(EXPECTED_ERRORS, match="checksum differs"):
        read_passport(path)


def test_reindex_passes_over_bad_pictures_and_names_them(studio, workspace):
    folder = workspace.specimens("city")
    folder.mkdir(parents=True, exist_ok=True)
    for number, said in enumerate(FORGED.values()):
        forge(folder / f"bad-{number}.jpg", **said)
    forge(folder / "forged.jpg", label="12.9")
    os.mkfifo(folder / "pipe.jpg")
    studio("specimens", "export", "city", "0.1")
    (workspace.root / "studio.db").unlink()
    said = studio("reindex")
    assert said.status == 0
    assert "bad-0.jpg" in said.out + said.err
    assert "forged.jpg" in said.out + said.err
    assert "12.9" not in [
        row["label"] for row in studio("specimens", "list", "city", "--json").json
    ]
