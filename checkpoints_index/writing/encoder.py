"""Turning checkpoints into records, each by its difference to the one before."""

from __future__ import annotations

import logging
import math
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from checkpoints_index.codec.integers import TensorLayout
from checkpoints_index.codec.lean_chain import LeanChain
from checkpoints_index.codec.record_chain import SKIP_INTERVAL, RecordChain
from checkpoints_index.codec.steps.calibration import (
    PEAK_FRACTION,
    may_be_rounded,
    mean_change,
    mean_changes,
)
from checkpoints_index.codec.steps.lean_calibration import calibration_of, is_large
from checkpoints_index.codec.tensor_entry import find_peak
from checkpoints_index.codec.thread_pool import ThreadPool
from checkpoints_index.errors import CheckpointError
from checkpoints_index.generators.spec import GeneratorSpec
from checkpoints_index.storage import headers, segments
from checkpoints_index.storage.error_bound import ErrorBound
from checkpoints_index.storage.segments import PendingRecord

SEGMENT_RECORDS = 320  # A segment ends after so many checkpoints ...
SEGMENT_BYTES = 1 << 29  # ... or where it is this large and a key is due anyway.
# A new segment uses a part of the allowed rms between these; the rest is for weights that move on.
MIN_USED_FRACTION, MAX_USED_FRACTION = 0.1, 0.92
CHECK_INTERVAL = 16  # The error bound is checked by rendering at least every so many records.
BASELINE = 16  # The growth of the error is measured over so many records; no fewer than the above.
MIN_GROWTH = 0.007  # Assume that the error grows by at least 0.7 % per record.
WASTEFUL_FRACTION = 0.5  # With less than this part of the maximum used, a new segment pays, ...
KEYS_WORTH = 1.0  # ... once differences have taken as much as so many keys, which it has to save.
CHECKED_PEAK_FRACTION = 0.95  # A check allows this part of the allowed peak.
NEARLY_ALL = 0.75  # From this part of the allowed rms on, a check may fail.

log = logging.getLogger(__name__)


class EncodedCheckpoint(NamedTuple):
    """What has to be written for one checkpoint.

    Attributes:
        batch: its batch.
        header: the header of the segment that it begins, if it does.
        records: its records, in order.
    """

    batch: int
    header: bytes | None
    records: list[PendingRecord]


class CheckpointEncoder:
    """Holds the chain of the open segment, and decides when the next one begins.

    Args:
        run: the run's name.
        spec: what rebuilds its generator.
        error_bound: how far pictures may differ (storage "visual"); None keeps every bit.
        threads: number of threads that encode one checkpoint; the calling one is among them.
        run_id: stands in the header of each segment; see `Catalogue`.
        run_format: the format that the run was created with, so that what reads a part of it reads
            the rest.
        folder: on the disk of the run, for what a large generator needs again only much later.
    """

    def __init__(
        self,
        run: str,
        spec: GeneratorSpec,
        error_bound: ErrorBound | None,
        threads: int = 1,
        run_id: str | None = None,
        run_format: int = segments.FORMAT,
        folder: Path | None = None,
    ) -> None:
        self._folder = folder or Path(tempfile.gettempdir())
        self._run_id, self._format = run_id, run_format
        self._run, self._spec, self._error_bound = run, spec, error_bound
        self._pool = ThreadPool(threads, "encode")
        self._calibration = calibration_of(spec, error_bound, self._pool) if error_bound else None
        self._chain: RecordChain | None = None  # The open segment; None begins another.
        self._used_fraction = MAX_USED_FRACTION
        self._next_check = 1  # counted in records of the open segment
        self._checks = [(0, self._used_fraction)]  # length of the chain, fraction used by then
        self._is_wasteful = False  # whether most of the allowed error was left at the last check
        self._few_to_all = 1.0  # rms at all calibration points, over that at a few of them

    def close(self) -> None:
        """End the other threads."""
        self._pool.close()

    def begin_anew(self) -> None:
        """Let the next checkpoint begin a segment: the open one was closed, or cut."""
        self._chain = None

    @property
    def wants_to_see_next(self) -> bool:
        """Whether it would choose better steps if it knew how far the weights move."""
        return self._error_bound is not None and self._chain is None

    def encode(
        self,
        batch: int,
        weights: Mapping[str, Tensor],
        device: str | torch.device = "cpu",
        next_weights: Mapping[str, Tensor] | None = None,
    ) -> EncodedCheckpoint:
        """The records of one checkpoint.

        Args:
            batch: its batch, above that of the checkpoint before.
            weights: the state dict, on the CPU.
            device: where pictures are rendered to choose and to check steps.
            next_weights: those of the next checkpoint, where they are known already.

        Raises:
            CheckpointError: a weight is not finite (storage "visual").
        """
        if self._error_bound is not None:
            exact = {name: t for name, t in weights.items() if not may_be_rounded(t)}
            self._refuse_if_not_finite(batch, exact)
        chain, header = self._chain, None
        if chain is None or not self._fits(chain, batch, weights):
            chain, header = self._begin_segment(batch, weights, device, next_weights)
        return EncodedCheckpoint(batch, header, chain.encode_spare(batch))

    def _fits(self, chain: RecordChain, batch: int, weights: Mapping[str, Tensor]) -> bool:
        """Whether the weights, now in the spare integers, go into the open segment."""
        if chain.length >= SEGMENT_RECORDS:
            return False
        if chain.is_key_due and chain.size_bytes >= SEGMENT_BYTES:
            return False
        try:
            chain.take(weights)
        except OverflowError as overflow:
            log.info("%s: a new segment at batch %d, since %s", self._run, batch, overflow)
            return False
        if self._error_bound is None or chain.length < self._next_check:
            return True
        return self._is_within_bound(chain, weights)

    def _is_within_bound(self, chain: RecordChain, weights: Mapping[str, Tensor]) -> bool:
        """Whether pictures of what is kept of the weights are as near as is allowed."""
        assert self._calibration is not None
        error_bound, layout = self._calibration.error_bound, chain.layout
        difference = self._calibration.compare_kept(weights, layout, self._calibration.few)
        difference = replace(difference, rms=difference.rms * self._few_to_all)
        nearly = difference.rms > NEARLY_ALL * error_bound.rms
        if nearly or not difference.is_within(error_bound, PEAK_FRACTION):
            difference = self._calibration.compare_kept(weights, layout)
        self._plan_next_check(chain.length, difference.rms / error_bound.rms)
        used = max(difference.rms / error_bound.rms, difference.peak / error_bound.largest)
        self._is_wasteful = used < WASTEFUL_FRACTION * MAX_USED_FRACTION
        taken = chain.size_bytes - chain.key_bytes
        pays = chain.length >= SKIP_INTERVAL and taken >= KEYS_WORTH * chain.key_bytes
        if self._is_wasteful and pays:
            return False  # Larger steps soon make up for another key.
        return difference.is_within(error_bound, CHECKED_PEAK_FRACTION)

    def _plan_next_check(self, length: int, used: float) -> None:
        """Look again before the error, growing as it did, has used up what is allowed.

        A chain at most doubles its length until then: where tensors begin as zeros, the first
        records do not show how the error will grow.

        Args:
            length: that of the chain now.
            used: rms of the error now, as a fraction of what is allowed.
        """
        used = max(used, 1e-9)
        baseline = next(check for check in self._checks if length - check[0] <= BASELINE)
        growths = [
            math.log(used / used_before) / (length - length_before)
            for length_before, used_before in (baseline, self._checks[-1])
        ]
        lasts = -math.log(used) / max(*growths, MIN_GROWTH)
        self._next_check = length + int(min(CHECK_INTERVAL, max(1, lasts / 2), length))
        self._checks.append((length, used))

    def _begin_segment(
        self,
        batch: int,
        weights: Mapping[str, Tensor],
        device: str | torch.device,
        next_weights: Mapping[str, Tensor] | None,
    ) -> tuple[RecordChain, bytes]:
        """Choose steps anew; what the new chain takes are these weights."""
        if self._error_bound is not None:
            self._refuse_if_not_finite(batch, weights)
        changes = self._measure_changes(weights)
        if changes is None and next_weights is not None:
            changes = mean_changes(weights, next_weights)
        steps = {}
        tracks_pay = self._chain is None or self._chain.tracks_pay
        if self._calibration is not None:
            self._calibration.move(device)
            self._adapt_used_fraction()
            self._chain = None  # Pictures need the memory of its integers.
            steps = self._calibration.choose_steps(weights, changes, self._used_fraction)
            self._few_to_all = self._calibration.few_to_all(weights, steps)
        chain = self._new_chain(weights, steps, torch.device(device), tracks_pay)
        chain.take(weights)
        self._chain, self._next_check, self._checks = chain, 1, [(0, self._used_fraction)]
        self._is_wasteful = False
        return chain, headers.pack_header(self._describe(chain.layout))

    def _new_chain(
        self,
        weights: Mapping[str, Tensor],
        steps: Mapping[str, float],
        device: torch.device,
        tracks_pay: bool,
    ) -> RecordChain:
        """That of the next segment.

        Trackers of a large generator take as much memory as its weights, which on a CPU the
        pictures need.
        """
        is_lean = self._error_bound is not None and is_large(weights)
        is_tracking = self._error_bound is not None and self._format == segments.TRACKING_FORMAT
        layout = TensorLayout.of(
            weights,
            steps,
            reversible=self._error_bound is not None,
            predicts=self._error_bound is None and self._format == segments.PREDICTING_FORMAT,
            tracks=is_tracking and not (is_lean and device.type == "cpu"),
        )
        if is_lean:
            return LeanChain(layout, self._folder, self._pool, tracks_pay)
        return RecordChain(layout, self._pool, tracks_pay)

    def _describe(self, layout: TensorLayout) -> dict[str, Any]:
        """The description in a segment's header."""
        return {
            "format": self._format,
            "id": secrets.token_hex(8),
            "run": self._run,
            "run_id": self._run_id,
            "generator": self._spec.to_json(),
            "storage": "visual" if self._error_bound else "exact",
            "promise": asdict(self._error_bound) if self._error_bound else None,
            **layout.to_json(),
        }

    def _adapt_used_fraction(self) -> None:
        """Leave more of the allowed error to the future where steps did not last, else less.

        A smaller fraction costs bytes in every difference, another segment those of a key: the
        larger a part of the segment its key was, the more is left.
        """
        chain = self._chain
        if chain is None or not chain.length:
            return
        if self._is_wasteful:
            self._used_fraction = min(MAX_USED_FRACTION, self._used_fraction * 2)
        elif chain.length < SEGMENT_RECORDS:
            lost = chain.key_bytes / chain.size_bytes
            self._used_fraction = max(MIN_USED_FRACTION, self._used_fraction * (1 - lost / 3))
        else:
            self._used_fraction = min(MAX_USED_FRACTION, self._used_fraction * 1.05)

    def _measure_changes(self, weights: Mapping[str, Tensor]) -> dict[str, float] | None:
        """How far tensors moved since the checkpoint before; None where that is not known."""
        chain = self._chain
        if chain is None or chain.newest is None or not chain.layout.fits(weights):
            return None
        _, arrays = chain.newest
        return {
            entry.name: mean_change(chain.layout.to_weight(entry, arrays), weights[entry.name])
            for entry in chain.layout.entries
            if may_be_rounded(weights[entry.name])
        }

    def _refuse_if_not_finite(self, batch: int, weights: Mapping[str, Tensor]) -> None:
        for name, tensor in weights.items():
            if tensor.is_floating_point() and tensor.numel() and not _is_finite(tensor):
                raise CheckpointError(
                    f"Checkpoint {batch} of run '{self._run}' is not kept: '{name}' holds numbers "
                    "that are not finite. Training has diverged; resume from an earlier state."
                )


def _is_finite(tensor: Tensor) -> bool:
    """Whether all numbers of a tensor, of which there are some, are finite; no copy is made."""
    return (
        math.isfinite(find_peak(tensor))
        if tensor.dtype.itemsize > 1
        else bool(torch.isfinite(tensor).all())
    )
