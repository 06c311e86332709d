"""Settings from files, variables and flags; every mistake names file, line and the nearest key."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runctl.config import DEFAULTS, OriginKind, Resolved, load_settings, masked, validate_file
from runctl.config.describe import documentation, starter, values
from runctl.config.load import SAMPLES, leaves, tables, variable
from runctl.config.settings import ProfileRules
from runctl.config.toml_lines import key_lines, line_of
from runctl.errors import ConfigurationError


@pytest.fixture
def project(tmp_path: Path) -> Path:
    directory = tmp_path / "project"
    (directory / ".git").mkdir(parents=True)
    return directory


def load(
    project: Path, text: str | None = None, env: dict[str, str] | None = None, flags: dict[str, object] | None = None
) -> Resolved:
    if text is not None:
        (project / "runctl.toml").write_text(text, encoding="utf-8")
    return load_settings({"HOME": str(project.parent), **(env or {})}, project, flags)


def refused(project: Path, text: str, env: dict[str, str] | None = None) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as raised:
        load(project, text, env)
    assert raised.value.exit_code == 3
    return raised.value


def test_without_files_the_defaults_hold_and_no_pydantic_is_loaded(tmp_path: Path) -> None:
    code = (
        "import sys; from runctl.config import load_settings, DEFAULTS\n"
        "from pathlib import Path\n"
        f"assert load_settings({{'HOME': {str(tmp_path)!r}}}, Path({str(tmp_path)!r})).settings is DEFAULTS\n"
        "print(sorted({'pydantic', 'annotated_types', 'platformdirs', 'tomllib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_rules_of_a_profile_hold_when_aws_own_variable_names_it(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(project, '[profiles.prod]\nread_only = true\nregions = ["eu-west-1"]\n').settings
    assert not settings.is_read_only(None)
    monkeypatch.setenv("AWS_PROFILE", "prod")
    assert settings.is_read_only(None)
    assert settings.is_read_only("")
    assert settings.regions_for(None) == ("eu-west-1",)
    assert not settings.is_read_only("default"), "a profile that is named is that one"


def test_flags_over_variables_over_project_over_user_over_defaults(project: Path) -> None:
    user = project.parent / ".config/runctl/runctl.toml"
    user.parent.mkdir(parents=True)
    user.write_text('owner = "user"\nprofile = "user"\nread_only = true\n[ui]\ntheme = "light"\nrefresh_s = 30\n')
    got = load(
        project,
        'owner = "project"\nprofile = "project"\n[ui]\ntheme = "ansi"\n',
        {"RUNCTL_OWNER": "variable", "RUNCTL_PROFILE": "variable"},
        {"profile": "flag", "owner": None},
    )
    settings = got.settings
    assert (settings.profile, settings.owner, settings.ui.theme) == ("flag", "variable", "ansi")
    assert (settings.ui.refresh_s, settings.read_only, settings.aws) == (30.0, True, DEFAULTS.aws)
    kinds = {name: origin.kind for name, origin in got.origins.items()}
    assert kinds == {
        "profile": OriginKind.FLAG,
        "owner": OriginKind.ENVIRONMENT,
        "ui.theme": OriginKind.PROJECT,
        "ui.refresh_s": OriginKind.USER,
        "read_only": OriginKind.USER,
    }
    assert got.origins["ui.refresh_s"].where == f"{user}:6"
    assert got.origins["owner"].where == "RUNCTL_OWNER"
    assert got.files == (user, project / "runctl.toml")


@pytest.mark.parametrize(
    ("text", "line", "words", "hint"),
    [
        ('# note\n[ui]\nthem = "dark"\n', 3, "unknown key ui.them", "did you mean ui.theme?"),
        ("refresh_s = 5\n", 1, "unknown key refresh_s", "did you mean ui.refresh_s?"),
        ('[ui]\n\ntheme = "drak"\n', 3, "'dark', 'light'", 'ui.theme = "dark"'),
        ("[ui]\nrefresh_s = 1\n", 2, "greater than or equal to 2", "ui.refresh_s = 10"),
        ('[ui]\nrefresh_s = "10"\n', 2, "valid number", "ui.refresh_s = 10"),
        ('read_only = "yes"\n', 1, "valid boolean", "read_only = false"),
        ('profile = ""\n', 1, "at least 1 character", 'profile = "lab"'),
        ('regions = ["us-esat"]\n', 1, "'us-esat' is not a region name", '["us-east-1", "eu-west-1"]'),
        ("ui = 3\n", 1, "ui is a table", "write [ui]"),
        ("[profiles.prod]\nprotect = true\n", 2, "unknown key profiles.prod.protect", "profiles.prod.protected"),
        ("profiles.prod = 1\n", 1, "profiles.prod is a table", "write [profiles.prod]"),
        ("zzz = 1\n", 1, "unknown key zzz", "valid keys: profile, regions"),
        ('x = """\n[ui]\ntheme = 1\n"""\n[ui]\ntheme = "drak"\n', 1, "unknown key x", "valid keys"),
    ],
)
def test_a_mistake_names_file_line_and_what_is_allowed(
    project: Path, text: str, line: int, words: str, hint: str
) -> None:
    error = refused(project, text)
    assert error.message.startswith(f"{project / 'runctl.toml'}:{line}: ")
    assert words in error.message
    assert hint in error.hint


def test_a_syntax_error_names_line_and_column(project: Path) -> None:
    assert refused(project, 'profile = "a"\nregions = us\n').message.startswith(
        f"{project / 'runctl.toml'}:2:11: not TOML"
    )
    assert refused(project, 'profile = """').message.startswith(f"{project / 'runctl.toml'}:1: not TOML")


def test_files_that_cannot_be_read_are_named(project: Path) -> None:
    (project / "runctl.toml").write_bytes(b'profile = "\xff"\n')
    with pytest.raises(ConfigurationError, match="not UTF-8"):
        load(project)
    (project / "runctl.toml").unlink()
    (project / "runctl.toml").mkdir()
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load(project)


def test_a_byte_order_mark_is_forgiven(project: Path) -> None:
    assert load(project, "\ufeffread_only = true\n").settings.read_only


def test_a_file_named_by_runctl_config_must_exist(project: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load(project, None, {"RUNCTL_CONFIG": str(project / "gone.toml")})


def test_variables_are_text_and_read_leniently(project: Path) -> None:
    got = load(
        project,
        "",
        {
            "RUNCTL_REGION": "us-east-1, eu-west-1",
            "RUNCTL_UI_REFRESH_S": "20",
            "RUNCTL_READ_ONLY": "yes",
            "RUNCTL_OWNER": "",
            "RUNCTL_LAUNCH_WARN_RUNNING": "3",
        },
    ).settings
    assert got.regions == ("us-east-1", "eu-west-1")
    assert (got.ui.refresh_s, got.read_only, got.owner, got.launch.warn_running) == (20.0, True, None, 3)


def test_a_bad_variable_is_named(project: Path) -> None:
    error = refused(project, "", {"RUNCTL_UI_REFRESH_S": "fast"})
    assert error.message.startswith('RUNCTL_UI_REFRESH_S: ui.refresh_s = "fast"')


def test_a_mistyped_variable_is_a_warning_and_foreign_ones_are_not(project: Path) -> None:
    got = load(project, "", {"RUNCTL_REGOIN": "x", "RUNCTL_JOB": "j", "RUNCTL_NOW": "2026-01-01T00:00:00Z"})
    assert got.warnings == ("RUNCTL_REGOIN is not a setting; did you mean RUNCTL_REGION?",)


def test_keys_and_profiles_are_tables_of_their_own(project: Path) -> None:
    got = load(
        project,
        '[keys]\ninstances.stop = "S,f5"\n"list.sort" = "o"\n'
        '[profiles.prod]\nprotected = true\n[profiles."a b"]\nregions = ["all"]\nread_only = true\n',
    ).settings
    assert dict(got.keys) == {"instances.stop": "S,f5", "list.sort": "o"}
    assert got.rules("prod").protected
    assert got.rules("other") == ProfileRules()
    assert got.is_read_only("a b")
    assert not got.is_read_only("prod")
    assert got.regions_for("a b") == ("all",)
    assert got.regions_for(None) == ()


def test_secrets_are_masked() -> None:
    assert masked("hook.token", "abc") == "****"
    assert masked("hook.token", "") == ""
    assert masked("proxy", "https://me:pw@host/x") == "https://****@host/x"
    assert masked("ui.theme", "dark") == "dark"


def test_every_setting_is_documented_and_the_starter_file_is_valid(tmp_path: Path) -> None:
    texts = documentation()
    for leaf in leaves():
        assert texts[leaf.name].endswith("."), leaf.name
    for leaf in leaves(ProfileRules):
        assert texts[f"profiles.NAME.{leaf.name}"]
    file = tmp_path / "starter.toml"
    file.write_text(starter())
    assert validate_file(file) == 0
    setting = re.compile(r'# (\[|[\w."]+ = )')
    uncommented = "\n".join(line.removeprefix("# ") if setting.match(line) else line for line in starter().splitlines())
    file.write_text(uncommented)
    named = len(list(tables())) + 1  # an example in each table, and one of the keys
    assert validate_file(file) == len(list(leaves())) + named + len(list(leaves(ProfileRules)))


def test_show_knows_every_value_and_its_origin(project: Path) -> None:
    shown = {v.name: v for v in values(load(project, '[ui]\ntheme = "light"\n'))}
    assert list(shown) == [leaf.name for leaf in leaves()]
    assert shown["ui.theme"].value == "light"
    assert str(shown["ui.theme"].origin) == f"{project / 'runctl.toml'}:2"
    assert str(shown["aws.read_timeout_s"].origin) == "default"


def test_each_plain_setting_has_a_variable_that_sets_it(project: Path) -> None:
    samples: dict[str, str] = {"profile": "p", "owner": "o", "regions": "us-west-2", "ui.ascii": "true"}
    for leaf in leaves():
        text = samples.get(leaf.name, str(SAMPLES.get(leaf.name, leaf.default)))
        assert leaf.name in load(project, "", {variable(leaf.name): text}).origins


def test_a_deleted_working_directory_is_no_project(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    before = Path.cwd()
    os.chdir(gone)
    try:
        gone.rmdir()
        assert load_settings({"HOME": str(tmp_path)}).settings is DEFAULTS
    finally:
        os.chdir(before)


def test_budgets_by_name_are_numbers_and_show_where_they_come_from(project: Path) -> None:
    text = '[budgets]\nday_usd = 200\n[budgets.projects]\n"llama.v2" = 1000\n[budgets.jobs]\nj1 = 0.5\n'
    found = load(project, text)
    assert found.settings.budgets.day_usd == 200
    assert found.settings.budgets.projects == {"llama.v2": 1000}
    assert found.settings.budgets.jobs == {"j1": 0.5}
    assert str(found.origins["budgets.projects.llama.v2"]).endswith(":4")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[budgets.projects]\nllama = 0", "greater than 0"),
        ('[budgets.owners]\nana = "much"', "valid number"),
        ("[budgets]\nprojects = 5", "is a table"),
        ("[budgets]\nday = 5", "did you mean budgets.day_usd"),
    ],
)
def test_a_budget_that_is_none_is_refused(project: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(project, text)
    assert said in f"{caught.value.message} {caught.value.hint}"


KEY = st.text("abcdefghijk_", min_size=1, max_size=6)


@given(st.lists(st.tuples(KEY, st.integers()), unique_by=lambda t: t[0], max_size=8), st.integers(0, 3))
def test_lines_of_keys_are_where_they_were_written(pairs: list[tuple[str, int]], blank: int) -> None:
    lines = ["# head"]
    expected: dict[tuple[str, ...], int] = {}
    for name, value in pairs:
        lines += [""] * blank + [f"[t.{name}]", f"  {name} = {value}  # x = 1"]
        expected[("t", name)] = len(lines) - 1
        expected[("t", name, name)] = len(lines)
    found = key_lines("\n".join(lines))
    assert found == expected
    for path, number in expected.items():
        assert line_of(found, path) == number
        assert line_of(found, (*path, "inside")) == number


def test_quoted_dotted_and_inline_keys_are_found() -> None:
    found = key_lines('a."b c".d = 1\nui = { theme = "x" }\n[[list]]\nk = 1\n')
    assert line_of(found, ("a", "b c", "d")) == 1
    assert line_of(found, ("ui", "theme")) == 2
    assert line_of(found, ("list", "k")) == 4
    assert line_of(found, ("nowhere",)) is None
    assert line_of(found, ("a", "b c")) == 1
