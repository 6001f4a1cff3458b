"""One training run in the index: batch -> generator."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
import xxhash
from torch import Tensor, nn

from checkpoints_index import segments
from checkpoints_index.catalogue import Catalogue
from checkpoints_index.errors import CheckpointError
from checkpoints_index.reader import CheckpointReader
from checkpoints_index.spec import GeneratorSpec
from checkpoints_index.writer import CheckpointWriter, sync_folder, truncate


class CheckpointRun:
    """The checkpoints of a run. Any number of processes may read it while one appends.

    An open run can be sent to another process, which opens it for itself.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self.name, self.folder = catalogue.run, catalogue.folder
        self._catalogue = catalogue
        self._reader = CheckpointReader(catalogue)
        self._writer: CheckpointWriter | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, (self.name, self.folder)

    @property
    def spec(self) -> GeneratorSpec:
        return self._catalogue.spec

    @property
    def storage(self) -> str:
        return self._catalogue.storage

    @property
    def batches(self) -> list[int]:
        """The batches that have a checkpoint, ascending; a copy."""
        self._catalogue.refresh()
        return list(self._catalogue.batches)

    @property
    def last_batch(self) -> int | None:
        self._catalogue.refresh()
        return self._catalogue.batches[-1] if self._catalogue.batches else None

    @property
    def missing(self) -> list[tuple[int, int]]:
        """Half-open ranges of batches without a checkpoint between the first and the last."""
        self._catalogue.refresh()
        return self._catalogue.missing

    @property
    def size_bytes(self) -> int:
        """Bytes that the checkpoints take on disk."""
        return self._catalogue.size_bytes

    @property
    def key_batches(self) -> list[int]:
        """The batches at which reading may begin without reading anything before."""
        self._catalogue.refresh()
        records = self._catalogue.records
        return [batch for batch in self._catalogue.batches if records[batch].kind == segments.KEY]

    def digest(self, batches: Iterable[int]) -> str:
        """Stands for the weights at these batches: it changes when one of them does."""
        self._catalogue.refresh()
        digest = xxhash.xxh3_128()
        for batch in batches:
            record = self._reader.find(batch)
            digest.update(f"{batch}:{record.integers_xxh3}:{record.path.name};".encode())
        return digest.hexdigest()

    def append(self, batch: int, state_dict: Mapping[str, Tensor]) -> None:
        """Keep a checkpoint.

        Args:
            batch: number of generator updates so far; larger than that of the last checkpoint.
            state_dict: the generator's, on any device.

        Raises:
            CheckpointError: the batch does not ascend, the weights are not of this generator, or
                another process writes to the run.
            DiskFullError: there was no room; the store is whole and appending may go on later.
        """
        writer = self._open_writer()
        last = self._catalogue.batches[-1] if self._catalogue.batches else None
        if batch < 0 or (last is not None and batch <= last):
            raise CheckpointError(
                f"Batch {batch} cannot be appended to run '{self.name}', whose last checkpoint "
                f"is {'none' if last is None else last}: batches are 0 or more, and ascend."
            )
        self._catalogue.add(writer.append(batch, state_dict))

    def flush(self) -> None:
        """Return when all that was appended is safely on disk."""
        if self._writer is not None:
            self._writer.flush()

    def weights(self, batch: int) -> dict[str, Tensor]:
        """The state dict at a batch, on the CPU.

        Raises:
            CheckpointError: there is no such checkpoint.
            DamagedCheckpointError: it cannot be read back as it was written.
        """
        self._catalogue.refresh()
        return self._reader.weights(batch)

    def generator(self, batch: int, device: str | torch.device = "cpu") -> nn.Module:
        """The generator at a batch, in eval mode: z [N, z_dim] -> float [N, 3, H, W] in -1..1."""
        G = self.spec.build()
        G.load_state_dict(self.weights(batch))
        return G.to(device).eval()

    def stream(
        self, batches: Iterable[int] | None = None, device: str | torch.device = "cpu"
    ) -> Iterator[tuple[int, nn.Module]]:
        """Walk over ascending batches with one resident module, weights swapped in place.

        The next checkpoint is read and decoded while the caller works on this one.

        Args:
            batches: those wanted; all that there are by default.
        """
        wanted = self.batches if batches is None else list(batches)
        if any(b <= a for a, b in pairwise(wanted)):
            raise CheckpointError("Batches must ascend to be streamed; sort them first.")
        self._catalogue.refresh()
        for batch in wanted:
            self._reader.find(batch)
        G = self.spec.build().to(device).eval()
        residents = G.state_dict()
        reader = CheckpointReader(self._catalogue)
        with ThreadPoolExecutor(1, thread_name_prefix="decode") as decoder:
            ahead = [decoder.submit(reader.weights, batch) for batch in wanted[:2]]
            for position, batch in enumerate(wanted):
                weights = ahead.pop(0).result()
                if position + 2 < len(wanted):
                    ahead.append(decoder.submit(reader.weights, wanted[position + 2]))
                _copy_into(residents, weights)
                yield batch, G

    def truncate(self, after_batch: int) -> None:
        """Drop every checkpoint later than a batch, the newest first. SIGKILL leaves a prefix."""
        writer = self._open_writer()
        for path in reversed(segments.list_segments(self.folder)):
            segment = segments.scan_segment(path)
            later = [record for record in segment.records if record.batch > after_batch]
            if not later:
                break
            writer.close_segment()
            if len(later) == len(segment.records):
                path.unlink()
                sync_folder(self.folder)
            else:
                truncate(path, later[0].offset)
        self._catalogue.refresh()

    def verify(self, deep: bool = False) -> Iterator[tuple[int, Path, str | None]]:
        """Read every checkpoint back: (batch, file, what is wrong with it or None).

        Args:
            deep: decode as well, rather than hold the stored bytes against their checksums.
        """
        self._catalogue.refresh()
        reader = CheckpointReader(self._catalogue)
        for batch in self.batches:
            record = reader.find(batch)
            headless = self._catalogue.descriptions.get(record.path) is None
            reason = "the header of its segment has changed" if headless else None
            yield batch, record.path, reason or reader.check(record, deep)
        for path, offset in self._catalogue.lost:
            yield self._batch_before(path, offset), path, f"bytes from {offset} are no record"

    def close(self) -> None:
        """Flush, and give up the right to write. The run can still be read."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def __enter__(self) -> CheckpointRun:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open_writer(self) -> CheckpointWriter:
        if self._writer is None:
            self._writer = CheckpointWriter(self.name, self.folder, self.spec, self.storage)
            self._catalogue.refresh()
        return self._writer

    def _batch_before(self, path: Path, offset: int) -> int:
        """The batch that the bytes at an offset most likely were."""
        records = self._catalogue.records.values()
        before = (r.batch for r in records if (r.path, r.offset) < (path, offset))
        return max(before, default=-1) + 1


def _reopen(name: str, folder: Path) -> CheckpointRun:
    return CheckpointRun(Catalogue(name, folder))


def _copy_into(residents: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> None:
    for name, resident in residents.items():
        resident.copy_(weights[name])
