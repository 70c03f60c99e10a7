"""Logging in and out, one's own password and tokens, and for admins the people."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fastapi import APIRouter, Depends, Request
from starlette.datastructures import FormData
from starlette.responses import HTMLResponse, Response

from db.records import Role
from engine.errors import AccessError, UsageError
from engine.web import forms
from engine.web.addresses import address_of, redirect_top
from engine.web.forms import Sent, checked_form
from engine.web.refusals import KEPT, MOST_FIELDS, Fields, local_path, login_page, typed_in
from engine.web.rendering import environment, form_page, links, page, person_of, site_of
from engine.web.shield import cookie_name
from engine.web.statuses import EXPECTED, status_of
from engine.web.users import (
    Person,
    add_user,
    change_password,
    list_tokens,
    list_users,
    log_in,
    log_in_starter,
    log_out,
    make_reset,
    make_token,
    note_refusal,
    remove_user,
    revoke_token,
    set_password_by_reset,
    set_role,
    user_of_reset,
)
from engine.web.wording import worded

router = APIRouter()
inside = APIRouter(dependencies=[Depends(checked_form)])


@router.get("/login")
def login(request: Request, key: str = "", next: str = "/") -> Response:
    """Show the form; who brings the key of the server's start is logged in at once."""
    site = site_of(request)
    if key and not site.has_users():
        try:
            person = _log_in_by_key(request, key)
        except AccessError as error:
            if error.wait_s:
                raise
            return _form(request, next)
        return _welcome(request, person, local_path(next))
    return _form(request, next)


def _log_in_by_key(request: Request, key: str) -> Person:
    site = site_of(request)
    with _counted(request, "") as address:
        if not site.is_key(key):
            raise AccessError("that is not the key that was printed when the server started")
        return log_in_starter(site.workspace, address)


@contextmanager
def _counted(request: Request, name: str) -> Iterator[str]:
    """Count an attempt to log in; give the address that it came from."""
    site, address = site_of(request), request.client.host if request.client else ""
    with site.limiter.attempt(name, address) as is_last:
        try:
            yield address
        except AccessError:
            if is_last:
                note_refusal(site.workspace, name, address)
            raise


def _form(request: Request, back: str, **values: Any) -> Response:
    return login_page(request, site_of(request), back=back, **values)


@router.post("/login")
async def post_login(request: Request) -> Response:
    """Log in; after too many wrong passwords a name may not try from there for a while."""
    from asyncio import to_thread

    # Anybody may send this one: no files, and no more fields than a form that was kept has.
    form = await request.form(max_files=0, max_fields=MOST_FIELDS + 8)
    return await to_thread(_log_in, request, form)


def _log_in(request: Request, form: FormData) -> Response:
    site = site_of(request)
    back, name = forms.word(form, "next") or "/", forms.word(form, "name")[:64]
    typed = [
        (field.removeprefix(KEPT), value)
        for field, value in typed_in(form.multi_items())
        if field.startswith(KEPT)
    ]
    try:
        if site.has_users():
            password = form.get("password")
            password = password if isinstance(password, str) else ""
            with _counted(request, name) as address:
                person = log_in(site.workspace, name, password, address)
        else:
            person = _log_in_by_key(request, forms.word(form, "key"))
    except AccessError as error:
        if error.wait_s:
            answer = _form(
                request, back, name=name, error=worded(error, "page"), status=429, typed=typed
            )
            answer.headers["retry-after"] = str(int(error.wait_s) + 1)
            return answer
        return _form(request, back, name=name, error=worded(error, "page"), status=401, typed=typed)
    return _welcome(request, person, local_path(back), typed)


def _welcome(request: Request, person: Person, back: str, typed: Fields | None = None) -> Response:
    answer: Response = redirect_top(request, back)
    if typed:
        # Sent on by a click of theirs, never by itself.
        request.state.person = person
        answer = page(request, "kept.html", typed=typed, action=back)
    answer.set_cookie(
        cookie_name(request.scope),
        person.secret,
        httponly=True,
        # Sent along by a link from an electronic notebook, not by forms, scripts or frames of other
        # sites: what a link may ask for changes nothing (`shield._is_from_here`, `policy.SAFE`).
        # https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Set-Cookie
        samesite="lax",
        # Over plain HTTP browsers would drop a secure cookie, and nobody could log in.
        secure=address_of(request).is_secure,
        path=address_of(request).top("/"),
        max_age=int(site_of(request).workspace.settings.web.session_hours * 3600),
    )
    return answer


@router.get("/reset")
def reset(request: Request, key: str = "") -> Response:
    """Show whose password a link sets; it stays good until a password is sent."""
    try:
        with _counted(request, ""):
            name = user_of_reset(site_of(request).workspace, key)
    except AccessError as error:
        return _reset_form(request, "", "", error)
    return _reset_form(request, key, name, None)


@router.post("/reset")
async def post_reset(request: Request) -> Response:
    """Set the password that a link is for."""
    from asyncio import to_thread

    # Anybody may send this one: no files, few fields.
    form = await request.form(max_files=0, max_fields=8)
    return await to_thread(_reset, request, form)


def _reset(request: Request, form: FormData) -> Response:
    site, key = site_of(request), forms.word(form, "key")
    name = ""
    try:
        with _counted(request, ""):
            name = user_of_reset(site.workspace, key)
        set_password_by_reset(site.workspace, key, _new_password(form))
    except EXPECTED as error:
        return _reset_form(request, key, name, error)
    site.forget_people()
    return _form(request, "/", name=name, remark="Your password is set. Log in with it.")


def _reset_form(request: Request, key: str, name: str, error: Exception | None) -> Response:
    html = (
        environment()
        .get_template("reset.html")
        .render(
            key=key,
            name=name,
            error=None if error is None else worded(error, "page"),
            **links(address_of(request)),
        )
    )
    return HTMLResponse(html, 200 if error is None else status_of(error))


@inside.post("/logout")
def post_logout(request: Request) -> Response:
    """Log out."""
    site, person = site_of(request), person_of(request)
    log_out(site.workspace, person)
    site.forget_people()
    answer = redirect_top(request, "/login")
    answer.delete_cookie(cookie_name(request.scope), path=address_of(request).top("/"))
    return answer


@inside.get("/account")
def account(request: Request) -> Response:
    """Show who one is, and one's tokens."""
    return _account(request, None, None)


def _account(request: Request, secret: str | None, error: Exception | None) -> Response:
    site, person = site_of(request), person_of(request)
    tokens = [] if person.user_id is None else list_tokens(site.workspace, person.user_id)
    return form_page(
        request,
        "account.html",
        error,
        place="account",
        tokens=tokens,
        secret=secret,
        relabelled={"name": "What it is for"},
    )


@inside.post("/account/tokens")
def add_token(request: Request, form: Sent) -> Response:
    """Make a token; it is shown this once."""
    site, person = site_of(request), person_of(request)
    try:
        if person.user_id is None:
            raise UsageError("tokens belong to users: make one under People first")
        scope = forms.word(form, "scope") or Role.VIEWER
        days = forms.integer(form, "days")
        acting = site.workspace.acting(person.name)
        secret, _ = make_token(acting, person.name, forms.word(form, "name"), scope, days=days)
    except EXPECTED as error:
        return _account(request, None, error)
    return _account(request, secret, None)


@inside.post("/account/password")
def post_password(request: Request, form: Sent) -> Response:
    """Give oneself another password; everybody else under one's name is logged out."""
    site, person = site_of(request), person_of(request)
    try:
        password = _new_password(form)
        # Whoever finds a session open must not guess the password by it.
        with _counted(request, person.name):
            old = _plain(form, "old_password")
            change_password(site.workspace.acting(person.name), person, old, password)
    except EXPECTED as error:
        return _account(request, None, error)
    site.forget_people()
    site.leave_message(person, "good", "Your password is changed; all other sessions have ended.")
    return redirect_top(request, "/account")


def _new_password(form: FormData) -> str:
    password = _plain(form, "password")
    if password != _plain(form, "password_again"):
        raise UsageError("is not the same as the new password", field="password_again")
    return password


def _plain(form: FormData, name: str) -> str:
    """Return a password as it was typed, blanks and all."""
    content = form.get(name)
    return content if isinstance(content, str) else ""


@inside.post("/account/tokens/{id_}/revoke")
def revoke_own_token(request: Request, id_: int) -> Response:
    """Take one of one's own tokens out of use."""
    site, person = site_of(request), person_of(request)
    # 0 is nobody's: without a user there are no tokens of one's own.
    revoke_token(site.workspace.acting(person.name), id_, user_id=person.user_id or 0)
    site.forget_people()
    return redirect_top(request, "/account")


@inside.get("/people")
def people(request: Request) -> Response:
    """Show who may log in."""
    return _people(request, {}, None)


def _people(
    request: Request, typed: object, error: Exception | None, reset_link: object = None
) -> Response:
    site = site_of(request)
    return form_page(
        request,
        "people.html",
        error,
        place="people",
        users=list_users(site.workspace),
        tokens=list_tokens(site.workspace),
        typed=typed,
        reset_link=reset_link,
    )


@inside.post("/people")
def save_user(request: Request, form: Sent) -> Response:
    """Add a user, give another role, or remove one."""
    site, person = site_of(request), person_of(request)
    acting = site.workspace.acting(person.name)
    name, action = forms.word(form, "name"), forms.word(form, "what")
    try:
        if action == "reset":
            secret, until = make_reset(acting, name)
            # Where the others reach the server, though the admin may sit at its own machine.
            address, front = address_of(request), site.front
            base = (
                f"{front.origin}{front.prefix}" if front.url else address.origin + address.top("")
            )
            link = f"{base}/reset?key={secret}"
            return _people(request, {}, None, {"name": name, "link": link, "until": until})
        if action == "remove":
            remove_user(acting, name)
        elif action == "role":
            set_role(acting, name, forms.word(form, "role"))
        else:
            password = form.get("password")
            add_user(acting, name, forms.word(form, "role"), str(password or ""))
    except EXPECTED as error:
        return _people(request, {"name": name}, error)
    site.forget_people()
    return redirect_top(request, "/people")


@inside.post("/people/tokens/{id_}/revoke")
def revoke_any_token(request: Request, id_: int) -> Response:
    """Take anybody's token out of use."""
    site = site_of(request)
    revoke_token(site.workspace.acting(person_of(request).name), id_)
    site.forget_people()
    return redirect_top(request, "/people")


router.include_router(inside)
