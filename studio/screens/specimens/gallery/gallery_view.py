"""What of the specimens a gallery shows: filters, order, place, and what is chosen and open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from studio.screens.parts.browser.address import MAX_PLACE, MAX_SEARCH
from studio.specimens.specimen_search import ORDERS, SpecimenSearch
from studio.workspace.errors import StudioError
from studio.workspace.names import require_point_label, require_rating, require_texts

KINDS = ("All", "Starred", "Fixed", "Sampled", "Imported")
TITLES = {  # What the orders of a gallery are called.
    "created": "Newest first",
    "batch": "Early batches first",
    "latest": "Late batches first",
    "rating": "Best rated first",
    "starred": "Starred first",
    "name": "By name",
}
MAX_CHOSEN = 5000  # So many are chosen, and worked on, at once.


@dataclass(frozen=True)
class GalleryView:
    """What a person has set in the gallery of a run; all of it stands in the page's address.

    Args:
        kind: one of KINDS.
        order: one of ORDERS.
        search, batches, rated: as the text, the batches and the least rating of a SpecimenSearch.
        place: the number, from 0, of the first specimen in sight.
        open: the label of the specimen that is seen large; empty for none.
    """

    kind: str = KINDS[0]
    order: str = "created"
    search: str = ""
    batches: str = ""
    rated: int = 0
    place: int = 0
    open: str = ""

    @classmethod
    def read(cls, given: Any) -> GalleryView:
        """The view that a page or an address asks for; what it does not say is as it is at first.

        Raises:
            StudioError: a value does not fit.
        """
        if not isinstance(given, Mapping):
            raise StudioError("The page said nothing of what it shows. Load it again.")
        require_texts(dict(given))
        known = {field.name: field.default for field in fields(cls)}
        values = {name: given.get(name, value) for name, value in known.items()}
        for name, value in values.items():
            if type(value) is not type(known[name]):
                raise StudioError(f"The page gave no {name} that there can be. Load it again.")
        view = cls(**values)
        view.check()
        return view

    def check(self) -> None:
        """Refuse what cannot be.

        Raises:
            StudioError: a value does not fit.
        """
        if self.kind not in KINDS or self.order not in ORDERS:
            raise StudioError("There is no such choice of specimens, or no such order.")
        if max(len(self.search), len(self.batches)) > MAX_SEARCH:
            raise StudioError(f"What is searched for has at most {MAX_SEARCH} characters.")
        if not 0 <= self.place <= MAX_PLACE:
            raise StudioError(f"There is no place {self.place:,} in a gallery.")
        if self.open:
            require_point_label(self.open)
        require_rating(self.rated)

    @property
    def wanted(self) -> SpecimenSearch:
        """What is looked for.

        Raises:
            StudioError: the text or the batches cannot be read.
        """
        return SpecimenSearch(
            text=self.search,
            starred=self.kind == "Starred",
            origin=None if self.kind in ("All", "Starred") else self.kind.lower(),
            least_rating=self.rated,
            sort=self.order,
            batches=self.batches,
        )

    def parts(self) -> dict[str, Any]:
        """What of it is not as it is at first: the parts of an address."""
        usual = asdict(GalleryView())
        return {name: value for name, value in asdict(self).items() if value != usual[name]}
