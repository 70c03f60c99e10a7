"""Users, sessions and tokens."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db.errors import ConflictError
from db.records import Role
from engine.errors import AccessError, NotFoundError, UsageError
from engine.web import users
from engine.workspace import Workspace

PASSWORD = "correct horse"  # noqa: S105 -- of a test


@pytest.fixture
def anna(workspace: Workspace) -> str:
    users.add_user(workspace, "anna", "admin", PASSWORD)
    return "anna"


def test_who_knows_the_password_comes_in(workspace: Workspace, anna: str) -> None:
    person = users.log_in(workspace, anna, PASSWORD)
    assert users.person_of_session(workspace, person.secret) == person
    assert person.is_allowed(Role.OPERATOR)
    users.log_out(workspace, person)
    assert users.person_of_session(workspace, person.secret) is None


@pytest.mark.parametrize(
    ("name", "password"), [("anna", "wrong horse"), ("nobody", PASSWORD), ("anna", "x" * 5000)]
)
def test_others_do_not_and_are_not_told_why(
    workspace: Workspace, anna: str, name: str, password: str
) -> None:
    with pytest.raises(AccessError, match=r"^the name or the password is wrong$"):
        users.log_in(workspace, name, password)


def test_the_database_holds_neither_passwords_nor_tokens(workspace: Workspace, anna: str) -> None:
    person = users.log_in(workspace, anna, PASSWORD)
    token, _ = users.make_token(workspace, anna, "scale", "viewer")
    content = b"".join(path.read_bytes() for path in workspace.root.glob("spinneret.db*"))
    for secret in (PASSWORD, token, person.secret):
        assert secret.encode() not in content
    assert b"$argon2id$" in content


def test_a_token_may_do_the_lesser_of_scope_and_role(workspace: Workspace, anna: str) -> None:
    secret, record = users.make_token(workspace, anna, "scale", "operator", days=1)
    found = users.person_of_token(workspace, secret)
    assert found is not None
    assert (found.name, found.role, found.is_program) == ("anna", Role.OPERATOR, True)
    users.add_user(workspace, "ben", "admin", PASSWORD)
    users.set_role(workspace, "anna", "viewer")
    lesser = users.person_of_token(workspace, secret)
    assert lesser is not None
    assert lesser.role is Role.VIEWER
    users.revoke_token(workspace, record.id)
    assert users.person_of_token(workspace, secret) is None
    assert users.person_of_token(workspace, "spin_forged") is None
    assert users.person_of_token(workspace, "forged") is None


def test_the_one_who_started_the_server_is_admin_until_there_are_users(
    workspace: Workspace,
) -> None:
    person = users.log_in_starter(workspace)
    assert users.person_of_session(workspace, person.secret) is not None
    users.add_user(workspace, "anna", "admin", PASSWORD)
    assert users.person_of_session(workspace, person.secret) is None


def test_another_password_ends_the_sessions(workspace: Workspace, anna: str) -> None:
    person = users.log_in(workspace, anna, PASSWORD)
    users.set_password(workspace, anna, "battery staple")
    assert users.person_of_session(workspace, person.secret) is None
    assert users.log_in(workspace, anna, "battery staple").name == "anna"


def test_the_last_admin_stays(workspace: Workspace, anna: str) -> None:
    users.add_user(workspace, "ben", "viewer", PASSWORD)
    with pytest.raises(UsageError, match="there would be no admin"):
        users.set_role(workspace, "anna", "viewer")
    with pytest.raises(UsageError, match="there would be no admin"):
        users.remove_user(workspace, "anna")
    users.set_role(workspace, "ben", "admin")
    users.remove_user(workspace, "anna")
    with pytest.raises(AccessError):
        users.log_in(workspace, "anna", PASSWORD)


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_the_first_user_is_an_admin(workspace: Workspace, role: str) -> None:
    starter = users.log_in_starter(workspace)
    with pytest.raises(UsageError, match="expected 'admin'") as refused:
        users.add_user(workspace, "otto", role, PASSWORD)
    assert refused.value.field == "role"
    assert users.list_users(workspace) == []
    assert users.person_of_session(workspace, starter.secret) == starter
    users.add_user(workspace, "anna", "admin", PASSWORD)
    users.remove_user(workspace, "anna")
    with pytest.raises(UsageError, match="expected 'admin'"):
        users.add_user(workspace, "anna", role, PASSWORD)


_STEPS = st.tuples(
    st.sampled_from(["add", "role", "remove"]),
    st.sampled_from(["anna", "ben", "cleo"]),
    st.sampled_from([*Role]),
)


@given(st.lists(_STEPS, max_size=12))
@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_whatever_is_done_there_is_an_admin_or_nobody(
    workspace: Workspace, steps: list[tuple[str, str, Role]]
) -> None:
    for action, name, role in steps:
        before = users.list_users(workspace)
        try:
            if action == "add":
                users.add_user(workspace, name, role, PASSWORD)
            elif action == "role":
                users.set_role(workspace, name, role)
            else:
                users.remove_user(workspace, name)
        except (UsageError, NotFoundError, ConflictError):
            assert users.list_users(workspace) == before
        everybody = users.list_users(workspace)
        assert not everybody or Role.ADMIN in [user.role for user in everybody]


def test_a_database_without_an_admin_is_mended_by_making_one(workspace: Workspace) -> None:
    users.add_user(workspace, "anna", "admin", PASSWORD)
    users.add_user(workspace, "otto", "viewer", PASSWORD)
    with workspace.database.write("as 0.1.0 let happen") as tx:
        tx.users.change(users.list_users(workspace)[0].id, role=Role.OPERATOR)
    assert users.is_without_admin(users.list_users(workspace))
    with pytest.raises(UsageError, match="no admin among anna, otto, vera"):
        users.add_user(workspace, "vera", "viewer", PASSWORD)
    with pytest.raises(UsageError, match="no admin among otto"):
        users.remove_user(workspace, "anna")
    users.set_role(workspace, "otto", "admin")
    users.remove_user(workspace, "anna")


@pytest.mark.parametrize(
    ("name", "role", "password", "told"),
    [
        ("a b", "viewer", PASSWORD, "expected a user's name"),
        ("anna", "boss", PASSWORD, "expected viewer, operator, admin, got 'boss'"),
        ("anna", "viewer", "short", "at least 10"),
        ("annaannaanna", "viewer", "AnnaAnnaAnna", "hard to guess"),
        ("anna", "viewer", "aaaaaaaaaaaa", "hard to guess"),
    ],
)
def test_what_cannot_be_is_refused(
    workspace: Workspace, name: str, role: str, password: str, told: str
) -> None:
    with pytest.raises(UsageError, match=told):
        users.add_user(workspace, name, role, password)


def test_names_that_are_not_there(workspace: Workspace, anna: str) -> None:
    with pytest.raises(NotFoundError, match="Did you mean 'anna'"):
        users.set_role(workspace, "anne", "viewer")
    with pytest.raises(ConflictError, match="already"):
        users.add_user(workspace, "anna", "viewer", PASSWORD)
    with pytest.raises(NotFoundError, match="no token 7"):
        users.revoke_token(workspace, 7)


def test_the_commands(engine) -> None:
    first = engine("users", "add", "otto", "--password-stdin", stdin=PASSWORD + "\n")
    assert first.exit_code == 2
    assert "--role: expected 'admin'" in first.err
    added = engine(
        "users", "add", "anna", "--role", "admin", "--password-stdin", stdin=PASSWORD + "\n"
    )
    assert added.exit_code == 0, added.err
    assert "anna may log in as admin" in added.err
    listed = engine("users", "list", "--json").json["items"]
    assert listed == [{"user": "anna", "role": "admin"}]
    made = engine("users", "token", "anna", "--name", "scale", "--json").json
    assert made["token"].startswith("spin_")
    assert engine("users", "tokens", "--json").json["items"][0]["scope"] == "viewer"
    assert "scale" in engine("users", "tokens").out
    assert engine("users", "revoke", made["number"]).exit_code == 0
    assert engine("users", "revoke", made["number"]).exit_code == 1
    assert engine("users", "role", "anna", "viewer").exit_code == 2
    changed = engine("users", "password", "anna", "--password-stdin", stdin="battery staple\n")
    assert changed.exit_code == 0
    assert "anna" in engine("users", "list").out
    assert engine("users", "remove", "anna").exit_code == 0
    assert engine("users", "add", "anna", "--role", "boss").exit_code == 2
    assert engine("users", "add", "anna").exit_code == 2, "no terminal to ask on"
