"""The generative adversarial network (Goodfellow et al. 2014) with DCGAN-family networks."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from studio.training.augmentation import augment
from studio.training.blur import blur, fading_sigma
from studio.training.config import TrainingConfig
from studio.training.discriminators import DCGANDiscriminator
from studio.training.losses import build_loss


class GAN:
    """G makes pictures, D tells them from real ones, and each learns from the other."""

    def __init__(self, config: TrainingConfig, device: torch.device) -> None:
        self.config = config
        self.loss = build_loss(config)
        self.rng = torch.Generator(device).manual_seed(config.seed)
        self.batch = 0

        G, D = build_networks(config)
        self.G = G.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.D = D.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.G_ema = copy.deepcopy(self.G).eval().requires_grad_(False)
        self.modules: dict[str, nn.Module] = {"G": self.G, "D": self.D, "G_ema": self.G_ema}

        self.optimizer_g = Adam(self.G.parameters(), config.learning_rate_g, betas=config.betas)
        self.optimizer_d = Adam(self.D.parameters(), config.learning_rate_d, betas=config.betas)
        self.optimizers: dict[str, Optimizer] = {
            "optimizer_g": self.optimizer_g,
            "optimizer_d": self.optimizer_d,
        }

    @property
    def rendered(self) -> nn.Module:
        """G_ema: its checkpoints are the ones worth looking at."""
        return self.G_ema

    def step(self, reals: Tensor) -> dict[str, Tensor]:
        """One update of D, then one of G, on the same generated pictures.

        Args:
            reals: float [N, 3, S, S] in -1..1.

        Returns:
            Scalars on the device: the losses of D on real and generated pictures, and of G.
        """
        z = torch.randn(len(reals), self.config.z_dim, generator=self.rng, device=reals.device)
        fakes = self.G(z)

        # D learns to tell real pictures from generated ones.
        self.D.requires_grad_(True)
        d_real = self.loss.d_real(self.judge(reals))
        d_fake = self.loss.d_fake(self.judge(fakes.detach()))
        descend(self.optimizer_d, d_real + d_fake)

        # G learns to make pictures that D takes for real.
        self.D.requires_grad_(False)
        g = self.loss.g(self.judge(fakes))
        descend(self.optimizer_g, g)

        self.batch += 1
        self.follow_with_average()
        return {"d_real": d_real.detach(), "d_fake": d_fake.detach(), "g": g.detach()}

    def judge(self, pictures: Tensor) -> Tensor:
        """D's logits [N] for pictures [N, 3, S, S], blurred at first and augmented on the way."""
        config = self.config
        sigma_px = fading_sigma(config.blur_sigma_px, self.batch, config.blur_fade_batches)
        return self.D(augment(blur(pictures, sigma_px), config.augmentation, self.rng))

    @torch.no_grad()
    def follow_with_average(self) -> None:
        """Move G_ema, batch norm's statistics included, towards G.

        The average is over fewer batches at first, so that it does not remember the noise it
        began as.
        """
        keep = min(self.config.ema, (1 + self.batch) / (10 + self.batch))
        averages, lives = self.G_ema.state_dict().values(), self.G.state_dict().values()
        for average, live in zip(averages, lives, strict=True):
            if average.is_floating_point():
                average.lerp_(live, 1 - keep)
            else:
                average.copy_(live)


def build_networks(config: TrainingConfig) -> tuple[nn.Module, nn.Module]:
    """G and D in training mode, their first weights drawn from the config's seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        G = config.generator_spec().build().train()
        D = DCGANDiscriminator(
            config.image_size,
            config.discriminator_width,
            norm=config.discriminator_norm,
            minibatch_stddev=config.minibatch_stddev,
        )
    return G, D


def descend(optimizer: Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
