"""Archives: a chosen few checkpoints of a run, as a run of its own or as one file to keep or send.

An archive has what it takes to render: the weights, bit for bit as the run gives them, `run.toml`,
and the latent points. As a file it is a zip without compression, whose members carry checksums:
`archive.json`, `run.toml`, and the segments of a run in exact storage below `checkpoints/`. What is
brought back is read and written anew, so that damage is found, and nothing of a file is believed.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import re
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from checkpoints_index import CheckpointIndex, CheckpointRun
from checkpoints_index.storage.catalogue import DESCRIPTION, list_runs
from checkpoints_index.storage.files import (
    build_folder,
    create_whole,
    open_whole,
    remove_leftovers,
    scratch_folder,
)
from latent.points import LatentPoint, parse_label
from renderers.progress import OnProgress
from studio.runs.changes import forget_changes
from studio.runs.config import TrainingConfig
from studio.runs.events import forget_events, record_event
from studio.runs.lineage.parentage import forget_parentage
from studio.runs.pins import forget_pins
from studio.specimens.own_points import write_own_points
from studio.specimens.points import (
    FIXED,
    IMPORTED,
    SAMPLED,
    forget_points,
    insert_points,
    points_of,
)
from studio.workspace.claims import WRITE, Claim, claiming
from studio.workspace.database import open_database
from studio.workspace.errors import EXPECTED_ERRORS, StudioError
from studio.workspace.marks import Marks, apply_marks, query_marks, save_marks
from studio.workspace.names import ARCHIVE
from studio.workspace.paths import Workspace

VERSION = 1
SUFFIXES = (".zip",)
ORIGINS = (FIXED, SAMPLED, IMPORTED)
FACTS, CONFIG, CHECKPOINTS = "archive.json", "run.toml", "checkpoints"
MEMBERS = re.compile(rf"{CHECKPOINTS}/({re.escape(DESCRIPTION)}|\d{{1,20}}\.segment)")
MAX_CONFIG_BYTES = 10**6
MAX_MEMBERS = 10**6
MAX_NUMBER = 2**63 - 1  # Larger numbers have no place in the database.


@dataclass(frozen=True)
class ArchiveFacts:
    """What an archive tells beside weights and settings.

    Attributes:
        run: the run that it was made of.
        batches: its checkpoints, ascending.
        points: the latent points of the run with their origins, one of ORIGINS.
        marks: which of the batches are pinned, and what was said of specimens.
    """

    run: str
    batches: list[int]
    points: list[tuple[LatentPoint, str]]
    marks: Marks

    @classmethod
    def of_run(cls, workspace: Workspace, run: str, batches: Sequence[int]) -> ArchiveFacts:
        """What there is to tell of some batches of a run."""
        points = [(p, kind) for kind in ORIGINS for p in points_of(workspace, run, kind)]
        with open_database(workspace.database) as db:
            marks = query_marks(db, run)
        pins = [batch for batch in marks.pins if batch in batches]
        return cls(run, list(batches), points, dataclasses.replace(marks, former=[], pins=pins))

    def to_json(self) -> bytes:
        """Its facts as a JSON document; each point is little-endian float32 in base64."""
        points = [
            {"label": p.label, "origin": kind, "z": base64.b64encode(_bytes_of(p)).decode()}
            for p, kind in self.points
        ]
        marks = dataclasses.asdict(self.marks)
        starred = marks.pop("stars")
        facts = {"run": self.run, "batches": self.batches, "starred": starred}
        return json.dumps({"version": VERSION, **marks, **facts, "points": points}).encode()

    @classmethod
    def from_json(cls, content: bytes) -> ArchiveFacts:
        """The facts of such a document.

        Raises:
            ValueError: it is none; or KeyError, TypeError.
        """
        facts: dict[str, Any] = json.loads(content)
        if facts["version"] != VERSION:
            raise ValueError(f"version {facts['version']!r} is not known here")
        points = []
        for each in facts["points"]:
            z = np.frombuffer(base64.b64decode(each["z"], validate=True), "<f4").copy()
            place = parse_label(each["label"])
            if place is None or max(place) > MAX_NUMBER or not np.isfinite(z).all():
                raise ValueError(f"a point is no latent point: {str(each['label'])[:40]!r}")
            kind = each["origin"] if each["origin"] in ORIGINS else SAMPLED
            points.append((LatentPoint(each["label"], torch.from_numpy(z)), kind))
        batches = [int(batch) for batch in facts["batches"]]
        given = Marks.read({**facts, "former": [], "stars": facts["starred"]})
        pins = [batch for batch in batches if batch in given.pins]
        return cls(str(facts["run"]), batches, points, dataclasses.replace(given, pins=pins))


def archive_as_run(
    workspace: Workspace, run: str, batches: Sequence[int], name: str, on_progress: OnProgress
) -> None:
    """Make a run of its own of some checkpoints; it appears when all of it is there.

    Args:
        batches: batches that have a checkpoint, ascending.
        name: that of the new run.

    Raises:
        StudioError: there is a run of that name.
        CheckpointError: unknown run, or a checkpoint that is missing or damaged.
    """
    source = CheckpointIndex(workspace.runs)[run]
    config = _config_of(workspace, run)
    archive = ArchiveFacts.of_run(workspace, run, batches)
    began = {"kind": ARCHIVE, "parent": run, "batch": batches[-1], "gone": 0}
    marks = dataclasses.replace(archive.marks, began=began)
    archive = dataclasses.replace(archive, marks=marks)
    _make_run(workspace, name, source, archive, config, on_progress)


def archive_as_file(
    workspace: Workspace, run: str, batches: Sequence[int], path: Path, on_progress: OnProgress
) -> None:
    """Write some checkpoints of a run as one file, whole or not at all.

    Args:
        batches: batches that have a checkpoint, ascending.
        path: the file; its folder is made if it is not there, and a file is replaced.

    Raises:
        StudioError: it cannot be written.
        CheckpointError: unknown run, or a checkpoint that is missing or damaged.
    """
    source = CheckpointIndex(workspace.runs)[run]
    config = _config_of(workspace, run)
    with _explaining(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(path.parent, path.name)
        with scratch_folder(path) as beside:
            folder = _copy_checkpoints(source, batches, beside, run, on_progress)
            with open_whole(path) as file, zipfile.ZipFile(file, "w") as made:
                facts = ArchiveFacts.of_run(workspace, run, batches).to_json()
                made.writestr(zipfile.ZipInfo(FACTS), facts)
                if config is not None:
                    made.writestr(zipfile.ZipInfo(CONFIG), config)
                for part in sorted(folder.iterdir()):
                    if MEMBERS.fullmatch(f"{CHECKPOINTS}/{part.name}"):
                        made.write(part, f"{CHECKPOINTS}/{part.name}")


def _config_of(workspace: Workspace, run: str) -> bytes | None:
    """The settings of a run as they stand in its file; None for one that was imported.

    Raises:
        StudioError: they are edited or damaged, so that no archive of them could be restored.
    """
    path = workspace.run_config(run)
    if not path.exists():
        return None
    TrainingConfig.read(path)
    return path.read_bytes()


def restore_archive(
    workspace: Workspace,
    path: Path,
    name: str | None,
    generator: str | None,
    on_progress: OnProgress,
) -> str:
    """Make a run of an archive that `archive_as_file` wrote.

    Args:
        name: that of the new run; by default the one that the archive was made of.
        generator: somebody else's class, which is imported only where it is named here.

    Returns:
        The name of the run.

    Raises:
        StudioError: no such archive, a damaged one, or there is a run of that name.
        CheckpointError: a checkpoint in it is damaged.
    """
    place = workspace.exports / path.name
    remove_leftovers(place.parent, place.name)
    with _open(path) as archived, _explaining(place), scratch_folder(place) as beside:
        try:
            archive = ArchiveFacts.from_json(archived.read(FACTS))
            config = archived.read(CONFIG) if CONFIG in archived.namelist() else None
            run = name or archive.run
            _extract(archived, CheckpointIndex(beside).folder / "archived" / CHECKPOINTS)
        except (
            Exception
        ) as error:  # Whatever its bytes make readers raise is what is wrong with it.
            raise StudioError(f"{path} is damaged: {error}.") from error
        source = CheckpointIndex(beside)["archived"]
        _check_source(source, archive, generator, path)
        if config is not None:
            config = _harmless_config(config, path)
        _make_run(workspace, run, source, archive, config, on_progress)
    return run


def find_archive_damage(path: Path) -> str | None:
    """Why an archive could not be restored, as half a sentence; None where nothing is wrong.

    Of a ZIP that is no archive, such as one of pictures, the checksums alone are compared.
    """
    try:
        if zipfile.is_zipfile(path) and not is_archive(path):
            with zipfile.ZipFile(path) as pictures:
                changed = pictures.testzip()
            return f"the checksum of its {changed} differs" if changed else None
        with _open(path) as archived:
            changed = archived.testzip()
            if changed is None:
                ArchiveFacts.from_json(archived.read(FACTS))
            return f"the checksum of its {changed} differs" if changed else None
    except Exception as error:  # As in `restore_archive`.
        return f"it cannot be read: {error}"


def is_archive(path: Path) -> bool:
    """Whether a file is an archive of a run, by its content."""
    try:
        with zipfile.ZipFile(path) as archived:
            return FACTS in archived.namelist()
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError):
        return False


def check_name(workspace: Workspace, name: str) -> None:
    """Refuse a name that cannot be a run's, or is one's.

    Raises:
        StudioError: there is a run of that name.
        CheckpointError: the name cannot be that of a folder.
    """
    if workspace.run(name).exists() or name in list_runs(workspace.runs):
        raise StudioError(f"Run '{name}' exists already. Choose another name.")


def _make_run(
    workspace: Workspace,
    name: str,
    source: CheckpointRun,
    archive: ArchiveFacts,
    config: bytes | None,
    on_progress: OnProgress,
) -> None:
    """A run in the workspace, of checkpoints that another one gives."""
    check_name(workspace, name)
    claim = Claim("run", name, WRITE)
    with (
        claiming(workspace, [claim], "making a run of an archive"),
        _explaining(workspace.run(name)),
        build_folder(workspace.run(name)) as made,
    ):
        remove_leftovers(workspace.runs, name)
        beside = made / "beside"
        folder = _copy_checkpoints(source, archive.batches, beside, name, on_progress)
        if config is not None:
            create_whole(made / CONFIG, config)
        folder.rename(made / CHECKPOINTS)
        shutil.rmtree(beside)
        _record(workspace, name, archive, made)


def _record(workspace: Workspace, name: str, archive: ArchiveFacts, made: Path) -> None:
    """Keep what an archive tells of a run, before there is the run."""
    kinds = (forget_points, forget_pins, forget_changes, forget_events, forget_parentage)
    for forget in kinds:
        forget(workspace, name)
    count = f"{len(archive.batches):,} checkpoints"
    record_event(workspace, name, None, "started", f"archived from {archive.run}: {count}")
    with open_database(workspace.database, writing=True) as db:
        for kind in ORIGINS:
            insert_points(db, name, [p for p, own in archive.points if own == kind], kind)
        apply_marks(db, name, archive.marks)
        write_own_points(db, workspace, name, made)
        save_marks(db, workspace, name, made)


@contextmanager
def _explaining(path: Path) -> Iterator[None]:
    """Say what keeps something from being written; a run that somebody else just made is one."""
    try:
        yield
    except OSError as error:
        raise StudioError(f"{path} cannot be written: {error.strerror or error}.") from error


def _copy_checkpoints(
    source: CheckpointRun,
    batches: Sequence[int],
    runs: Path,
    name: str,
    on_progress: OnProgress,
) -> Path:
    """Checkpoints in a run of exact storage in another index; its folder of checkpoints.

    Visual storage would round again; exact storage keeps what was read bit for bit, and takes
    little more for weights that were rounded before.
    """
    with CheckpointIndex(runs).create(name, source.spec, "exact") as made:
        for done, batch in enumerate(batches, 1):
            made.append(batch, source.weights(batch))
            on_progress(done, len(batches))
        made.flush()
        return made.folder


def _open(path: Path) -> zipfile.ZipFile:
    """An archive whose members are those of archives, each as long as it says."""
    if not path.is_file():
        raise StudioError(f"There is no archive '{path}'. Write one: studio archive RUN --out FILE")
    try:
        archived = zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise StudioError(f"{path} is no archive of a run: {error}.") from error
    members = archived.infolist()
    known = all(m.filename in (FACTS, CONFIG) or MEMBERS.fullmatch(m.filename) for m in members)
    plain = all(m.compress_type == zipfile.ZIP_STORED and not m.flag_bits & 1 for m in members)
    sizes = sum(member.file_size for member in members)
    if not known or not plain or FACTS not in archived.namelist():
        archived.close()
        raise StudioError(f"{path} is no archive of a run: it has other members than those have.")
    if len(members) > MAX_MEMBERS or sizes > path.stat().st_size:
        archived.close()
        raise StudioError(f"{path} is damaged: its members say that they are larger than it.")
    return archived


def _extract(archived: zipfile.ZipFile, folder: Path) -> None:
    """The checkpoints of an archive, as files in a folder."""
    folder.mkdir(parents=True)
    for member in archived.infolist():
        if MEMBERS.fullmatch(member.filename):
            target = folder / member.filename.partition("/")[2]
            with archived.open(member) as inside, target.open("xb") as file:
                shutil.copyfileobj(inside, file)  # The checksum is compared at the end.


def _check_source(
    source: CheckpointRun, archive: ArchiveFacts, generator: str | None, path: Path
) -> None:
    """Refuse code that nobody named, and checkpoints or points that do not fit each other."""
    architecture = source.spec.architecture
    if not source.spec.is_ours and generator != architecture:
        raise StudioError(
            f"The generator of {path} is '{architecture}', which is somebody's code and would be "
            f"imported. Where you trust it, name it: --generator {architecture}"
        )
    missing = set(archive.batches) - set(source.batches)
    if missing or not archive.batches or archive.batches != sorted(set(archive.batches)):
        raise StudioError(f"{path} is damaged: its checkpoints are not those that it lists.")
    if any(len(point.z) != source.spec.z_dim for point, _ in archive.points):
        raise StudioError(f"{path} is damaged: its points are not of {source.spec.z_dim} numbers.")


def _harmless_config(content: bytes, path: Path) -> bytes:
    """Settings that can be read, without what would run a command or call an address here."""
    if len(content) > MAX_CONFIG_BYTES:
        raise StudioError(f"{path} is damaged: its {CONFIG} is too long.")
    with tempfile.NamedTemporaryFile(suffix=".toml") as file:
        file.write(content)
        file.flush()
        try:
            config = TrainingConfig.read(Path(file.name))
        except EXPECTED_ERRORS as error:
            said = str(error).replace(file.name, CONFIG)
            raise StudioError(f"{path} is damaged: {said}") from error
    if not config.alarm_command and not config.alarm_webhook:
        return content
    return dataclasses.replace(config, alarm_command="", alarm_webhook="").sealed_toml()


def _bytes_of(point: LatentPoint) -> bytes:
    return bytes(point.z.numpy().astype("<f4").tobytes())
