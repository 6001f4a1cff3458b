from PIL import Image

from tests.studio.conftest import run_studio


def test_a_dataset_is_described_and_drawn(trained_root, tmp_path, capsys, monkeypatch):
    file = tmp_path / "sheet.png"
    words = ["datasets", "show", "streets", "--out", str(file)]
    told = run_studio(trained_root, words, capsys, monkeypatch)
    assert told.status == 0
    assert "24 pictures of 32 x 32 pixels" in told.out
    assert "Mean colour #" in told.out
    assert Image.open(file).width > 8 * 32
    again = run_studio(trained_root, words, capsys, monkeypatch)
    assert again.status == 1
    assert "--overwrite" in again.err
