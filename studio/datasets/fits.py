"""How a picture that is not square becomes so; no library is loaded for it."""

from __future__ import annotations

from typing import Literal

Fit = Literal["crop", "pad", "stretch"]
