"""Hostile questions of a gallery: forged tables for its answers, forged addresses of pictures.

One app answers all of them; its workspace is verified after them, and nothing may change beside it.
A refusal is a sentence: an answer with a `problem`, or a status below 500.
"""

from __future__ import annotations

import json
import random
import urllib.error
import urllib.request
from collections import Counter
from typing import Any
from urllib.parse import urlencode

import torch

from benchmarks.hostile_parts.outcomes import (
    HARMLESS,
    REFUSED,
    SILENTLY_WRONG,
    TRACEBACK,
    open_yard,
)
from benchmarks.hostile_parts.requests import (
    BATCHES,
    MAX_SECONDS,
    RUN,
    VALUES,
    find_damage,
    judge,
    make_playground,
    serving,
)

LABELS = f"{BATCHES}.0 {BATCHES}.1"
VIEW = {"kind": "All", "order": "batch", "search": "", "batches": "", "rated": 0, "place": 0}
ASKED: dict[str, dict[str, Any]] = {
    "list_view": {"run": RUN, "view": VIEW},
    "describe": {"run": RUN, "labels": LABELS},
    "mark": {"run": RUN, "labels": LABELS, "rating": 3, "tag": "river", "note": "", "star": True},
    "export": {"run": RUN, "labels": LABELS, "into": "zip", "format": "png", "quality": 90},
    "stacks": {"run": RUN, "within": 0.5},
}
PICTURE = {"run": RUN, "label": f"{BATCHES}.0", "key": "0" * 32, "size": "small"}


def attack(count: int, seed: int) -> Counter[str]:
    """The outcomes of so many forged questions, and of a look at the workspace after them."""
    torch.set_num_threads(1)
    choose, outcomes = random.Random(seed), Counter[str]()
    with open_yard() as yard:
        made = make_playground(yard)
        with serving(made) as address:
            place = _find_gallery(address)
            assert _ask(address, place, "describe", ASKED["describe"]) == HARMLESS
            for number in range(count):
                if number % 4:
                    name = choose.choice(list(ASKED))
                    asked = _forge(ASKED[name], choose)
                    work = lambda n=name, a=asked: _ask(address, place, n, a)  # noqa: E731
                else:
                    asked = _forge(PICTURE, choose)
                    work = lambda a=asked: _get(address, a)  # noqa: E731
                outcomes[judge(made, work)] += 1
        if find_damage(made.workspace):
            outcomes[SILENTLY_WRONG] += 1
    return outcomes


def _find_gallery(address: str) -> int:
    """The number of the component that answers the gallery."""
    with urllib.request.urlopen(f"{address}/config") as answer:
        config = json.load(answer)
    parts = config["components"]
    return next(int(part["id"]) for part in parts if part["props"].get("elem_id") == "specimens")


def _forge(asked: dict[str, Any], choose: random.Random) -> Any:
    """A table of which one value, or all of it, is another."""
    forged = choose.choice(VALUES)
    if choose.random() < 0.1:
        return forged
    name = choose.choice(list(asked))
    inner = asked[name]
    if isinstance(inner, dict) and choose.random() < 0.8:
        return {**asked, name: {**inner, choose.choice(list(inner)): forged}}
    return {**asked, name: forged}


def _ask(address: str, place: int, name: str, asked: Any) -> str:
    sent = {"data": asked, "component_id": place, "fn_name": name, "session_hash": "attack"}
    body = json.dumps(sent).encode("utf-8", "surrogatepass")
    request = urllib.request.Request(
        f"{address}/gradio_api/component_server/", body, {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=MAX_SECONDS) as answer:
            told = json.load(answer)
    except urllib.error.HTTPError as error:
        return REFUSED if error.code < 500 else TRACEBACK
    problem = told.get("problem")
    if problem is None:
        return HARMLESS
    return REFUSED if " " in problem.strip() else TRACEBACK


def _get(address: str, asked: Any) -> str:
    values = asked if isinstance(asked, dict) else {"run": asked}
    query = urlencode({name: str(value) for name, value in values.items()}, errors="surrogatepass")
    try:
        with urllib.request.urlopen(
            f"{address}/studio/specimens/picture?{query[:60_000]}", timeout=MAX_SECONDS
        ) as answer:
            return HARMLESS if answer.headers["Content-Type"].startswith("image/") else TRACEBACK
    except urllib.error.HTTPError as error:
        return REFUSED if error.code < 500 else TRACEBACK
