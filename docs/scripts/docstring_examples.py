"""An extension of griffe, named in mkdocs.yml: `Example:` in a docstring is shown as code."""

import re
from typing import Any

import griffe


class DocstringExamples(griffe.Extension):
    """Griffe knows the section by the name `Examples` alone."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rename the section in the docstring of each function, class, module and attribute."""
        if obj.docstring:
            text = obj.docstring.value
            obj.docstring.value = re.sub(r"(?m)^(\s*)Example:$", r"\1Examples:", text)
