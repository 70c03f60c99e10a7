"""Behind a proxy: what is believed of it, and a real nginx with TLS and a path."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from engine.errors import ConfigError
from engine.web import users
from engine.web.app import create_app
from engine.web.pages.propose import _code
from engine.web.proxies import Front
from engine.workspace import Workspace

httpx = pytest.importorskip("httpx2")
URL = "https://lab.example/mats"
PROXY, CLIENT = "127.0.0.1", "10.1.2.3"
FRONT = Front(URL, (PROXY, "10.9.0.0/16"))
PASSWORD = "correct horse"  # noqa: S105 -- of a test


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        (PROXY, CLIENT, CLIENT),
        (PROXY, f"6.6.6.6, {CLIENT}", CLIENT),
        (PROXY, f"6.6.6.6, {CLIENT}, 10.9.1.1", CLIENT),
        (PROXY, "", PROXY),
        (PROXY, "nonsense", PROXY),
        (PROXY, f"nonsense, {CLIENT}", CLIENT),
        ("::ffff:127.0.0.1", CLIENT, CLIENT),
        (PROXY, "2001:db8::7", "2001:db8::7"),
    ],
)
def test_who_asks(peer, forwarded, client) -> None:
    assert FRONT.is_proxy(peer)
    assert FRONT.client(peer, forwarded) == client


def test_a_stranger_is_not_believed() -> None:
    assert not FRONT.is_proxy(CLIENT)
    assert not Front("", (PROXY,)).is_proxy(PROXY), "without a public address nobody is"
    assert not FRONT.is_public("127.0.0.1", CLIENT, "1.2.3.4")
    assert FRONT.is_public("127.0.0.1", PROXY, "1.2.3.4")
    assert FRONT.is_public("lab.example", CLIENT, "")


def configure(folder: Path, *lines: str) -> None:
    """Set keys under [web]."""
    path = folder / "config.toml"
    names = {line.split(" = ")[0] for line in lines}
    former = path.read_text(encoding="utf-8").splitlines()
    others = [line for line in former if line.split(" = ")[0] not in names]
    if "[web]" not in others:
        others = ["[web]", "", *others]
    others[others.index("[web]") + 1 : others.index("[web]") + 1] = lines
    path.write_text("\n".join(others), encoding="utf-8")


@pytest.mark.parametrize(
    "line",
    [
        'public_url = "lab.example"',
        'public_url = "https://"',
        'public_url = "ftp://lab.example"',
        'public_url = "https://lab.example/a?b"',
        'trusted_proxies = ["nginx"]',
    ],
)
def test_a_setting_that_cannot_be(folder: Path, line: str) -> None:
    configure(folder, line)
    with pytest.raises(ConfigError, match="expected"):
        Workspace.open(folder / "config.toml")


@pytest.fixture
def behind(folder: Path):
    configure(folder, f'public_url = "{URL}"')
    with Workspace.open(folder / "config.toml") as workspace:
        for name, role in (("anna", "admin"), ("otto", "operator")):
            users.add_user(workspace, name, role, PASSWORD)
        app = create_app(workspace)
        yield lambda peer: TestClient(app, client=(peer, 7), follow_redirects=False)
        app.state.site.stop()


def test_hosts_cookies_origins_and_links_follow_the_public_address(behind) -> None:
    client = behind(PROXY)
    head = {"host": "lab.example", "x-forwarded-for": CLIENT, "accept": "text/html"}
    assert client.get("/mats/login", headers={**head, "host": "evil.example"}).status_code == 421
    data = {"name": "anna", "password": PASSWORD}
    foreign = client.post("/login", data=data, headers={**head, "origin": "https://evil.example"})
    assert foreign.status_code == 403
    for path in ("/login", "/mats/login"):  # a proxy takes the path off or leaves it on
        answer = client.post(path, data=data, headers={**head, "origin": "https://lab.example"})
        assert answer.status_code == 303
        assert answer.headers["location"] == "/mats/"
        cookie = answer.headers["set-cookie"].lower() + ";"
        assert "; secure;" in cookie
        assert "path=/mats/;" in cookie
    answer = client.get("/mats/login", headers=head)
    assert 'action="/mats/login"' in answer.text
    away = behind(PROXY).get("/mats/campaigns/1/runs?x=1", headers=head)
    assert away.headers["location"] == "/mats/login?next=/campaigns/1/runs%3Fx%3D1"


def test_straight_to_this_machine_there_is_no_path_and_no_tls(behind) -> None:
    answer = behind(PROXY).post(
        "/login", data={"name": "anna", "password": PASSWORD}, headers={"host": "127.0.0.1:8765"}
    )
    assert answer.headers["location"] == "/"
    assert "secure" not in answer.headers["set-cookie"].lower()


def test_wrong_passwords_are_counted_for_each_client(behind) -> None:
    wrong = {"name": "anna", "password": "wrong horse"}

    def attempt(peer: str, client: str) -> int:
        head = {"host": "lab.example", "x-forwarded-for": client}
        return int(behind(peer).post("/login", data=wrong, headers=head).status_code)

    assert [attempt(PROXY, CLIENT) for _ in range(11)] == [401] * 10 + [429]
    assert attempt(PROXY, "10.4.4.4") == 401
    # Whoever is no proxy is counted by their own address, whatever they write.
    assert [attempt("10.6.6.6", f"10.7.7.{n}") for n in range(11)] == [401] * 10 + [429]


# -- a real one ---------------------------------------------------------------------------------

NGINX, OPENSSL = shutil.which("nginx") or "/usr/sbin/nginx", shutil.which("openssl") or ""
CONFIG = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; worker_processes 1;
events {{ worker_connections 64; }}
http {{
  access_log off; client_max_body_size 256m;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
    location /mats/ {{
      proxy_pass http://127.0.0.1:{upstream}{path};
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }}
  }}
}}
"""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.mark.matrix(1)
@pytest.mark.skipif(not Path(NGINX).exists(), reason="nginx is not installed")
@pytest.mark.skipif(not OPENSSL, reason="openssl is not installed")
@pytest.mark.parametrize("path", ["/", ""], ids=["path taken off", "path left on"])
def test_a_day_behind_nginx(folder, tmp_path, serve, png, path) -> None:
    port = free_port()
    configure(folder, f'public_url = "https://lab.example:{port}/mats"')
    with Workspace.open(folder / "config.toml") as workspace:
        users.add_user(workspace, "anna", "admin", PASSWORD)
    subprocess.run(
        [OPENSSL, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-days", "2", "-subj", "/CN=lab.example", "-keyout", tmp_path / "key.pem",
         "-out", tmp_path / "cert.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    tmp_path.chmod(0o755)  # nginx's own workers read it
    with serve() as (address, _):
        upstream = re.search(r":(\d+)/", address)[1]
        config = CONFIG.format(folder=tmp_path, port=port, upstream=upstream, path=path)
        (tmp_path / "nginx.conf").write_text(config, encoding="utf-8")
        nginx = subprocess.Popen([NGINX, "-c", tmp_path / "nginx.conf", "-p", tmp_path])
        try:
            _day(port, png)
        finally:
            nginx.terminate()
            nginx.wait(10)


def _day(port: int, png) -> None:
    origin = f"https://lab.example:{port}"
    head = {"host": f"lab.example:{port}", "accept": "text/html", "origin": origin,
            "sec-fetch-site": "same-origin"}  # fmt: skip
    here = f"https://127.0.0.1:{port}"
    with httpx.Client(base_url=here, verify=False, headers=head, timeout=60) as client:
        _wait(lambda: client.get("/mats/health").status_code == 200)
        entered = client.post("/mats/login", data={"name": "anna", "password": PASSWORD})
        assert entered.status_code == 303, entered.text
        assert "; secure" in entered.headers["set-cookie"].lower()
        inside = "/mats/campaigns/1"
        page = client.get(f"{inside}/propose").text
        csrf = {"csrf": re.search(r'name="csrf" content="(\w+)"', page)[1]}
        links = re.findall(r'(?:href|src|action)="(/[^"]*)"', page)
        assert len(links) > 10
        assert [link for link in links if not link.startswith("/mats")] == []
        assert client.get(next(link for link in links if "static" in link)).status_code == 200
        asked = client.post(f"{inside}/propose", data={**csrf, "n": "2", "strategy": "sobol"})
        assert asked.status_code == 303, asked.text
        job = asked.headers["location"]
        assert job.startswith(f"{inside}/jobs/")
        _wait(lambda: client.get(job).status_code == 303)
        batch = client.get(job).headers["location"]
        assert batch.startswith(f"{inside}/batches/")
        assert str(_code(f"{origin}{inside}/runs/1")) in client.get(f"{batch}/worksheet").text
        results = {**csrf, "result:elongation.longitudinal": "88"}
        logged = client.post(f"{inside}/runs/1", data=results)
        assert logged.headers["location"] == f"{inside}/runs/1"
        added = client.post(
            f"{inside}/runs/1/micrographs", data=csrf, files={"file": ("mat.png", png())}
        )
        assert added.status_code == 303, added.text
        picture = client.get(f"{inside}/micrographs/1/picture?size=320")
        assert picture.content.startswith(b"\x89PNG")
        foreign = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
        refused = client.post(f"{inside}/runs/1", data=csrf, headers=foreign)
        assert refused.status_code == 403


def _wait(until, seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            if until():
                return
        except httpx.TransportError:
            pass
        assert time.monotonic() < deadline
        time.sleep(0.2)
