"""Networks that tell real pictures from generated ones, by name."""

from __future__ import annotations

from torch import nn

from studio.runs.config import TrainingConfig
from studio.training.discriminators.dcgan import DCGANDiscriminator
from studio.training.discriminators.residual import ResidualDiscriminator
from studio.workspace.errors import StudioError

# Options of a residual generator that its residual discriminator shares.
MIRRORED = ("max_channels", "blocks", "group_width")


def build_discriminator(config: TrainingConfig) -> nn.Module:
    """The discriminator that the config names, untrained: pictures [N, 3, S, S] -> logits [N].

    A residual one has the depth and the groups of the generator where that is residual as well.

    Raises:
        StudioError: a size that does not fit, or a setting that this discriminator lacks.
    """
    if config.discriminator == "dcgan":
        return DCGANDiscriminator(
            config.image_size,
            config.discriminator_width,
            norm=config.norm_of_d,
            minibatch_stddev=config.minibatch_stddev,
        )
    check_residual(config)
    paired = config.generator_options if config.generator == "residual" else {}
    options = {name: paired[name] for name in MIRRORED if name in paired}
    return ResidualDiscriminator(config.image_size, config.discriminator_width, **options)


def check_residual(config: TrainingConfig) -> None:
    """Refuse settings that a residual discriminator lacks.

    Raises:
        StudioError: a normalisation, or the minibatch deviation.
    """
    if config.norm_of_d != "none" or config.minibatch_stddev:
        raise StudioError(
            "The residual discriminator normalises nothing and looks at each picture alone, but "
            f"discriminator_norm is {config.discriminator_norm} and minibatch_stddev "
            f"{str(config.minibatch_stddev).lower()}. Set them to auto and false."
        )
