"""Where things are kept: pure functions of an environment."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from runctl import paths
from runctl.paths import make_private

HOME = {"HOME": "/home/zoe"}


@pytest.mark.parametrize(
    ("env", "config", "cache", "state"),
    [
        (HOME, "/home/zoe/.config/runctl", "/home/zoe/.cache/runctl", "/home/zoe/.local/state/runctl"),
        (
            HOME | {"XDG_CONFIG_HOME": "/c", "XDG_CACHE_HOME": "/k", "XDG_STATE_HOME": "/s"},
            "/c/runctl",
            "/k/runctl",
            "/s/runctl",
        ),
        (HOME | {"RUNCTL_HOME": "/all", "XDG_CACHE_HOME": "/k"}, "/all/config", "/all/cache", "/all/state"),
        (HOME | {"XDG_CONFIG_HOME": "relative"}, "/home/zoe/.config/runctl", "/home/zoe/.cache/runctl", None),
    ],
)
def test_directories_follow_runctl_home_then_xdg_then_the_system(
    env: dict[str, str], config: str, cache: str, state: str | None
) -> None:
    assert paths.config_dir(env) == Path(config)
    assert paths.cache_dir(env) == Path(cache)
    if state:
        assert paths.state_dir(env) == Path(state)


def test_elsewhere_platformdirs_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    import platformdirs

    monkeypatch.setattr(paths, "_PLATFORM", "darwin")
    assert paths.cache_dir(HOME) == Path(platformdirs.user_cache_dir("runctl", appauthor=False))
    assert paths.cache_dir(HOME | {"XDG_CACHE_HOME": "/k"}) == Path("/k/runctl")


def test_runctl_config_names_the_users_file() -> None:
    assert paths.user_config_file(HOME | {"RUNCTL_CONFIG": "/x/mine.toml"}) == Path("/x/mine.toml")
    assert paths.user_config_file(HOME) == Path("/home/zoe/.config/runctl/runctl.toml")


def test_the_search_for_a_project_ends_at_its_repository(tmp_path: Path) -> None:
    deep = tmp_path / "repo/src/pkg"
    deep.mkdir(parents=True)
    (tmp_path / "repo/.git").mkdir()
    found = paths.project_config_candidates(deep, {"HOME": "/nowhere"})
    assert found == tuple(p / "runctl.toml" for p in (deep, deep.parent, tmp_path / "repo"))


def test_the_home_directory_is_no_project_above_another(tmp_path: Path) -> None:
    deep = tmp_path / "work"
    deep.mkdir()
    env = {"HOME": str(tmp_path)}
    assert paths.project_config_candidates(deep, env) == (deep / "runctl.toml",)
    assert paths.project_config_candidates(tmp_path, env)[0] == tmp_path / "runctl.toml"


def test_asking_for_a_path_creates_nothing(tmp_path: Path) -> None:
    env = {"HOME": str(tmp_path), "RUNCTL_HOME": str(tmp_path / "r")}
    for ask in (paths.config_dir, paths.cache_dir, paths.state_dir, paths.log_file, paths.journal_file):
        ask(env)
    assert list(tmp_path.iterdir()) == []


def test_what_is_made_is_for_us_alone_with_all_that_was_missing_above_it(tmp_path: Path) -> None:
    old = os.umask(0o022)
    try:
        make_private(tmp_path / "state/runctl/jobs/work")
        make_private(tmp_path / "state/runctl/jobs/work")
    finally:
        os.umask(old)
    made = [tmp_path / p for p in ("state", "state/runctl", "state/runctl/jobs", "state/runctl/jobs/work")]
    assert {stat.S_IMODE(p.stat().st_mode) for p in made} == {0o700}
    with pytest.raises(OSError, match="File exists"):
        make_private(_file(tmp_path))


def _file(folder: Path) -> Path:
    (folder / "file").touch()
    return folder / "file"
