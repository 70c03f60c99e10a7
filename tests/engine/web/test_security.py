"""Who gets in, who may do what, and what is refused."""

from __future__ import annotations

import re
import time

import pytest
from starlette.testclient import TestClient

from db.records import Role
from engine.web import users
from engine.web.app import create_app
from engine.web.policy import is_open, needed
from engine.web.shield import COOKIE, cookie_of

SAFE = ("GET", "HEAD")
OURS = f"{COOKIE}_80"  # starlette's test client speaks to port 80
SCRIPT = "<script>alert(1)</script>"


def routes(app) -> list[tuple[str, str]]:
    """Return every method and path that the application answers, numbers filled in."""
    found = set()
    for item in app.routes:
        contexts = item.effective_route_contexts() if hasattr(item, "original_router") else [item]
        for one in contexts:
            path = re.sub(r"\{(\w+)\}", lambda m: "x" if m[1] == "name" else "1", one.path)
            found |= {(method, path) for method in one.methods or ()}
    return sorted(found)


def paths_of_openapi(app) -> set[tuple[str, str]]:
    document = app.openapi()
    return {
        (method.upper(), re.sub(r"\{\w+\}", "1", path))
        for path, item in document["paths"].items()
        for method in item
    }


def test_the_walk_sees_every_route(app) -> None:
    found = set(routes(app))
    assert paths_of_openapi(app) <= found
    pages = {
        ("GET", "/campaigns/1"),
        ("POST", "/campaigns/1/runs/1"),
        ("POST", "/people"),
        ("GET", "/static/x"),
    }
    assert pages <= found
    assert len(found) >= 70


def test_without_a_session_nothing_answers_but_the_way_in(app, stranger) -> None:
    for method, path in routes(app):
        answer = stranger.request(method, path)
        if is_open(path):
            assert answer.status_code != 403 or path == "/login"
        else:
            assert answer.status_code == 401, f"{method} {path}: {answer.status_code}"
    assert stranger.get("/health").json() == {"status": "ok"}
    login = stranger.get("/runs/1?x=2", headers={"accept": "text/html"})
    assert (login.status_code, login.headers["location"]) == (303, "/login?next=/runs/1%3Fx%3D2")
    assert stranger.get("/nowhere").status_code == 401


@pytest.mark.parametrize("name", ["vera", "otto", "anna"])
def test_every_route_with_every_role(app, login, token, name) -> None:
    browser = login(name)
    role = {"vera": Role.VIEWER, "otto": Role.OPERATOR, "anna": Role.ADMIN}[name]
    program = token(name, role)
    walked = [(method, path.replace("/tokens/1/", "/tokens/9/")) for method, path in routes(app)]
    for method, path in walked:  # token 1 is the one that walks
        if is_open(path) or path in ("/logout", "/account/password"):
            continue  # the one ends the session, the other refuses a wrong password with 403
        if "predictions" in path or "sensitiv" in path:
            continue  # not to start the model's process for this
        is_allowed = role.rank >= needed(method, path).rank
        if path.startswith("/api/"):
            answer = app_client(app).request(method, path, headers=program)
        else:
            data = {"csrf": browser.csrf} if method == "POST" else None
            answer = browser.client.request(method, path, data=data)
        if is_allowed:
            assert answer.status_code not in (401, 403), f"{method} {path}: {answer.text}"
        else:
            assert answer.status_code == 403, f"{method} {path}: {answer.status_code}"
        assert answer.status_code < 500, f"{method} {path}: {answer.text}"


def app_client(app):
    return TestClient(app, follow_redirects=False)


def test_a_viewer_changes_nothing(app, login, token, people, run_id, state) -> None:
    before = state()
    browser, program = login("vera"), token("vera", "viewer")
    with people.database.read() as tx:
        n_changes = tx.watermark()
    for method, path in routes(app):
        if method not in SAFE and path not in ("/logout", "/login") and "predict" not in path:
            path_ = path.replace("/1", f"/{run_id}")
            browser.client.request(method, path_, data={"csrf": browser.csrf, "note": "x"})
            browser.client.request(method, path_, json={"note": "x"}, headers=program)
    with people.database.read() as tx:
        assert tx.watermark() <= n_changes + 1, "a token of one's own at most"
    assert state()[0] == before[0]


def test_a_form_of_another_site_is_refused(login, run_id) -> None:
    browser = login("otto")
    path, data = f"/campaigns/1/runs/{run_id}", {"what": "note", "note": "x"}
    assert browser.client.post(path, data=data).status_code == 403
    assert browser.client.post(path, data={**data, "csrf": "0" * 64}).status_code == 403
    right = {**data, "csrf": browser.csrf}
    for headers in (
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ):
        assert browser.client.post(path, data=right, headers=headers).status_code == 403
    here = {"origin": "http://testserver", "sec-fetch-site": "same-origin"}
    assert browser.client.post(path, data=right, headers=here).status_code == 303


def test_every_form_of_every_page_needs_its_key(app, login, run_id) -> None:
    browser = login("anna")
    for method, path in routes(app):
        if method == "POST" and path not in ("/login", "/reset") and "micrograph" not in path:
            answer = browser.client.post(path, data={"note": "x"})
            assert answer.status_code == 403, f"{path}: {answer.status_code}"


def test_a_browsers_session_writes_by_the_api_only_with_its_key(login, run_id) -> None:
    browser = login("otto")
    path, body = f"/api/v1/campaigns/1/experiments/{run_id}", {"note": "by script"}
    assert browser.client.patch(path, json=body).status_code == 403
    headers = {"x-csrf-token": browser.csrf}
    assert browser.client.patch(path, json=body, headers=headers).status_code == 200


def test_a_token_reaches_no_page_form(app, login, token, run_id) -> None:
    answer = app_client(app).post(
        f"/campaigns/1/runs/{run_id}",
        data={"what": "note", "note": "x"},
        headers=token("otto", "operator"),
    )
    assert answer.status_code == 403


@pytest.mark.parametrize("secret", ["", "x", "a" * 43, "../../etc/passwd", "spin_x", "'; --"])
def test_a_forged_session_or_token_is_nobody(app, stranger, secret) -> None:
    stranger.cookies.set(OURS, secret)
    assert stranger.get("/runs").status_code == 401
    stranger.cookies.clear()
    headers = {"authorization": f"Bearer {secret}"}
    assert stranger.get("/api/v1/campaigns/1/overview", headers=headers).status_code == 401
    assert (
        stranger.get(
            "/api/v1/campaigns/1/overview", headers={"authorization": "Basic eDp5"}
        ).status_code
        == 401
    )


def test_a_session_ends_with_logout_and_a_token_when_revoked(app, login, people, token) -> None:
    browser = login("otto")
    cookie = browser.client.cookies[OURS]
    assert browser.post("/logout").status_code == 303
    other = app_client(app)
    other.cookies.set(OURS, cookie)
    assert other.get("/runs").status_code == 401
    header = token("otto", "viewer")
    assert other.get("/api/v1/campaigns/1/jobs", headers=header).status_code == 200
    users.revoke_token(people, users.list_tokens(people)[0].id)
    app.state.site.forget_people()
    other.cookies.clear()
    assert other.get("/api/v1/campaigns/1/jobs", headers=header).status_code == 401


def test_the_cookie_is_for_this_site_and_no_script(stranger) -> None:
    answer = stranger.post("/login", data={"name": "vera", "password": "correct horse"})
    told = answer.headers["set-cookie"].lower()
    assert "httponly" in told
    assert "samesite=lax" in told


def test_two_servers_on_one_host_log_nobody_out(people) -> None:
    apps = {port: create_app(people) for port in (8765, 8766)}
    clients = {
        port: TestClient(app, base_url=f"http://127.0.0.1:{port}", follow_redirects=False)
        for port, app in apps.items()
    }
    clients[8766].cookies = clients[8765].cookies  # one browser: its jar knows no ports
    who = {8765: "anna", 8766: "vera"}
    for port, client in clients.items():
        answer = client.post("/login", data={"name": who[port], "password": "correct horse"})
        assert answer.status_code == 303
    for port, client in clients.items():
        page = client.get("/account")
        assert page.status_code == 200
        assert who[port] in page.text
    csrf = re.search(r'name="csrf" content="(\w+)"', clients[8765].get("/account").text)[1]
    assert clients[8765].post("/logout", data={"csrf": csrf}).status_code == 303
    assert clients[8765].get("/account").status_code == 401
    assert clients[8766].get("/account").status_code == 200
    for app in apps.values():
        app.state.site.stop()


def test_a_cookie_of_another_port_is_nobodys() -> None:
    header = f"{COOKIE}_8765=here; {COOKIE}_87=there; {COOKIE}=former"
    assert cookie_of(header, f"{COOKIE}_8765") == "here"
    assert cookie_of(header, f"{COOKIE}_876") is None


def test_a_link_from_a_notebook_shows_the_run(login, run_id) -> None:
    browser = login("vera")
    # What a browser sends when a link on another site is followed; under Lax with the cookie.
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "accept": "text/html"}
    assert browser.client.get(f"/campaigns/1/runs/{run_id}", headers=link).status_code == 200
    form = browser.client.post(
        f"/campaigns/1/runs/{run_id}", data={"csrf": browser.csrf}, headers=link
    )
    assert form.status_code == 403


@pytest.mark.parametrize("name", ["vera", "anna"])
def test_what_a_link_can_ask_for_changes_nothing(app, login, people, name) -> None:
    browser = login(name)
    with people.database.read() as tx:
        before = tx.watermark()
    for method, path in routes(app):
        if method == "GET" and "predict" not in path and "sensitiv" not in path:
            browser.client.get(path)
    with people.database.read() as tx:
        assert tx.watermark() == before
    assert browser.client.get("/account").status_code == 200, "still logged in"


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"]
)
def test_login_leads_to_no_other_site(stranger, target) -> None:
    data = {"name": "vera", "password": "correct horse", "next": target}
    assert stranger.post("/login", data=data).headers["location"] == "/"


def test_after_too_many_wrong_passwords_one_has_to_wait(app, stranger) -> None:
    wrong = {"name": "vera", "password": "wrong horse"}
    statuses = [stranger.post("/login", data=wrong).status_code for _ in range(12)]
    assert statuses == [401] * 10 + [429] * 2
    right = stranger.post("/login", data={**wrong, "password": "correct horse"})
    assert right.status_code == 429
    assert int(right.headers["retry-after"]) > 200


def test_security_headers_are_on_every_answer(stranger, login) -> None:
    for answer in (stranger.get("/health"), stranger.get("/runs"), login("vera").get("")):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "unsafe-inline" not in policy
        assert "unsafe-eval" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"


def test_what_somebody_wrote_shows_as_text(login, people, run_id, token, app) -> None:
    browser, header = login("otto"), token("otto", "operator")
    client = app_client(app)
    noted = client.patch(
        f"/api/v1/campaigns/1/experiments/{run_id}", json={"note": SCRIPT}, headers=header
    )
    assert noted.status_code == 200
    labelled = client.post(
        "/api/v1/campaigns/1/experiments",
        json={
            "conditions": {"flow_rate": 0.4, "concentration": 18, "voltage": 18,
                           "collector_speed": 0},
            "label": SCRIPT,
        },
        headers=header,
    )  # fmt: skip
    assert labelled.status_code == 201, labelled.text
    other = labelled.json()["experiment"]
    assert client.post(
        f"/api/v1/campaigns/1/experiments/{other}/results",
        json={"results": {"elongation.longitudinal": 90, "fracture_strength.longitudinal": 9}},
        headers=header,
    ).status_code == 200  # fmt: skip
    for path in (
        "/",
        "/runs",
        f"/campaigns/1/runs/{run_id}",
        f"/runs/{other}",
        "/explore",
        "/propose",
    ):
        page = browser.get(path)
        assert page.status_code == 200
        assert SCRIPT not in page.text, path
    assert "&lt;script&gt;" in browser.get(f"/campaigns/1/runs/{run_id}").text
    assert "&lt;script&gt;" in browser.get("/figures/front-0.json").text
    wrong = {"what": "correct", "replicate": SCRIPT + "#1", "value": "1"}
    refused = browser.post(f"/campaigns/1/runs/{run_id}", wrong)
    assert SCRIPT not in refused.text


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/..%2Fapp.py",
        "/static/%2e%2e/app.py",
        "/static/....//app.py",
        "/static//etc/passwd",
        "/campaigns/1/micrographs/..%2F..%2Fconfig.toml/picture",
        "/campaigns/1/micrographs/0/picture",
        "/campaigns/1/micrographs/-1/picture",
        "/campaigns/1/micrographs/99999999999999999999/picture",
        "/api/v1/campaigns/1/micrographs/..%2F1/picture",
    ],
)
def test_files_are_served_by_number_only(login, path) -> None:
    answer = login("anna").client.get(path)
    assert answer.status_code in (404, 422), answer.status_code
    assert "[database]" not in answer.text


def test_a_page_named_as_a_picture_is_refused(login, run_id, people) -> None:
    browser = login("otto")
    page = b"<!DOCTYPE html><script>alert(1)</script>"
    answer = browser.client.post(
        f"/campaigns/1/runs/{run_id}/micrographs",
        data={"csrf": browser.csrf},
        files={"file": ("mat.png", page, "image/png")},
        headers={"accept": "text/html"},
    )
    assert answer.status_code == 422
    assert "is not a picture" in answer.text
    assert not list(people.data_dir.rglob("*.png"))


@pytest.mark.parametrize(
    "name", ["../../../evil.png", "..\\..\\evil.png", "/etc/evil.png", "\x00.png"]
)
def test_a_files_name_leads_nowhere(login, run_id, people, png, name) -> None:
    browser = login("otto")
    answer = browser.client.post(
        f"/campaigns/1/runs/{run_id}/micrographs",
        data={"csrf": browser.csrf},
        files={"file": (name, png(), "image/png")},
    )
    assert answer.status_code in (303, 400, 422)
    stray = [p for p in people.root.parent.rglob("*evil*") if people.data_dir not in p.parents]
    assert stray == []


def test_two_gigabytes_are_refused_before_they_are_sent(login, run_id) -> None:
    browser = login("otto")
    head = {"content-length": str(2 * 1024**3), "content-type": "multipart/form-data; boundary=x"}
    answer = browser.client.post(
        f"/campaigns/1/runs/{run_id}/micrographs", content=b"", headers=head
    )
    assert answer.status_code == 413
    assert "max_upload_mb" in answer.json()["detail"]


def test_who_does_not_say_how_much_is_stopped_at_the_limit(login, run_id, people) -> None:
    browser = login("otto")
    sent = 0

    def body():
        nonlocal sent
        yield b'--x\r\ncontent-disposition: form-data; name="note"\r\n\r\n'
        for _ in range(3000):
            sent += 1
            yield b"x" * 1024
        yield b"\r\n--x--\r\n"

    head = {"content-type": "multipart/form-data; boundary=x", "x-csrf-token": browser.csrf}
    answer = browser.client.post(f"/campaigns/1/runs/{run_id}", content=body(), headers=head)
    assert answer.status_code in (400, 413)


def test_another_host_is_not_answered_on_loopback(stranger, people) -> None:
    answer = stranger.get("/health", headers={"host": "evil.example"})
    assert answer.status_code == 421
    others = create_app(people, is_loopback=False)
    there = app_client(others).get("/health", headers={"host": "lab.example"})
    assert there.status_code == 200


def test_while_there_are_no_users_the_printed_key_lets_in(workspace) -> None:
    app = create_app(workspace)
    client = app_client(app)
    assert client.get("/").status_code == 401
    assert client.get("/login?key=wrong").status_code == 200
    assert client.get("/").status_code == 401
    key = app.state.site.key
    assert client.get(f"/login?key={key}").status_code == 303
    assert client.get("/account").status_code == 200
    users.add_user(workspace, "anna", "admin", "correct horse")
    app.state.site.forget_people()
    assert client.get("/").status_code == 401
    assert client.get(f"/login?key={key}").status_code == 200
    app.state.site.stop()


def test_the_starter_is_not_locked_out_by_the_first_user(workspace) -> None:
    app = create_app(workspace)
    client = app_client(app)
    client.get(f"/login?key={app.state.site.key}")
    page = client.get("/people").text
    assert "<option selected>admin</option>" in page
    csrf = re.search(r'name="csrf" content="(\w+)"', page)[1]
    otto = {"csrf": csrf, "what": "add", "name": "otto", "password": "correct horse"}
    refused = client.post("/people", data={**otto, "role": "operator"})
    assert refused.status_code == 422
    assert "Role: expected" in refused.text
    assert client.get("/people").status_code == 200
    assert client.post("/people", data={**otto, "role": "admin"}).status_code == 303
    app.state.site.stop()


def test_who_did_what_is_in_the_trail(login, people, run_id) -> None:
    browser = login("otto")
    browser.post(
        f"/campaigns/1/runs/{run_id}", {"what": "results", "result:elongation.longitudinal": "88"}
    )
    with people.database.read() as tx:
        (change,) = tx.changes(limit=1)
    assert (change.actor, change.action, change.detail) == ("otto", "log", f"experiment {run_id}")
    assert "otto" in login("anna").get("/changes").text


def test_who_came_and_went_is_in_the_trail_and_no_watermark(login, people) -> None:
    with people.database.read() as tx:
        before = tx.watermark()
    login("otto").post("/logout")
    with people.database.read() as tx:
        went, came = tx.changes(limit=2)
        assert tx.watermark() == before
    assert (came.actor, came.action, came.detail) == ("otto", "log in", "from testclient")
    assert (went.actor, went.action) == ("otto", "log out")
    page = login("anna").get("/changes").text
    assert "log in" in page
    with people.database.write("test") as tx:
        tx.note()
    with people.database.read() as tx:
        assert tx.watermark() == tx.changes(limit=1)[0].id > came.id


def test_a_name_that_is_shut_out_is_in_the_trail_once(stranger, people) -> None:
    wrong = {"name": "vera\x1b[2J", "password": "wrong horse"}
    for _ in range(15):
        stranger.post("/login", data=wrong)
    with people.database.read() as tx:
        (refused,) = [c for c in tx.changes() if c.action == "log in refused"]
    assert refused.detail == "too many wrong passwords for 'vera\\x1b[2J' from testclient"


def test_the_servers_key_is_in_the_trail(workspace) -> None:
    app = create_app(workspace)
    app_client(app).get(f"/login?key={app.state.site.key}")
    with workspace.database.read() as tx:
        (change,) = tx.changes(limit=1)
    assert (change.action, change.detail) == ("log in", "by the server's key from testclient")
    app.state.site.stop()


def test_an_unknown_name_takes_as_long_as_a_wrong_password(people) -> None:
    def seconds(name: str) -> float:
        start = time.perf_counter()
        with pytest.raises(users.AccessError):
            users.log_in(people, name, "wrong horse")
        return time.perf_counter() - start

    seconds("nobody"), seconds("vera")
    assert seconds("nobody") < 20 * seconds("vera")
