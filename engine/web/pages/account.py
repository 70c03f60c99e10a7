"""Logging in and out, one's own tokens, and for admins: people and who did what."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Request
from starlette.datastructures import FormData
from starlette.responses import HTMLResponse, Response

from db.records import Role
from engine.errors import AccessError, UsageError
from engine.web import forms
from engine.web.addresses import address_of, redirect_top
from engine.web.forms import Sent, checked_form
from engine.web.rendering import environment, form_page, links, page, person_of, site_of
from engine.web.shield import cookie_name
from engine.web.statuses import EXPECTED
from engine.web.users import (
    Person,
    add_user,
    list_tokens,
    list_users,
    log_in,
    log_in_starter,
    log_out,
    make_token,
    note_refusal,
    remove_user,
    revoke_token,
    set_role,
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
        return _welcome(request, person, _back(next))
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


def _form(
    request: Request, back: str, name: str = "", error: str | None = None, status: int = 200
) -> Response:
    template = environment().get_template("login.html")
    has_users = site_of(request).has_users()
    html = template.render(
        next=_back(back),
        name=name,
        error=error,
        has_users=has_users,
        **links(address_of(request)),
    )
    return HTMLResponse(html, status)


@router.post("/login")
async def post_login(request: Request) -> Response:
    """Log in; after too many wrong passwords a name may not try from there for a while."""
    from asyncio import to_thread

    # Anybody may send this one: no files, and no more fields than the form has.
    form = await request.form(max_files=0, max_fields=8)
    return await to_thread(_log_in, request, form)


def _log_in(request: Request, form: FormData) -> Response:
    site = site_of(request)
    back, name = forms.word(form, "next") or "/", forms.word(form, "name")[:64]
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
            answer = _form(request, back, name, worded(error, "page"), 429)
            answer.headers["retry-after"] = str(int(error.wait_s) + 1)
            return answer
        return _form(request, back, name, worded(error, "page"), 401)
    return _welcome(request, person, _back(back))


def _welcome(request: Request, person: Person, back: str) -> Response:
    answer = redirect_top(request, back)
    answer.set_cookie(
        cookie_name(request.scope),
        person.secret,
        httponly=True,
        # Sent along by a link from an electronic notebook, not by forms, scripts or frames of other
        # sites: what a link may ask for changes nothing (`shield._is_from_here`, `policy.SAFE`).
        # https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Set-Cookie
        samesite="lax",
        # Over plain HTTP browsers would drop a secure cookie, and nobody could log in.
        secure=request.url.scheme == "https",
        path="/",
        max_age=int(site_of(request).workspace.settings.web.session_hours * 3600),
    )
    return answer


def _back(path: str) -> str:
    """Return a path of this site to go on to; anything else leads to the first page."""
    parts = urlsplit(path)
    is_ours = not parts.scheme and not parts.netloc and path.startswith("/")
    # Browsers read a backslash as a slash, and "//host" as another host.
    # https://url.spec.whatwg.org/#relative-slash-state
    return path if is_ours and not path.startswith(("//", "/\\")) else "/"


@inside.post("/logout")
def post_logout(request: Request) -> Response:
    """Log out."""
    site, person = site_of(request), person_of(request)
    log_out(site.workspace, person)
    site.forget_people()
    answer = redirect_top(request, "/login")
    answer.delete_cookie(cookie_name(request.scope), path="/")
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


def _people(request: Request, typed: object, error: Exception | None) -> Response:
    site = site_of(request)
    return form_page(
        request,
        "people.html",
        error,
        place="people",
        users=list_users(site.workspace),
        tokens=list_tokens(site.workspace),
        typed=typed,
    )


@inside.post("/people")
def save_user(request: Request, form: Sent) -> Response:
    """Add a user, give another role, or remove one."""
    site, person = site_of(request), person_of(request)
    acting = site.workspace.acting(person.name)
    name, action = forms.word(form, "name"), forms.word(form, "what")
    try:
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


@inside.get("/changes")
def changes(request: Request) -> Response:
    """Show who did what, newest first."""
    with site_of(request).workspace.database.read() as tx:
        records = tx.changes(limit=200)
    return page(request, "changes.html", place="changes", changes=records)


router.include_router(inside)
