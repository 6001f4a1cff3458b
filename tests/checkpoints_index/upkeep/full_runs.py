"""What tests of thinning ask of runs of several segments, and do to them."""

from checkpoints_index import CheckpointIndex
from checkpoints_index.storage import segments
from checkpoints_index.storage.catalogue import Catalogue
from tests.checkpoints_index.weights import same

CHECKPOINTS = 320


def ruin(record):
    """Change more of a payload than its parity can bring back."""
    for position in range(record.offset + segments.RECORD_HEAD_BYTES, record.end, 40):
        flip(record.path, position)


def flip(path, position):
    with path.open("r+b") as file:
        file.seek(position)
        (byte,) = file.read(1)
        file.seek(position)
        file.write(bytes([byte ^ 1]))


def reopen(run):
    return CheckpointIndex(run.folder.parents[1])[run.name]


def read(path):
    return segments.read_segment(path).records


def holds(run, batches, decoded):
    """Whether a run holds these batches, every one as it was, and nothing that is damaged."""
    whole = all(finding.reason is None for finding in run.verify(deep=True))
    kept = run.batches == sorted(batches)
    return whole and kept and all(same(run.weights(b), decoded[b]) for b in batches)


def find(run, batch):
    return Catalogue(run.name, run.folder).records[batch]
