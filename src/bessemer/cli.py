"""The command line: one command is one function call. Nothing heavy is imported to parse a command."""

from __future__ import annotations

import json
import os
import signal
import sys
import warnings
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from bessemer import __version__
from bessemer.errors import BessemerError, StoppedError

if TYPE_CHECKING:
    from bessemer.export.predictor import Predictor
    from bessemer.pipeline import Run

app = typer.Typer(
    name="bessemer",
    help="Raw data in, a small, fast, measured model out, with one recipe.",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

RecipeFile = Annotated[Path, typer.Argument(metavar="RECIPE", help="The recipe, a YAML file.")]
Out = Annotated[Path | None, typer.Option("-o", "--out", help="The run folder; by default runs/NAME.")]
Set = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change one key of the recipe; repeatable.")
]
Nproc = Annotated[int, typer.Option("--nproc", help="Train on this many processes of this machine.")]
Ledger = Annotated[
    float | None,
    typer.Option(
        "--ledger",
        metavar="MINUTES",
        help="Then train for so many minutes without each technique in turn, and tell what each bought.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Modules = Annotated[
    Path | None, typer.Option("--modules", help="The folder of the modules that the model's recipe names, if any.")
]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"bessemer {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    pass


@app.command()
def init(
    data: Annotated[Path, typer.Argument(metavar="DIR_OR_FILE", help="The data to look at.")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Where to write the recipe.")] = Path("recipe.yaml"),
    force: Annotated[bool, typer.Option("--force", help="Replace a recipe that is there.")] = False,
    task: Annotated[
        str | None,
        typer.Option(
            "--task",
            help="What to learn: classify (classes), regress (numbers), or of text language (what comes next). "
            "Without it classes or numbers, as the labels are.",
        ),
    ] = None,
    label: Annotated[
        str | None,
        typer.Option("--label", help="The column of a table that holds the class or number to be told."),
    ] = None,
    minutes: Annotated[
        float, typer.Option("--minutes", min=0.1, help="What the whole run may take on this machine.")
    ] = 10.0,
) -> None:
    """Look at the data and write a commented recipe that fits it."""
    from bessemer.starter import write_recipe
    from bessemer.task import find_task

    wanted = find_task(task) if task is not None else None
    write = wanted.starter() if wanted else None
    numbers = wanted.has_numbers if wanted else None
    given = (data, out, force)
    typer.echo(write(*given, minutes) if write else write_recipe(*given, numbers, label, minutes))


@app.command()
def check(recipe: RecipeFile, set: Set = None, out: Out = None, as_json: AsJson = False) -> None:
    """Show the resolved recipe and the stages that would run; nothing is run."""
    from bessemer.config import dump_yaml
    from bessemer.pipeline import status
    from bessemer.recipe import load_recipe

    loaded = load_recipe(recipe, set or [])
    rows = status(loaded, out or Path("runs") / loaded.name)
    if as_json:
        typer.echo(json.dumps({"recipe": loaded.model_dump(mode="json"), "stages": dict(rows)}, indent=1))
        return
    typer.echo(dump_yaml(loaded.model_dump()))
    for name, state in rows:
        typer.echo(f"{name:9} {state}")
    most = loaded.most_minutes
    if most is not None:
        typer.echo(
            f"Trainings are planned for {most:.3g} minutes at most on this machine; preparation comes before them."
        )


def _run(
    recipe: Path,
    out: Path | None,
    settings: list[str] | None,
    until: str | None,
    nproc: int,
    as_json: bool,
    ledger: float | None = None,
) -> None:
    from bessemer.pipeline import run as run_recipe
    from bessemer.report.terminal import TerminalProgress

    result = run_recipe(
        recipe, out, set=settings or [], until=until, nproc=nproc, ledger=ledger, progress=TerminalProgress()
    )
    _print_result(result, as_json)


def _print_result(result: Run, as_json: bool) -> None:
    from bessemer.report.ledger import ledger_table, trials
    from bessemer.report.prepared import account_told
    from bessemer.report.table import summary_table

    if as_json:
        typer.echo(json.dumps(result.report, indent=1))
        return
    if result.did_nothing:
        typer.echo("Nothing to do: every stage was done before with the same recipe and data.")
    if result.report["metrics"]:
        typer.echo(summary_table(result.report, str(result.path)))
    elif all(row["cached"] for row in result.stages):  # a stage that is carried out tells it itself
        typer.echo("\n".join(account_told(result.report.get("data") or {})))
    if trials(result.report):
        typer.echo(f"\n{ledger_table(result.report)}\n")
    typer.echo(f"Report: {result.path / 'report.html'}")


@app.command()
def run(
    recipe: RecipeFile,
    out: Out = None,
    set: Set = None,
    until: Annotated[str | None, typer.Option("--until", metavar="STAGE", help="Stop after this stage.")] = None,
    nproc: Nproc = 1,
    ledger: Ledger = None,
    as_json: AsJson = False,
) -> None:
    """Run a recipe: prepare, train, evaluate, compress, export, report. The same command resumes it."""
    _run(recipe, out, set, until, nproc, as_json, ledger)


def _stage_command(stage: str, text: str) -> None:
    def command(
        recipe: RecipeFile, out: Out = None, set: Set = None, nproc: Nproc = 1, as_json: AsJson = False
    ) -> None:
        _run(recipe, out, set, stage, nproc, as_json)

    app.command(stage, help=text)(command)


@app.command()
def prepare(
    recipe: RecipeFile,
    out: Out = None,
    set: Set = None,
    preview: Annotated[
        bool, typer.Option("--preview", help="Also write a sheet of augmented samples, to look at.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run a recipe up to prepared data."""
    from bessemer.pipeline import preview as preview_run

    _run(recipe, out, set, "prepare", 1, as_json)
    if preview:
        typer.echo(f"Preview: {preview_run(recipe, out, set or [])}", err=as_json)


_stage_command("train", "Run a recipe up to the trained parent.")
_stage_command("evaluate", "Run a recipe up to the parent's measured quality.")
_stage_command("compress", "Run a recipe up to the compressed model that meets the contract.")
_stage_command("export", "Run a recipe up to the exported file; the same as run.")


@app.command()
def predict(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="A run folder, its report or recipe, or an exported folder.")
    ],
    inputs: Annotated[
        list[Path],
        typer.Argument(
            metavar="INPUT...",
            help="Files of the kind the model takes, folders of them, or tables of one sample a row; - is "
            "standard input, of text one sample a line.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="FILE", help="Write a table of all answers: .csv, .tsv or .jsonl."),
    ] = None,
    top: Annotated[
        int | None, typer.Option("--top", min=1, help="How many classes to show; by default 3, in a table all.")
    ] = None,
    column: Annotated[
        str | None, typer.Option("--column", help="The column of tables to read, in place of the recipe's.")
    ] = None,
    tokens: Annotated[
        int | None, typer.Option("--tokens", help="Of a language model: tokens to go on for.")
    ] = None,
    temperature: Annotated[
        float | None, typer.Option("--temperature", help="Of a language model: 0 takes the likeliest token.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", help="Of a language model: for another continuation.")
    ] = None,
    modules: Modules = None,
    as_json: AsJson = False,
) -> None:
    """What a shipped model says of files: images, texts, recordings, the rows of tables."""
    from contextlib import nullcontext

    from bessemer.data.readers import input_files
    from bessemer.dotted import modules_beside
    from bessemer.export.answers import check_answers_file
    from bessemer.export.predictor import Predictor

    says = {"tokens": tokens, "temperature": temperature, "seed": seed}
    with modules_beside(modules) if modules else nullcontext():
        predictor = Predictor(model, column=column, says=says)
        files = input_files(inputs, predictor.kind)
        if out is not None:
            check_answers_file(out, files)
            top = top or max(1, len(predictor.classes))
        _answer(predictor, files, top or 3, out, as_json)


def _answer(predictor: Predictor, files: list[Path], top: int, out: Path | None, as_json: bool) -> None:
    """Write or print what the model says; DataError where nothing could be read."""
    from bessemer.export.answers import Tally, beside, write_answers

    tally = Tally()
    answers = tally.counted(predictor.answers(files, top))
    if out is not None:
        rows = (beside(asked.cells, asked.where, predictor.flat(answer)) for asked, answer in answers)
        write_answers(out, rows)
        typer.echo(f"{tally.told()}: {out}")
    elif as_json:
        typer.echo(json.dumps([answer for _, answer in answers], indent=1))
    else:
        for _, answer in answers:
            typer.echo(predictor.told(answer))
    tally.refuse_nothing(predictor.kind.noun)


@app.command()
def bench(
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A run folder or an exported folder.")],
    against: Annotated[Path | None, typer.Option("--against", help="Another one, timed in turns with it.")] = None,
    batch: Annotated[list[int] | None, typer.Option("--batch", min=1, help="Batch sizes; repeatable.")] = None,
    seconds: Annotated[float, typer.Option("--seconds", min=0.1, help="Time per batch size.")] = 4.0,
    threads: Annotated[int | None, typer.Option("--threads", min=1, help="Threads of the runtime.")] = None,
    modules: Modules = None,
    as_json: AsJson = False,
) -> None:
    """Measure latency, throughput and size, all models and runtimes in turns."""
    from contextlib import nullcontext

    from bessemer.dotted import modules_beside
    from bessemer.export.bench import bench_models, bench_table

    with modules_beside(modules) if modules else nullcontext():
        result = bench_models([model, *([against] if against else [])], batch or [1, 8, 64], seconds, threads)
    typer.echo(json.dumps(result, indent=1) if as_json else bench_table(result))


@app.command()
def report(folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder.")]) -> None:
    """Write report.html again from report.json; show the summary and what the task tells of its models."""
    from bessemer.pipeline import read_report, rebuild_report
    from bessemer.report.table import sections_table, summary_table

    path = rebuild_report(folder)
    values = read_report(folder)
    if values["metrics"]:
        typer.echo(summary_table(values, str(folder)))
    if told := sections_table(values):
        typer.echo(f"\n{told}\n")
    typer.echo(f"Report: {path}")


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Look at this machine: what is installed, and what will make work slow."""
    from bessemer.doctor import examine, show

    found = examine()
    typer.echo(json.dumps(found, indent=1) if as_json else show(found))


@app.command()
def schema() -> None:
    """Print the JSON schema of a recipe, for editors."""
    from bessemer.recipe import Recipe

    typer.echo(json.dumps(Recipe.model_json_schema(), indent=1))


def main() -> None:
    """Run a command; errors become one message and an exit code."""
    try:
        if not sys.warnoptions:  # what libraries warn of is for programmers; processes that start here inherit it
            warnings.simplefilter("ignore")
            os.environ.setdefault("PYTHONWARNINGS", "ignore")
        signal.signal(signal.SIGTERM, _terminated)
        app()
    except BessemerError as error:
        sys.stderr.write(f"\nerror: {error}\n")
        if isinstance(error, StoppedError):
            # Python ends by SIGINT, not with our code, if the signal once fell into exec(), as imports use it.
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(error.exit_code)
        sys.exit(error.exit_code)


def _terminated(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
