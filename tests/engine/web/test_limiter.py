"""Wrong passwords are counted by name and address, and before they are checked."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from starlette.testclient import TestClient

from engine.errors import AccessError
from engine.web import limiter as module
from engine.web.limiter import ROOM, Limiter
from engine.web.pages import account

HOME = "192.168.1.7"


def fail(limiter: Limiter, name: str, address: str = HOME) -> None:
    with limiter.attempt(name, address):
        raise AccessError("the name or the password is wrong")


def is_shut(limiter: Limiter, name: str, address: str = HOME) -> bool:
    try:
        with limiter.attempt(name, address):
            raise ZeroDivisionError  # counts for nothing
    except AccessError:
        return True
    except ZeroDivisionError:
        return False


def fail_often(limiter: Limiter, n: int, name: str, address: str = HOME) -> None:
    for _ in range(n):
        with suppress(AccessError):
            fail(limiter, name, address)


def test_one_persons_mistakes_shut_out_nobody_else() -> None:
    limiter = Limiter(2)
    fail_often(limiter, 5, "anna")
    assert is_shut(limiter, "anna")
    assert not is_shut(limiter, "ben"), "who works beside her"
    assert not is_shut(limiter, "anna", "192.168.1.8"), "she herself, at another machine"


def test_a_list_of_names_from_one_address_ends() -> None:
    limiter = Limiter(2)
    for n in range(2 * ROOM):
        fail_often(limiter, 1, f"name {n}")
    assert is_shut(limiter, "anna")
    assert not is_shut(limiter, "anna", "192.168.1.8")


def test_many_addresses_for_one_name_end() -> None:
    limiter = Limiter(2)
    for n in range(2 * ROOM):
        fail_often(limiter, 1, "anna", f"10.0.0.{n}")
    assert is_shut(limiter, "anna")
    assert not is_shut(limiter, "ben")


@pytest.mark.parametrize(
    ("address", "other", "is_same"),
    [
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:10.0.0.1", "10.0.0.1", True),
        ("::ffff:10.0.0.1", "::ffff:10.0.0.2", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        ("", "testclient", False),
    ],
)
def test_addresses_of_one_machine(address: str, other: str, is_same: bool) -> None:
    limiter = Limiter(1)
    fail_often(limiter, 1, "anna", address)
    assert is_shut(limiter, "anna", other) is is_same


def test_who_comes_in_clears_their_own_mistakes_only() -> None:
    limiter = Limiter(2)
    fail_often(limiter, 1, "anna")
    fail_often(limiter, 2, "ben")
    with limiter.attempt("anna", HOME):
        pass
    fail_often(limiter, 1, "anna")
    assert not is_shut(limiter, "anna")
    assert is_shut(limiter, "ben")
    assert len(limiter.failed[f"address {HOME}"]) == 4


def test_the_wait_ends(monkeypatch) -> None:
    limiter, clock = Limiter(2), [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    fail_often(limiter, 3, "anna")
    with pytest.raises(AccessError, match="try again in 300 s") as refused:
        fail(limiter, "anna")
    assert refused.value.wait_s == 300
    clock[0] = 301.0
    assert not is_shut(limiter, "anna")


def test_what_is_remembered_has_an_end(monkeypatch) -> None:
    monkeypatch.setattr(module, "MOST_REMEMBERED", 30)
    limiter = Limiter(2)
    for n in range(100):
        fail_often(limiter, 1, f"name {n}", f"10.0.0.{n}")
    assert len(limiter.failed) == 30


def test_of_sixty_guesses_at_once_ten_are_checked(app, monkeypatch) -> None:
    checked, log_in, go = [], account.log_in, threading.Event()

    def slow(workspace, name, password, address):
        checked.append(password)
        go.wait(2)  # as if hashing took long: all sixty are there before the first is done
        return log_in(workspace, name, password, address)

    monkeypatch.setattr(account, "log_in", slow)

    def guess(n: int) -> int:
        client = TestClient(app, follow_redirects=False)
        data = {"name": "vera", "password": f"wrong horse {n}"}
        return client.post("/login", data=data).status_code

    with ThreadPoolExecutor(60) as pool:
        statuses = list(pool.map(guess, range(60)))
    assert len(checked) == 10
    assert sorted(statuses) == [401] * 10 + [429] * 50


def test_a_colleague_comes_in_beside_ten_wrong_passwords(app) -> None:
    client = TestClient(app, follow_redirects=False)
    for _ in range(11):
        client.post("/login", data={"name": "otto", "password": "wrong horse"})
    right = {"name": "vera", "password": "correct horse"}
    assert client.post("/login", data=right).status_code == 303
    otto = client.post("/login", data={**right, "name": "otto"})
    assert otto.status_code == 429
