"""studio datasets: prepared pictures to train on."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from studio.command_line.context import AsJson, job_of, print_json, print_table, workspace_of

if TYPE_CHECKING:
    from studio.datasets.prepared import PreparedDataset

app = typer.Typer(no_args_is_help=True, help="Prepared pictures to train on.")

ImageSize = Annotated[int, typer.Option(help="Width and height in pixels: 32, 64, ... 1024.")]
Replace = Annotated[bool, typer.Option("--replace", help="Replace a dataset of that name.")]


@app.command()
def add(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="Folder of pictures, searched to any depth.")],
    name: Annotated[str, typer.Option(help="What to call the dataset.")],
    image_size: ImageSize = 64,
    replace: Replace = False,
    as_json: AsJson = False,
) -> None:
    """Prepare a folder of JPEG, PNG, WebP, BMP and TIFF pictures."""
    from studio.datasets.folder import prepare_folder

    with job_of(context) as reporter, reporter.task("Preparing pictures") as on_progress:
        destination = workspace_of(context).dataset(name)
        dataset = prepare_folder(
            folder, destination, image_size, replace=replace, on_progress=on_progress
        )
    _show(dataset, as_json)


@app.command("add-cities")
def add_cities(
    context: typer.Context,
    name: Annotated[str, typer.Option(help="helsinki (its centre) or suburb.")] = "helsinki",
    image_size: ImageSize = 64,
    metres_per_pixel: Annotated[float, typer.Option(help="How much of the city a pixel is.")] = 2.0,
    count: Annotated[int, typer.Option(help="Number of pictures.")] = 4096,
    seed: Annotated[int, typer.Option(help="Which places of the city are cut out.")] = 0,
    dataset: Annotated[
        str | None, typer.Option(help="What to call the dataset; the city's name by default.")
    ] = None,
    replace: Replace = False,
    as_json: AsJson = False,
) -> None:
    """Draw a real city from OpenStreetMap data and cut it into pictures."""
    from studio.datasets.city import prepare_city

    with job_of(context) as reporter, reporter.task("Cutting out pictures") as on_progress:
        prepared = prepare_city(
            name,
            workspace_of(context).dataset(dataset or name),
            image_size,
            metres_per_pixel=metres_per_pixel,
            count=count,
            seed=seed,
            replace=replace,
            on_progress=on_progress,
        )
    _show(prepared, as_json)


@app.command("list")
def list_all(context: typer.Context, as_json: AsJson = False) -> None:
    """List the datasets."""
    from studio.datasets.listing import list_datasets, open_dataset

    workspace = workspace_of(context)
    manifests = [open_dataset(workspace, name).manifest for name in list_datasets(workspace)]
    if as_json:
        print_json([asdict(manifest) for manifest in manifests])
        return
    print_table(
        ["dataset", "pictures", "size", "source", "attribution"],
        [(m.name, m.pictures, m.image_size, m.source, m.attribution) for m in manifests],
        "No datasets yet. Make one: studio datasets add FOLDER --name NAME --image-size 64",
    )


def _show(dataset: PreparedDataset, as_json: bool) -> None:
    manifest = dataset.manifest
    if as_json:
        print_json(asdict(manifest))
        return
    size = f"{manifest.image_size} x {manifest.image_size}"
    print(f"Dataset '{manifest.name}': {manifest.pictures:,} pictures of {size} pixels.")
    if manifest.attribution:
        print(manifest.attribution)
    for file, reason in manifest.skipped:
        print(f"Skipped {file}: {reason}")
