"""``engine users``: who may log in at the page, and the tokens of programs."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from engine.errors import UsageError
from engine.terminal.options import ConfigOption, JsonOption
from engine.terminal.output import console, grid, print_json, say

PasswordOption = Annotated[
    bool,
    typer.Option("--password-stdin", help="Read the password from standard input's first line."),
]
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The user's name.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this module."""
    users = typer.Typer(help="Who may use `engine serve`: users, roles, tokens.")
    users.command("add")(add)
    users.command("list")(list_users)
    users.command("role")(role)
    users.command("password")(password)
    users.command("remove")(remove)
    users.command("token")(token)
    users.command("tokens")(tokens)
    users.command("revoke")(revoke)
    app.add_typer(users, name="users", no_args_is_help=True)


def add(
    name: NameArgument,
    role: Annotated[
        str, typer.Option(help="viewer (reads), operator (records), admin (decides, lets in).")
    ] = "operator",
    password_stdin: PasswordOption = False,
    config: ConfigOption = None,
) -> None:
    """Let somebody log in; the password is asked for."""
    from engine.web.users import add_user, role_of
    from engine.workspace import Workspace

    role_of(role)
    with Workspace.open(config) as workspace:
        user = add_user(workspace, name, role, _password(password_stdin))
    say(f"{user.name} may log in as {user.role}.")


def list_users(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List who may log in."""
    from engine.web.users import list_users as everybody
    from engine.workspace import Workspace

    with Workspace.open(config) as workspace:
        users = everybody(workspace)
    if as_json:
        print_json({"items": [{"user": user.name, "role": user.role.value} for user in users]})
        return
    if not users:
        say("no users yet: `engine users add NAME --role admin`")
        return
    rows = [
        [u.name, u.role.value, f"{u.changed_at.astimezone():%Y-%m-%d %H:%M}", u.changed_by]
        for u in users
    ]
    console().print(grid(["name", "role", "set", "by"], rows))


def role(
    name: NameArgument,
    new_role: Annotated[str, typer.Argument(metavar="ROLE", help="viewer, operator or admin.")],
    config: ConfigOption = None,
) -> None:
    """Give a user another role."""
    from engine.web.users import set_role
    from engine.workspace import Workspace

    with Workspace.open(config) as workspace:
        set_role(workspace, name, new_role)
    say(f"{name} is {new_role} now.")


def password(
    name: NameArgument, password_stdin: PasswordOption = False, config: ConfigOption = None
) -> None:
    """Give a user another password; they are logged out everywhere."""
    from engine.web.users import set_password
    from engine.workspace import Workspace

    with Workspace.open(config) as workspace:
        set_password(workspace, name, _password(password_stdin))
    say(f"{name} has a new password.")


def remove(name: NameArgument, config: ConfigOption = None) -> None:
    """Let a user in no more; what they did stays in their name."""
    from engine.web.users import remove_user
    from engine.workspace import Workspace

    with Workspace.open(config) as workspace:
        remove_user(workspace, name)
    say(f"{name} may log in no more; their sessions and tokens are void.")


def token(
    name: NameArgument,
    called: Annotated[str, typer.Option("--name", help="What the token is for.")],
    scope: Annotated[
        str, typer.Option(help="The most it may do: viewer, operator, admin.")
    ] = "viewer",
    days: Annotated[int | None, typer.Option(help="Days until it is void.")] = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a token for a program of NAME's; it is shown this once."""
    from engine.web.users import make_token
    from engine.workspace import Workspace

    with Workspace.open(config) as workspace:
        secret, record = make_token(workspace, name, called, scope, days=days)
    if as_json:
        print_json({"number": record.id, "token": secret, "scope": record.scope.value})
        return
    say(f"token {record.id} ({record.scope}); keep it, it is shown this once:")
    typer.echo(secret)


def tokens(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """List the tokens in use."""
    from engine.web.users import list_tokens
    from engine.workspace import Workspace

    with Workspace.open(config) as workspace:
        in_use = list_tokens(workspace)
    if as_json:
        print_json(
            {
                "items": [
                    {"number": t.id, "user": t.user, "name": t.name, "scope": t.scope.value}
                    for t in in_use
                ]
            }
        )
        return
    rows = [
        [
            str(t.id),
            t.user,
            t.name,
            t.scope.value,
            f"{t.created_at.astimezone():%Y-%m-%d}",
            f"{t.expires_at.astimezone():%Y-%m-%d}" if t.expires_at else "–",
        ]
        for t in in_use
    ]
    console().print(grid(["token", "user", "name", "scope", "made", "until"], rows))


def revoke(
    token_id: Annotated[int, typer.Argument(metavar="TOKEN", help="The token's number.")],
    config: ConfigOption = None,
) -> None:
    """Take a token out of use."""
    from engine.web.users import revoke_token
    from engine.workspace import Workspace

    with Workspace.open(config) as workspace:
        revoke_token(workspace, token_id)
    say(f"token {token_id} is void.")


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise UsageError(
            "the password is asked for on a terminal; without one, give it to --password-stdin"
        )
    return str(typer.prompt("password", hide_input=True, confirmation_prompt=True))
