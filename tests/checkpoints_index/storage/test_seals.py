import json

import pytest

from checkpoints_index.storage.seals import (
    Seal,
    check_lines,
    read_sealed_json,
    seal_json,
    seal_lines,
    strip_lines,
    unseal_json,
)

DOCUMENT = {"batch": 40, "labels": ["0.1", "0.2"], "note": 'a "quoted", text'}


@pytest.mark.parametrize("indent", [None, 1])
def test_any_flipped_bit_of_a_sealed_document_is_noticed_or_harmless(indent):
    content = seal_json(DOCUMENT, indent)
    assert json.loads(content).items() > DOCUMENT.items()
    for place in range(8 * len(content)):
        flipped = bytearray(content)
        flipped[place // 8] ^= 1 << place % 8
        try:
            found = read_sealed_json(bytes(flipped))
        except ValueError:
            continue
        assert found.items() >= DOCUMENT.items()


def test_a_document_without_a_seal_is_read_as_before():
    assert unseal_json(b'{"batch": 1}') == ({"batch": 1}, Seal.ABSENT)
    assert check_lines(b"batches = 40\n") is Seal.ABSENT


def test_a_changed_line_breaks_the_seal_of_a_text_and_takes_nothing_else():
    content = seal_lines("batches = 40\n")
    assert check_lines(content) is Seal.WHOLE
    assert strip_lines(content) == b"batches = 40\n"
    assert check_lines(content.replace(b"40", b"48")) is Seal.BROKEN
