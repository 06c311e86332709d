"""Each format, letter by letter, from a fleet checked by eye."""

from __future__ import annotations

import io
import json
import sys

import pytest

from runctl.cli import output
from runctl.cli.envelope import section_of
from runctl.cli.fleet import Fleet
from runctl.cli.listing import Shape
from runctl.cli.registry import SECTIONS
from runctl.cli.style import Style
from runctl.models.snapshot import Health, Source
from tests.cli.fleets import ALL, broken, call, fleet


def written(
    capsys: pytest.CaptureFixture[str],
    form: str,
    nouns: tuple[str, ...] = SECTIONS,
    *,
    seen: Fleet | None = None,
    shape: Shape | None = None,
    style: Style | None = None,
) -> str:
    seen, shape = seen or fleet(), shape or Shape()
    output.write_once(call(form, style=style), [section_of(n, seen, shape) for n in nouns], seen, shape)
    return capsys.readouterr().out


TABLE = """\
2026-01-31T12:00:00Z  account 123456789012  profile lab  us-east-1
$1.53/h  +1 unpriced  3 running  1 stopped  1 job  1 unattached  storage $14.00/month
! 1 unattached volume

INSTANCES 4
ID                   NAME              TYPE         STATE    MARKET     AZ            UP     $/H  SINCE  OWNER
i-00000000000000001  train             g5.xlarge    running  on-demand  us-east-1a  2h00  1.0060   2.01  zoe
i-00000000000000002  [/x]re d =1+1 🦙  weird.large  running  spot       us-east-1a  2h00       ?      ?  -
i-00000000000000003  old               t3.micro     stopped  on-demand  us-east-1a     -  0.0000      -  -
i-00000000000000004  lazy              g5.xlarge    running  on-demand  us-east-1a  2h00  0.5000   1.00  -

JOBS 1
ID     STATE    MACHINE  INSTANCE             TRY  STEP  ETA  $ SO FAR  $ TO END  CKPT
llama  RUNNING  running  i-00000000000000001    -     ?    ?      2.01         ?     ?

BUCKETS 1
BUCKET    REGION     CREATED           OBJECTS  SIZE  $/MO
ckpt-lab  us-east-1  2026-01-22 12:00        ?     ?     ?

VOLUMES 2
ID      NAME  TYPE  GIB   IOPS  STATE      AZ          ATTACHED TO          $/MO  WASTE
vol-01  data  gp3   100  3,000  in-use     us-east-1a  i-00000000000000001  8.00  -
vol-02  -     gp2    10      -  available  us-east-1a  -                    1.00  unattached

COSTS 7
KIND      ID                   NAME              REGION        $/H    $/MO  WHY                 OWNER
instance  i-00000000000000001  train             us-east-1  1.0060  734.38  running job llama   zoe
instance  i-00000000000000004  lazy              us-east-1  0.5000  365.00  idle, GPU 0 %       -
volume    vol-01               data              us-east-1  0.0110    8.00  attached to train   -
snapshot  snap-01              -                 us-east-1  0.0068    5.00  snapshot of vol-01  -
address   eipalloc-01          198.51.100.7      us-east-1  0.0050    3.65  unassociated        -
volume    vol-02               -                 us-east-1  0.0014    1.00  unattached          -
instance  i-00000000000000002  [/x]re d =1+1 🦙  us-east-1       ?       ?  running, no job     -
"""


def test_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert [line.rstrip() for line in written(capsys, "table").splitlines()] == TABLE.splitlines()


def test_table_in_ascii_without_headers_and_narrow(capsys: pytest.CaptureFixture[str]) -> None:
    shape = Shape(headers=False)
    text = written(capsys, "table", ("instances",), shape=shape, style=Style(ascii=True, width=60))
    assert text.isascii()
    assert text.splitlines()[0].split() == ["i-00000000000000001", "train", "running", "1.0060"]
    assert max(map(len, text.splitlines())) <= 60


def test_no_escape_reaches_a_stream_without_colours(capsys: pytest.CaptureFixture[str]) -> None:
    for form in ("table", "wide", "csv", "name", "json", "ndjson"):
        text = written(capsys, form)
        assert "\x1b" not in text
        assert "\x9b" not in text
        assert "\u202e" not in text


def test_colour_marks_states(capsys: pytest.CaptureFixture[str]) -> None:
    assert "\x1b[32mrunning\x1b[0m" in written(capsys, "table", ("instances",), style=Style(color=True))


def test_json_holds_the_true_text_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    text = written(capsys, "json")
    assert text.count("\n") == 1
    names = [i["name"] for i in json.loads(text)["sections"]["instances"]["items"]]
    assert names[1] == "[/x]\x1b[31m\x9bre\nd\u202e =1+1 \U0001f999"


def test_ndjson_is_one_item_a_line_with_its_kind(capsys: pytest.CaptureFixture[str]) -> None:
    items = [json.loads(line) for line in written(capsys, "ndjson", ("instances", "s3", "cost")).splitlines()]
    assert [i["kind"] for i in items] == ["instance"] * 4 + ["s3"] + ["cost"] * 7
    assert items[5]["resource"] == "instance"
    assert next(iter(items[0])) == "kind"


def test_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert written(capsys, "name", ("volumes", "jobs")) == "volume/vol-01\nvolume/vol-02\njob/llama\n"


def test_csv_tables_are_parted_by_an_empty_line(capsys: pytest.CaptureFixture[str]) -> None:
    first, second = written(capsys, "csv", ("s3", "volumes")).split("\n\n")
    assert first == "bucket,region,created_at,objects,bytes,usd_per_month\nckpt-lab,us-east-1,2026-01-22T12:00:00Z,,,"
    assert second.splitlines()[0].startswith("id,name,type,size_gib,iops,throughput,state,region,az,attached_to")


def test_wide_has_more_columns(capsys: pytest.CaptureFixture[str]) -> None:
    text = written(capsys, "wide", ("instances",), shape=Shape(wide=True))
    head = next(line for line in text.splitlines() if line.startswith("ID "))
    assert {"REGION", "GPU", "VCPU", "PROJECT", "JOB"} <= set(head.split())


def test_not_allowed_is_not_none(capsys: pytest.CaptureFixture[str]) -> None:
    seen = broken(Source.VOLUMES, error_class="DeniedError", health=Health.DENIED)
    text = written(capsys, "table", seen=seen)
    assert "VOLUMES ?" in text
    assert "not allowed: ec2:DescribeVolumes in us-east-1" in text
    assert "(without volumes)" in text
    output.report_failures(call(), seen)
    assert capsys.readouterr().err == "runctl: not allowed: ec2:DescribeVolumes in us-east-1\n  mend it\n"


def test_nothing_known_leaves_stdout_empty_but_for_json(capsys: pytest.CaptureFixture[str]) -> None:
    seen = broken(*ALL)
    for form in ("table", "ndjson", "name"):
        assert written(capsys, form, seen=seen) == ""
    assert len(json.loads(written(capsys, "json", seen=seen))["errors"]) == len(ALL)


def test_a_stream_that_cannot_carry_a_letter_gets_a_question_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="latin-1")
    monkeypatch.setattr(sys, "stdout", stream)
    output.write("é 東\n")
    stream.flush()
    assert raw.getvalue() == b"\xe9 ?\n"


def test_a_hint_is_lines_of_text_and_nothing_that_a_terminal_obeys(capsys: pytest.CaptureFixture[str]) -> None:
    call().hint("no\x1b[31m capacity\x1b]0;owned\x07\n  [jobs]")
    assert capsys.readouterr().err == "no capacity\n  [jobs]\n"
