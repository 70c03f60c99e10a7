"""What is refused: a page for people that keeps what they typed, problem+json for programs."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from engine.web.shield import HEADERS

PAGE = {"accept": "text/html"}
ELONGATION = "elongation.longitudinal"


def hidden(page: str) -> dict[str, str]:
    """Return a page's hidden fields."""
    hidden = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page)
    return {html.unescape(name): html.unescape(value) for name, value in hidden}


def test_what_was_typed_when_the_session_ended_is_offered_again(login, people, run_id) -> None:
    browser = login("otto")
    path = browser.at(f"/runs/{run_id}")
    typed = {"what": "results", f"result:{ELONGATION}": "88 91", "note": 'a "good" <one>'}
    browser.client.cookies.clear()
    refused = browser.client.post(path, data={"csrf": "x", **typed}, headers=PAGE)
    assert refused.status_code == 401
    assert "what you typed is offered again" in refused.text
    fields = hidden(refused.text)
    assert fields["next"] == path
    wrong = {**fields, "name": "otto", "password": "wrong horse"}
    again = browser.client.post("/login", data=wrong, headers=PAGE)
    assert again.status_code == 401
    assert hidden(again.text) == fields, "a wrong password loses nothing"
    right = {**hidden(again.text), "name": "otto", "password": "correct horse"}
    offered = browser.client.post("/login", data=right, headers=PAGE)
    assert offered.status_code == 200
    assert "88 91" in offered.text
    assert f'action="{path}"' in offered.text
    with people.database.read() as tx:
        assert tx.experiments.get(run_id).measurements == (), "nothing is sent by itself"
    sent = browser.client.post(path, data=hidden(offered.text), headers=PAGE)
    assert sent.status_code == 303, sent.text
    with people.database.read() as tx:
        run = tx.experiments.get(run_id)
    assert run.replicates() == {ELONGATION: (88.0, 91.0)}
    assert run.note == 'a "good" <one>'


def test_no_password_and_no_key_is_kept(login) -> None:
    browser = login("anna")
    browser.client.cookies.clear()
    form = {"csrf": "secret", "what": "add", "name": "ben", "password": "a long secret"}
    refused = browser.client.post("/people", data=form, headers=PAGE)
    assert "secret" not in refused.text
    assert hidden(refused.text)["kept:name"] == "ben"


def test_a_form_of_an_earlier_session_is_offered_again(login, run_id) -> None:
    browser = login("otto")
    form = {"csrf": "0" * 64, "what": "note", "note": "mine"}
    refused = browser.client.post(browser.at(f"/runs/{run_id}"), data=form, headers=PAGE)
    assert refused.status_code == 403
    fields = hidden(refused.text)
    assert fields["note"] == "mine"
    sent = browser.client.post(browser.at(f"/runs/{run_id}"), data=fields, headers=PAGE)
    assert sent.status_code == 303


ASKED = {
    400: ("GET", "/account", {"host": "["}),
    401: ("POST", "/campaigns/1/runs/1", {}),
    403: ("GET", "/people", {}),
    404: ("GET", "/campaigns/1/nothing", {}),
    409: ("POST", "/campaigns/1/measure", {}),
    413: ("POST", "/campaigns/1/runs/1", {"content-length": str(2**31)}),
    421: ("GET", "/account", {"host": "evil.example"}),
    422: ("GET", "/campaigns/1/jobs/x", {}),
    500: ("GET", "/fault", {}),
}


@pytest.mark.parametrize("status", ASKED)
@pytest.mark.parametrize("who", ["person", "program"])
def test_every_refusal_has_a_page_or_a_document(app, login, status, who) -> None:
    def fault() -> None:
        raise ZeroDivisionError("/srv/secret")

    app.add_api_route("/fault", fault)
    browser, (method, path, extra) = login("otto"), ASKED[status]
    if status == 401:
        browser.client.cookies.clear()
    accept = PAGE if who == "person" else {}
    headers = {"x-csrf-token": browser.csrf, **accept, **extra}
    answer = browser.client.request(method, path, headers=headers)
    assert answer.status_code == status, answer.text
    assert set(HEADERS) <= set(answer.headers)
    assert "secret" not in answer.text
    if who == "person":
        assert answer.headers["content-type"].startswith("text/html")
        assert "</html>" in answer.text
        assert 'role="alert"' in answer.text
    else:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == status
        assert answer.json()["detail"]
    assert ("www-authenticate" in answer.headers) == (status == 401)


BROKEN = ["[", "[::1", "a b", "a/b", "user@host", "host:99999", "host:x", "", "a,b", "[zz]", "é"]


@pytest.mark.parametrize("word", BROKEN)
def test_a_host_or_origin_that_is_none(stranger, word) -> None:
    raw = word.encode("latin-1")
    assert stranger.get("/login", headers={b"host": raw}).status_code == 400
    assert stranger.get("/login?next=//[").status_code == 200
    if word:
        origin = {b"origin": b"http://" + raw}
        assert stranger.post("/login", headers=origin).status_code == 400


_NAMES = ("host", "origin", "cookie", "authorization", "content-type", "content-length", "accept",
          "x-forwarded-for", "if-match", "range", "sec-fetch-site", "hx-target",
          "idempotency-key", "x-csrf-token")  # fmt: skip


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    headers=st.dictionaries(
        st.sampled_from(_NAMES),
        st.one_of(
            st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f")),
            st.sampled_from(["[", "http://[", "multipart/form-data", "multipart/form-data; "
                             "boundary=x; charset=no", "bytes=9-1", 'W/"9"', "a=b; c"]),
        ),
    ),
    path=st.sampled_from(["/login", "/", "/campaigns/1", "/static/icon.svg", "/api/v1/campaigns"]),
    method=st.sampled_from(["GET", "POST"]),
)  # fmt: skip
def test_no_header_is_a_fault(stranger, headers, path, method) -> None:
    raw = {name.encode(): value.encode("latin-1") for name, value in headers.items()}
    answer = TestClient(stranger.app, follow_redirects=False).request(method, path, headers=raw)
    assert answer.status_code < 500, answer.text
