import numpy as np
import pytest
from PIL import Image, ImageColor

from studio.datasets.maps import city_map
from studio.datasets.maps.city_map import draw_city_map, draw_extract
from studio.datasets.maps.osm_extract import Area, Extract, Line
from studio.workspace.errors import EXPECTED_ERRORS


def colour_at(image: Image.Image, metres: tuple[float, float], metres_per_pixel: float = 1.0):
    return image.getpixel(tuple(int(value / metres_per_pixel) for value in metres))


def rectangle(left, top, right, bottom):
    return [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]


def draw(*, lines=(), areas=(), metres_per_pixel=1.0):
    return draw_extract(Extract(100.0, 100.0, list(lines), list(areas)), metres_per_pixel)


def test_helsinki_shows_its_bay_its_park_and_its_railway_north_up():
    image = draw_city_map("helsinki", 2.0)
    assert image.size == (504, 832)
    for name, metres in {"WATER": (400, 160), "GREEN": (430, 500), "RAILWAY": (320, 400)}.items():
        assert colour_at(image, metres, 2.0) == ImageColor.getrgb(getattr(city_map, name)), name


def test_streets_take_a_good_share_of_both_cities():
    for city in ("helsinki", "suburb"):
        pixels = np.asarray(draw_city_map(city, 3.0))
        share = (pixels == ImageColor.getrgb(city_map.STREET)).all(-1).mean()
        assert 0.05 < share < 0.5, city


def test_a_courtyard_stays_open():
    yard = Area({"building": "yes"}, [rectangle(20, 20, 80, 80)], [rectangle(40, 40, 60, 60)])
    image = draw(areas=[yard])
    assert colour_at(image, (50, 50)) == ImageColor.getrgb(city_map.GROUND)
    assert colour_at(image, (30, 30)) != ImageColor.getrgb(city_map.GROUND)


def test_a_light_well_too_small_to_see_is_closed():
    well = Area({"building": "yes"}, [rectangle(20, 20, 80, 80)], [rectangle(49, 49, 51, 51)])
    image = draw(areas=[well], metres_per_pixel=2.0)
    assert colour_at(image, (50, 50), 2.0) == colour_at(image, (30, 30), 2.0)


def test_taller_buildings_are_darker():
    houses = [
        Area(
            {"building": "yes", "building:levels": str(levels)}, [rectangle(x, 10, x + 15, 90)], []
        )
        for x, levels in ((5, 1), (30, 4), (55, 6), (80, 12))
    ]
    image = draw(areas=houses)
    tones = [sum(colour_at(image, (x + 7, 50))) for x in (5, 30, 55, 80)]
    assert tones == sorted(tones, reverse=True)
    assert len(set(tones)) == 4


def test_levels_that_are_no_number_do_not_stop_the_drawing():
    house = Area({"building": "yes", "building:levels": "2;3"}, [rectangle(20, 20, 80, 80)], [])
    assert colour_at(draw(areas=[house]), (50, 50)) != ImageColor.getrgb(city_map.GROUND)


def test_paths_are_drawn_only_where_they_are_wide_enough():
    path = Line({"highway": "footway"}, [(0, 50), (100, 50)])
    street = ImageColor.getrgb(city_map.STREET)
    assert colour_at(draw(lines=[path], metres_per_pixel=0.5), (50, 50), 0.5) == street
    coarse = np.asarray(draw(lines=[path], metres_per_pixel=2.0))
    assert (coarse == ImageColor.getrgb(city_map.GROUND)).all()


def test_streets_are_antialiased():
    slanted = Line({"highway": "primary"}, [(0, 10), (100, 80)])
    colours = draw(lines=[slanted]).getcolors(100_000)
    assert len(colours) > 20


@pytest.mark.parametrize("scale", [0.1, 50.0, -2.0, float("nan")])
def test_a_scale_out_of_range_names_the_range(scale):
    with pytest.raises(EXPECTED_ERRORS, match=r"0\.5 to 5"):
        draw(metres_per_pixel=scale)
