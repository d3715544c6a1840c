"""``phlo init``, ``create-workflow`` and ``test``: what a user does before and beside running."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from phlo.cli.render import current_project, say

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from phlo.project import Project
    from phlo.scaffold.workflow import WorkflowFile

TREES = {
    "minimal": """\
  {name}/
  ├── pyproject.toml       # Project dependencies
  ├── .env.example         # Environment variables template
  ├── workflows/           # Your workflow definitions
  │   ├── ingestion/       # Data ingestion workflows
  │   └── schemas/         # Pandera validation schemas
  ├── transforms/dbt/      # dbt transformation models
  └── tests/               # Workflow tests""",
    "glucose": """\
  {name}/
  ├── pyproject.toml       # Project dependencies
  ├── .env.example         # Environment variables template
  ├── .phlo/               # API views, alert rules, Dagster workspace
  ├── contracts/           # Data contracts
  ├── workflows/           # Your workflow definitions
  │   ├── ingestion/       # Data ingestion workflows
  │   ├── schemas/         # Pandera validation schemas
  │   └── quality/         # Data quality checks
  ├── transforms/dbt/      # dbt transformation models
  └── tests/               # Workflow tests""",
}

DEFAULTS = {"kind": "ingestion", "cron": "0 */1 * * *"}
EXPECTED = {
    "kind": "ingestion fills a table, quality checks one; Enter: ingestion",
    "domain": "What the workflow belongs to, which names its files, such as nightscout",
    "table": "The table that it fills or checks, such as glucose_entries",
    "unique_key": "The field that tells rows apart, such as id; several with commas",
    "cron": "When it runs, in five fields, UTC unless the project says otherwise; Enter: 0 */1 * * *, every hour",
    "base_url": "Where the source is, such as https://api.example.com/v1",
}
"""What a question asks for, on stderr before it: the questions themselves are as the documents show them."""

NO_TESTS = 5
"""What pytest exits with when it finds no test."""


@click.command()
@click.argument("name")
@click.option(
    "--template",
    default="minimal",
    show_default=True,
    metavar="TEMPLATE",
    help="minimal: an empty project; glucose: a complete platform for CGM data from Nightscout.",
)
def init(name: str, template: str) -> None:
    """Make a new project in ./NAME (or another folder: the last part of the path is the project's name)."""
    import os
    from pathlib import Path

    from phlo.scaffold.init import init_project

    target = Path(os.path.abspath(name)) if name else Path()  # noqa: PTH100  `.` and `..` have no name of their own
    init_project(target.name, target.parent, template)
    click.echo("🚀 Phlo Project Initializer\n")
    click.echo(f"Creating new project: {target.name}\n")
    click.echo(f"✅ Successfully initialized Phlo project: {target.name}\n")
    click.echo("📁 Created structure:")
    click.echo(TREES[template].format(name=target.name))
    follow = "phlo create-workflow" if template == "minimal" else "cp .env.example .env   # name your Nightscout site"
    say(f"\nNext steps:\n  cd {name}\n  pip install -e .\n  {follow}")


@click.command("create-workflow")
@click.option("--type", "kind", type=click.Choice(["ingestion", "quality"]), help="What it does (default: ingestion).")
@click.option("--domain", help="What the workflow belongs to, such as nightscout.")
@click.option("--table", help="The table it fills or checks.")
@click.option("--unique-key", metavar="FIELD", help="The field that tells rows apart; several with commas.")
@click.option("--cron", metavar="CRON", help='Schedule in five fields (default: "0 */1 * * *"); "" for none.')
@click.option("--base-url", metavar="URL", help="Where the source is.")
@click.option("--path", default="", metavar="PATH", help="What comes after the base URL, such as entries.json.")
def create_workflow(path: str, **given: str | None) -> None:
    """Add a workflow to this project: a schema, an ingestion and a test. Asks for what no option says."""
    from phlo.scaffold.workflow import create_workflow as create

    project = current_project()
    if project.installed:
        raise click.UsageError(f"`{project.name}` is installed; add workflows where it is developed")
    answers = _ask(given)
    files = create(project.root, path=path, workflows=project.settings.workflows, **answers)
    click.echo(f"\n🚀 Creating {answers['kind']} workflow for {answers['domain']}.{answers['table']}...\n")
    click.echo("✅ Created files:")
    for file in files:
        click.echo(_written(file))
    told = _tell_dbt(project, answers["table"]) if answers["kind"] == "ingestion" else ""
    click.echo("\n<- Next steps:")
    steps = _next_steps(answers, [file.path for file in files])
    for number, step in enumerate(steps, 1):
        click.echo(f"  {number}. {step}")
    say(f"  {len(steps) + 1}. Run it: phlo run")  # on stderr: the documents show what stdout has
    if told:
        say(told)


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[DOMAIN] [PYTEST OPTION]...")
def test(arguments: tuple[str, ...]) -> None:
    """Run the project's tests with pytest, or those of one domain: tests/test_DOMAIN*.py and tests/DOMAIN/."""
    import os
    import subprocess

    project = current_project()
    chosen = _choose_tests(project.root, arguments)
    path = os.pathsep.join(filter(None, [str(project.root), os.environ.get("PYTHONPATH", "")]))
    command = [_python(project.root), "-m", "pytest", *chosen]
    code = subprocess.run(command, cwd=project.root, env={**os.environ, "PYTHONPATH": path}, check=False).returncode
    if code == NO_TESTS:
        say("There are no such tests yet; `phlo create-workflow` writes one with each workflow.")
    click.get_current_context().exit(code)


def _ask(given: Mapping[str, str | None]) -> dict[str, str]:
    """Take the options, and prompt for what they leave open: for what has a default only if there are no options."""
    from functools import partial

    from phlo.scaffold.workflow import OF_SOURCES, QUESTIONS, check_answer

    defaults = DEFAULTS if any(given.values()) else {}
    answers: dict[str, str] = {}
    for name, question in QUESTIONS.items():
        kind = answers.get("kind", "")
        if name in OF_SOURCES and kind != "ingestion":
            continue
        value = defaults.get(name) if given[name] is None else given[name]
        if value is None:
            answers[name] = _prompt(question, name, partial(check_answer, name, kind=kind))
        else:
            check_answer(name, value, kind)
            answers[name] = value
    return answers


def _prompt(question: str, name: str, check: Callable[[str], None]) -> str:
    """Ask on until the answer will do; where nobody can answer, the first wrong one ends it."""
    import sys

    from phlo.errors import InvalidAnswer

    def checked(text: str) -> str:
        try:
            check(text)
        except InvalidAnswer as error:
            if not sys.stdin.isatty():
                raise
            raise click.UsageError(f"{error}: {error.next_step}") from error
        return text

    default = DEFAULTS.get(name)
    say(EXPECTED[name])
    try:
        answer: str = click.prompt(question, default=default, show_default=False, value_proc=checked)
    except click.Abort:
        if sys.stdin.isatty():
            raise
        if default is not None:
            return default
        option = {"kind": "type"}.get(name, name).replace("_", "-")
        raise click.UsageError(f"`{question}` has no answer; give it as --{option}") from None
    return answer


def _next_steps(answers: Mapping[str, str], files: Sequence[Path]) -> list[str]:
    workflow = next(file for file in files if {"ingestion", "quality"} & set(file.parts))
    domain = workflow.parent.name
    start = f"Start Dagster: phlo dev{_first_installed()}"
    try_it = f"Test: phlo test {domain}"
    if answers["kind"] == "quality":
        return [f"Edit checks: {workflow}", start, try_it]
    schema = workflow.parents[2] / "schemas" / f"{domain}.py"
    return [f"Edit schema: {schema}", f"Configure API: {workflow}", start, try_it]


def _first_installed() -> str:
    """Say what `phlo dev` needs first, where it is not installed."""
    from importlib.util import find_spec

    from phlo.origin import install_line, read_origin

    return "" if find_spec("dagster_webserver") else f"   # first: {install_line('dagster', read_origin())}"


def _written(file: WorkflowFile) -> str:
    return f"  ✓ {file.path}{' (updated)' if file.updated else ''}"


def _tell_dbt(project: Project, answered: str) -> str:
    """Add the table to dbt's sources, list that file below the others, and return how models read the table.

    It is listed on stderr: the documents show what stdout has.
    """
    from phlo.scaffold.sources import SOURCE, add_source
    from phlo.scaffold.workflow import WorkflowFile

    table = answered.strip().rpartition(".")[2]
    known = {*project.dbt.rglob("*.yml"), *project.dbt.rglob("*.yaml")}
    file = add_source(project.dbt, table)
    if file is None:
        return ""
    say(_written(WorkflowFile(file.relative_to(project.root), updated=file in known)))
    return f"\nModels read the table as source('{SOURCE}', '{table}')."


def _choose_tests(root: Path, arguments: Sequence[str]) -> list[str]:
    """Turn a domain, where the first argument is one, into its test files; the rest is pytest's."""
    if not arguments or arguments[0].startswith("-") or (root / arguments[0].partition("::")[0]).exists():
        return list(arguments)
    from phlo.errors import UnknownDomain, nearest

    domain, *rest = arguments
    folder = root / "tests"
    files = sorted({*folder.glob(f"test_{domain}.py"), *folder.glob(f"test_{domain}_*.py")})
    found = [*files, *([folder / domain] if (folder / domain).is_dir() else [])]
    if not found:
        known = {file.stem.removeprefix("test_").split("_")[0] for file in folder.glob("test_*.py")}
        raise UnknownDomain(name=domain, nearest=nearest(domain, known))
    return [*(str(file.relative_to(root)) for file in found), *rest]


def _python(root: Path) -> str:
    """Name the project's Python: its own .venv where that has pytest, else the one that runs Phlo."""
    import sys

    own = root / ".venv" / "bin" / "python"
    return str(own) if own.exists() and list(root.glob(".venv/lib/python*/site-packages/pytest")) else sys.executable
