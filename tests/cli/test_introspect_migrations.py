"""`introspect diff --migrations`: models against migrations, by the answer of the migration tools themselves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]

MODELS = """
from django.db import models
class Order(models.Model):
    total = models.IntegerField()
    note = models.TextField(default="")
class Line(models.Model):
    order = models.ForeignKey(Order, models.CASCADE)
"""
INITIAL = """
from django.db import migrations, models
class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel("Order", [("id", models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")), ("total", models.TextField())]),
    ]
"""
SETTINGS = """
SECRET_KEY = "x"
INSTALLED_APPS = ["shop"]
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "/no/such/folder/x.sqlite"}}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    pytest.importorskip("django")
    for name, text in {
        "settings.py": SETTINGS,
        "shop/__init__.py": "",
        "shop/models.py": MODELS,
        "shop/migrations/__init__.py": "",
        "shop/migrations/0001_initial.py": INITIAL,
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_django_models_that_the_migrations_do_not_lead_to_are_the_autodetectors_operations(
    project: Path, conduit_command: Run
) -> None:
    done = conduit_command(
        "introspect", "diff", "--migrations", "--django", "settings", "--format", "json", cwd=project
    )
    assert (done.returncode, done.stderr) == (0, "")
    found = [(one["application"], one["operation"], one["name"]) for one in json.loads(done.stdout)]
    code = (
        "import django, json; django.setup()\n"
        "from django.core.management.commands import makemigrations as m\n"
        "written = []\n"
        "m.Command.write_migration_files = lambda self, changes: written.extend("
        "[type(o).__name__ for ms in changes.values() for x in ms for o in x.operations])\n"
        "m.Command.requires_system_checks = []\n"
        "import django.db.migrations.loader as loader\n"
        "loader.MigrationLoader.check_consistent_history = lambda self, connection: None\n"
        "from django.core.management import call_command\n"
        "call_command('makemigrations', interactive=False, verbosity=0)\n"
        "print(json.dumps(written))"
    )
    truth = subprocess.run(
        [sys.executable, "-c", code],
        cwd=project,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "settings"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert [operation for _, operation, _ in found] == json.loads(truth.stdout.splitlines()[-1])
    assert set(found) == {
        ("shop", "AddField", "order.note"),
        ("shop", "AlterField", "order.total"),
        ("shop", "CreateModel", "Line"),
    }


def test_the_gate_is_closed_until_a_migration_is_written(project: Path, conduit_command: Run) -> None:
    words = ("introspect", "diff", "--migrations", "--gate", "--django", "settings")
    done = conduit_command(*words, cwd=project)
    assert done.returncode == 1
    assert "gate closed: the migrations do not lead to the models" in done.stderr
    (project / "shop/migrations/0001_initial.py").unlink()
    (project / "shop/models.py").write_text("")
    done = conduit_command(*words, cwd=project)
    assert (done.returncode, done.stdout) == (0, "the migrations lead to the models\n")


TABLES = """
import sqlalchemy as sa
metadata = sa.MetaData()
orders = sa.Table("orders", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("total", sa.Integer))
lines = sa.Table("lines", metadata, sa.Column("id", sa.Integer, primary_key=True))
"""
REVISION = """
import sqlalchemy as sa
from alembic import op
revision, down_revision = "{revision}", {before!r}
def upgrade():
    {upgrade}
"""


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    pytest.importorskip("alembic")
    (tmp_path / "alembic/versions").mkdir(parents=True)
    (tmp_path / "alembic.ini").write_text("[alembic]\nscript_location = %(here)s/alembic\n")
    (tmp_path / "alembic/env.py").write_text("raise AssertionError('it would connect to a database')\n")
    (tmp_path / "tables.py").write_text(TABLES)
    for revision, before, upgrade in (
        ("a1", None, "op.create_table('orders', sa.Column('id', sa.Integer, primary_key=True))"),
        ("b2", "a1", "op.create_table('old', sa.Column('id', sa.Integer, primary_key=True))"),
    ):
        text = REVISION.format(revision=revision, before=before, upgrade=upgrade)
        (tmp_path / f"alembic/versions/{revision}.py").write_text(text)
    return tmp_path


def test_alembics_migrations_are_compared_by_alembic_without_the_applications_database(
    tables: Path, conduit_command: Run
) -> None:
    done = conduit_command(
        "introspect", "diff", "--migrations", "--app", "tables", "--format", "json", cwd=tables
    )
    assert (done.returncode, done.stderr) == (0, "")
    found = {(one["tool"], one["operation"], one["name"]) for one in json.loads(done.stdout)}
    assert found == {
        ("alembic", "add_table", "lines"),
        ("alembic", "remove_table", "old"),
        ("alembic", "add_column", "orders.total"),
    }


def test_a_migration_that_sqlite_cannot_run_is_named(tables: Path, conduit_command: Run) -> None:
    text = REVISION.format(revision="c3", before="b2", upgrade="op.execute('CREATE EXTENSION hstore')")
    (tables / "alembic/versions/c3.py").write_text(text)
    done = conduit_command("introspect", "diff", "--migrations", "--app", "tables", cwd=tables)
    assert (done.returncode, done.stdout) == (1, "")
    assert (
        "revision c3 (c3.py) cannot run on an empty SQLite database: "
        'OperationalError: near "EXTENSION": syntax error; use `alembic check`'
    ) in done.stderr


def test_a_migration_of_a_table_that_none_creates_says_so(tables: Path, conduit_command: Run) -> None:
    upgrade = "op.add_column('metrics', sa.Column('step', sa.Integer))"
    (tables / "alembic/versions/c3.py").write_text(
        REVISION.format(revision="c3", before="b2", upgrade=upgrade)
    )
    done = conduit_command("introspect", "diff", "--migrations", "--app", "tables", cwd=tables)
    assert (done.returncode, done.stdout) == (1, "")
    assert "no such table: metrics (no earlier revision creates it); use `alembic check`" in done.stderr
    assert "sqlalche.me" not in done.stderr


SAME_TABLES = TABLES.replace("sa.MetaData()", "sa.MetaData()\nempty = sa.MetaData()")


def test_only_the_base_that_is_named_is_compared(tables: Path, conduit_command: Run) -> None:
    (tables / "first.py").write_text(
        SAME_TABLES.replace('sa.Column("total", sa.Integer)', "") + "import tables\n"
    )

    def compared(*words: str) -> tuple[int, str, str]:
        done = conduit_command("introspect", "diff", "--migrations", *words, cwd=tables)
        return done.returncode, done.stdout, done.stderr

    status, stdout, _ = compared("--sqlalchemy", "first:metadata", "--format", "json")
    found = {(one["operation"], one["name"]) for one in json.loads(stdout)}
    assert (status, found) == (0, {("add_table", "lines"), ("remove_table", "old")})
    status, stdout, stderr = compared("--app", "first")
    assert (status, stdout) == (1, "")
    assert "is in first:metadata and in tables:metadata; name the one" in stderr
    status, stdout, stderr = compared("--sqlalchemy", "first:empty")
    assert (status, stdout) == (1, "")
    assert "first:empty has no tables; name it in a module that defines or imports the models" in stderr


def test_models_that_cannot_be_loaded_are_not_taken_for_removed(tables: Path, conduit_command: Run) -> None:
    (tables / "broken.py").write_text("import tables\nimport no_such_package\n")
    done = conduit_command("introspect", "diff", "--migrations", "--app", "broken", cwd=tables)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("warning: ") == 1
    assert "no_such_package" in done.stderr


def test_a_wrong_call_says_what_is_expected(conduit_command: Run) -> None:
    done = conduit_command("introspect", "diff", "--migrations", "a.json", "b.json", "--django", "x")
    assert (done.returncode, done.stdout) == (2, "")
    assert "takes no documents" in done.stderr
    assert conduit_command("introspect", "diff", "a.json").returncode == 2


TRANSLATED = """
from django.db import models
from django.utils.translation import gettext_lazy as _
class Order(models.Model):
    total = models.TextField(verbose_name=_("January"), help_text="not compared")
"""
OWN_COMMAND = """
from django.core.management.commands.makemigrations import Command
from django.db import models
own = models.Field.deconstruct
def without_help(field):
    name, path, args, kwargs = own(field)
    kwargs.pop("help_text", None)
    return name, path, args, kwargs
models.Field.deconstruct = without_help
"""


def test_translated_texts_and_the_projects_own_makemigrations_are_compared_as_that_command_does(
    project: Path, conduit_command: Run
) -> None:
    (project / "settings.py").write_text(SETTINGS + "\nLANGUAGE_CODE = 'de'\n")
    (project / "shop" / "models.py").write_text(TRANSLATED)
    initial = INITIAL.replace("models.TextField()", "models.TextField(verbose_name='January')")
    (project / "shop/migrations/0001_initial.py").write_text(initial)
    words = ("introspect", "diff", "--migrations", "--django", "settings", "--format", "json")
    told = json.loads(conduit_command(*words, cwd=project).stdout)
    assert [(one["operation"], one["name"]) for one in told] == [("AlterField", "order.total")]
    commands = project / "shop" / "management" / "commands"
    commands.mkdir(parents=True)
    (commands / "makemigrations.py").write_text(OWN_COMMAND)
    assert json.loads(conduit_command(*words, cwd=project).stdout) == []
    (commands / "makemigrations.py").unlink()
    (project / "shop" / "models.py").write_text(TRANSLATED.replace(', help_text="not compared"', ""))
    assert json.loads(conduit_command(*words, cwd=project).stdout) == []


@pytest.mark.parametrize(
    ("location", "ini"),
    [
        ("%(here)s/alembic", "."),
        ("alembic", "."),
        ("shipped:store/alembic", "."),
        ("shipped/store/alembic", "shipped/store"),
        ("shipped/store/alembic", "shipped/store/alembic"),
    ],
)
def test_script_location_is_found_where_alembics_own_folder_of_migrations_is(
    tables: Path, monkeypatch: pytest.MonkeyPatch, location: str, ini: str
) -> None:
    from conduit.sources.collector.migrations.alembic import script_folder

    monkeypatch.syspath_prepend(tables)
    (tables / "elsewhere").mkdir()
    monkeypatch.chdir(tables / "elsewhere")
    expected = tables / "alembic"
    if "shipped" in location:
        expected = tables / "shipped/store/alembic"
        expected.parent.mkdir(parents=True)
        (tables / "shipped/__init__.py").touch()
        (tables / "alembic").rename(expected)
    (tables / "alembic.ini").unlink()
    (tables / ini / "alembic.ini").write_text(f"[alembic]\nscript_location = {location}\n")
    assert Path(script_folder(str(tables / ini))).resolve() == expected.resolve()


def test_a_package_that_script_location_names_and_is_not_installed_is_told(
    tables: Path, conduit_command: Run
) -> None:
    (tables / "alembic.ini").write_text("[alembic]\nscript_location = nosuch:alembic\n")
    done = conduit_command("introspect", "diff", "--migrations", "--app", "tables", cwd=tables)
    assert (done.returncode, done.stdout) == (1, "")
    assert "script_location nosuch:alembic" in done.stderr
