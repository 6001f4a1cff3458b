"""Turning checkpoints into records, each by its difference to the one before."""

from __future__ import annotations

import logging
import math
import secrets
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from checkpoints_index.codec.calibration import (
    PEAK_SHARE,
    Calibration,
    may_be_rounded,
    mean_changes,
    round_weights,
)
from checkpoints_index.codec.integers import TensorLayout
from checkpoints_index.codec.record_chain import SKIP_INTERVAL, Chain
from checkpoints_index.codec.thread_pool import ThreadPool
from checkpoints_index.errors import CheckpointError
from checkpoints_index.generators.spec import GeneratorSpec
from checkpoints_index.storage import segments
from checkpoints_index.storage.error_bound import ErrorBound
from checkpoints_index.storage.segments import PendingRecord

SEGMENT_RECORDS = 320
SEGMENT_BYTES = 1 << 29  # a segment ends sooner where it is this large and a key is due anyway
SMALLEST_SHARE, LARGEST_SHARE = 0.1, 0.92  # of the allowed rms, spent when a segment begins
CHECK_INTERVAL = 16  # the most records from one rendered check of the error bound to the next
BASELINE = 16  # records over which its growth is measured, no fewer than lie between checks
SWING = 0.007  # growth for each record that is reckoned with, however steady the error was
WASTEFUL_SHARE = 0.5  # of the largest share; with less spent, larger steps are worth a new segment
CHECKED_PEAK_SHARE = 0.95  # of the allowed single difference, where steps are checked
CHECK_PICTURES = 4  # that a check begins with; what seems to fail is looked at in all

log = logging.getLogger(__name__)


class Encoded(NamedTuple):
    """What has to be written for one checkpoint."""

    batch: int
    header: bytes | None  # of the segment that it begins
    drafts: list[PendingRecord]


class CheckpointEncoder:
    """Holds the chain of the open segment, and decides when the next one begins."""

    def __init__(
        self, run: str, spec: GeneratorSpec, error_bound: ErrorBound | None, threads: int = 1
    ) -> None:
        """
        Args:
            error_bound: how far pictures may differ (storage "visual"); None keeps every bit.
            threads: that encode one checkpoint; the calling one is among them.
        """
        self._run, self._spec, self._error_bound = run, spec, error_bound
        self._team = ThreadPool(threads, "encode")
        self._calibration = Calibration(spec, error_bound, self._team) if error_bound else None
        self._chain: Chain | None = None  # of the open segment; None begins another
        self._share = LARGEST_SHARE
        self._next_check = 1  # counted in records of the open segment
        self._checks = [(0, self._share)]  # when, and what share of the error was spent by then
        self._is_wasteful = False  # whether most of the allowed error was left at the last check
        self._few_to_all = 1.0  # rms at all calibration points, over that at a few of them

    def close(self) -> None:
        """End the other threads."""
        self._team.close()

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
    ) -> Encoded:
        """The records of one checkpoint.

        Args:
            weights: the state dict, on the CPU.
            next_weights: those of the next checkpoint, where they are known already.
            device: where pictures are rendered to choose and to check steps.

        Raises:
            CheckpointError: a weight is not finite (storage "visual").
        """
        if self._error_bound is not None:
            exact = {name: t for name, t in weights.items() if not may_be_rounded(t)}
            self._refuse_if_not_finite(batch, exact)
        chain, header = self._chain, None
        if chain is None or not self._fits(chain, batch, weights):
            chain, header = self._begin_segment(batch, weights, device, next_weights)
        return Encoded(batch, header, chain.draft(batch))

    def _fits(self, chain: Chain, batch: int, weights: Mapping[str, Tensor]) -> bool:
        """Whether the weights, now in the spare integers, go into the open segment."""
        if chain.length >= SEGMENT_RECORDS:
            return False
        if chain.is_key_due and chain.size_bytes >= SEGMENT_BYTES:
            return False
        try:
            chain.layout.to_integers(weights, chain.spare)
        except OverflowError as overflow:
            log.info("%s: a new segment at batch %d, since %s", self._run, batch, overflow)
            return False
        checked = self._error_bound is None or chain.length < self._next_check
        return checked or self._is_within_bound(chain, weights)

    def _is_within_bound(self, chain: Chain, weights: Mapping[str, Tensor]) -> bool:
        assert self._calibration is not None
        kept = chain.layout.to_weights(chain.spare)
        error_bound = self._calibration.error_bound
        difference = self._calibration.compare(weights, kept, CHECK_PICTURES)
        difference = replace(difference, rms=difference.rms * self._few_to_all)
        if not difference.keeps(error_bound, PEAK_SHARE):
            difference = self._calibration.compare(weights, kept)
        self._plan_next_check(chain.length, difference.rms / error_bound.rms)
        spent = max(difference.rms / error_bound.rms, difference.peak / error_bound.largest)
        self._is_wasteful = spent < WASTEFUL_SHARE * LARGEST_SHARE
        if self._is_wasteful and chain.length >= SKIP_INTERVAL:
            return False  # larger steps soon make up for another key
        return difference.keeps(error_bound, CHECKED_PEAK_SHARE)

    def _plan_next_check(self, length: int, spent: float) -> None:
        """Look again before the error, growing as it did, has used up what is allowed.

        Args:
            length: of the chain now.
            spent: rms of the error now, as a share of what is allowed.
        """
        spent = max(spent, 1e-9)
        length_before, spent_before = next(c for c in self._checks if length - c[0] <= BASELINE)
        growth = math.log(spent / spent_before) / (length - length_before)
        lasts = -math.log(spent) / max(growth, SWING)
        self._next_check = length + int(min(CHECK_INTERVAL, max(1, lasts / 2)))
        self._checks.append((length, spent))

    def _begin_segment(
        self,
        batch: int,
        weights: Mapping[str, Tensor],
        device: str | torch.device,
        next_weights: Mapping[str, Tensor] | None,
    ) -> tuple[Chain, bytes]:
        """Choose steps anew; the spare integers of a new chain become those of these weights."""
        if self._error_bound is not None:
            self._refuse_if_not_finite(batch, weights)
        changes = self._measure_changes(weights)
        if changes is None and next_weights is not None:
            changes = mean_changes(weights, next_weights)
        steps = {}
        if self._calibration is not None:
            self._calibration.move(device)
            self._adapt_share()
            steps = self._calibration.choose_steps(weights, changes, self._share)
            rounded = round_weights(weights, steps)
            few = self._calibration.compare(weights, rounded, CHECK_PICTURES)
            self._few_to_all = self._calibration.compare(weights, rounded).rms / max(few.rms, 1e-9)
        layout = TensorLayout.of(weights, steps, reversible=self._error_bound is not None)
        chain = Chain(layout, self._team)
        chain.layout.to_integers(weights, chain.spare)
        self._chain, self._next_check, self._checks = chain, 1, [(0, self._share)]
        self._is_wasteful = False
        return chain, segments.pack_header(self._describe(chain.layout))

    def _describe(self, layout: TensorLayout) -> dict[str, Any]:
        return {
            "format": segments.FORMAT,
            "id": secrets.token_hex(8),
            "run": self._run,
            "generator": asdict(self._spec),
            "storage": "visual" if self._error_bound else "exact",
            "promise": asdict(self._error_bound) if self._error_bound else None,
            **layout.to_json(),
        }

    def _adapt_share(self) -> None:
        """Leave more of the allowed error to the future where steps did not last, else less.

        A smaller share costs bytes in every difference, another segment those of a key: the
        larger a part of the segment its key was, the more is left.
        """
        chain = self._chain
        if chain is None or not chain.length:
            return
        if self._is_wasteful:
            self._share = min(LARGEST_SHARE, self._share * 2)
        elif chain.length < SEGMENT_RECORDS:
            lost = chain.key_bytes / chain.size_bytes
            self._share = max(SMALLEST_SHARE, self._share * (1 - lost / 3))
        else:
            self._share = min(LARGEST_SHARE, self._share * 1.05)

    def _measure_changes(self, weights: Mapping[str, Tensor]) -> dict[str, float] | None:
        chain = self._chain
        if chain is None or chain.newest is None or not chain.layout.fits(weights):
            return None
        _, lanes = chain.newest
        return mean_changes(chain.layout.to_weights(lanes), weights)

    def _refuse_if_not_finite(self, batch: int, weights: Mapping[str, Tensor]) -> None:
        for name, tensor in weights.items():
            if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
                raise CheckpointError(
                    f"Checkpoint {batch} of run '{self._run}' is not kept: '{name}' holds numbers "
                    "that are not finite. Training has diverged; resume from an earlier state."
                )
