"""The space and the metric that nearness is measured in, declared once for all that asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from studio.workspace.records.record import DeclaredRecord, option

if TYPE_CHECKING:
    from latent.nearness.features import Space

SECTION = "What nearness is measured in"


def metric_option(help: str = "How distance is measured.") -> Any:
    """The field of the metric."""
    return option("euclidean", help, section=SECTION)


class SpaceOptions(DeclaredRecord):
    """A space, and what it needs besides its name."""

    space: Literal["pictures", "activations", "z", "w", "features"] = option(
        "pictures", "What is compared.", section=SECTION
    )
    layer: str | None = option(
        None, "One layer of the generator, for activations; all by default.", section=SECTION
    )
    network: str | None = option(
        None,
        "package.module:Class that turns pictures into features, for features.",
        section=SECTION,
        risk="class",
    )

    def chosen_space(self) -> Space:
        """The space, with its network built.

        Raises:
            LatentError: a layer or a network where it has no meaning.
            CheckpointError: there is no such network, or it cannot be built.
        """
        from studio.nearness.spaces import build_space

        return build_space(self.space, self.layer, self.network)
