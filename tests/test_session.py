"""The session: one scope after another, questions that never hold up the exit, late answers that are dropped."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from textual.message import Message

from runctl.clock import FrozenClock
from runctl.config import Settings
from runctl.errors import ConfigurationError, CredentialsError, RunctlError
from runctl.keymap import Keymap
from runctl.messages import Answered, EventArrived
from runctl.models.snapshot import Source, SourceKey
from runctl.services.backend import Backend
from runctl.session import Session
from runctl.terminal.system import SystemTerminal
from tests.screens.fleet import NOW, FleetBackend, denied, signed_out


class Loop:
    """Stands in for the UI's thread: collects messages, and handles them when told to."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.backends: list[FleetBackend] = []
        self.connect_gate = threading.Event()
        self.connect_gate.set()
        self.fail: RunctlError | None = None
        self.region: str | None = "us-east-1"
        self.session = Session(
            self._connect,
            self._post,
            settings=Settings(),
            clock=FrozenClock(NOW),
            terminal=SystemTerminal({}),
            keymap=Keymap(),
        )

    def _post(self, message: Message) -> bool:
        self.messages.append(message)
        return True

    def _connect(self, profile: str | None) -> Backend:
        self.connect_gate.wait(5)
        if self.fail:
            raise self.fail
        self.backends.append(FleetBackend(profile))
        self.backends[-1].region = self.region
        return self.backends[-1]

    def handle(self) -> None:
        waiting, self.messages = self.messages, []
        for message in waiting:
            if isinstance(message, EventArrived):
                self.session.store.apply(message.event)
            elif isinstance(message, Answered):
                message.deliver()

    def until(self, condition: Callable[[], object], seconds: float = 5.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "waited in vain"
            time.sleep(0.005)
            self.handle()


@pytest.fixture
def loop() -> object:
    made = Loop()
    yield made
    made.session.close()


def test_opening_fills_the_store(loop: Loop) -> None:
    loop.session.open("work", ())
    loop.until(lambda: len(loop.session.store.snapshot.instances) == 8)
    snapshot = loop.session.store.snapshot
    assert snapshot.profile == "work"
    assert snapshot.regions == ("us-east-1",)
    loop.until(lambda: loop.session.store.snapshot.identity is not None)


def test_another_choice_drops_rows_at_once_and_late_answers_later(loop: Loop) -> None:
    loop.session.open("work", ("us-east-1",))
    loop.until(lambda: loop.session.store.snapshot.instances)
    old = loop.backends[0]
    late = list(loop.messages)
    loop.session.open("home", ("eu-west-1",))
    assert loop.session.store.snapshot.instances == ()
    assert old.closed.is_set()
    loop.messages[:0] = late
    loop.until(lambda: any(k.region == "eu-west-1" for k in loop.session.store.snapshot.status))
    assert loop.session.store.snapshot.instances == ()


def test_a_choice_made_while_connecting_closes_the_unwanted_backend(loop: Loop) -> None:
    loop.connect_gate.clear()
    loop.session.open("slow", ("us-east-1",))
    loop.session.open("fast", ("us-east-1",))
    loop.connect_gate.set()
    loop.until(lambda: len(loop.backends) == 2 and loop.session.store.snapshot.instances)
    assert [b.profile for b in loop.backends if not b.closed.is_set()] == ["fast"]


def test_a_connection_that_fails_is_an_error_of_the_identity(loop: Loop) -> None:
    loop.fail = signed_out()
    loop.session.open(None, ())
    key = SourceKey(Source.IDENTITY, "")
    loop.until(lambda: key in loop.session.store.snapshot.status)
    error = loop.session.store.snapshot.status[key].error
    assert error
    assert error.error_class == CredentialsError.__name__


def test_without_any_region_the_person_is_told_how_to_choose_one(loop: Loop) -> None:
    loop.region = None
    loop.session.open(None, ())
    loop.until(lambda: loop.session.store.snapshot.errors)
    assert loop.session.store.snapshot.errors[0].error_class == ConfigurationError.__name__
    assert "AWS_REGION" in loop.session.store.snapshot.errors[0].hint


def test_questions_are_answered_or_failed_once(loop: Loop) -> None:
    loop.session.open(None, ())
    loop.until(lambda: loop.session.store.snapshot.instances)
    answers: list[object] = []
    loop.session.ask(lambda b: b.fetch_raw("instance", "us-east-1", "i-1"), answers.append, answers.append)
    loop.until(lambda: answers)
    loop.backends[0].errors["fetch_raw"] = denied("DescribeInstances")
    loop.session.ask(lambda b: b.fetch_raw("instance", "us-east-1", "i-1"), answers.append, answers.append)
    loop.until(lambda: len(answers) == 2)
    assert isinstance(answers[0], dict)
    assert isinstance(answers[1], RunctlError)
    loop.session.ask(lambda _: 1 / 0, answers.append, answers.append)
    loop.until(lambda: len(answers) == 3)
    assert "ZeroDivisionError" in str(answers[2])


def test_pages_arrive_one_by_one_and_a_cancelled_question_is_silent(loop: Loop) -> None:
    loop.session.open(None, ())
    loop.until(lambda: loop.session.store.snapshot.instances)
    pages: list[object] = []
    loop.session.ask_pages(lambda b: b.list_prefix("b", ""), pages.append, lambda: pages.append("done"), pages.append)
    loop.until(lambda: "done" in pages)
    assert len(pages) == 3
    loop.backends[0].open.clear()
    asked = loop.session.ask_pages(lambda b: b.list_prefix("b", ""), pages.append, lambda: None, pages.append)
    asked.cancel()
    loop.backends[0].open.set()
    loop.until(lambda: loop.backends[0].calls.count("list_prefix b") == 2)
    loop.handle()
    assert len(pages) == 3


def test_pausing_asks_nothing_and_refreshing_ends_it(loop: Loop) -> None:
    loop.session.open(None, ())
    loop.until(lambda: loop.session.store.snapshot.instances)
    loop.session.toggle_pause()
    before = loop.backends[0].calls.count("list_instances")
    states = [loop.session.paused]
    loop.session.refresh()
    states.append(loop.session.paused)
    assert states == [True, False]
    loop.until(lambda: loop.backends[0].calls.count("list_instances") > before)


def test_a_scope_is_chosen_before_anything_is_asked(loop: Loop) -> None:
    chosen = loop.session.choose(None, ("us-east-1",))
    assert (chosen.scope, chosen.regions) == (1, ("us-east-1",)), "so the first picture names them"
    assert loop.session._backend is None
    assert not loop.backends
    loop.session.connect()
    loop.until(lambda: loop.session.store.snapshot.instances)
    assert loop.session.scope == 1


def test_what_is_not_on_the_first_screen_is_asked_once_the_machines_are_drawn(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runctl.services.pollers._FIRST_DATA_S", 60.0)
    loop.session.draws = True
    assert not loop.session.undrawn
    loop.session.open(None, ("us-east-1",))
    loop.until(lambda: loop.session.undrawn)
    listed = SourceKey(Source.INSTANCES, "us-east-1")
    loop.until(lambda: listed in loop.session.store.snapshot.status)
    assert not {k.source for k in loop.session.store.snapshot.status} & {Source.VOLUMES, Source.SNAPSHOTS}
    loop.session.drawn()
    assert not loop.session.undrawn
    loop.until(lambda: SourceKey(Source.VOLUMES, "us-east-1") in loop.session.store.snapshot.status)
