from PIL import Image, ImageDraw

from studio.datasets.maps.coastline import find_sea
from studio.datasets.maps.osm_extract import Extract, Line


def sea(*shores):
    """Where the sea is on a plane of 100 by 60 m, as a function of a point."""
    lines = [Line({"natural": "coastline"}, list(shore)) for shore in shores]
    image = Image.new("1", (101, 61))
    for polygon in find_sea(Extract(100.0, 60.0, lines, [])):
        ImageDraw.Draw(image).polygon(polygon, fill=1)
    return lambda point: bool(image.getpixel(point))


def test_water_lies_to_the_right_of_a_shore():
    is_sea = sea([(0, 30), (100, 30)])  # eastward: the sea is in the south
    assert is_sea((50, 45))
    assert not is_sea((50, 15))
    is_sea = sea([(100, 30), (0, 30)])
    assert is_sea((50, 15))
    assert not is_sea((50, 45))


def test_the_border_is_followed_around_corners():
    is_sea = sea([(0, 50), (10, 60)])  # land only south-west of it would be wrong
    assert not is_sea((50, 20))
    is_sea = sea([(10, 60), (0, 50)])
    assert is_sea((95, 5))
    assert is_sea((95, 55))
    assert not is_sea((2, 58))


def test_two_shores_bound_one_strait():
    is_sea = sea([(0, 40), (100, 40)][::-1], [(0, 20), (100, 20)])
    assert is_sea((50, 30))
    assert not is_sea((50, 10))
    assert not is_sea((50, 50))


def test_without_a_shore_there_is_no_sea():
    assert (
        find_sea(Extract(100.0, 60.0, [Line({"highway": "primary"}, [(0, 0), (9, 9)])], [])) == []
    )
