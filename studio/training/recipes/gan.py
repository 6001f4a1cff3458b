"""The generative adversarial network (Goodfellow et al. 2014)."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from studio.runs.config import TrainingConfig
from studio.training.discriminators import build_discriminator
from studio.training.machine.precision import LossScale, autocast
from studio.training.machine.processes import Processes
from studio.training.machine.stopwatch import Stopwatch
from studio.training.machine.updater import LossesOf, Metrics, UpdateInputs, Updater
from studio.training.recipes.augmentation import AUGMENT_CHANCES, adapt, augment
from studio.training.recipes.blur import blur, fading_sigma
from studio.training.recipes.labels import LABEL_CHANCES, draw_labels
from studio.training.recipes.losses import build_loss
from studio.training.recipes.penalties import Judged, build_penalty
from studio.training.recipes.schedules import rate_factor, updates_of_d

# Numbers drawn for each picture of an update: for labels, for the penalty between two pictures,
# and for the augmentation of real, of generated and of null pictures.
CHANCES = (LABEL_CHANCES, 1, AUGMENT_CHANCES, AUGMENT_CHANCES, AUGMENT_CHANCES)
AUGMENT_P, SURETY = "augment_p", "surety"


class GAN:
    """G makes pictures, D tells them from real ones, and each learns from the other.

    Args:
        config: how; what is live in it may change later.
        processes: all that train together. Each draws the chance of the whole batch and takes its
            share, so that together they do what one would.
        nulls: batches of pictures that D is given as generated ones, beside G's.
    """

    def __init__(
        self, config: TrainingConfig, processes: Processes, nulls: Iterator[Tensor] | None = None
    ) -> None:
        device = processes.device
        self.processes, self.nulls = processes, nulls
        self.rng = torch.Generator(device).manual_seed(config.seed)
        self.batch = 0
        self.numbers: dict[str, float] = {}

        G, D = build_networks(config)
        self.G = G.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.D = D.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.G_ema = copy.deepcopy(self.G).eval().requires_grad_(False)
        self.modules: dict[str, nn.Module] = {"G": self.G, "D": self.D, "G_ema": self.G_ema}
        self.fast_G = torch.compile(self.G) if config.compile else self.G
        self.fast_D = torch.compile(self.D) if config.compile else self.D

        # AdamW, as a decay in Adam's gradient would hardly reach the weights whose gradients are
        # large (Loshchilov and Hutter 2019); without a decay both are the same.
        self.optimizer_g = AdamW(self.G.parameters(), betas=config.betas, fused=True)
        self.optimizer_d = AdamW(self.D.parameters(), betas=config.betas, fused=True)
        self.optimizers: dict[str, Optimizer] = {
            "optimizer_g": self.optimizer_g,
            "optimizer_d": self.optimizer_d,
        }
        scale = LossScale(device, config.precision, self.numbers)
        self.descent = Updater(processes, self.numbers, scale)
        self.configure(config)

    @property
    def rendered(self) -> nn.Module:
        """G_ema: its checkpoints are the ones worth looking at."""
        return self.G_ema

    def configure(self, config: TrainingConfig) -> None:
        """Take up settings that changed, with the next step."""
        self.config = config
        self.loss, self.penalty = build_loss(config), build_penalty(config)

    def step(self, reals: Iterator[Tensor], watch: Stopwatch) -> Metrics:
        """As many updates of D as are due, then one of G, on the pictures that D saw last.

        Returns:
            `g` and `g_grad_norm`. Of D's last update, in a batch that has one: `d_real`, `d_fake`
            and `d_null` as they are added up, `gradient_penalty` as it is added to them,
            `d_accuracy`, `d_grad_norm`, and `earth_mover`. `augment_p`, where it adapts.
        """
        self.set_rates()
        metrics: Metrics = {}

        # D learns to tell real pictures from generated ones.
        due = updates_of_d(self.config, self.batch + 1)
        for update in range(due):
            material = self.gather(reals, watch)
            material.for_g = update == due - 1
            with watch("D"):
                metrics = self.update_d(material)

        # G learns to make pictures that D takes for real.
        if due == 0:
            material = self.gather(reals if self.loss.pairs else None, watch)
        with watch("G"):
            metrics |= self.update_g(material)
            self.batch += 1
            self.update_ema()
        return self.adapt_augmentation(metrics, due)

    def warm_up(self, reals: Iterator[Tensor], watch: Stopwatch) -> Metrics:
        """One update of D alone, before the first of G."""
        self.set_rates()
        material = self.gather(reals, watch)
        with watch("D"):
            return self.adapt_augmentation(self.update_d(material), 1)

    def set_rates(self) -> None:
        """What the next updates learn at; G's rate and D's may differ (Heusel et al. 2017)."""
        config, factor = self.config, rate_factor(self.config, self.batch + 1)
        for optimizer, rate in (
            (self.optimizer_g, config.learning_rate_g),
            (self.optimizer_d, config.learning_rate_d),
        ):
            for group in optimizer.param_groups:
                group.update(lr=rate * factor, weight_decay=config.weight_decay)

    def gather(self, reals: Iterator[Tensor] | None, watch: Stopwatch) -> UpdateInputs:
        """The pictures of an update, and all that it leaves to chance."""
        with watch("data"):
            pictures = None if reals is None else next(reals)
            nulls = None if self.nulls is None or pictures is None else next(self.nulls)
        z = torch.randn(
            (self.config.batch_size, self.config.z_dim),
            generator=self.rng,
            device=self.processes.device,
        )
        return UpdateInputs(pictures, self.processes.share(z), self.draw_chances(), nulls)

    def draw_chances(self) -> Tensor:
        """This process's share of [N, K], uniform in 0..1."""
        shape = (self.config.batch_size, sum(CHANCES))
        chances = torch.rand(shape, generator=self.rng, device=self.processes.device)
        return self.processes.share(chances)

    def update_d(self, material: UpdateInputs) -> Metrics:
        """One update of D; with a mixed phase, a second one on both kinds of pictures together."""
        self.D.requires_grad_(True)
        metrics = self.descend("D", material, self.losses_of_d)
        if self.config.mixed_phase:
            self.descend("D", self.mix(material), partial(self.losses_of_d, mixed=True))
        metrics["d_grad_norm"] = metrics.pop("norm")
        return metrics

    def mix(self, material: UpdateInputs) -> UpdateInputs:
        """Half of the real pictures and half of the generated ones, with chance of their own."""
        half, chances = max(1, len(material) // 2), self.draw_chances()
        return UpdateInputs(
            None if material.reals is None else material.reals[:half],
            material.z[-half:],
            chances[:half],
            fakes=None if material.fakes is None else material.fakes[-half:],
        )

    def losses_of_d(self, material: UpdateInputs, mixed: bool = False) -> tuple[Tensor, Metrics]:
        """What D is to make small, and its parts."""
        for_labels, mixing, for_reals, for_fakes, for_nulls = material.chances.split(CHANCES, dim=1)
        labels, penalty = draw_labels(self.config, for_labels), self.penalty
        assert material.reals is not None
        reals = self.show(material.reals, for_reals).detach()
        fakes = self.show(self.generate(material, learn=material.for_g).detach(), for_fakes)
        reals.requires_grad_(penalty is not None and penalty.of_reals)
        fakes.requires_grad_(penalty is not None and penalty.of_fakes)
        judge = partial(self.judge, steep=penalty is not None)

        if mixed:  # one batch, as batch norm and the deviation of a minibatch see it
            real_logits, fake_logits = judge(torch.cat([reals, fakes])).chunk(2)
        else:
            real_logits, fake_logits = judge(reals), judge(fakes)
        d_real, d_fake = self.loss.d(real_logits, fake_logits, labels)
        parts = {"d_real": d_real, "d_fake": d_fake}
        if material.nulls is not None:
            null_logits = judge(self.show(material.nulls, for_nulls))
            parts["d_null"] = self.loss.d(real_logits, null_logits, labels)[1]
        if penalty is not None:
            judged = Judged(reals, fakes, real_logits, fake_logits)
            parts["gradient_penalty"] = penalty(judge, judged, mixing)
        loss = torch.stack([*parts.values()]).sum()
        return loss, parts | self.assess(real_logits.detach(), fake_logits.detach())

    def assess(self, real_logits: Tensor, fake_logits: Tensor) -> Metrics:
        """How well D tells pictures apart, which is no part of its loss."""
        metrics = {
            "d_accuracy": (real_logits > fake_logits).float().mean(),
            SURETY: self.loss.surety(real_logits, fake_logits).sign().mean(),
        }
        if self.config.loss == "wasserstein":
            metrics["earth_mover"] = (real_logits - fake_logits).mean()
        return metrics

    def update_g(self, material: UpdateInputs) -> Metrics:
        """One update of G, by pictures that are augmented anew."""
        self.D.requires_grad_(False)
        material.chances = self.draw_chances()
        metrics = self.descend("G", material, self.losses_of_g)
        return {"g": metrics["g"], "g_grad_norm": metrics["norm"]}

    def losses_of_g(self, material: UpdateInputs) -> tuple[Tensor, Metrics]:
        """What G is to make small."""
        _, _, for_reals, for_fakes, _ = material.chances.split(CHANCES, dim=1)
        real_logits = None
        if self.loss.pairs and material.reals is not None:
            with torch.no_grad():
                real_logits = self.judge(self.show(material.reals, for_reals))
        fakes = self.show(self.generate(material, learn=True), for_fakes)
        g = self.loss.g(self.judge(fakes), real_logits)
        return g, {"g": g}

    def generate(self, material: UpdateInputs, learn: bool) -> Tensor:
        """G's pictures of the material, made once; with their graph where G is to learn."""
        if material.fakes is None:
            with torch.set_grad_enabled(learn), autocast(material.z.device, self.config.precision):
                fakes = self.fast_G(material.z)
            material.fakes = fakes.float()
        return material.fakes

    def adapt_augmentation(self, metrics: Metrics, updates_of_d: int) -> Metrics:
        """Move p by how sure D is of real pictures (ADA, Karras et al. 2020a)."""
        surety, target = metrics.pop(SURETY, None), self.config.augmentation_target
        if surety is None or target == 0:
            return metrics
        before, seen = self.numbers.get(AUGMENT_P, 0.0), updates_of_d * self.config.batch_size
        self.numbers[AUGMENT_P] = p = adapt(before, float(surety), target, seen)
        return metrics | {AUGMENT_P: torch.full_like(surety, p)}

    def descend(self, name: str, material: UpdateInputs, losses_of: LossesOf) -> Metrics:
        """One update of the network of that name."""
        network, optimizer = self.modules[name], self.optimizers[f"optimizer_{name.lower()}"]
        return self.descent.update(name, network, optimizer, material, losses_of, self.config)

    def show(self, pictures: Tensor, chances: Tensor) -> Tensor:
        """Pictures [N, 3, S, S] as D is to see them: blurred at first, and augmented."""
        config = self.config
        sigma_px = fading_sigma(config.blur_sigma_px, self.batch, config.blur_fade_batches)
        p = self.numbers.get(AUGMENT_P, 0.0) if config.augmentation_target > 0 else 1.0
        return augment(blur(pictures, sigma_px), config.augmentation, chances, p)

    def judge(self, pictures: Tensor, steep: bool = False) -> Tensor:
        """D's logits, float32 [N], for pictures as it is shown them.

        Args:
            steep: a penalty goes through D's backward pass. It cannot through a compiled one, nor
                with so small a range as fp16's.
        """
        precision = (
            "float32" if steep and self.config.precision == "fp16" else self.config.precision
        )
        with autocast(pictures.device, precision):
            return (self.D if steep else self.fast_D)(pictures).float()

    @torch.no_grad()
    def update_ema(self) -> None:
        """Move G_ema, batch norm's statistics included, towards G (Karras et al. 2018).

        The average is over fewer batches at first, so that it does not remember the noise it
        began as.
        """
        keep = min(self.config.ema, (1 + self.batch) / (10 + self.batch))
        averages, lives = self.G_ema.state_dict(), self.G.state_dict()
        moving = [name for name, average in averages.items() if average.is_floating_point()]
        torch._foreach_lerp_(
            [averages[name] for name in moving], [lives[name] for name in moving], 1 - keep
        )
        for name in averages.keys() - set(moving):
            averages[name].copy_(lives[name])


def build_networks(config: TrainingConfig) -> tuple[nn.Module, nn.Module]:
    """G and D in training mode, their first weights drawn from the config's seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        G = config.generator_spec().build().train()
        D = build_discriminator(config)
    return G, D
