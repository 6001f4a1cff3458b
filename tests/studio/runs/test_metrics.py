import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio.runs.metrics import MetricsHistory, MetricsLog, read_metrics
from studio.workspace.errors import StudioError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("metrics")


@given(batches=st.lists(st.integers(1, 30), max_size=12), cut=st.integers(0, 400))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_log_that_is_cut_anywhere_has_its_whole_lines_and_goes_on(folder, batches, cut):
    path = folder / "metrics.jsonl"
    path.unlink(missing_ok=True)
    log = MetricsLog(path)
    for number, batch in enumerate(batches):
        log.append(batch, {"g": float(number)})
    log.close()
    content = path.read_bytes()[:cut]
    path.write_bytes(content)

    expected = {}
    for number, batch in enumerate(batches[: content.count(b"\n")]):
        expected = {known: g for known, g in expected.items() if known < batch} | {batch: number}
    entries = {entry["batch"]: entry["g"] for entry in read_metrics(path)}
    assert list(entries) == sorted(entries)
    assert entries == expected

    log = MetricsLog(path)
    log.append(31, {"g": -1.0})
    log.close()
    assert read_metrics(path)[-1] == {"batch": 31, "g": -1.0}


def test_a_history_follows_a_log_that_grows_and_one_that_is_replaced(folder):
    path = folder / "growing.jsonl"
    history = MetricsHistory(path)
    assert history.entries == []
    for batch in (1, 2):
        with path.open("a") as file:
            file.write(f'{{"batch": {batch}}}\n{{"batch": 9')
        history.refresh()
        assert history.entries[-1] == {"batch": batch} or batch == 2
    path.unlink()
    path.write_text('{"batch": 7}\n')
    history.refresh()
    assert history.entries == [{"batch": 7}]


def test_entries_that_wait_for_room_are_told_until_they_are_written(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.symlink_to("/dev/full")
    log = MetricsLog(path)
    log.append(1, {"g": 0.5})
    log.append(2, {"g": 0.5})
    log.require_written()
    log.flush()
    with pytest.raises(StudioError, match=r"numbers of 2 batches wait.*No space left on device"):
        log.require_written()
    with pytest.raises(StudioError, match="2 batches"):
        log.close()


def test_a_flipped_bit_of_a_line_is_passed_over_or_harmless(tmp_path):
    path = tmp_path / "metrics.jsonl"
    log = MetricsLog(path)
    log.append(1, {"loss_g": 0.25})
    log.close()
    content = path.read_bytes()
    for place in range(8 * len(content)):
        flipped = bytearray(content)
        flipped[place // 8] ^= 1 << place % 8
        path.write_bytes(flipped)
        for entry in read_metrics(path):
            assert (entry["batch"], entry["loss_g"]) == (1, 0.25)
