import pytest
import torch

from latent.errors import LatentError
from latent.maps.neighbourhood import points_around


def test_points_lie_ever_farther_from_the_centre_and_keep_its_length():
    centre = torch.randn(100, generator=torch.Generator().manual_seed(1))
    around = points_around(centre, 200, 0.8, seed=3)
    assert torch.equal(around[0], centre)
    cosines = torch.cosine_similarity(around, centre[None])
    assert cosines[1:20].min() > 0.98
    assert cosines[-20:].mean() == pytest.approx(0.62, abs=0.05)
    assert (around.norm(dim=1) / centre.norm() - 1).abs().max() < 0.3
    assert torch.equal(around, points_around(centre, 200, 0.8, seed=3))


@pytest.mark.parametrize(("count", "radius"), [(10, 0), (10, 1.1), (1, 0.5)])
def test_what_is_no_neighbourhood_is_refused(count, radius):
    with pytest.raises(LatentError, match=r"out of range|no neighbourhood"):
        points_around(torch.zeros(4), count, radius)
