"""People: their own password, a link to set one, and the audit log."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from starlette.testclient import TestClient

from engine.experiments.entries import Entry
from engine.experiments.record import record
from engine.web import users

PASSWORD, NEW = "correct horse", "violet kettle drum"


@pytest.fixture
def admin(login):
    return login("anna")


def link(page: str) -> str:
    match = re.search(r'id="link">https?://[^/]+([^<]+)<', page)
    assert match is not None, page
    return match[1]


def test_ones_own_password_asks_the_old_one_and_ends_other_sessions(login, app, people) -> None:
    mine, other, somebody = login("vera"), login("vera"), login("otto")
    form = {"old_password": PASSWORD, "password": NEW, "password_again": NEW}
    for change, words in (
        ({"old_password": "wrong"}, "that is not your password"),
        ({"password_again": "other"}, "is not the same"),
        ({"password": "short", "password_again": "short"}, "at least 10"),
        ({"password": PASSWORD, "password_again": PASSWORD}, "another one than now"),
    ):
        answer = mine.post("/account/password", {**form, **change})
        assert answer.status_code in (401, 422)
        assert words in answer.text
        assert NEW not in answer.text
    assert mine.post("/account/password", form).status_code == 303
    assert mine.get("/account").status_code == 200
    assert other.get("/account").status_code == 303
    assert somebody.get("/account").status_code == 200
    assert users.log_in(people, "vera", NEW).name == "vera"
    with people.database.read() as tx:
        change = next(c for c in tx.changes() if c.action == "user password")
    assert (change.actor, change.detail) == ("vera", "vera")


def test_the_old_password_cannot_be_guessed_by_an_open_session(login) -> None:
    mine = login("vera")
    form = {"old_password": "wrong", "password": NEW, "password_again": NEW}
    answers = [mine.post("/account/password", form).status_code for _ in range(12)]
    assert answers[0] == 401
    right = mine.post("/account/password", {**form, "old_password": PASSWORD})
    assert right.status_code != 303, "after too many wrong ones the right one is not asked"


def test_a_link_sets_a_password_once(admin, login, app, stranger, people, tmp_path) -> None:
    assert login("otto").post("/people", {"what": "reset", "name": "vera"}).status_code == 403
    session = login("vera")
    earlier = link(admin.post("/people", {"what": "reset", "name": "vera"}).text)
    path = link(admin.post("/people", {"what": "reset", "name": "vera"}).text)
    secret = path.partition("key=")[2]
    database = b"".join(p.read_bytes() for p in (tmp_path / "work").glob("*.db*"))
    assert secret.encode() not in database, "kept as its hash only"
    assert stranger.get(earlier).status_code == 401, "a newer one voids it"
    page = stranger.get(path)
    assert page.status_code == 200
    assert "For vera" in page.text
    form = {"key": secret, "password": "short", "password_again": "short"}
    assert stranger.post("/reset", data=form).status_code == 422
    form |= {"password": NEW, "password_again": NEW}
    outside = stranger.post("/reset", data=form, headers={"origin": "https://evil.example"})
    assert outside.status_code == 403
    done = stranger.post("/reset", data=form)
    assert done.status_code == 200
    assert "Your password is set" in done.text
    assert session.get("/account").status_code == 303, "all sessions have ended"
    assert users.log_in(people, "vera", NEW).name == "vera"
    assert stranger.get(path).status_code == 401
    assert stranger.post("/reset", data=form).status_code == 401
    with people.database.read() as tx:
        trail = [(c.actor, c.action, c.detail) for c in tx.changes()]
    assert ("anna", "user reset link", "vera") in trail
    assert ("vera", "user password", "vera by a link") in trail
    assert secret not in str(trail)


def test_a_link_is_no_session_and_a_session_no_link(app, people, login) -> None:
    secret, _ = users.make_reset(people, "anna")
    assert users.person_of_session(people, secret) is None
    for word in (secret, f"reset:{secret}", users._reset_digest(secret)):
        client = TestClient(app, follow_redirects=False)
        client.cookies.set("spinneret_session_80", word)
        assert client.get("/account").status_code == 401
        headers = {"authorization": f"Bearer {word}"}
        assert client.get("/api/v1/campaigns", headers=headers).status_code == 401
    person = users.log_in(people, "vera", PASSWORD)
    with pytest.raises(users.AccessError):
        users.user_of_reset(people, person.secret)


def test_a_link_ends_after_a_day_and_with_its_user(people, monkeypatch) -> None:
    late, _ = users.make_reset(people, "vera")
    gone, _ = users.make_reset(people, "otto")
    users.remove_user(people, "otto")
    with pytest.raises(users.AccessError):
        users.user_of_reset(people, gone)
    assert users.user_of_reset(people, late) == "vera"

    class Later(datetime):
        @classmethod
        def now(cls, tz=UTC):
            return datetime.now(tz) + timedelta(hours=users.RESET_HOURS + 1)

    monkeypatch.setattr(users, "datetime", Later)
    with pytest.raises(users.AccessError, match="void"):
        users.set_password_by_reset(people, late, NEW)


def test_the_link_stands_where_people_reach_the_server(app, login) -> None:
    from engine.web.proxies import Front
    from engine.workspace.settings import WebSettings

    browser = login("anna")
    page = browser.post("/people", {"what": "reset", "name": "vera"}).text
    assert 'id="link">http://testserver/reset?key=' in page
    settings = WebSettings(public_url="https://x.example/lab")
    app.state.site.front = Front.of_settings(settings)
    page = browser.post("/people", {"what": "reset", "name": "vera"}).text
    assert 'id="link">https://x.example/lab/reset?key=' in page


def test_the_audit_log_is_searched_and_written_in_plain_words(admin, login, people) -> None:
    otto = people.acting("otto")
    settings = {"flow_rate": 0.4, "concentration": 18, "voltage": 18, "collector_speed": 400}
    first = record(otto, Entry(conditions=settings, label="168")).experiment
    second = record(people.acting("vera"), Entry(conditions=settings, label="b")).experiment
    record(otto, Entry(experiment=first.id, results={"elongation.longitudinal": 88.0}),
           detail=f"experiment {first.id}")  # fmt: skip
    page = admin.get("/changes").text
    assert f'<a href="/campaigns/1/runs/{first.id}">run {first.id} · label 168</a>' in page
    assert "recorded of a run" in page
    assert "added a user" in page
    assert login("otto").get("/changes").status_code == 403

    def lines(query: str) -> int:
        answer = admin.get(f"/changes?{query}")
        assert answer.status_code == 200, answer.text
        return answer.text.count("<tr><td")

    assert lines("run=168") == lines(f"run={first.id}") == 2
    assert lines(f"run={second.id}") == 1
    assert lines("person=otto&action=log") == 2
    assert lines("person=vera&action=log") == 1
    assert lines("person=nobody") == 0
    assert lines("since=2001-01-01&until=2001-01-02") == 0
    assert lines("since=2001-01-01&action=log") == 3
    for bad in ("run=none", "since=yesterday", "before=x"):
        answer = admin.get(f"/changes?{bad}")
        assert answer.status_code in (404, 422)
        assert "</html>" in answer.text
    script = admin.get("/changes?run=<script>alert(1)</script>").text
    assert "<script>alert" not in script


def test_the_audit_log_has_pages(admin, people) -> None:
    for number in range(103):
        with people.database.write("log out", actor=f"p{number % 2}") as tx:
            tx.note()
    page = admin.get("/changes?action=log+out").text
    assert page.count("<tr><td") == 100
    older = re.search(r'href="(/changes\?[^"]*before=\d+)">Earlier', page)
    assert older is not None
    last = admin.get(older[1].replace("&amp;", "&")).text
    assert last.count("<tr><td") == 3
    assert "The newest" in last
