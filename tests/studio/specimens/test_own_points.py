"""A person's own latent points, as files of other programs hold them."""

import io
import json
import os
import pickle

import numpy as np
import pytest
import torch

from latent.points import LatentPoint
from studio.specimens.own_points import import_points
from studio.specimens.point_files import find_label, read_points
from studio.specimens.points import IMPORTED, SAMPLED, keep_points, points_at, points_of
from studio.upkeep.removal import delete_specimens
from studio.workspace.errors import EXPECTED_ERRORS, StudioError

Z_DIM = 16
DRAWN = np.random.default_rng(5).standard_normal((3, Z_DIM))


def as_npz(rows):
    file = io.BytesIO()
    np.savez(file, z=rows)
    return file.getvalue()


def as_npy(rows):
    file = io.BytesIO()
    np.save(file, rows)
    return file.getvalue()


def as_text(rows, comma):
    return "\n".join(comma.join(repr(float(n)) for n in row) for row in rows).encode()


WRITERS = {
    "z.npy": as_npy,
    "columns.npy": lambda rows: as_npy(np.asfortranarray(rows)),
    "z.npz": as_npz,
    "z.csv": lambda rows: b"\xef\xbb\xbf" + as_text(rows, ","),
    "named.csv": lambda rows: (
        ",".join(map(chr, range(97, 97 + Z_DIM))).encode() + b"\n" + as_text(rows, ";")
    ),
    "z.json": lambda rows: json.dumps(rows.tolist()).encode(),
    "z.txt": lambda rows: as_text(rows, " "),
    "z.pkl": lambda rows: pickle.dumps(rows, protocol=4),
    "core.pkl": lambda rows: pickle.dumps(rows, protocol=4).replace(
        b"\x8c\x16numpy._core.multiarray", b"\x8c\x15numpy.core.multiarray"
    ),
    "list.pkl": lambda rows: pickle.dumps(list(rows), protocol=3),
    "scalars.pkl": lambda rows: pickle.dumps([list(row) for row in rows.tolist()], protocol=4),
}


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("count", [1, 3])
def test_each_kind_of_file_gives_its_points_to_the_bit(tmp_path, name, count):
    path = tmp_path / name
    content = WRITERS[name](DRAWN[:count])
    if name == "core.pkl":  # Frames count their bytes; without them, they may be any number.
        content = content[:2] + content[11:]
    path.write_bytes(content)
    points, remarks = read_points(path, Z_DIM)
    assert np.array_equal(np.stack([p.z for p in points]), DRAWN[:count].astype(np.float32))
    assert remarks == []


def test_the_files_of_skylines_are_read_and_the_short_one_is_warned_of(tmp_path):
    z = np.random.default_rng(1).standard_normal((1, 100))
    exact, short = tmp_path / "16500.28_latent_points.pkl", tmp_path / "16500.28.dat"
    exact.write_bytes(pickle.dumps(z, protocol=4))
    short.write_text("\n".join(" ".join(f"{n:.4f}" for n in row) for row in z.reshape(10, 10)))
    (point,), _ = read_points(exact, 100)
    assert point.label == "16500.28"
    assert np.array_equal(point.z, z[0].astype(np.float32))
    (near,), remarks = read_points(short, 100)
    assert np.abs(near.z - z[0]).max() < 1e-4
    assert "4 decimals, which is not enough to come back exactly" in remarks[0]


class Evil:
    def __reduce__(self):
        return os.system, ("touch pwned",)


def forge_npy(shape):
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(128)


SHARED = [[0.5] * 20]
for _ in range(6):
    SHARED = [SHARED] * 100
ONES = np.ones(Z_DIM)
REFUSED = {
    "code.pkl": pickle.dumps(Evil()),
    "memo.pkl": b"\x80\x04K\x01r\xff\xff\xff\xff.",
    "shared.pkl": pickle.dumps(SHARED),
    "objects.pkl": pickle.dumps(np.array([object] * Z_DIM), protocol=4),
    "set.pkl": pickle.dumps({1, 2}),
    "huge.npy": forge_npy((10**12, 16)),
    "objects.npy": as_npy(np.array(["a"] * Z_DIM)),
    "short.npy": as_npy(ONES[:7]),
    "zero.npy": as_npy(np.stack([ONES, 0 * ONES])),
    "nan.npy": as_npy(ONES * np.nan),
    "infinite.json": json.dumps([float("inf")] * Z_DIM).encode(),
    "large.csv": as_text([ONES * 1e30], ","),
    "deep.json": b"[" * 100_000,
    "words.txt": b"these are no numbers",
    "empty.txt": b"",
    "binary.dat": bytes(range(256)),
    "cut.npz": as_npz(ONES)[:-30],
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_holds_no_points_is_refused_in_a_sentence(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(REFUSED[name])
    with pytest.raises(StudioError, match=rf"^'{name}' .*Points of this run are 16 numbers each"):
        read_points(tmp_path / name, Z_DIM)
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("16500.28", "16500.28"),
        ("16500.28.npy", "16500.28"),
        ("city-40.7-at.pkl", "40.7"),
        ("v1.2.npy", None),
        ("1.2.3.npy", None),
        ("z.npy", None),
        ("16500.28_latent_points.dat", "16500.28"),
    ],
)
def test_a_label_is_read_off_the_name_of_a_file(tmp_path, name, label):
    assert find_label(tmp_path / name) == label


@pytest.fixture
def points_file(workspace, tmp_path):
    z_dim = len(points_of(workspace, "city")[0].z)
    path = tmp_path / "mine.npy"
    np.save(path, np.random.default_rng(8).standard_normal((2, z_dim)))
    return path


def test_own_points_are_specimens_and_survive_a_lost_database(studio, workspace, points_file):
    one = points_file.with_name("16500.28.npy")
    np.save(one, np.load(points_file)[0] * 0.5)
    done = studio("specimens", "import", "city", one, points_file, "--json")
    labels = done.json["labels"]
    assert labels[0] == "16500.28"
    assert [s["origin"] for s in studio("specimens", "list", "city", "--json").json].count(
        IMPORTED
    ) == 3
    before = {p.label: p.z for p in points_of(workspace, "city", IMPORTED)}
    assert studio("specimens", "export", "city", "16500.28").status == 0
    workspace.database.unlink()
    assert "passed over" not in studio("reindex").out
    after = {p.label: p.z for p in points_of(workspace, "city", IMPORTED)}
    assert after.keys() == before.keys() == set(labels)
    assert all(torch.equal(after[label], z) for label, z in before.items())


def test_the_same_point_is_brought_in_once_and_a_taken_label_is_refused(workspace, points_file):
    first, _ = import_points(workspace, "city", [points_file])
    again, _ = import_points(workspace, "city", [points_file])
    assert [p.label for p in again] == [p.label for p in first]
    other = points_file.with_name("other.npy")
    np.save(other, np.load(points_file)[0] + 1)
    before = len(points_of(workspace, "city"))
    for taken in (first[0].label, f"00{first[0].label}"):
        with pytest.raises(EXPECTED_ERRORS, match="is another point, of other numbers"):
            import_points(workspace, "city", [other], taken)
    with pytest.raises(EXPECTED_ERRORS, match="One label stands for one point"):
        import_points(workspace, "city", [points_file], "7.7")
    assert len(points_of(workspace, "city")) == before


def test_a_deleted_point_does_not_come_back_and_a_changed_file_is_told(
    studio, workspace, points_file
):
    (gone, stays), _ = import_points(workspace, "city", [points_file])
    delete_specimens(workspace, "city", [gone.label])
    workspace.database.unlink()
    studio("reindex")
    assert [p.label for p in points_of(workspace, "city", IMPORTED)] == [stays.label]
    path = workspace.own_points("city")
    path.write_bytes(path.read_bytes().replace(b"A", b"B", 1))
    assert "imported_points.json of run 'city' is damaged" in studio("reindex").out


def test_a_kept_point_stands_where_one_would_be_drawn(workspace):
    drawn = points_at(workspace, "city", 3, range(900, 902), Z_DIM)
    own = LatentPoint("3.900", torch.full((Z_DIM,), 0.25))
    keep_points(workspace, "city", [own], SAMPLED)
    shown = points_at(workspace, "city", 3, range(900, 902), Z_DIM)
    assert torch.equal(shown[0].z, own.z)
    assert torch.equal(shown[1].z, drawn[1].z)


def test_a_first_column_of_labels_names_the_points_of_a_table(tmp_path):
    rows = np.random.default_rng(3).standard_normal((2, Z_DIM)).astype(np.float32)
    lines = ["label," + ",".join(f"z{i}" for i in range(Z_DIM))]
    for label, row in zip(("16500.28", '"3.7"'), rows, strict=True):
        lines.append(",".join([label, *(repr(float(number)) for number in row)]))
    path = tmp_path / "mine.csv"
    path.write_text("\n".join(lines))
    points, _ = read_points(path, Z_DIM)
    assert [point.label for point in points] == ["16500.28", "3.7"]
    assert all(np.array_equal(p.z, row) for p, row in zip(points, rows, strict=True))
    path.write_text("\n".join([lines[1], lines[1]]))
    with pytest.raises(StudioError, match="same label in two rows"):
        read_points(path, Z_DIM)
