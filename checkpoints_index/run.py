"""One training run in the index: batch -> generator."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
import xxhash
from torch import Tensor, nn

from checkpoints_index.codec.integers import TensorLayout
from checkpoints_index.errors import CheckpointError
from checkpoints_index.generators.spec import GeneratorSpec
from checkpoints_index.reading.reader import CheckpointReader
from checkpoints_index.reading.stream import stream
from checkpoints_index.storage import segments
from checkpoints_index.storage.catalogue import Catalogue
from checkpoints_index.storage.error_bound import ErrorBound
from checkpoints_index.storage.files import sync_folder, truncate
from checkpoints_index.upkeep.export import export_weights
from checkpoints_index.upkeep.rewriting import drop_all_but
from checkpoints_index.upkeep.thinning import choose_for_budget
from checkpoints_index.upkeep.verification import Finding, examine, verify
from checkpoints_index.writing.appender import Appender
from checkpoints_index.writing.encoder import CheckpointEncoder
from checkpoints_index.writing.segment_writer import SegmentWriter

MAX_ENCODING_THREADS = 4


class CheckpointRun:
    """The checkpoints of a run, as `CheckpointIndex` opens it: batch -> generator.

    Any number of processes may read it while one appends. An open run can be sent to another
    process, which opens it for itself. Used in a `with` block, it is closed at the end.

    Args:
        catalogue: the listing of the run's folder, used by this object alone.

    Attributes:
        name: the run's name.
        folder: its folder of checkpoints.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self.name, self.folder = catalogue.run, catalogue.folder
        self._catalogue = catalogue
        self._reader = CheckpointReader(catalogue)
        self._appender: Appender | None = None
        self._last_appended: int | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, (self.name, self.folder)

    @property
    def spec(self) -> GeneratorSpec:
        """What rebuilds its generator."""
        return self._catalogue.spec

    @property
    def storage(self) -> str:
        """How weights are kept: "exact" or "visual"."""
        return self._catalogue.storage

    @property
    def error_bound(self) -> ErrorBound | None:
        """How far pictures may differ from those of the exact weights; None where no bit does."""
        return self._catalogue.error_bound

    @property
    def batches(self) -> list[int]:
        """The batches that have a checkpoint, ascending; a copy."""
        self._settle()
        return list(self._catalogue.batches)

    @property
    def last_batch(self) -> int | None:
        """The latest batch that has a checkpoint; None where there is none."""
        self._settle()
        return self._catalogue.batches[-1] if self._catalogue.batches else None

    @property
    def missing(self) -> list[tuple[int, int]]:
        """Half-open ranges of batches without a checkpoint between the first and the last."""
        self._settle()
        return self._catalogue.missing

    @property
    def size_bytes(self) -> int:
        """Bytes that the checkpoints take on disk."""
        self._settle()
        return self._catalogue.size_bytes

    @property
    def plain_bytes(self) -> int:
        """Bytes that one checkpoint takes as plain tensors."""
        self._settle()
        known = [held for held in self._catalogue.descriptions.values() if held is not None]
        with suppress(ValueError):  # The header may be anybody's.
            if known:
                return TensorLayout.from_json(known[-1]).size_bytes
        return sum(tensor.nbytes for tensor in self.spec.expected_weights().values())

    @property
    def key_batches(self) -> list[int]:
        """The batches of keys and skip deltas, ascending: reading may begin there cheaply."""
        self._settle()
        listed = self._catalogue
        records = (record for path in listed.descriptions for record in listed.records_in(path))
        entries = (segments.KEY, segments.SKIP_DELTA)
        return sorted({record.batch for record in records if record.kind in entries})

    def digest(self, batches: Iterable[int]) -> str:
        """A checksum of the weights at some batches, 32 hexadecimal digits.

        Raises:
            UnknownBatchError: one of them has no checkpoint.
        """
        self._settle()
        digest = xxhash.xxh3_128()
        for batch in batches:
            digest.update(self._mark(batch))
        return digest.hexdigest()

    def digests(self, batches: Iterable[int]) -> list[str]:
        """A checksum of the weights at each of some batches, 16 hexadecimal digits.

        Raises:
            UnknownBatchError: one of them has no checkpoint.
        """
        self._settle()
        return [xxhash.xxh3_64_hexdigest(self._mark(batch)) for batch in batches]

    def _mark(self, batch: int) -> bytes:
        record = self._reader.find(batch)
        return f"{batch}:{record.integers_xxh3}:{record.path.name};".encode()

    def find_damaged(
        self,
        batches: Collection[int],
        on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> dict[int, str]:
        """Which of some batches cannot be read, and why; their stored bytes are looked at.

        Args:
            batches: the batches.
            on_progress: is told how many were looked at, of how many.

        Returns:
            batch -> reason, as half a sentence.

        Raises:
            UnknownBatchError: one of them has no checkpoint.
        """
        self._settle()
        damaged = {}
        for done, batch in enumerate(batches, 1):
            finding = examine(self._reader, self._reader.find(batch))
            if not finding.readable:
                damaged[batch] = finding.reason or "unknown"
            on_progress(done, len(batches))
        return damaged

    def begin_writing(self) -> None:
        """Take the one right to write to the run, which `close` gives back.

        Raises:
            RunLockedError: another process has it; nothing was touched.
        """
        self._open_appender()

    def append(self, batch: int, state_dict: Mapping[str, Tensor], lent: bool = False) -> None:
        """Keep a checkpoint. Its weights are copied now; a thread encodes and writes them.

        Args:
            batch: number of generator updates so far; larger than that of the last checkpoint.
            state_dict: that of the generator, on any device.
            lent: whether the weights stay as they are until `wait_until_copied` has returned, so
                that a thread can copy large ones as well.

        Raises:
            CheckpointError: the batch does not ascend, or the weights are not of this generator.
            RunLockedError: another process writes to the run.
            NoRoomForCheckpointError: there was no room for an earlier one, which is kept in memory
                and tried again at the next call. This one was not taken.
        """
        appender = self._open_appender()
        if batch < 0 or (self._last_appended is not None and batch <= self._last_appended):
            raise CheckpointError(
                f"Batch {batch} cannot be appended to run '{self.name}', whose last checkpoint is "
                f"{self._last_appended}: batches are 0 or more, and ascend."
            )
        appender.append(batch, state_dict, lent)
        self._last_appended = batch

    def wait_until_copied(self) -> None:
        """Return when weights that were lent to `append` may be changed; at once where none are."""
        if self._appender is not None:
            self._appender.wait_until_copied()

    def flush(self) -> None:
        """Return when all that was appended is safely on disk.

        Raises:
            NoRoomForCheckpointError: there is no room for it. It is kept in memory, and the next
                call of `append` or `flush` tries again.
        """
        if self._appender is not None:
            self._appender.flush()

    def weights(self, batch: int) -> dict[str, Tensor]:
        """The state dict at a batch, on the CPU.

        Raises:
            UnknownBatchError: there is no such checkpoint.
            DamagedCheckpointError: it cannot be read back as it was written.
        """
        self._settle()
        return self._reader.weights(batch)

    def generator(self, batch: int, device: str | torch.device = "cpu") -> nn.Module:
        """The generator at a batch, in eval mode: z [N, z_dim] -> float [N, 3, H, W] in -1..1.

        Raises:
            UnknownBatchError: there is no such checkpoint.
            DamagedCheckpointError: it cannot be read back as it was written.
        """
        G = _build(self.spec)
        self.load(batch, G)
        return G.to(device)

    def load(self, batch: int, module: nn.Module) -> None:
        """Give a module of the run's generator, on any device, the weights at a batch.

        Raises:
            UnknownBatchError: there is no such checkpoint.
            DamagedCheckpointError: it cannot be read back as it was written, or has other tensors
                than the module.
        """
        weights = self.weights(batch)
        self._reader.require_fit(batch, module.state_dict())
        module.load_state_dict(weights)

    def build(self) -> nn.Module:
        """A generator for `stream(into=...)`: in eval mode, on the CPU, its weights yet to come.

        It is in the memory format channels_last, which convolutions prefer; but for somebody
        else's generator, which may view its tensors as they usually lie.
        """
        G = _build(self.spec)
        if self.spec.is_ours:
            G = G.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return G

    def stream(
        self,
        batches: Iterable[int] | None = None,
        device: str | torch.device = "cpu",
        into: Sequence[nn.Module] = (),
    ) -> Iterator[tuple[int, nn.Module]]:
        """Go through batches with one resident module, weights swapped in place.

        The next checkpoints are read and decoded while the caller works on this one.

        Args:
            batches: those wanted, all that there are by default. A neighbour in either direction
                is cheap; far jumps cost what `weights` does.
            device: where the module is, or is to be.
            into: modules from `build`, moved to the device, whose weights are swapped. They take
                turns, and each stays as it is until all the others were asked for. By default
                one that is built here.

        Yields:
            Each batch with the module that holds its weights.

        Raises:
            UnknownBatchError: one of them has no checkpoint.
            DamagedCheckpointError: one cannot be read back as it was written.
        """
        self._settle()
        wanted = self._catalogue.batches if batches is None else list(batches)
        for batch in wanted:
            self._reader.find(batch)
        resident = into or [_build(self.spec).to(device)]
        catalogue = Catalogue(self.name, self.folder)
        yield from stream(catalogue, wanted, torch.device(device), resident)

    def truncate(self, after_batch: int) -> None:
        """Drop every checkpoint later than a batch, the newest first.

        Whenever the process is killed, what is left is a beginning of the run.

        Raises:
            RunLockedError: another process writes to the run.
        """
        appender = self._open_appender()
        appender.begin_anew()
        for path in reversed(segments.list_segments(self.folder)):
            segment = segments.read_segment(path)
            if not segment.records:
                continue  # Its writer was killed before the first one.
            later = [record for record in segment.records if record.batch > after_batch]
            if not later:
                break
            appender.ledger.drop({record.batch for record in later}, [path])
            if len(later) == len(segment.records):
                path.unlink()
                sync_folder(self.folder)
            else:
                truncate(path, later[0].offset)
                appender.ledger.enter(path)
        self._settle()
        self._last_appended = self._catalogue.batches[-1] if self._catalogue.batches else None

    def thin(
        self,
        keep: Collection[int],
        on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        """Drop every checkpoint but those of some batches, which stay bit for bit what they are.

        Whenever the process is killed, each checkpoint is as it was or dropped, and the same call
        goes on from there. Room is needed for one segment at a time.

        Args:
            keep: the batches; those without a checkpoint are passed over.
            on_progress: is told how many checkpoints were written anew, of how many.

        Raises:
            CheckpointError: nothing would stay, or the disk does not take it.
            RunLockedError: another process writes to the run.
            DamagedSegmentsError: something that is to stay cannot be read; its segments are as
                they were, all others are done.
            DiskFullError: there is no room to write a segment anew.
        """
        self.close()
        drop_all_but(self.name, self.folder, keep, on_progress)

    def choose_for_budget(self, budget_bytes: int, pinned: Collection[int] = ()) -> set[int]:
        """The batches that `thin_to_budget` keeps; nothing is dropped.

        Args:
            budget_bytes: what the run may take.
            pinned: batches that stay, as the first and the last do.

        Raises:
            CheckpointError: the first, the last and the pinned do not fit by themselves.
        """
        return choose_for_budget(Catalogue(self.name, self.folder), budget_bytes, pinned)

    def thin_to_budget(
        self,
        budget_bytes: int,
        pinned: Collection[int] = (),
        on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        """Drop checkpoints evenly until the run takes no more than so many bytes.

        Where the estimate was too low it is thinned once more.

        Args:
            budget_bytes: what the run may take.
            pinned: batches that stay, as the first and the last do.
            on_progress: as for `thin`.

        Raises:
            CheckpointError: the first, the last and the pinned do not fit by themselves; or as
                `thin`.
        """
        while self.size_bytes > budget_bytes:
            self.thin(self.choose_for_budget(budget_bytes, pinned), on_progress)

    def export(self, batch: int, path: Path, overwrite: bool = False) -> None:
        """Write the state dict at a batch as a file that other programs read.

        Args:
            batch: the checkpoint.
            path: ends in `.safetensors`, which also tells the run, the batch, the architecture
                with its options (JSON), the storage and the error bound (JSON); or in `.pt`, as
                `torch.save` writes it.
            overwrite: replace a file of that name.

        Raises:
            CheckpointError: another suffix, a file that is there already, or one that cannot be
                written; there is no such checkpoint, or it is damaged.
        """
        facts = {
            "run": self.name,
            "batch": str(batch),
            "architecture": self.spec.architecture,
            "options": json.dumps(self.spec.options),
            "storage": self.storage,
            "promise": json.dumps(asdict(self.error_bound) if self.error_bound else None),
        }
        export_weights(lambda: self.weights(batch), facts, path, overwrite)

    def verify(self, deep: bool = False, fraction: float = 1.0) -> Iterator[Finding]:
        """Read checkpoints back, and say of each what is wrong with it, if anything is.

        Args:
            deep: decode as well, rather than hold the stored bytes against their checksums.
            fraction: part of the checkpoints that are looked at, 0..1, chosen at random.
        """
        self._settle()
        return verify(self._catalogue, deep, fraction)

    def close(self) -> None:
        """Write all that was appended, and give up the right to write; reading goes on.

        Raises:
            CheckpointError: something that was appended could not be written, and is lost.
        """
        if self._appender is not None:
            appender, self._appender = self._appender, None
            appender.close()

    def __enter__(self) -> CheckpointRun:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _settle(self) -> None:
        """See all that was appended and could be written, here and elsewhere."""
        if self._appender is not None:
            self._appender.settle()
        self._catalogue.refresh()

    def _open_appender(self) -> Appender:
        if self._appender is None:
            writer = SegmentWriter(self.name, self.folder)
            threads = min(MAX_ENCODING_THREADS, os.cpu_count() or 1)
            known = self._catalogue
            encoder = CheckpointEncoder(
                self.name,
                self.spec,
                known.error_bound,
                threads,
                known.run_id,
                known.format,
                self.folder,
            )
            self._appender = Appender(self.name, self.spec, encoder, writer)
            self._catalogue.refresh()
            batches = self._catalogue.batches
            self._last_appended = batches[-1] if batches else None
        return self._appender


def _build(spec: GeneratorSpec) -> nn.Module:
    """In eval mode, on the CPU; the caller's random numbers stay as they were."""
    with torch.random.fork_rng(devices=[]):
        return spec.build()


def _reopen(name: str, folder: Path) -> CheckpointRun:
    return CheckpointRun(Catalogue(name, folder))
