"""The recipe of a generative adversarial network: updates of D, then of G (Goodfellow 2014)."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from checkpoints_index.generators.representative import representative_z
from studio.datasets.held_out import SplitDataset
from studio.runs.config import TrainingConfig
from studio.training.discriminators import build_discriminator
from studio.training.machine.precision import LossScale, autocast
from studio.training.machine.processes import Processes
from studio.training.machine.stopwatch import Stopwatch
from studio.training.machine.updater import LossesOf, Metrics, UpdateInputs, Updater
from studio.training.recipes.augmentation import AUGMENT_DRAWS, adapt_p, augment
from studio.training.recipes.averaging import move_average
from studio.training.recipes.blur import blur, fading_sigma
from studio.training.recipes.labels import LABEL_DRAWS, draw_labels
from studio.training.recipes.losses import build_loss
from studio.training.recipes.penalties import DiscriminatorPass, Penalty, build_penalty
from studio.training.recipes.recipe import NetworkWork, Recipe, WatchedLoss
from studio.training.recipes.schedules import rate_factor, updates_of_d
from studio.training.scores.picture_distance import PictureDistance
from studio.training.scores.score import DISTANCE, RunScore

# Random numbers that one picture of an update takes: for its labels, for the penalty between a real
# and a generated picture, and for the augmentation of real, generated and negative pictures.
DRAWS = [LABEL_DRAWS, 1, AUGMENT_DRAWS, AUGMENT_DRAWS, AUGMENT_DRAWS]
AUGMENT_P, R_T = "augment_p", "r_t"
UNPENALISED = "updates_unpenalised"  # Updates of D since the last one with a penalty.
D_NEGATIVE = "d_null"  # The name under which metrics.jsonl keeps D's loss on negatives.
SCORE_SEED = 20_000  # Seeds the latent points whose pictures are scored.
# Losses are of the size of logits, which healthy runs keep below 100. A critic of Wasserstein may
# stretch its scale by its width; gradients are sums over all weights.
LOSS_LIMIT, WIDE_LIMIT = 1e4, 1e6
OF_LOGITS = ("d_real", "d_fake", D_NEGATIVE, "g")
OTHER_SIZES = ("gradient_penalty", "earth_mover", "g_grad_norm", "d_grad_norm")
# Passes of an update, each as long as a forward pass: backward passes take two, and a pass back to
# pictures alone takes one.
G_PASSES, D_PASSES, D_PASSES_FOR_G, PENALTY_PASSES = 3, 3, 2, 4


class GAN(Recipe):
    """Trains G to make pictures that D takes for real, and D to tell them from real ones.

    Args:
        config: the settings; the live ones may change later, see `configure`.
        processes: this process among those that train together. Each process draws the random
            numbers of the whole batch and takes its shard, so that together they do what a single
            one would.
        negatives: batches of pictures that D learns as generated ones, beside those of G.
    """

    phases: ClassVar[tuple[str, ...]] = ("D", "G")
    loss_words: ClassVar[Mapping[str, str]] = {"d_real": "d1", "d_fake": "d2", "g": "G"}
    # A healthy run's loss of G rises by 1.5 over its first 500 batches.
    watched_loss: ClassVar[WatchedLoss | None] = WatchedLoss("g", "G's loss", min_rise=3.0)
    reshaped: ClassVar[Mapping[str, str | None]] = {"G_ema": None, "G": "optimizer_g"}
    score: ClassVar[RunScore | None] = DISTANCE
    takes_negatives: ClassVar[bool] = True

    def __init__(
        self,
        config: TrainingConfig,
        processes: Processes,
        negatives: Iterator[Tensor] | None = None,
    ) -> None:
        super().__init__(config, processes)
        device, self.negatives = processes.device, negatives
        G, D = self.build_networks(config).values()
        self.G: nn.Module = G.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.D: nn.Module = D.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.G_ema: nn.Module = copy.deepcopy(self.G).eval().requires_grad_(False)
        self.modules: dict[str, nn.Module] = {"G": self.G, "D": self.D, "G_ema": self.G_ema}
        self.fast_G = torch.compile(self.G) if config.compile else self.G
        self.fast_D = torch.compile(self.D) if config.compile else self.D

        # AdamW, since a decay inside Adam's gradient hardly reaches weights whose gradients are
        # large (Loshchilov and Hutter 2019); without a decay both are the same.
        self.optimizer_g = AdamW(self.G.parameters(), betas=config.betas, fused=True)
        self.optimizer_d = AdamW(self.D.parameters(), betas=config.betas, fused=True)
        self.optimizers: dict[str, Optimizer] = {
            "optimizer_g": self.optimizer_g,
            "optimizer_d": self.optimizer_d,
        }
        scale = LossScale(device, config.precision, self.numbers)
        self.updater = Updater(processes, self.numbers, scale)
        self.configure(config)

    @classmethod
    def settle(cls, config: TrainingConfig) -> TrainingConfig:
        """The settings with D's normalisation, which stays whatever is changed about its loss."""
        return replace(config, discriminator_norm=config.norm_of_d)

    @classmethod
    def build_networks(cls, config: TrainingConfig) -> dict[str, nn.Module]:
        """G and D in training mode, their first weights drawn from the config's seed."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            return {"G": config.generator_spec().build().train(), "D": build_discriminator(config)}

    @classmethod
    def count_work(cls, config: TrainingConfig) -> list[NetworkWork]:
        """The passes of D and G over a picture, by the ratio of their updates."""
        G, D = config.generator_spec().build(), build_discriminator(config)
        penalty = build_penalty(config)
        sides = 0 if penalty is None else max(1, penalty.of_reals + penalty.of_fakes)
        of_d = config.d_updates * (2 * D_PASSES + sides * PENALTY_PASSES / config.penalty_every)
        of_g = config.g_updates * (D_PASSES_FOR_G + build_loss(config).pairs)
        pictures = torch.zeros(1, 3, config.image_size, config.image_size)
        return [
            NetworkWork(G, torch.zeros(1, config.z_dim), config.g_updates * G_PASSES),
            NetworkWork(D, pictures, of_d + of_g),
        ]

    @classmethod
    def limits(cls, config: TrainingConfig) -> Mapping[str, float]:
        """Sizes that losses and gradients of runs that train stay far below."""
        of_losses = WIDE_LIMIT if config.loss == "wasserstein" else LOSS_LIMIT
        return dict.fromkeys(OF_LOGITS, of_losses) | dict.fromkeys(OTHER_SIZES, WIDE_LIMIT)

    def measured_networks(self, z: Tensor) -> dict[str, tuple[nn.Module, Tensor]]:
        """G on latent points, float [N, z_dim], and D on G_ema's pictures of them."""
        with torch.no_grad():
            return {"G": (self.G, z), "D": (self.D, self.G_ema(z))}

    def begin_scoring(self, data: SplitDataset) -> Callable[[], dict[str, float]]:
        """Measure the distance of G_ema's pictures to training pictures, and to held-out ones."""
        distance = PictureDistance(data, self.config.image_size)
        z = representative_z(self.config.generator_spec(), distance.count, SCORE_SEED)
        return lambda: distance.measure(self.rendered, z)

    @property
    def rendered(self) -> nn.Module:
        """The generator whose weights are kept as checkpoints: G_ema."""
        return self.G_ema

    def configure(self, config: TrainingConfig) -> None:
        """Use changed settings from the next step on."""
        self.config = config
        self.loss, self.penalty = build_loss(config), build_penalty(config)
        self.penalty_due = self.penalty

    def step(self, reals: Iterator[Tensor], watch: Stopwatch) -> Metrics:
        """Run the updates of D that are due, then one of G, on the fakes that D saw last.

        Args:
            reals: this process's shards of real batches, float [N, 3, S, S] in -1..1.
            watch: counts the phases "data", "D" and "G".

        Returns:
            Scalars on the device: `g` and `g_grad_norm`; in a batch that updates D, also of its
            last update `d_real`, `d_fake`, `d_null`, `gradient_penalty` (the terms of D's loss, the
            penalty where that update has one), `d_accuracy`, `d_grad_norm` and `earth_mover`; and
            `augment_p` where it adapts.
        """
        self.set_rates()
        metrics: Metrics = {}

        # D learns to tell real pictures from generated ones.
        due = updates_of_d(self.config, self.batch + 1)
        for update in range(due):
            inputs = self.draw_inputs(reals, watch)
            inputs.for_g = update == due - 1
            with watch("D"):
                metrics = self.update_d(inputs)

        # G learns to make pictures that D takes for real.
        if due == 0:
            inputs = self.draw_inputs(reals if self.loss.pairs else None, watch)
        with watch("G"):
            metrics |= self.update_g(inputs)
            self.batch += 1
            self.update_ema()
        return self.adapt_augmentation(metrics, due)

    def warm_up(self, reals: Iterator[Tensor], watch: Stopwatch) -> Metrics:
        """Run one update of D alone, before the first of G, on real pictures [N, 3, H, W]."""
        self.set_rates()
        inputs = self.draw_inputs(reals, watch)
        with watch("D"):
            return self.adapt_augmentation(self.update_d(inputs), 1)

    def set_rates(self) -> None:
        """Set the learning rates of the next updates; G and D have their own (Heusel 2017)."""
        config, factor = self.config, rate_factor(self.config, self.batch + 1)
        for optimizer, rate in (
            (self.optimizer_g, config.learning_rate_g),
            (self.optimizer_d, config.learning_rate_d),
        ):
            for group in optimizer.param_groups:
                group.update(lr=rate * factor, weight_decay=config.weight_decay)

    def draw_inputs(self, reals: Iterator[Tensor] | None, watch: Stopwatch) -> UpdateInputs:
        """Take the pictures [N, 3, H, W] of an update and draw all its random numbers."""
        with watch("data"):
            pictures = None if reals is None else next(reals)
            negatives = None
            if self.negatives is not None and pictures is not None:
                negatives = next(self.negatives)
        z = torch.randn(
            (self.config.batch_size, self.config.z_dim),
            generator=self.rng,
            device=self.processes.device,
        )
        return UpdateInputs(pictures, self.processes.shard(z), self.draw_uniform(), negatives)

    def draw_uniform(self) -> Tensor:
        """This process's shard of the random numbers of a batch: float [N, K], 0..1."""
        shape = (self.config.batch_size, sum(DRAWS))
        draws = torch.rand(shape, generator=self.rng, device=self.processes.device)
        return self.processes.shard(draws)

    def update_d(self, inputs: UpdateInputs) -> Metrics:
        """Update D; with a mixed phase, once more on real and fake pictures in one batch."""
        self.D.requires_grad_(True)
        self.penalty_due = self.take_penalty()
        metrics = self.update("D", inputs, self.losses_of_d)
        if self.config.mixed_phase:
            self.update("D", self.mix(inputs), partial(self.losses_of_d, mixed=True))
        metrics["d_grad_norm"] = metrics.pop("norm")
        return metrics

    def take_penalty(self) -> Penalty | None:
        """The penalty of the next update of D, if it has one.

        D changes little from one update to the next, so a penalty on every fourth, four times as
        heavy, holds it back as well and saves its passes (Karras et al. 2020, appendix B).
        """
        every = self.config.penalty_every
        if self.penalty is None or every == 1:
            self.numbers.pop(UNPENALISED, None)
            return self.penalty
        since = int(self.numbers.get(UNPENALISED, every - 1)) + 1
        is_due = since >= every
        self.numbers[UNPENALISED] = 0 if is_due else since
        return replace(self.penalty, weight=every * self.penalty.weight) if is_due else None

    def mix(self, inputs: UpdateInputs) -> UpdateInputs:
        """Half of the real and half of the fake pictures, with random numbers of their own."""
        half, draws = max(1, len(inputs) // 2), self.draw_uniform()
        return UpdateInputs(
            None if inputs.reals is None else inputs.reals[:half],
            inputs.z[-half:],
            draws[:half],
            fakes=None if inputs.fakes is None else inputs.fakes[-half:],
        )

    def losses_of_d(self, inputs: UpdateInputs, mixed: bool = False) -> tuple[Tensor, Metrics]:
        """The loss of D, a scalar, and the terms that it is the sum of beside other metrics.

        Args:
            mixed: whether D sees real and fake pictures as one batch, which matters to batch norm
                and to the minibatch deviation.
        """
        for_labels, mixing, for_reals, for_fakes, for_negatives = torch.split(
            inputs.draws, DRAWS, dim=1
        )
        labels, penalty = draw_labels(self.config, for_labels), self.penalty_due
        assert inputs.reals is not None
        reals = self.augment(inputs.reals, for_reals).detach()
        fakes = self.augment(self.generate(inputs, learn=inputs.for_g).detach(), for_fakes)
        reals.requires_grad_(penalty is not None and penalty.of_reals)
        fakes.requires_grad_(penalty is not None and penalty.of_fakes)
        discriminate = partial(self.discriminate, penalised=penalty is not None)

        if mixed:
            real_logits, fake_logits = discriminate(torch.cat([reals, fakes])).chunk(2)
        else:
            real_logits, fake_logits = discriminate(reals), discriminate(fakes)
        d_real, d_fake = self.loss.d(real_logits, fake_logits, labels)
        terms = {"d_real": d_real, "d_fake": d_fake}
        if inputs.negatives is not None:
            negative_logits = discriminate(self.augment(inputs.negatives, for_negatives))
            terms[D_NEGATIVE] = self.loss.d(real_logits, negative_logits, labels)[1]
        if penalty is not None:
            d_pass = DiscriminatorPass(reals, fakes, real_logits, fake_logits)
            terms["gradient_penalty"] = penalty(discriminate, d_pass, mixing)
        loss = torch.stack([*terms.values()]).sum()
        return loss, terms | self.assess(real_logits.detach(), fake_logits.detach())

    def assess(self, real_logits: Tensor, fake_logits: Tensor) -> Metrics:
        """Metrics of how well D tells pictures apart, which are no part of its loss.

        Args:
            real_logits, fake_logits: float32 [N].
        """
        metrics = {
            "d_accuracy": (real_logits > fake_logits).float().mean(),
            R_T: self.loss.r_t_logits(real_logits, fake_logits).sign().mean(),
        }
        if self.config.loss == "wasserstein":
            metrics["earth_mover"] = (real_logits - fake_logits).mean()
        return metrics

    def update_g(self, inputs: UpdateInputs) -> Metrics:
        """Update G, on pictures that are augmented anew."""
        self.D.requires_grad_(False)
        inputs.draws = self.draw_uniform()
        metrics = self.update("G", inputs, self.losses_of_g)
        return {"g": metrics["g"], "g_grad_norm": metrics["norm"]}

    def losses_of_g(self, inputs: UpdateInputs) -> tuple[Tensor, Metrics]:
        """The loss of G, a scalar, also as the metric `g`."""
        _, _, for_reals, for_fakes, _ = torch.split(inputs.draws, DRAWS, dim=1)
        real_logits = None
        if self.loss.pairs and inputs.reals is not None:
            with torch.no_grad():
                real_logits = self.discriminate(self.augment(inputs.reals, for_reals))
        fakes = self.augment(self.generate(inputs, learn=True), for_fakes)
        g = self.loss.g(self.discriminate(fakes), real_logits)
        return g, {"g": g}

    def generate(self, inputs: UpdateInputs, learn: bool) -> Tensor:
        """G's pictures of the latent points, made once: float32 [N, 3, S, S].

        Args:
            learn: whether G will learn from them, so that their graph is kept.
        """
        if inputs.fakes is None:
            with torch.set_grad_enabled(learn), autocast(inputs.z.device, self.config.precision):
                fakes = self.fast_G(inputs.z)
            inputs.fakes = fakes.float()
        return inputs.fakes

    def adapt_augmentation(self, metrics: Metrics, updates_of_d: int) -> Metrics:
        """Move the probability of augmentation by ADA's r_t (Karras et al. 2020a)."""
        r_t, target = metrics.pop(R_T, None), self.config.augmentation_target
        if r_t is None or target == 0:
            return metrics
        before, seen = self.numbers.get(AUGMENT_P, 0.0), updates_of_d * self.config.batch_size
        self.numbers[AUGMENT_P] = p = adapt_p(before, float(r_t), target, seen)
        return metrics | {AUGMENT_P: torch.full_like(r_t, p)}

    def update(self, name: str, inputs: UpdateInputs, losses_of: LossesOf) -> Metrics:
        """Update the network called `name`, G or D; see `Updater.update`."""
        network, optimizer = self.modules[name], self.optimizers[f"optimizer_{name.lower()}"]
        return self.updater.update(name, network, optimizer, inputs, losses_of, self.config)

    def augment(self, pictures: Tensor, draws: Tensor) -> Tensor:
        """Pictures [N, 3, S, S] as D sees them: blurred in early batches, and augmented.

        Args:
            draws: float [N, AUGMENT_DRAWS], 0..1.
        """
        config = self.config
        fade_batches = min(config.blur_fade_batches, config.batches)
        sigma_px = fading_sigma(config.blur_sigma_px, self.batch, fade_batches)
        p = self.numbers.get(AUGMENT_P, 0.0) if config.augmentation_target > 0 else 1.0
        return augment(blur(pictures, sigma_px), config.augmentation, draws, p)

    def discriminate(self, pictures: Tensor, penalised: bool = False) -> Tensor:
        """D's logits of augmented pictures: float32 [N].

        Args:
            penalised: whether a gradient penalty goes through D's backward pass. It can go neither
                through a compiled D nor through the small range of fp16.
        """
        config = self.config
        precision = "float32" if penalised and config.precision == "fp16" else config.precision
        with autocast(pictures.device, precision):
            logits: Tensor = (self.D if penalised else self.fast_D)(pictures)
            return logits.float()

    def update_ema(self) -> None:
        """Move G_ema towards G; see `move_average`."""
        self.before_rendered_changes()
        move_average(self.G_ema, self.G, self.config.ema, self.batch)
