"""Say in one sentence how far a map may be believed."""

from __future__ import annotations

from latent.trust.structure import Structure

WELL, IN_PART = 0.5, 0.25  # Areas under R_NX from which a map keeps something well, or in part.


def tell_trust(faithful: float, structure: Structure, repeatable: float) -> str:
    """One sentence of three numbers.

    Args:
        faithful, repeatable: areas under R_NX, 0..1.
        structure: whether the space differs from a Gaussian.

    Example:
        >>> noise = Structure(False, 0.43, 0.2, 1.0, 2, 8.1, 8.0)
        >>> tell_trust(0.2, noise, 0.4)
        "The shape of this map is UMAP's and not the space's, which differs from a Gaussian cloud \
no more than chance does (p = 0.43); who is near whom it keeps hardly (0.20 of 1)."
    """
    kept = f"who is near whom it keeps {_grade(faithful)} ({faithful:.2f} of 1)"
    if not structure.found:
        return (
            "The shape of this map is UMAP's and not the space's, which differs from a Gaussian "
            f"cloud no more than chance does (p = {structure.p:.2f}); {kept}."
        )
    return (
        f"The space has structure, more than a Gaussian cloud (p = {structure.p:.2f}); {kept}, "
        f"and other seeds draw it alike {_grade(repeatable)} ({repeatable:.2f} of 1)."
    )


def _grade(share: float) -> str:
    return "well" if share >= WELL else "in part" if share >= IN_PART else "hardly"
