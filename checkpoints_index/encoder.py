"""Turning checkpoints into records, each by its difference to the one before."""

from __future__ import annotations

import logging
import math
import secrets
from collections.abc import Mapping
from dataclasses import asdict
from typing import NamedTuple

import torch
from torch import Tensor

from checkpoints_index import integers, payloads, segments
from checkpoints_index.calibration import (
    Calibration,
    Difference,
    may_be_rounded,
    mean_changes,
    round_weights,
)
from checkpoints_index.errors import CheckpointError
from checkpoints_index.integers import Lanes, Layout
from checkpoints_index.packing import BlockPacker
from checkpoints_index.promise import Promise
from checkpoints_index.segments import Draft
from checkpoints_index.spec import GeneratorSpec

KEY_INTERVAL = 32  # exact: records from one key to the next
HOP_INTERVAL = 64  # visual: records from one hop to the next
SEGMENT_RECORDS = 256
FIRST_SEGMENT_RECORDS = 32  # its steps were chosen before anybody knew how far weights move
SMALLEST_SHARE, LARGEST_SHARE = 0.1, 0.9  # of the allowed rms, spent when a segment begins
CHECK_INTERVAL = 8  # the most records from one rendered check of the promise to the next
CHECK_PICTURES = 4

log = logging.getLogger(__name__)


class Encoded(NamedTuple):
    """What has to be written for one checkpoint."""

    batch: int
    header: bytes | None  # of the segment that it begins
    drafts: list[Draft]


class Encoder:
    """Holds the integers of the newest checkpoint, and the layout of the open segment."""

    def __init__(self, run: str, spec: GeneratorSpec, promise: Promise | None) -> None:
        """
        Args:
            promise: how far pictures may differ (storage "visual"); None keeps every bit.
        """
        self._run, self._spec, self._promise = run, spec, promise
        self._packer = BlockPacker()
        self._calibration: Calibration | None = None
        self._layout: Layout | None = None
        self._newest: tuple[int, Lanes] | None = None
        self._hop: tuple[int, Lanes] | None = None
        self._spare: Lanes = {}
        self._records = 0  # in the open segment; 0 where the next one begins another
        self._segment_records = FIRST_SEGMENT_RECORDS if promise else SEGMENT_RECORDS
        self._share = LARGEST_SHARE
        self._next_check = 1  # counted in records of the open segment
        self._last_check = 0, self._share  # when, and what share of the error was spent by then
        self._few_to_all = 1.0  # rms at all calibration points, over that at a few of them

    def begin_anew(self) -> None:
        """Let the next checkpoint begin a segment: the open one was closed, or cut."""
        self._newest, self._records = None, 0

    def encode(
        self, batch: int, weights: Mapping[str, Tensor], device: str | torch.device = "cpu"
    ) -> Encoded:
        """The records of one checkpoint.

        Args:
            weights: the state dict, on the CPU.
            device: where pictures are rendered to choose and to check steps.

        Raises:
            CheckpointError: a weight is not finite (storage "visual").
        """
        if self._promise is not None:
            exact = {name: t for name, t in weights.items() if not may_be_rounded(t)}
            self._refuse_if_not_finite(batch, exact)
        header = None
        if not self._fits_open_segment(batch, weights):
            header = self._begin_segment(batch, weights, device)
        lanes = self._spare
        drafts = self._draft(batch, lanes)
        self._spare = self._newest[1] if self._newest else {}
        self._newest = batch, lanes
        self._records += 1
        return Encoded(batch, header, drafts)

    def _fits_open_segment(self, batch: int, weights: Mapping[str, Tensor]) -> bool:
        """Whether the weights, now in the spare integers, go into the open segment."""
        if self._layout is None or not 0 < self._records < self._segment_records:
            return False
        self._spare = self._spare or self._layout.empty_lanes()
        try:
            self._layout.to_integers(weights, self._spare)
        except OverflowError as overflow:
            log.info("%s: a new segment at batch %d, since %s", self._run, batch, overflow)
            return False
        return not self._is_check_due() or self._keeps_promise(weights, self._spare)

    def _is_check_due(self) -> bool:
        return self._promise is not None and self._records >= self._next_check

    def _keeps_promise(self, weights: Mapping[str, Tensor], lanes: Lanes) -> bool:
        assert self._calibration is not None
        assert self._layout is not None
        kept = self._layout.to_weights(lanes)
        difference = self._calibration.compare(weights, kept, CHECK_PICTURES)
        difference = Difference(difference.rms * self._few_to_all, difference.largest)
        self._plan_next_check(difference.rms / self._calibration.promise.rms)
        return difference.keeps(self._calibration.promise)

    def _plan_next_check(self, spent: float) -> None:
        """Look again before the error, growing as it did, has used up what is allowed.

        Args:
            spent: rms of the error now, as a share of what is allowed.
        """
        records_before, spent_before = self._last_check
        growth = math.log(max(spent, 1e-9) / max(spent_before, 1e-9))
        growth /= self._records - records_before
        lasts = -math.log(max(spent, 1e-9)) / growth if growth > 0 else CHECK_INTERVAL
        self._next_check = self._records + int(min(CHECK_INTERVAL, max(1, lasts / 2)))
        self._last_check = self._records, spent

    def _begin_segment(
        self, batch: int, weights: Mapping[str, Tensor], device: str | torch.device
    ) -> bytes:
        """Choose steps anew; the spare integers become those of these weights."""
        if self._promise is not None:
            self._refuse_if_not_finite(batch, weights)
        changes = self._measure_changes(weights)
        steps = {}
        if self._promise is not None:
            if self._calibration is None:
                self._calibration = Calibration(self._spec, self._promise, device)
            self._adapt_share()
            steps = self._calibration.choose_steps(weights, changes, self._share)
            rounded = round_weights(weights, steps)
            few = self._calibration.compare(weights, rounded, CHECK_PICTURES)
            self._few_to_all = self._calibration.compare(weights, rounded).rms / max(few.rms, 1e-9)
        self._layout = Layout.of(weights, steps, reversible=self._promise is not None)
        self._spare = self._layout.empty_lanes()
        self._layout.to_integers(weights, self._spare)
        self._newest = self._hop = None
        self._records, self._next_check, self._last_check = 0, 1, (0, self._share)
        first = self._promise is not None and changes is None
        self._segment_records = FIRST_SEGMENT_RECORDS if first else SEGMENT_RECORDS
        return segments.pack_header(
            {
                "format": segments.FORMAT,
                "id": secrets.token_hex(8),
                "run": self._run,
                "generator": asdict(self._spec),
                "storage": "visual" if self._promise else "exact",
                "promise": asdict(self._promise) if self._promise else None,
                **self._layout.to_json(),
            }
        )

    def _adapt_share(self) -> None:
        """Leave more of the allowed error to the future where steps did not last long."""
        if 0 < self._records < FIRST_SEGMENT_RECORDS:
            self._share = max(SMALLEST_SHARE, self._share / 2)
        elif self._records >= SEGMENT_RECORDS:
            self._share = min(LARGEST_SHARE, self._share * 1.5)

    def _measure_changes(self, weights: Mapping[str, Tensor]) -> dict[str, float] | None:
        if self._layout is None or self._newest is None or not self._layout.fits(weights):
            return None
        _, lanes = self._newest
        return mean_changes(self._layout.to_weights(lanes), weights)

    def _refuse_if_not_finite(self, batch: int, weights: Mapping[str, Tensor]) -> None:
        for name, tensor in weights.items():
            if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
                raise CheckpointError(
                    f"Checkpoint {batch} of run '{self._run}' is not kept: '{name}' holds numbers "
                    "that are not finite. Training has diverged; resume from an earlier state."
                )

    def _draft(self, batch: int, lanes: Lanes) -> list[Draft]:
        assert self._layout is not None
        check = integers.checksum(lanes)
        interval = HOP_INTERVAL if self._layout.reversible else KEY_INTERVAL
        due = self._records % interval == 0
        if self._newest is None or (due and not self._layout.reversible):
            drafts = [Draft(segments.KEY, batch, batch, self._pack(lanes, None), check)]
        else:
            base, newest = self._newest
            payload = self._pack(lanes, newest)
            drafts = [Draft(segments.DIFFERENCE, batch, base, payload, check)]
        if due and self._layout.reversible:
            if self._hop is not None:
                base, integers_there = self._hop
                payload = self._pack(lanes, integers_there)
                drafts.append(Draft(segments.HOP, batch, base, payload, check))
            self._hop = batch, {lane: items.copy() for lane, items in lanes.items()}
        return drafts

    def _pack(self, lanes: Lanes, base: Lanes | None) -> bytes:
        assert self._layout is not None
        return payloads.pack(self._layout, lanes, base, self._packer)
