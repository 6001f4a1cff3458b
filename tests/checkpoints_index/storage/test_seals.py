import json

import pytest
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save

from checkpoints_index.storage.seals import (
    KEY,
    UNSEALED,
    Seal,
    check_lines,
    check_tensors,
    read_sealed_json,
    seal_json,
    seal_lines,
    seal_tensors,
    unseal_json,
)

DOCUMENT = {"batch": 40, "labels": ["0.1", "0.2"], "note": 'a "quoted", text'}


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("document", [DOCUMENT, {}])
def test_any_flipped_bit_of_a_sealed_document_is_noticed_or_harmless(document, indent):
    content = seal_json(document, indent)
    assert json.loads(content).items() > document.items()
    assert unseal_json(content) == (document, Seal.WHOLE)
    for place in range(8 * len(content)):
        flipped = bytearray(content)
        flipped[place // 8] ^= 1 << place % 8
        try:
            found = read_sealed_json(bytes(flipped))
        except ValueError:
            continue
        assert found.items() >= document.items()


def test_any_flipped_bit_of_a_sealed_text_breaks_its_seal():
    content = seal_lines("batches = 40\n\n# A note.\n")
    for place in range(8 * len(content)):
        flipped = bytearray(content)
        flipped[place // 8] ^= 1 << place % 8
        assert check_lines(bytes(flipped)) is Seal.BROKEN, place


def test_a_key_of_a_seal_with_another_letter_is_a_broken_seal():
    content = seal_json(DOCUMENT)
    for letter in range(4):
        name = bytearray(b"xxh3")
        name[letter] ^= 1
        assert unseal_json(content.replace(b"xxh3", bytes(name)))[1] is Seal.BROKEN
    assert unseal_json(b'{"xxh3": 1, "yyh3": "0"}')[1] is Seal.BROKEN
    assert unseal_json(b'{"xyz3": "0123456789abcdef"}')[1] is Seal.ABSENT


def test_a_document_without_a_seal_is_read_as_before():
    assert unseal_json(b'{"batch": 1}') == ({"batch": 1}, Seal.ABSENT)
    assert check_lines(b"batches = 40\n") is Seal.ABSENT


def test_a_changed_line_breaks_the_seal_of_a_text_and_takes_nothing_else():
    content = seal_lines("batches = 40\n")
    assert check_lines(content) is Seal.WHOLE
    assert check_lines(content.replace(b"40", b"48")) is Seal.BROKEN


def test_any_flipped_bit_of_sealed_tensors_is_found_or_the_file_is_none(tmp_path):
    path = tmp_path / "weights.safetensors"
    facts = {"run": "city", "name": "0123456789abcdef", KEY: UNSEALED}
    content = seal_tensors(save({"a": torch.arange(6.0), "b": torch.zeros(2)}, facts))
    path.write_bytes(content)
    assert check_tensors(path) is Seal.WHOLE
    assert load_file(path)["a"].tolist() == [0, 1, 2, 3, 4, 5]
    for place in range(8 * len(content)):
        flipped = bytearray(content)
        flipped[place // 8] ^= 1 << place % 8
        path.write_bytes(flipped)
        if check_tensors(path) is Seal.BROKEN:
            continue
        with pytest.raises(SafetensorError), safe_open(path, framework="pt"):
            raise AssertionError(place)


def test_tensors_of_somebody_else_have_no_seal(tmp_path):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(save({"a": torch.zeros(2)}, {"name": "0123456789abcdef"}))
    assert check_tensors(path) is Seal.ABSENT
