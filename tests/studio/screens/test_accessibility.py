"""No screen has a serious fault of accessibility that axe-core finds, in the light and the dark."""

import pytest

from studio.screens.parts.browser.address import PARTS
from tests.studio.screens.test_app_in_browser import open_tab

pytestmark = [pytest.mark.browser, pytest.mark.slow]

INNER_TABS = ".tabitem:visible [role=tablist] [role=tab]"
# Only contrast depends on the colours.
CHECKED = {
    "light": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]},
    "dark": {"type": "rule", "values": ["color-contrast"]},
}
AT_REST = "*, ::before, ::after { transition: none !important; animation: none !important }"
FAULTS = """async ([rules, inner]) => {
  const shown = [...document.querySelectorAll('.tabitem')].filter((tab) => tab.offsetParent);
  const looked = inner ? shown.at(-1) : document;
  const found = await axe.run(looked, { resultTypes: ['violations'], runOnly: rules });
  return found.violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) => nodes.map((node) => (
      `${id}: ${node.target.join(' ')}: ${[...node.any, ...node.all, ...node.none][0]?.message}`
    )));
}"""


@pytest.fixture(scope="module")
def loaded(context, served):
    """One page for all of these tests, with axe-core in it."""
    axe = pytest.importorskip("axe_playwright_python.base", reason="axe is not installed")
    page = context.new_page()
    page.goto(f"{served[1]}/?run=city&tab=Home")
    page.locator("#home .home-card").first.wait_for()
    page.evaluate(axe.AXE_SCRIPT)
    page.add_style_tag(
        content=AT_REST
    )  # A colour on its way from one theme to the other is neither.
    yield page
    page.close()


def look_for_faults(page, inner=False):
    """What is wrong with what the page shows, or its innermost open tab alone."""
    faults = []
    for theme, rules in CHECKED.items():
        page.evaluate("dark => document.body.classList.toggle('dark', dark)", theme == "dark")
        faults += [f"{theme} {fault}" for fault in page.evaluate(FAULTS, [rules, inner])]
    return faults


def unfold(page, tab):
    """Open a screen, and all of it that is folded away."""
    open_tab(page, tab)
    page.wait_for_timeout(400)
    page.evaluate("document.querySelectorAll('.label-wrap:not(.open)').forEach((b) => b.click())")


@pytest.mark.parametrize("tab", PARTS)
def test_no_screen_has_a_serious_fault_of_accessibility(loaded, tab):
    unfold(loaded, tab)
    assert look_for_faults(loaded) == []


@pytest.mark.parametrize("tab", ["Checkpoints", "Explore", "Render"])
def test_no_segment_of_a_screen_has_one_either(loaded, tab):
    unfold(loaded, tab)
    faults = []
    for inner in loaded.locator(INNER_TABS).all()[1:]:
        inner.click()
        loaded.locator(f"{INNER_TABS}[aria-selected=true]", has_text=inner.inner_text()).wait_for()
        faults += look_for_faults(loaded, inner=True)
    assert faults == []


def test_a_fault_is_found_where_there_is_one(loaded):
    loaded.evaluate("document.body.insertAdjacentHTML('beforeend', '<img id=bad src=\"data:,\">')")
    assert any("image-alt: #bad" in fault for fault in look_for_faults(loaded))
    loaded.evaluate("document.querySelector('#bad').remove()")
