"""Profiles as AWS's files have them, and the places of credentials without their secrets."""

from __future__ import annotations

from pathlib import Path

import pytest

from runctl.services.profiles import credential_places, list_profiles


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/config").write_text(
        "[default]\nregion=us-east-1\n[profile work]\nsso_session = x\n"
        "[sso-session x]\n[services y]\n[profile  spaced ]\n"
    )
    (tmp_path / ".aws/credentials").write_text("[old]\naws_secret_access_key = hunter2\n[work]\n")
    return {"HOME": str(tmp_path)}


def test_profiles_of_both_files_once_and_nothing_else(env: dict[str, str]) -> None:
    assert list_profiles(env) == ("default", "old", "spaced", "work")


def test_missing_and_broken_files_have_no_profiles(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_bytes(b"\xff\xfe[[[\nno section")
    env = {"HOME": str(tmp_path), "AWS_CONFIG_FILE": str(broken), "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path)}
    assert list_profiles(env) == ()


def test_places_say_what_is_there_and_no_secret(env: dict[str, str]) -> None:
    places = credential_places({**env, "AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "hunter3"}, "work")
    text = " ".join(f"{p.name}={p.found}" for p in places)
    assert "hunter" not in text
    assert places[0].found == "work"
    assert places[1].found == "set"
    assert "old, work" in text
    assert not any(p.found for p in credential_places({"HOME": "/nonexistent", "AWS_EC2_METADATA_DISABLED": "x"})[:6])
