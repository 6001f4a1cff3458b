from dataclasses import replace

from latent.trust.structure import Structure
from latent.trust.verdict import tell_trust

FOUND = Structure(True, 0.01, 12.0, 0.6, 5, 4.0, 8.0)


def test_of_noise_it_says_that_the_shape_is_umaps():
    sentence = tell_trust(0.2, replace(FOUND, found=False, p=0.43), 0.4)
    assert sentence.startswith("The shape of this map is UMAP's and not the space's")
    assert "p = 0.43" in sentence


def test_of_structure_it_says_how_much_is_kept_and_how_repeatable_the_map_is():
    sentence = tell_trust(0.6, FOUND, 0.3)
    assert "has structure" in sentence
    assert "keeps well (0.60 of 1)" in sentence
    assert "alike in part (0.30 of 1)" in sentence
