"""Datasets: pictures prepared to be trained on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.actions.action import Action, Result, Table
from studio.datasets.fits import Fit
from studio.workspace.claims import EXCLUSIVE, Claim
from studio.workspace.paths import Workspace
from studio.workspace.progress import Reporter
from studio.workspace.records.declarations import Commas
from studio.workspace.records.record import new_dataset_name, option

if TYPE_CHECKING:
    from studio.datasets.prepared import PreparedDataset

SECTION = "Pictures to train on"
MAX_SKIPPED_NAMED = 20
FITTED = {
    "crop": "their middle squares were cut out (--fit pad or stretch keeps all of them)",
    "pad": "white was added at two sides",
    "stretch": "they were stretched",
}


def downscale_option() -> Any:
    """The field of the sizes in which pictures are kept as well."""
    return option((), "Keep them 2, 3 or 4 times as small as well, for the recipe upscale: 2,4.")


class DatasetResult(Result):
    """A prepared dataset, as its manifest describes it."""

    manifest: dict[str, Any]

    @classmethod
    def of(cls, dataset: PreparedDataset) -> DatasetResult:
        """The result of having prepared a dataset."""
        return cls(manifest=asdict(dataset.manifest))

    def document(self) -> Any:
        """The manifest."""
        return self.manifest

    def tell(self) -> Iterator[str | Table]:
        """What it holds, whom it is owed to, and what was left out."""
        from studio.datasets.prepared import Manifest, count_reasons

        name, pictures = self.manifest["name"], self.manifest["pictures"]
        yield f"Dataset '{name}': {Manifest(**self.manifest).describe()}."
        if self.manifest["attribution"]:
            yield self.manifest["attribution"]
        if self.manifest["small"]:
            factors = " and ".join(str(factor) for factor, _ in self.manifest["small"])
            yield f"They are kept {factors} times as small as well."
        if self.manifest["not_square"]:
            done = FITTED[self.manifest["fit"]]
            yield f"{self.manifest['not_square']:,} of them were not square: {done}."
        skipped = self.manifest["skipped"]
        if skipped:
            yield f"Left out: {len(skipped):,} of {pictures + len(skipped):,} files."
            if len(skipped) > MAX_SKIPPED_NAMED:
                yield f"That is {count_reasons(skipped)}."
        for file, reason in skipped[:MAX_SKIPPED_NAMED]:
            yield f"Skipped {file}: {reason}"
        if len(skipped) > MAX_SKIPPED_NAMED:
            yield f"... and {len(skipped) - MAX_SKIPPED_NAMED:,} more, which --json names."


class DatasetList(Result):
    """The manifests of all datasets."""

    manifests: tuple[dict[str, Any], ...]

    def document(self) -> Any:
        """The manifests."""
        return list(self.manifests)

    def tell(self) -> Iterator[str | Table]:
        """A table of them."""
        columns = ["dataset", "kind", "count", "size", "source", "attribution"]
        keys = ("name", "kind", "pictures", "image_size", "source", "attribution")
        yield Table(
            columns,
            [[manifest[key] for key in keys] for manifest in self.manifests],
            "No datasets yet. Make one: studio datasets add FOLDER --name NAME --image-size 64",
        )


class DatasetsAdd(Action):
    """Prepare a folder of pictures.

    JPEG, PNG, WebP, BMP, TIFF, GIF and AVIF files, whatever they are called, are made square,
    scaled and kept as pixels. Folders behind links are looked through as well.
    """

    command = "datasets add"
    makes_workspace = True
    section = SECTION

    folder: Path = option(help="Folder of pictures, searched to any depth.", argument=True)
    name: str = new_dataset_name()
    image_size: int = option(64, "Width and height of the pictures: 32, 64, ... 1024.", unit="px")
    fit: Fit = option(
        "crop", "Pictures that are not square: cut the middle square, add white, or stretch."
    )
    downscale: Commas = downscale_option()
    replace: bool = option(False, "Replace a dataset of that name.")

    def claims(self) -> Sequence[Claim]:
        """One prepares a dataset, and nobody trains on it meanwhile."""
        return [Claim("dataset", self.name, EXCLUSIVE)]

    def perform(self, workspace: Workspace, reporter: Reporter) -> DatasetResult:
        """Prepare the pictures."""
        from studio.datasets.folder import prepare_folder
        from studio.datasets.small_pictures import read_factors

        with reporter.task("Preparing pictures") as on_progress:
            return DatasetResult.of(
                prepare_folder(
                    self.folder,
                    workspace.dataset(self.name),
                    self.image_size,
                    fit=self.fit,
                    downscale=read_factors(self.downscale),
                    replace=self.replace,
                    on_progress=on_progress,
                )
            )


class DatasetsAddCities(Action):
    """Draw a real city and cut it into pictures.

    The city is drawn from OpenStreetMap data that is read from this machine.
    """

    command = "datasets add-cities"
    makes_workspace = True
    section = SECTION

    name: str = option("helsinki", "The city: helsinki (its centre) or suburb.")
    image_size: int = option(64, "Width and height of the pictures: 32, 64, ... 1024.", unit="px")
    metres_per_pixel: float = option(2.0, "How much of the city a pixel shows.", unit="m")
    count: int = option(4096, "Number of pictures.")
    seed: int = option(0, "Seed of the places that are cut out.")
    dataset: str | None = new_dataset_name(None, "Name of the new dataset; the city's by default.")
    downscale: Commas = downscale_option()
    replace: bool = option(False, "Replace a dataset of that name.")

    def claims(self) -> Sequence[Claim]:
        """One prepares a dataset, and nobody trains on it meanwhile."""
        return [Claim("dataset", self.dataset or self.name, EXCLUSIVE)]

    def perform(self, workspace: Workspace, reporter: Reporter) -> DatasetResult:
        """Draw the city and cut it."""
        from studio.datasets.maps.city import prepare_city
        from studio.datasets.small_pictures import read_factors

        with reporter.task("Cutting out pictures") as on_progress:
            return DatasetResult.of(
                prepare_city(
                    self.name,
                    workspace.dataset(self.dataset or self.name),
                    self.image_size,
                    metres_per_pixel=self.metres_per_pixel,
                    count=self.count,
                    seed=self.seed,
                    downscale=read_factors(self.downscale),
                    replace=self.replace,
                    on_progress=on_progress,
                )
            )


class DatasetsAddLetters(Action):
    """Prepare the letters of a folder of fonts.

    TrueType and OpenType fonts, whatever their files are called, are drawn and kept as distance
    fields of their 26 lower and 26 upper letters. Fonts whose cases look the same, that leave the
    box, lack a letter, are of symbols or are there already are left out and counted.
    """

    command = "datasets add-letters"
    makes_workspace = True
    section = SECTION

    folder: Path = option(help="Folder of fonts, searched to any depth.", argument=True)
    name: str = new_dataset_name()
    replace: bool = option(False, "Replace a dataset of that name.")

    def claims(self) -> Sequence[Claim]:
        """One prepares a dataset, and nobody trains on it meanwhile."""
        return [Claim("dataset", self.name, EXCLUSIVE)]

    def perform(self, workspace: Workspace, reporter: Reporter) -> DatasetResult:
        """Draw the letters."""
        from studio.datasets.fonts.letter_folder import prepare_letters

        with reporter.task("Drawing letters") as on_progress:
            return DatasetResult.of(
                prepare_letters(
                    self.folder,
                    workspace.dataset(self.name),
                    replace=self.replace,
                    on_progress=on_progress,
                )
            )


class DatasetsDownscale(Action):
    """Keep the pictures of a dataset small as well.

    A run that learns to make small pictures large takes pairs of both. They are made once, by
    Pillow's bicubic filter, and checked by `studio verify` as the pictures are.
    """

    command = "datasets downscale"
    section = SECTION

    name: str = option(help="The dataset: studio datasets list", argument=True, metavar="NAME")
    downscale: Commas = option(
        ("2", "4"), "How many times as small, with commas between: 2, 3 or 4."
    )

    def claims(self) -> Sequence[Claim]:
        """Its manifest is written anew, and nobody trains on it meanwhile."""
        return [Claim("dataset", self.name, EXCLUSIVE)]

    def check(self, workspace: Workspace) -> None:
        """Refuse an unknown dataset, and a factor that there is not."""
        from studio.datasets.listing import open_dataset
        from studio.datasets.small_pictures import read_factors

        open_dataset(workspace, self.name)
        read_factors(self.downscale)

    def perform(self, workspace: Workspace, reporter: Reporter) -> DatasetResult:
        """Make them small."""
        from studio.datasets.listing import open_dataset
        from studio.datasets.small_pictures import downscale_dataset, read_factors

        dataset, factors = open_dataset(workspace, self.name), read_factors(self.downscale)
        with reporter.task("Making pictures small") as on_progress:
            return DatasetResult.of(downscale_dataset(dataset, factors, on_progress))


class DatasetsList(Action):
    """List the datasets."""

    command = "datasets list"
    section = SECTION
    is_job = False

    def perform(self, workspace: Workspace, reporter: Reporter) -> DatasetList:
        """Read the manifests."""
        from studio.datasets.listing import list_datasets, open_dataset

        names = list_datasets(workspace)
        manifests = [asdict(open_dataset(workspace, name, kind=None).manifest) for name in names]
        return DatasetList(manifests=tuple(manifests))


class DatasetLook(Result):
    """What a dataset is like, and where a sheet of its pictures lies."""

    manifest: dict[str, Any]
    numbers: dict[str, Any]
    said: str
    path: Path | None

    def tell(self) -> Iterator[str | Table]:
        """What its manifest says, its numbers, and the sheet."""
        yield from DatasetResult(manifest=self.manifest).tell()
        yield self.said
        if self.path is not None:
            yield str(self.path)


class DatasetsShow(Action):
    """Show what the pictures of a dataset are like.

    The numbers are those of pictures from all over it.
    """

    command = "datasets show"
    section = SECTION
    is_job = False

    name: str = option(help="The dataset: studio datasets list", argument=True, metavar="NAME")
    out: Path | None = option(None, "Write a sheet of its pictures: FILE.png or FILE.jpg.")
    overwrite: bool = option(False, "Replace the file in --out if it is there.")

    def claims(self) -> Sequence[Claim]:
        """The dataset stays meanwhile."""
        return [Claim("dataset", self.name)]

    def check(self, workspace: Workspace) -> None:
        """Refuse an unknown dataset, and a file that is there or cannot be written."""
        from renderers.destinations import require_destination
        from renderers.pictures.picture_file import SUFFIXES
        from studio.datasets.listing import open_dataset

        open_dataset(workspace, self.name, kind=None)
        if self.out is not None:
            require_destination(self.out, SUFFIXES, self.overwrite)

    def perform(self, workspace: Workspace, reporter: Reporter) -> DatasetLook:
        """Look at the pictures."""
        from renderers.pictures.picture_file import save_picture
        from studio.datasets.listing import open_dataset
        from studio.datasets.looking import describe_look, draw_titled, measure_dataset

        dataset = open_dataset(workspace, self.name, kind=None)
        numbers = measure_dataset(dataset)
        if self.out is not None:
            save_picture(draw_titled(dataset), self.out)
        return DatasetLook(
            manifest=asdict(dataset.manifest),
            numbers=numbers._asdict(),
            said=describe_look(dataset, numbers),
            path=self.out,
        )


ACTIONS = (
    *(DatasetsAdd, DatasetsAddCities, DatasetsAddLetters, DatasetsDownscale),
    *(DatasetsList, DatasetsShow),
)
