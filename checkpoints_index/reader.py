"""Finding and decoding the checkpoints of one run."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch import Tensor

from checkpoints_index import integers, segments
from checkpoints_index.catalogue import Catalogue
from checkpoints_index.errors import CheckpointError, DamagedCheckpointError
from checkpoints_index.integers import Lanes, Layout
from checkpoints_index.segments import Record


class CheckpointReader:
    """Decodes checkpoints; going forward from the one decoded last costs only the differences."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._run, self._catalogue = catalogue.run, catalogue
        self._layouts: dict[Path, Layout] = {}
        self._decoded: tuple[Record, Lanes] | None = None

    def weights(self, batch: int) -> dict[str, Tensor]:
        """The state dict at a batch, on the CPU.

        Raises:
            CheckpointError: there is no checkpoint of that batch.
            DamagedCheckpointError: it cannot be read back as it was written.
        """
        record = self.find(batch)
        return self._layout(record).to_weights(self._decode(record))

    def find(self, batch: int) -> Record:
        """The record of a batch; an unknown one names its neighbours."""
        record = self._catalogue.records.get(batch)
        if record is None:
            raise CheckpointError(self._describe_missing(batch))
        return record

    def check(self, record: Record, deep: bool) -> str | None:
        """Why a record cannot be read back, or None.

        Args:
            deep: decode it as well, and hold the integers against their checksum.
        """
        if segments.read_payload(record) is None:
            return "its bytes have changed"
        if deep:
            try:
                self._decode(record)
            except DamagedCheckpointError as damage:
                return damage.reason
        return None

    def _decode(self, record: Record) -> Lanes:
        if self._decoded is not None and self._decoded[0] == record:
            return self._decoded[1]
        chain = list(self._chain(record))
        start = next((i for i, link in enumerate(chain) if self._is_decoded(link)), len(chain))
        if start < len(chain):
            assert self._decoded is not None
            lanes = self._decoded[1]
        else:
            lanes = self._layout(record).empty_lanes()
        self._decoded = None  # its integers are about to be changed in place
        for link in reversed(chain[:start]):
            self._apply(record, link, lanes)
        if integers.checksum(lanes) != record.integers_xxh3:
            raise self._damaged(record, "what was decoded is not what was stored")
        self._decoded = record, lanes
        return lanes

    def _is_decoded(self, record: Record) -> bool:
        return self._decoded is not None and self._decoded[0] == record

    def _chain(self, record: Record) -> Iterator[Record]:
        """The records that a checkpoint is made of, newest first, down to the decoded or a key."""
        link = record
        yield link
        while link.kind != segments.KEY and not self._is_decoded(link):
            base = self._catalogue.records.get(link.base)
            if base is None or base.batch >= link.batch or base.path != link.path:
                raise self._damaged(record, f"checkpoint {link.base}, which it needs, is lost")
            link = base
            yield link

    def _apply(self, wanted: Record, link: Record, lanes: Lanes) -> None:
        payload = segments.read_payload(link)
        if payload is None:
            whose = "its" if link is wanted else f"checkpoint {link.batch}, which it needs: its"
            raise self._damaged(wanted, f"{whose} bytes have changed")
        integers.unpack_onto(payload, lanes)

    def _layout(self, record: Record) -> Layout:
        if record.path not in self._layouts:
            description = self._catalogue.descriptions.get(record.path)
            if description is None:
                raise self._damaged(record, "the header of its segment has changed")
            self._layouts[record.path] = Layout.from_json(description["tensors"])
        return self._layouts[record.path]

    def _damaged(self, record: Record, reason: str) -> DamagedCheckpointError:
        return DamagedCheckpointError(self._run, record.batch, record.path, reason)

    def _describe_missing(self, batch: int) -> str:
        batches = self._catalogue.batches
        if not batches:
            return f"Run '{self._run}' has no checkpoints yet. Train it, or choose another run."
        at = bisect_left(batches, batch)
        near: list[Any] = batches[max(0, at - 1) : at + 1]
        return (
            f"Run '{self._run}' has no checkpoint {batch}. It has {len(batches):,} from "
            f"{batches[0]} to {batches[-1]}; the nearest: {' and '.join(map(str, near))}."
        )
