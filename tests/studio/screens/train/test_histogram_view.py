import json

from studio.screens.train.histogram_view import measured_batches, show_layers


def histogram(low=-1.0, high=1.0):
    return {"low": low, "high": high, "counts": [1, 4, 9, 4]}


def entry(batch, dead=0):
    layer = {
        "layer": "main.<0>",
        "weights": histogram(),
        "biases": None,
        "activations": histogram(0, 2),
        "units": 8,
        "dead_units": dead,
    }
    return {"batch": batch, "networks": {"G": [layer], "D": []}}


def test_a_run_without_histograms_says_when_they_come(tmp_path):
    assert "Nothing measured yet" in show_layers(tmp_path / "histograms.jsonl")


def test_the_newest_whole_line_counts(tmp_path):
    path = tmp_path / "histograms.jsonl"
    long = {**entry(2), "padding": "x" * 200_000}
    path.write_text(json.dumps(entry(1)) + "\n" + json.dumps(long) + "\n" + '{"batch": 3, "ne')
    assert list(measured_batches(path)) == [1, 2]
    assert "at batch 2" in show_layers(path)
    path.write_text('{"torn')
    assert measured_batches(path) == {}


def test_earlier_measurements_can_be_looked_at_and_are_a_press_away(tmp_path):
    path = tmp_path / "histograms.jsonl"
    entries = [entry(500), entry(1000, dead=1), entry(1500), entry(1000, dead=3)]
    path.write_text("".join(json.dumps(one) + "\n" for one in entries))
    newest = show_layers(path)
    assert "at batch 1,500" in newest
    assert 'data-batch="1000"' in newest
    assert "Later" not in newest
    between = show_layers(path, 1000)
    assert "at batch 1,000" in between
    assert "3 of 8 units dead" in between, "the run went back and measured that batch again"
    assert 'data-batch="500"' in between
    assert 'data-batch="1500"' in between
    assert "Earlier" not in show_layers(path, 500)


def test_layers_show_what_they_hold_and_dead_units_stand_out(tmp_path):
    path = tmp_path / "histograms.jsonl"
    path.write_text(json.dumps(entry(500, dead=6)) + "\n")
    shown = show_layers(path)
    assert "main.&lt;0&gt;" in shown
    assert shown.count('class="histogram"') == 2
    assert '<span class="warning">6 / 8</span>' in shown
    assert "6 of 8 units dead" in shown
