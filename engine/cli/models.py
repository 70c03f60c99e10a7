"""``engine models``: what was trained, what serves, and what served before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.completion import complete_kind, complete_model
from engine.cli.output import count
from engine.cli.progress import progress_bar
from engine.terminal.options import ConfigOption, JsonOption
from engine.terminal.output import console, grid, print_json, warn

if TYPE_CHECKING:
    from db.records import ModelKind
    from engine.documents.models import ModelEntryOut
    from engine.registry.versions import ModelEntry, Promoted

_HELP = "Versions of the trained models: list, compare, promote, roll back, prune."
KindOption = Annotated[
    str | None,
    typer.Option(
        "--kind",
        help="surrogate or generator.",
        show_default="both",
        autocompletion=complete_kind,
    ),
]
_ModelArgument = Annotated[
    int, typer.Argument(help="A version's number.", min=1, autocompletion=complete_model)
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    group = typer.Typer(help=_HELP, no_args_is_help=True, rich_markup_mode=None)
    group.command("list")(list_)
    for command in (show, compare, promote, rollback, rebuild, prune):
        group.command()(command)
    app.add_typer(group, name="models")


def list_(
    kind: KindOption = None, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """List the versions of the active campaign, newest first.

    Every file's hash is looked at: a version whose files are gone or altered is told.
    """
    from engine.registry.versions import list_models
    from engine.workspace import Workspace

    with Workspace.open(config) as workspace:
        entries = list_models(workspace, _kind(kind))
    if as_json:
        print_json({"items": [_document(entry) for entry in entries]})
        return
    if not entries:
        typer.echo("no model was trained yet; the starter that ships with Spinneret serves")
        return
    rows = []
    for entry in entries:
        version = entry.version
        gate = version.metrics.get("gate") or {}
        r2 = (gate.get("r2") or {}).get("candidate")
        rows.append(
            [
                str(version.id),
                str(version.kind),
                str(version.status),
                "–" if version.parent_id is None else str(version.parent_id),
                f"{version.created_at:%Y-%m-%d %H:%M}",
                str(version.metrics.get("mode", "pretrain")),
                "–" if r2 is None else f"{r2:.2f}",
                _state(entry),
            ]
        )
    headings = ["model", "kind", "status", "from", "made [UTC]", "how", "judged R² [–]", "files"]
    console().print(grid(headings, rows))
    for entry in entries:
        if entry.problems and not entry.version.is_pruned:
            warn("; ".join(entry.problems))


def show(model: _ModelArgument, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show everything that is known of a version: what it was made from, and how it was judged."""
    from engine.registry.versions import show_model
    from engine.workspace import Workspace

    with Workspace.open(config) as workspace:
        entry = show_model(workspace, model)
    if as_json:
        print_json(_document(entry))
    else:
        _print_entry(entry)
    for problem in entry.problems:
        warn(problem)


def compare(
    models: Annotated[
        list[int],
        typer.Argument(
            help="Versions; one: with the champion.", min=1, autocompletion=complete_model
        ),
    ],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare surrogates on recipes that no training saw, with the starter and a plain model.

    Everything recorded so far is used: for each block of judged recipes the Gaussian processes are
    fitted to what was recorded before it. Takes some seconds for each model.
    """
    from engine.refresh.compare import compare_models
    from engine.workspace import Workspace

    with Workspace.open(config) as workspace, progress_bar() as progress:
        comparison = compare_models(workspace, models, progress)
    if as_json:
        print_json(comparison.as_json())
        return
    first = next(iter(comparison.r2))
    rows = []
    for name, r2 in comparison.r2.items():
        difference = comparison.differences.get(name)
        rows.append(
            [
                name,
                f"{r2:.3f}",
                f"{comparison.log_density[name]:.3f}",
                "–"
                if difference is None
                else f"{difference['d_r2']:+.3f} ± {difference['se_r2']:.3f}",
                "–"
                if difference is None
                else f"{difference['d_density']:+.3f} ± {difference['se_density']:.3f}",
            ]
        )
    headings = ["", "R² [–]", "log density [nat]", f"{first}: R² more", f"{first}: density more"]
    console().print(grid(headings, rows))
    typer.echo(
        f"{count(comparison.n_recipes, 'recipe')} that no training saw; ± one standard error"
    )


def promote(
    model: _ModelArgument,
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "by hand",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a version serve from now on, whatever its numbers say."""
    from engine.registry.versions import promote as promote_now
    from engine.workspace import Workspace

    with Workspace.open(config) as workspace:
        promoted = promote_now(workspace, model, reason=reason)
    _print_promoted(promoted, as_json=as_json)


def rollback(
    kind: Annotated[
        str, typer.Option(help="surrogate or generator.", autocompletion=complete_kind)
    ] = "surrogate",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let what served before the champion serve again: the same files, the same predictions.

    Again and again it goes further back; before the first version stands the starter. A former
    champion whose files are gone or altered is passed over.
    """
    from engine.registry.versions import rollback as roll_back
    from engine.workspace import Workspace

    with Workspace.open(config) as workspace:
        chosen = _kind(kind)
        assert chosen is not None  # noqa: S101 -- it has a default
        promoted = roll_back(workspace, chosen)
    _print_promoted(promoted, as_json=as_json)


def rebuild(
    model: _ModelArgument, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Train a version again from what its row tells, and put its files back if they are missing.

    Everything is read as it was then; with the same libraries on a CPU the weights are the same.
    Exits with 1 if they are not.
    """
    from engine.refresh.rebuild import rebuild as rebuild_now
    from engine.workspace import Workspace

    with Workspace.open(config) as workspace, progress_bar() as progress:
        rebuilt = rebuild_now(workspace, model, progress)
    for difference in rebuilt.differences:
        warn(difference)
    if as_json:
        document = {name: value for name, value in vars(rebuilt).items() if name != "model_id"}
        print_json({"model": rebuilt.model_id, **document})
    elif rebuilt.is_same:
        remark = "; its files are back in their place" if rebuilt.restored else ""
        typer.echo(f"model {model}: the same weights (sha256 {rebuilt.sha256[:12]}){remark}")
    else:
        warn(f"model {model}: other weights (sha256 {rebuilt.sha256[:12]}); nothing was changed")
    if not rebuilt.is_same:
        raise typer.Exit(1)


def prune(
    keep: Annotated[
        int | None,
        typer.Option(min=0, help="Newest of each kind that stay.", show_default="keep_models"),
    ] = None,
    kind: KindOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove the files of old versions; what they can be rebuilt from is kept.

    The champion, and what a rollback would bring back, always stay.
    """
    from engine.registry.versions import prune as prune_now
    from engine.workspace import Workspace

    with Workspace.open(config) as workspace:
        n = workspace.settings.schedule.keep_models if keep is None else keep
        pruned = prune_now(workspace, keep=n, kind=_kind(kind), is_dry_run=dry_run)
    if as_json:
        from engine.documents.models import PrunedOut

        print_json(PrunedOut.model_validate(pruned))
        return
    verb = "would go" if pruned.is_dry_run else "removed"
    names = ", ".join(map(str, pruned.ids)) or "none"
    typer.echo(f"{verb}: {names} ({pruned.n_bytes / 1e6:.1f} MB)")


def _kind(word: str | None) -> ModelKind | None:
    from db.records import ModelKind
    from engine.errors import UsageError, nearest_name

    if word is None:
        return None
    kinds = [str(kind) for kind in ModelKind]
    if word not in kinds:
        raise UsageError(
            f"--kind: expected {' or '.join(kinds)}, got '{word}'.{nearest_name(word, kinds)}"
        )
    return ModelKind(word)


def _state(entry: ModelEntry) -> str:
    if entry.version.is_pruned:
        return "pruned"
    return "altered or gone" if entry.problems else "sound"


def _document(entry: ModelEntry) -> ModelEntryOut:
    from engine.documents.models import ModelEntryOut

    return ModelEntryOut.build(entry, _state(entry))


def _print_entry(entry: ModelEntry) -> None:
    version = entry.version
    versions = version.versions or {}
    lines = [
        ("model", f"{version.id}, a {version.kind}, {version.status}"),
        ("made", f"{version.created_at:%Y-%m-%d %H:%M} UTC by {version.created_by}"),
        ("from", "the starter" if version.parent_id is None else f"model {version.parent_id}"),
        ("files", f"{version.artifact_path} ({_state(entry)}, sha256 {version.sha256[:12]})"),
        ("results up to", f"change {version.watermark}"),
        ("seed", "–" if version.seed is None else str(version.seed)),
        ("versions", ", ".join(f"{name} {word}" for name, word in versions.items()) or "–"),
    ]
    if entry.refresh is not None:
        run = entry.refresh
        lines.append(("refresh", f"{run.id}, {run.trigger}: {run.outcome}"))
        lines.append(("verdict", run.log or "–"))
    lines += [
        (
            "served from",
            f"{promotion.at:%Y-%m-%d %H:%M} UTC ({promotion.by}: {promotion.reason or '–'})",
        )
        for promotion in entry.served
    ]
    width = max(len(name) for name, _ in lines)
    for name, text in lines:
        typer.echo(f"{name:<{width}}  {text}")
    gate = version.metrics.get("gate")
    if gate:
        rows = [
            [name, f"{r2:.3f}", f"{gate['log_density'][name]:.3f}"]
            for name, r2 in gate["r2"].items()
        ]
        console().print(grid(["judged", "R² [–]", "log density [nat]"], rows))


def _print_promoted(promoted: Promoted, *, as_json: bool) -> None:
    from engine.registry.versions import SHIPPED

    for note in promoted.notes:
        warn(note)
    if as_json:
        from engine.documents.models import ServedOut

        print_json(ServedOut.model_validate(promoted))
        return
    champion = SHIPPED[promoted.kind] if promoted.now_id is None else f"model {promoted.now_id}"
    typer.echo(f"{champion} serves from now on ({promoted.kind})")
    if promoted.former_id is not None:
        typer.echo(f"model {promoted.former_id} retired; its files are kept")
