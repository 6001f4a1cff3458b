"""Memory for large payloads."""

from __future__ import annotations

from checkpoints_index.storage.payload_room import LARGE_BYTES, ROOM_BYTES, PayloadRoom


def address_of(memory):
    return memory.obj.ctypes.data


def test_large_payloads_lie_side_by_side_while_there_is_room():
    room = PayloadRoom()
    assert room.take(LARGE_BYTES) is None
    first, second = room.take(LARGE_BYTES + 1), room.take(LARGE_BYTES + 1)
    assert len(first) == LARGE_BYTES + 1
    assert second is None  # Two of them take more than ROOM_BYTES.
    room.empty()
    assert address_of(room.take(LARGE_BYTES + 1)) == address_of(first)


def test_the_room_grows_to_the_largest_payload_and_no_further():
    room = PayloadRoom()
    room.take(LARGE_BYTES + 1)
    assert room.take(2 * ROOM_BYTES) is None  # Somebody still needs what stands there.
    room.empty()
    largest = room.take(2 * ROOM_BYTES)
    assert len(largest) == 2 * ROOM_BYTES
    room.empty()
    shared = [room.take(LARGE_BYTES + 1) for _ in range(4)]
    assert [part is not None for part in shared] == [True, True, True, False]
    assert {address_of(part) for part in shared[:3]} == {address_of(largest)}
