"""Small networks as people write them, outside this project."""

import torch
from torch import nn


class View(nn.Module):
    """z [N, nz] as a grid of one place."""

    def forward(self, z):
        return z[:, :, None, None]


class DCGAN(nn.Module):
    """As in PyTorch's tutorial: z [N, nz, 1, 1]."""

    def __init__(self, nz=16, ngf=4, nc=3, size=32, bias=False):
        super().__init__()
        channels = [ngf * size // 8 // 2**i for i in range((size // 8).bit_length())]
        layers = [nn.ConvTranspose2d(nz, channels[0], 4, 1, 0, bias=bias)]
        for before, after in zip(channels, [*channels[1:], nc], strict=True):
            layers += [nn.BatchNorm2d(before), nn.ReLU(True)]
            layers += [nn.ConvTranspose2d(before, after, 4, 2, 1, bias=bias)]
        self.main = nn.Sequential(*layers, nn.Tanh())

    def forward(self, z):
        return self.main(z)


class UpsamplingGAN(nn.Module):
    """Dense to a grid, then Upsample and convolutions, as in the PyTorch-GAN collection."""

    def __init__(self, nz=12, size=32, channels=3):
        super().__init__()
        self.grid = size // 4
        self.l1 = nn.Sequential(nn.Linear(nz, 16 * self.grid**2))
        self.conv_blocks = nn.Sequential(
            nn.BatchNorm2d(16),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(16, 16, 3, padding=1),
            nn.BatchNorm2d(16),
            nn.LeakyReLU(0.2),
            nn.Upsample(scale_factor=2),
            nn.Conv2d(16, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            nn.LeakyReLU(0.2),
            nn.Conv2d(8, channels, 3, padding=1),
            nn.Tanh(),
        )

    def forward(self, z):
        return self.conv_blocks(self.l1(z).view(len(z), 16, self.grid, self.grid))


class DenseGAN(nn.Module):
    """Dense, then transposed convolutions; norms are registered behind the convolutions."""

    def __init__(self, nz=12):
        super().__init__()
        self.fc = nn.Linear(nz, 32 * 4 * 4)
        self.deconv1 = nn.ConvTranspose2d(32, 16, 4, 2, 1)
        self.deconv2 = nn.ConvTranspose2d(16, 3, 4, 2, 1)
        self.norm0 = nn.BatchNorm1d(32 * 4 * 4)
        self.norm1 = nn.BatchNorm2d(16)

    def forward(self, z):
        x = torch.relu(self.norm0(self.fc(z))).view(len(z), 32, 4, 4)
        return torch.tanh(self.deconv2(torch.relu(self.norm1(self.deconv1(x)))))


class MLP(nn.Module):
    """Linear layers to a picture [channels, size, size]."""

    def __init__(self, latent_dim=10, channels=1, size=28):
        super().__init__()
        self.shape = channels, size, size
        self.model = nn.Sequential(
            nn.Linear(latent_dim, 24),
            nn.LeakyReLU(0.2),
            nn.Linear(24, 32),
            nn.BatchNorm1d(32),
            nn.LeakyReLU(0.2),
            nn.Linear(32, channels * size * size),
            nn.Tanh(),
        )

    def forward(self, z):
        return self.model(z).view(len(z), *self.shape)


class Residual(nn.Module):
    """What shapes alone do not show: a sum."""

    def __init__(self, nz=8, base=16):
        super().__init__()
        self.first = nn.ConvTranspose2d(nz, base, 8)
        self.second = nn.Conv2d(base, base, 3, padding=1)
        self.gain = nn.Parameter(torch.full((base, 1, 1), 0.5))
        self.colours = nn.Conv2d(base, 1, 1)

    def forward(self, z):
        x = self.first(z)
        return torch.tanh(self.colours(x + self.gain * self.second(x)))


def discriminator():
    return nn.Sequential(
        nn.Conv2d(3, 8, 4, 2, 1, bias=False),
        nn.LeakyReLU(0.2),
        nn.Conv2d(8, 16, 4, 2, 1, bias=False),
        nn.BatchNorm2d(16),
        nn.LeakyReLU(0.2),
        nn.Conv2d(16, 1, 4, bias=False),
    )


def trained(network, seed=0):
    """Weights and statistics as if it had been trained, in eval mode."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in network.state_dict().items():
        if tensor.is_floating_point():
            noise = torch.randn(tensor.shape, generator=generator) * 0.1
            tensor.copy_(1 + noise.abs() if "running_var" in name else tensor + noise)
    return network.eval()


def near_weights(network, number):
    """The state dict some optimiser steps later."""
    generator = torch.Generator().manual_seed(number)
    return {
        name: tensor + torch.randn(tensor.shape, generator=generator) * 1e-4
        if tensor.is_floating_point() and "running" not in name
        else tensor.clone()
        for name, tensor in network.state_dict().items()
    }


class ViewingGAN(nn.Module):
    """Views what its convolutions make as if it lay the usual way, as self-attention often does."""

    def __init__(self, nz=12):
        super().__init__()
        self.convolutions = nn.ConvTranspose2d(nz, 3, 16)

    def forward(self, z):
        return torch.tanh(self.convolutions(z)).view(len(z), 3, -1).view(-1, 3, 16, 16)
