"""`tundish models`: what a repository holds, without a server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tundish.bundle import AnyBundle, Bundle, ComposedBundle
from tundish.cli.rendering import slices_table, steps_table, variants_table
from tundish.errors import BundleError, ModelNotFoundError
from tundish.manifest import Composition, ImagePreprocess, Manifest, Source, Variant
from tundish.placement.availability import obstacles
from tundish.placement.store import Choice, PlacementStore
from tundish.repository import scan

app = typer.Typer(help="List, show and verify the models of a repository.", no_args_is_help=True)

_REPORT = "report.html"

RepositoryArgument = Annotated[Path, typer.Argument(help="Directory of <model>/<version>/bundle.json.")]


@app.command("list")
def list_models(
    repository: RepositoryArgument,
    as_json: Annotated[bool, typer.Option("--json", help="JSON, for programs.")] = False,
) -> None:
    """List every version with its task and the fastest variant that runs here, as its exporter measured."""
    entries = list(scan(repository))
    if as_json:
        print(
            json.dumps(
                [
                    {"model": entry.model, "version": entry.version or None, **_summary(entry.content)}
                    for entry in entries
                ]
            )
        )
        return
    summaries = [_summary(entry.content) for entry in entries]
    words = [word for summary in summaries for word in summary.get("variant", "").split()]
    table = Table()
    for heading in ("model", "version", "task"):
        table.add_column(heading, no_wrap=True)
    table.add_column("variant", min_width=max(map(len, words), default=0))
    table.add_column("state", min_width=len("verified"))
    for entry, summary in zip(entries, summaries, strict=True):
        table.add_row(
            entry.model,
            str(entry.version or "?"),
            summary.get("task", ""),
            summary.get("variant", ""),
            escape(summary.get("error", "verified")),
        )
    Console(highlight=False).print(table)


@app.command()
def show(
    repository: RepositoryArgument,
    model: Annotated[str, typer.Argument(help="Name of the model.")],
    version: Annotated[int | None, typer.Option(help="Version; the default is the highest.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The whole manifest, for programs.")] = False,
) -> None:
    """Show one version as a model card: what it is for, whence it comes, and what each variant was measured to do."""
    bundle = find_bundle(repository, model, version)
    if as_json:
        print(bundle.manifest.model_dump_json(indent=2))
        return
    console = Console(highlight=False)
    _show_origin(console, bundle.manifest)
    if any(file.path == _REPORT for file in bundle.manifest.assets):
        console.print(f"  report: {bundle.directory / _REPORT}", markup=False, soft_wrap=True)
    if isinstance(bundle, Bundle):
        _show_variants(console, bundle.manifest, repository)
        return
    console.print(steps_table(bundle.manifest))
    console.print(bundle.manifest.gate.reason, markup=False, soft_wrap=True)
    if slices := slices_table(bundle.manifest):
        console.print(slices)
    for component in bundle.components.values():
        console.print(f"[bold]{component.manifest.model}[/], {component.manifest.task}")
        _show_variants(console, component.manifest, repository)


def _show_origin(console: Console, manifest: Manifest | Composition) -> None:
    console.print(f"[bold]{manifest.model}[/] version {manifest.version}, {manifest.task}")
    for line in _origin(manifest.source):
        console.print(f"  {line}", markup=False, soft_wrap=True)


def _show_variants(console: Console, manifest: Manifest, repository: Path) -> None:
    for side, specs in (("input", manifest.inputs), ("output", manifest.outputs)):
        for spec in specs:
            console.print(f"  {side:6} {spec.name} {spec.datatype} {list(spec.shape)}", markup=False)
    console.print(variants_table(manifest))
    if slices := slices_table(manifest):
        console.print(slices)
    left_out = obstacles(manifest)
    for variant in manifest.variants:
        said = f"{variant.name}: {_recipe(variant)}. {variant.gate.reason} {left_out.get(variant.name, '')}"
        console.print(said.rstrip(), markup=False, soft_wrap=True)
    console.print(_placement(PlacementStore(repository).find(manifest)), markup=False, soft_wrap=True)


def find_bundle(repository: Path, model: str, version: int | None) -> AnyBundle:
    """The version asked for, or the highest; verified. `NAME.COMPONENT` is a component of one.

    Raises:
        RepositoryError: the repository is not there, or is empty.
        ModelNotFoundError: it has no such version.
        BundleError: the version is broken.
    """
    whole, dot, component = model.partition(".")
    found = [entry for entry in scan(repository) if entry.model == whole and version in (None, entry.version)]
    if not found:
        wanted = f"'{model}'" if version is None else f"'{model}' version {version}"
        raise ModelNotFoundError(f"{repository} holds no model {wanted}; `tundish models list` shows what there is.")
    content = found[-1].content
    if isinstance(content, BundleError):
        raise content
    if not dot:
        return content
    components = content.components if isinstance(content, ComposedBundle) else {}
    if component not in components:
        raise ModelNotFoundError(f"'{whole}' has no component '{component}'; it has {', '.join(components) or 'none'}.")
    return components[component]


def _origin(source: Source) -> list[str]:
    frameworks = ", ".join(f"{name} {version}" for name, version in source.frameworks.items())
    files = ", ".join(f"{name} {digest[:12]}" for name, digest in source.files.items())
    return [
        f"license: {source.license or 'not said'}",
        f"intended use: {source.intended_use or 'not said'}",
        f"source: {source.kind}{f' by {frameworks}' if frameworks else ''}",
        f"SHA-256 of its files begin with: {files}" if files else "no files, it came from memory",
    ]


def _placement(choice: Choice | None) -> str:
    if choice is None:
        return "On this machine: not placed yet; `tundish tune` measures it, or the first load for two seconds."
    figures = choice.figures
    return (
        f"On this machine: {choice.placement}; {figures.items_per_second:.1f} items a second with a p99 of "
        f"{figures.p99_milliseconds:.1f} ms, measured by {choice.chosen_by} on {choice.chosen_at:%Y-%m-%d}."
    )


def _recipe(variant: Variant) -> str:
    said = [variant.recipe]
    if isinstance(variant.preprocess, ImagePreprocess):
        if variant.preprocess.reduced_jpeg:
            said.append("JPEGs decoded at a fraction of their size")
        if variant.preprocess.coarsest_jpeg_step is not None:
            said.append("progressive JPEGs without their last bits")
    return "; ".join(said)


@app.command()
def verify(repository: RepositoryArgument) -> None:
    """Check every file of every bundle against its SHA-256; exit code 1 if one does not match."""
    console = Console(highlight=False)
    broken = False
    for entry in scan(repository):
        good = not isinstance(entry.content, BundleError)
        broken |= not good
        verdict = "[green]verified[/]" if good else f"[red]broken:[/] {escape(str(entry.content))}"
        console.print(f"{entry.model} {entry.version or '?'}: {verdict}", soft_wrap=True)
    if broken:
        raise typer.Exit(1)


def _summary(content: AnyBundle | BundleError) -> dict[str, str]:
    if isinstance(content, BundleError):
        return {"error": str(content)}
    if isinstance(content, ComposedBundle):
        return {"task": content.manifest.task, "variant": f"composed of {', '.join(content.components)}"}
    manifest = content.manifest
    left_out = obstacles(manifest)
    runnable = (variant.name for variant in manifest.servable if variant.name not in left_out)
    return {"task": manifest.task, "variant": next(runnable, "none that runs here")}
