"""The two places of a picture's metadata where a passport stands: EXIF, and XMP.

Programs that save a picture anew often keep one of them and drop the other.
"""

from __future__ import annotations

import html
import re
import warnings
from pathlib import Path
from typing import Any, BinaryIO
from xml.sax.saxutils import escape

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from studio.workspace.errors import StudioError
from studio.workspace.names import UnfitTextError

SUFFIXES = (".jpg", ".png", ".webp")  # Those of exported pictures.
FORMATS = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".webp": "WEBP"}
IMAGE_DESCRIPTION, SOFTWARE, COPYRIGHT = 0x010E, 0x0131, 0x8298
EXIF_IFD, USER_COMMENT = 0x8769, 0x9286
ASCII_PREFIX = b"ASCII\0\0\0"  # EXIF 2.3, section 4.6.5: how a comment is encoded
PNG_XMP = "XML:com.adobe.xmp"  # XMP specification, part 3, section 1.1.5: its chunk of text in PNG
TIFF_MARKS = (b"MM\0*", b"II*\0")
PNG_EXIF = {"exif", "Raw profile type exif"}
MAX_COMMENT_BYTES = 1 << 20
MAX_JPEG_BYTES = 65_000  # A segment of a JPEG holds 65,533.
# XMP may be written as elements or as attributes, with any prefix.
PASSPORT = re.compile(r"LatentCityPassport(?:>([^<]*)<|=\"([^\"<]*)\"|='([^'<]*)')")
XMP = """<x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:studio="urn:latent-city-studio">
<rdf:Description rdf:about="">{rights}
<dc:description>
<rdf:Alt><rdf:li xml:lang="x-default">{description}</rdf:li></rdf:Alt></dc:description>
<studio:LatentCityPassport>{passport}</studio:LatentCityPassport>
</rdf:Description></rdf:RDF></x:xmpmeta>"""
RIGHTS = """
<dc:rights><rdf:Alt><rdf:li xml:lang="x-default">{}</rdf:li></rdf:Alt></dc:rights>"""


def write_picture(
    image: Image.Image,
    file: BinaryIO,
    suffix: str,
    quality: int,
    passport: str,
    *,
    software: str,
    description: str,
    attribution: str,
) -> None:
    """Write a picture with a passport in its EXIF and in its XMP.

    Args:
        suffix: one of FORMATS.
        quality: of JPEG and WebP, 1..100; WebP of 100 is lossless, as PNG always is.
        passport: JSON in ASCII.
        software: which program and format wrote the passport; ASCII.
        description: what the picture shows; ASCII.
        attribution: the copyright notice; may be empty.

    Raises:
        StudioError: a JPEG has no room for it.
        OSError: the file cannot be written.
    """
    kind = FORMATS[suffix]
    exif, xmp = write_metadata(
        passport, software=software, description=description, attribution=attribution
    )
    if kind == "JPEG" and max(len(xmp), len(exif.tobytes())) > MAX_JPEG_BYTES:
        raise StudioError(
            f"A passport of {len(passport):,} bytes has no room in a JPEG. Export as png or webp."
        )
    options: dict[str, Any] = {"quality": quality}
    if kind == "PNG":
        text = PngInfo()
        text.add_itxt(PNG_XMP, xmp.decode())
        options = {"pnginfo": text}
    else:
        options["xmp"] = xmp
    if kind == "JPEG":
        options["subsampling"] = 0
    if kind == "WEBP":
        options["lossless"] = quality == 100
    image.save(file, format=kind, exif=exif, **options)


def write_metadata(
    passport: str, *, software: str, description: str, attribution: str
) -> tuple[Image.Exif, bytes]:
    """The EXIF and the XMP of a picture with a passport; the arguments are `write_picture`'s."""
    exif, xmp = Image.Exif(), _write_xmp(passport, description, attribution)
    exif[IMAGE_DESCRIPTION], exif[SOFTWARE] = description, software
    if attribution:
        exif[COPYRIGHT] = attribution.replace("©", "(c)")  # EXIF texts are ASCII; XMP is not.
    exif.get_ifd(EXIF_IFD)[USER_COMMENT] = ASCII_PREFIX + passport.encode("ascii")
    return exif, xmp


def _write_xmp(passport: str, description: str, attribution: str) -> bytes:
    rights = RIGHTS.format(escape(attribution)) if attribution else ""
    text = escape(passport)
    return XMP.format(rights=rights, description=escape(description), passport=text).encode()


def read_texts(path: Path) -> list[str]:
    """What stands where passports stand in a picture: in EXIF, in XMP, or in both.

    Its pixels are not decoded.

    Raises:
        UnfitTextError: it is no file, or a text is too long.
        Exception: foreign bytes make Pillow raise errors of many kinds.
    """
    if not path.is_file():
        raise UnfitTextError("it is no file")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow warns of large pictures and of odd metadata.
        with Image.open(path, formats=sorted(set(FORMATS.values()))) as image:
            comment = _read_comment(image)
            xmp = image.info.get("xmp") or image.info.get(PNG_XMP) or b""
    for text in (comment, xmp):
        if len(text) > MAX_COMMENT_BYTES:
            raise UnfitTextError(f"its metadata of {len(text):,} bytes is too long")
    found = [comment.removeprefix(ASCII_PREFIX).decode("ascii", "replace")] if comment else []
    markup = xmp if isinstance(xmp, str) else xmp.decode("utf-8", "replace")
    return found + [html.unescape("".join(each)) for each in PASSPORT.findall(markup)[:1]]


def _read_comment(image: Image.Image) -> bytes:
    """The comment in the EXIF of a picture."""
    if image.format == "PNG" and not PNG_EXIF & image.info.keys():
        return b""  # Pillow would decode the pixels to look behind them.
    found = [image.getexif()]
    for name, segment in getattr(image, "applist", []):
        # Pillow writes the EXIF of a WebP into a JPEG without the mark that says what it is.
        if name == "APP1" and segment.startswith(TIFF_MARKS):
            found.append(Image.Exif())
            found[-1].load(segment)
    comments = (exif.get_ifd(EXIF_IFD).get(USER_COMMENT, b"") for exif in found)
    comment = next(filter(None, comments), b"")
    return comment if isinstance(comment, bytes) else str(comment).encode()


def list_pictures(folder: Path) -> list[Path]:
    """What may be exported pictures in a folder, by name."""
    return sorted(path for path in folder.glob("*") if path.suffix in SUFFIXES)
