"""What an export shows when it is done: how close it is to its source, the gate's table, and what to mind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from tundish.bundle import AnyBundle, ComposedBundle
from tundish.cli.rendering import slices_table, steps_table, variants_table
from tundish_exporters.search.table import trials_table
from tundish_exporters.search.trial import how_many_remembered

if TYPE_CHECKING:
    from tundish_exporters.composing import ExportedComposition
    from tundish_exporters.exporting import Exported


def show_export(console: Console, exported: Exported | ExportedComposition) -> None:
    """Prints the parity, the gate's tables and the warnings of an export."""
    from tundish_exporters.exporting import Exported

    if isinstance(exported, Exported):
        _show_single(console, exported)
    else:
        _show_composition(console, exported)


def _show_single(console: Console, exported: Exported) -> None:
    manifest, parity = exported.bundle.manifest, exported.parity
    _show_place(console, exported.bundle)
    console.print(
        f"Equal to its source on {parity.samples} samples. Largest differences: pre-processing "
        f"{parity.preprocessing.absolute:.1e}, network {parity.network.absolute:.1e} "
        f"(relative {parity.network.relative:.1e}), result {parity.scores:.1e}.",
        soft_wrap=True,
    )
    if exported.trials:
        console.print(trials_table(exported.trials))
        if remembered := how_many_remembered(exported.trials):
            console.print(remembered)
    console.print(variants_table(manifest))
    if slices := slices_table(manifest):
        console.print(slices)
    _show_warnings(console, exported.warnings)


def _show_composition(console: Console, exported: ExportedComposition) -> None:
    bundle: ComposedBundle = exported.bundle
    _show_place(console, bundle)
    console.print(
        f"Equal to its source on {exported.samples} samples. Largest difference of the result: {exported.scores:.1e}. "
        f"{bundle.manifest.gate.reason}",
        soft_wrap=True,
    )
    console.print(steps_table(bundle.manifest))
    if slices := slices_table(bundle.manifest):
        console.print(slices)
    for component in bundle.components.values():
        console.print(f"[bold]{component.manifest.model}[/], {component.manifest.task}")
        console.print(variants_table(component.manifest))
        if slices := slices_table(component.manifest):
            console.print(slices)
    _show_warnings(console, exported.warnings)


def _show_place(console: Console, bundle: AnyBundle) -> None:
    manifest = bundle.manifest
    console.print(
        f"[bold]{manifest.model}[/] version {manifest.version}: {escape(str(bundle.directory))}", soft_wrap=True
    )


def _show_warnings(console: Console, warnings: Sequence[str]) -> None:
    for warning in warnings:
        console.print(f"[yellow]warning:[/] {escape(warning)}", soft_wrap=True)
