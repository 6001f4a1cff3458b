import xxhash
from hypothesis import given
from hypothesis import strategies as st

from checkpoints_index.storage.parity import make_parity, parity_bytes, payload_length, restore


@given(st.binary(max_size=3000), st.data())
def test_a_payload_that_changed_in_one_chunk_is_restored(payload, data):
    whole = payload + make_parity(payload)
    assert len(whole) == len(payload) + parity_bytes(len(payload))
    assert payload_length(len(whole)) == len(payload)
    damaged = bytearray(whole)
    damaged[data.draw(st.integers(0, len(whole) - 1))] ^= data.draw(st.integers(1, 255))
    check = xxhash.xxh3_64_intdigest(whole)
    assert restore(bytes(damaged), len(payload), check) == whole


def test_a_payload_that_changed_in_two_chunks_is_not():
    payload = bytes(range(250)) * 4
    whole = payload + make_parity(payload)
    damaged = bytearray(whole)
    damaged[3] ^= 1
    damaged[900] ^= 1
    assert restore(bytes(damaged), len(payload), xxhash.xxh3_64_intdigest(whole)) is None
