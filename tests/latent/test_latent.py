import pytest

import latent


def test_the_names_that_programs_import_are_there_and_no_others():
    from latent.maps.atlas import draw_map
    from latent.nearness.neighbours import find_neighbours

    assert latent.draw_map is draw_map
    assert latent.find_neighbours is find_neighbours
    assert {"draw_map", "find_neighbours"} <= set(dir(latent))
    with pytest.raises(AttributeError, match="no attribute 'draw_maps'"):
        latent.draw_maps  # noqa: B018
