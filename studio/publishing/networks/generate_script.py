"""The text of `generate.py`, which lies beside published weights and draws pictures with them."""

from __future__ import annotations

# What each of these scripts has, whatever its latent points are.
LOAD = '''def load_generator():
    """The generator with its weights, and config.json."""
    config = json.loads((HERE / "config.json").read_text(encoding="utf-8"))
    G = build_network(config["network"])
    G.load_state_dict(load_file(HERE / "model.safetensors"))
    return G.eval(), config


def read_points(labels):
    """Latent points of specimens by their labels, from points.safetensors; all for "all"."""
    if not (HERE / "points.safetensors").is_file():
        raise SystemExit("There is no points.safetensors here, since the run had no specimens.")
    points = load_file(HERE / "points.safetensors")
    names = sorted(points) if labels == "all" else labels.split(",")
    for name in names:
        if name not in points:
            raise SystemExit(f"There is no specimen {name!r}. There are: {', '.join(points)}")
    return {name: points[name] for name in names}


@torch.inference_mode()
def render(G, z):
    """Latent points float [N, z_dim] -> pictures uint8 [N, height, width, 3]."""
    levels = G(z).float().add(1).mul(127.5).nan_to_num(0).round().clamp(0, 255)
    return levels.to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
'''

GENERATE = (
    '''"""Draw pictures with this model: python generate.py --seeds 0-15 --out pictures

It needs nothing but: pip install torch safetensors numpy pillow
"""

import argparse
import json
import math
from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import load_file

from network import build_network

HERE = Path(__file__).resolve().parent


'''
    + LOAD
    + '''

def draw_seed(seed, config):
    """The latent point of a seed, as the model was trained with: float [z_dim]."""
    z = torch.randn(config["z_dim"], generator=torch.Generator().manual_seed(seed))
    if config["z_distribution"] == "uniform":
        return (z / math.sqrt(2)).erf()
    if config["z_distribution"] == "sphere":
        return z / z.norm().clamp_min(1e-12)
    return z


def main():
    asked = argparse.ArgumentParser(description="Draw pictures with this model.")
    asked.add_argument("--seeds", default="0-15", help="one, or FIRST-LAST (0-15)")
    asked.add_argument("--points", help="labels of specimens with commas between, or all")
    asked.add_argument("--out", type=Path, default=Path("pictures"), help="a folder (pictures)")
    asked = asked.parse_args()
    G, config = load_generator()
    if asked.points:
        points = read_points(asked.points)
    else:
        first, _, last = asked.seeds.partition("-")
        seeds = range(int(first), int(last or first) + 1)
        points = {f"seed-{seed}": draw_seed(seed, config) for seed in seeds}
    asked.out.mkdir(parents=True, exist_ok=True)
    for name, z in points.items():
        path = asked.out / f"{name}.png"
        Image.fromarray(render(G, z[None])[0]).save(path)
        print(path)


if __name__ == "__main__":
    main()
'''
)
