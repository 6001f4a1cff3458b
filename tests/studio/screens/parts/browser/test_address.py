"""What an address holds is read back as it was written; what does not fit is refused in words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.screens.parts.browser.address import PARTS, Address
from studio.screens.parts.browser.address_book import AddressBook
from studio.screens.server import SCREENS, read_address
from studio.workspace.errors import StudioError

LABELS = st.builds("{}.{}".format, st.integers(0, 10**6), st.integers(0, 10**6))


def test_every_tab_says_what_its_address_holds():
    assert {screen.TITLE for screen in SCREENS} <= set(PARTS)


@given(st.integers(0, 10**15 - 1), LABELS, st.lists(LABELS, max_size=5), st.integers(0, 999))
def test_an_address_is_read_back_as_it_was_written(batch, label, labels, page):
    chosen = {"chosen": tuple(labels)} if labels else {}
    for tab, parts in (
        ("Checkpoints", {"batch": batch, "point": label}),
        ("Explore", {"batch": batch, "city": label, "seen": batch, "zoom": (0.25, 0.5, 8.0)}),
        ("Explore", {"atlas": "city-growth-z", "moment": batch, "along": ("pca:0=2", "z:17=-0.5")}),
        (
            "Specimens",
            {"place": page, "kind": "Starred", "search": "tag:river, 3%"} | chosen,
        ),
        ("Render", {"film": "city-timelapse-0a1b/city-timelapse.mp4"}),
        ("Compare", {"runs": ("city", "town"), "log": True}),
    ):
        address = Address("city", tab, parts)
        assert Address.read(address.write()) == address


@pytest.mark.parametrize(
    "text",
    [
        "?tab=Nowhere",
        "?tab=Explore&film=a/b",
        "?tab=Checkpoints&batch=-1",
        "?tab=Checkpoints&batch=1e9",
        "?tab=Checkpoints&batch=٣",
        "?tab=Checkpoints&point=<img src=x>",
        "?tab=Render&film=../../studio.db",
        "?tab=Render&film=/etc/passwd",
        "?tab=Explore&zoom=nan,0,1",
        "?tab=Explore&zoom=1",
        "?tab=Explore&atlas=../elsewhere",
        "?tab=Explore&moment=-1",
        "?tab=Explore&along=pca:0",
        "?tab=Explore&along=z:1=99",
        "?tab=Explore&along=" + ",".join(f"z:{number}=1" for number in range(17)),
        "?tab=Specimens&place=%00",
        "?tab=Specimens&rated=6",
        "?tab=Specimens&search=" + "a" * 300,
        "?run=../up",
        "?run=" + "a" * 9000,
    ],
)
def test_what_no_page_has_written_is_refused(text):
    with pytest.raises(StudioError):
        Address.read(text)


def test_names_of_gradio_are_left_to_it():
    assert Address.read("?__theme=dark&run=city") == Address("city")


def test_a_wrong_address_is_told_and_opens_the_page_as_usual(monkeypatch):
    told = []
    monkeypatch.setattr("gradio.Warning", lambda text, **how: told.append(text))
    assert read_address("?run=gone", ["city"]) == Address()
    assert "there is no run &#39;gone&#39;" in told[0]
    assert read_address("?run=city", ["city"]) == Address("city")
    assert len(told) == 1


def test_what_is_no_choice_of_a_field_counts_as_nothing():
    book = AddressBook()
    book.hold("Specimens", "kind", None, "All", known=("All", "Starred"))
    for kind, shown in (("Starred", "Starred"), ("Nonsense", "All")):
        assert book.values(Address.read(f"?tab=Specimens&kind={kind}"), "Specimens") == [shown]
    assert book.write("city", "Specimens", ["All"]) == "?run=city&tab=Specimens"
