"""What of a page stands in its address: each tab names the components that hold it."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any, NamedTuple

import gradio as gr

from studio.screens.parts.assets import read_asset
from studio.screens.parts.browser.address import STEPS, Address

Parts = Mapping[str, Any]

RUN = "run"


class _Held(NamedTuple):
    """A component, and the parts of an address that its value stands for."""

    tab: str
    source: Any
    target: Any
    split: Callable[[Any], Parts]
    join: Callable[[Parts], Any]


class AddressBook:
    """Gives the address of what a page shows, and the values that an address stands for.

    Attributes:
        bar: the hidden part of the page that writes the address; its event `asked` says that
            somebody went back to another one.
        opened: whether the address that the page came with was looked at.
    """

    def __init__(self) -> None:
        self.bar = gr.HTML(
            visible="hidden",
            html_template="",
            js_on_load=read_asset(__package__, "address_bar.js"),
            steps=list(STEPS),
        )
        self.opened = gr.State(False)
        self._held: list[_Held] = []
        self._anew: list[tuple[str, gr.State]] = []

    def hold(
        self,
        tab: str,
        name: str,
        source: Any,
        default: Any = None,
        target: Any = None,
        known: Container[Any] | None = None,
    ) -> None:
        """Let a part of the address be the value of a component.

        Args:
            tab: the title of the tab that it matters in.
            name: that of the part; see `address.PARTS`.
            default: the value where the address says nothing; it does not stand in an address.
            target: a state that is told instead of the component, which cannot take the value yet.
            known: the values that there can be; another one counts as none.
        """

        def split(value: Any) -> Parts:
            return {} if value in (None, "", default) else {name: value}

        def join(parts: Parts) -> Any:
            value = parts.get(name, default)
            return value if known is None or value in known else default

        self.hold_several(tab, source, split, join, target)

    def hold_several(
        self,
        tab: str,
        source: Any,
        split: Callable[[Any], Parts],
        join: Callable[[Parts], Any],
        target: Any = None,
    ) -> None:
        """Let several parts of the address be the value of one component.

        Args:
            split: gives the parts for a value.
            join: gives the value for the parts of an address, of which none need be there; under
                RUN stands its run, or None.
        """
        self._held.append(_Held(tab, source, source if target is None else target, split, join))

    def begin_anew(self, tab: str, known: gr.State) -> None:
        """Empty a state when an address is opened: what a tab knows of what it has drawn."""
        self._anew.append((tab, known))

    @property
    def sources(self) -> list[Any]:
        """The components whose values `write` takes."""
        return [held.source for held in self._held]

    @property
    def targets(self) -> list[Any]:
        """The components to which `values` gives values."""
        return [*(held.target for held in self._held), *(known for _, known in self._anew)]

    def write(self, run: str | None, tab: str, values: Sequence[Any]) -> str:
        """The text of the address of a page.

        Args:
            values: those of `sources`.
        """
        parts: dict[str, Any] = {}
        for held, value in zip(self._held, values, strict=True):
            if held.tab == tab:
                parts |= held.split(value)
        return Address(run, tab, parts if run is not None else {}).write()

    def values(self, address: Address, tab: str | None) -> list[Any]:
        """The values for `targets`; other tabs than the one that opens stay as they are.

        Args:
            tab: None where none is asked for.
        """
        parts = {**address.parts, RUN: address.run}
        held = [each.join(parts) if each.tab == tab else gr.skip() for each in self._held]
        return [*held, *(None if own == tab else gr.skip() for own, _ in self._anew)]
