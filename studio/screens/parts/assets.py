"""Style sheets and scripts of the page: files that lie beside the module that uses them."""

from __future__ import annotations

from functools import cache
from importlib import resources
from pathlib import Path

import gradio as gr
from markupsafe import Markup

GRADIO_ASSETS = Path(gr.__file__).parent / "templates" / "frontend" / "assets"
LOADING_STATUS = "statustracker-*.js"  # The module of Gradio's page that `loading_status.js` mends.


@cache
def read_asset(package: str, name: str) -> str:
    """The text of a style sheet or a script.

    Args:
        package: the folder in which the file lies, such as `studio.screens.parts`.
        name: of the file, such as `markup.js`.

    Raises:
        FileNotFoundError: the installation is incomplete.
    """
    return resources.files(package).joinpath(name).read_text("utf-8")


def page_head() -> Markup:
    """The scripts in the head of the page: what others rely on, and what mends Gradio's own.

    Where this Gradio has no such module as is mended, the page works without, only slower.
    """
    names = ("morph.js", "tabs.js", "forms.js", "links.js")
    scripts = [read_asset(f"{__package__}.browser", name) for name in names]
    scripts.append(read_asset(f"{__package__}.charts", "readout.js"))
    found = sorted(path.name for path in GRADIO_ASSETS.glob(LOADING_STATUS))
    if found:
        url = Markup('new URL("assets/{}", document.baseURI)').format(found[0])
        script = read_asset(__package__, "loading_status.js")
        scripts.append(script.replace("LOADING_STATUS", url))
    tag = Markup("<script>{}</script>")
    return Markup().join(tag.format(Markup(script)) for script in scripts)
