"""The inner loops of the store: integers to bytes and back, compiled by numba.

All of them work on one block of a checkpoint at a time, which stays in the processor's cache, and
let other Python threads run meanwhile. Loops over planes run over slices, so that the compiler
sees indices that cannot be negative and uses vector instructions.

Arguments have no annotations, since numba compiles each function anew for the types that it is
called with; mypy is therefore told to ignore that. Docstrings name types and shapes.
"""

from checkpoints_index.codec.kernels.differences import count_beyond, differ, subtract
from checkpoints_index.codec.kernels.digits import (
    TRITS,
    add_nibbles,
    add_split,
    add_trits,
    pack_nibbles,
    pack_split,
    pack_trits,
)
from checkpoints_index.codec.kernels.gaps import add_at_gaps, find_gaps
from checkpoints_index.codec.kernels.lattices import (
    LATTICE_LIMIT,
    order,
    quantise,
    scale,
    scale_channels_last,
)
from checkpoints_index.codec.kernels.magnitudes import (
    add_magnitudes,
    count_bits,
    extrapolate,
    pack_magnitudes,
)
from checkpoints_index.codec.kernels.part_places import (
    LOW_PLANES,
    SLOTS,
    fill_words,
    find_parts,
    lead_inside,
)
from checkpoints_index.codec.kernels.trackers import (
    MISSES,
    MOVES,
    find_rests,
    follow,
    try_gains,
)

__all__ = [
    "LATTICE_LIMIT",
    "LOW_PLANES",
    "MISSES",
    "MOVES",
    "SLOTS",
    "TRITS",
    "add_at_gaps",
    "add_magnitudes",
    "add_nibbles",
    "add_split",
    "add_trits",
    "count_beyond",
    "count_bits",
    "differ",
    "extrapolate",
    "fill_words",
    "find_gaps",
    "find_parts",
    "find_rests",
    "follow",
    "lead_inside",
    "order",
    "pack_magnitudes",
    "pack_nibbles",
    "pack_split",
    "pack_trits",
    "quantise",
    "scale",
    "scale_channels_last",
    "subtract",
    "try_gains",
]
