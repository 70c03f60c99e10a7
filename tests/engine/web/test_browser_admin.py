"""Deciding in the browser: campaigns beside one another, revised and made, people, ended sessions.

One server and one browser for all of it; skipped where no Chromium is.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser_page import PASSWORD, Page, logged_in

from engine.campaign import Campaign
from engine.web import users
from engine.workspace import Workspace
from engine.workspace.revisions import create
from engine.workspace.workspace import definition_of

pytestmark = pytest.mark.timeout(300)

NEW = "violet kettle drum"
TABLE = "Voltage (kV),distance [cm],strength [MPa],note\n" + "".join(
    f"{12 + 2 * (i % 4)},{10 + 5 * (i % 3)},{5 + 1.3 * i:.2f},batch {i}\n" for i in range(12)
)


@pytest.fixture(scope="module")
def workspace(
    initialised: Path, tmp_path_factory: pytest.TempPathFactory, mixture: Campaign
) -> Iterator[Workspace]:
    folder = tmp_path_factory.mktemp("deciding") / "work"
    shutil.copytree(initialised, folder)
    with Workspace.open(folder / "config.toml") as opened:
        users.add_user(opened, "anna", "admin", PASSWORD)
        users.add_user(opened, "vera", "viewer", PASSWORD)
        create(opened, mixture.model_copy(update={"name": "mixture"}), is_active=False)
        yield opened


@pytest.fixture(scope="module")
def page(workspace: Workspace, serve_in: Any) -> Iterator[Page]:
    with serve_in(workspace.root) as (address, _process), logged_in(address) as page:
        yield page


def set_field(page: Page, name: str, text: str) -> None:
    page.type(f"[name='{name}']", text)


def at(page: Page, path: str) -> None:
    page.driver.get(page.address + path)
    page.watch()


def path_of(page: Page) -> str:
    return str(page.driver.current_url).removeprefix(page.address)


def test_a_proposal_stays_in_the_campaign_that_it_was_asked_for_in(
    page: Page, workspace: Workspace
) -> None:
    first = page.driver.current_window_handle
    page.get("/propose")
    page.type("#n", "2")
    page.driver.switch_to.new_window("tab")
    at(page, "/campaigns/2")
    assert "mixture" in page.find(".campaign").text
    page.driver.close()
    page.driver.switch_to.window(first)
    page.click("form[action$='/propose'] .button.main")
    page.wait(lambda: "/batches/" in page.driver.current_url, 120)
    assert path_of(page).startswith("/campaigns/1/batches/")
    with workspace.database.read() as tx:
        assert [len(tx.experiments.find(id_)) for id_ in (1, 2)] == [2, 0]


def test_a_campaign_is_revised_after_its_preview(page: Page, workspace: Workspace) -> None:
    page.get("/definition")
    page.look("definition")
    page.click("a[href$='/definition/edit']")
    page.look("definition-edit")
    set_field(page, "high:voltage", "20.25")
    page.click("#definition-form > .buttons .button.main")
    assert "does not divide the range" in page.text()
    assert page.find("[name='high:voltage']").get_attribute("value") == "20.25", "nothing is lost"
    set_field(page, "high:voltage", "20")
    page.click("#definition-form > .buttons .button.main")
    assert "Voltage, upper bound: 22 → 20 kV" in page.find("#preview").text
    page.look("definition-preview")
    page.type("#note", "it drips above")
    page.click("#preview .button.main")
    assert "Revision 2 is recorded" in page.text()
    assert "it drips above" in page.find("#revisions").text
    with workspace.database.read() as tx:
        assert definition_of(tx.campaigns.by_id(1)).parameter("voltage").high == 20.0
    assert "high = 20.0" in (workspace.root / "config.toml").read_text(encoding="utf-8")
    page.get("/definition/edit?as=text")
    page.look("definition-text")


def test_a_campaign_is_made_from_a_table(page: Page, workspace: Workspace, tmp_path: Path) -> None:
    at(page, "/campaigns")
    page.click("a[href='/new-campaign']")
    page.look("new-campaign")
    path = tmp_path / "inks.csv"
    path.write_text(TABLE, encoding="utf-8")
    page.find("#file").send_keys(str(path))
    page.click("form[action$='/new-campaign/table'] .button.main")
    assert "12 runs with 12 results" in page.text()
    page.look("new-campaign-table")
    page.find("[name='goal:strength'] option[value='minimize']").click()
    set_field(page, "aim:strength", "9")
    page.click("button[value='look'].button:not(.visually-hidden)")
    assert "as low as can be, up to 9 MPa" in page.text()
    page.click("button[value='record']")
    assert path_of(page) == "/campaigns/3"
    assert "12 runs and 12 results of inks.csv" in page.text()
    with workspace.database.read() as tx:
        assert len(tx.experiments.find(3)) == 12
        active = tx.campaigns.active()
    assert active is not None
    assert active.id == 1, "nobody is taken along"


def test_the_last_admin_stays_one(page: Page, workspace: Workspace) -> None:
    at(page, "/people")
    page.find("form select[name='role'] option:nth-child(2)").click()
    page.click("form:has(input[value='role']) .button")
    assert "there would be no admin" in page.text()
    page.click("form:has(input[value='remove']) .button")
    assert "there would be no admin" in page.text()
    assert [user.role for user in users.list_users(workspace)] == ["admin", "viewer"]
    page.click("form:has(input[value='reset']) .button")
    assert "/reset?key=" in page.find("#link").text
    page.look("people-link")
    at(page, page.find("#link").text.removeprefix(page.address))
    page.look("reset")
    at(page, "/changes")
    page.look("audit")


def test_a_password_is_changed(page: Page, workspace: Workspace) -> None:
    at(page, "/account")
    page.look("account-password")
    for field, text in (("old_password", PASSWORD), ("password", NEW), ("password_again", NEW)):
        set_field(page, field, text)
    page.click("form[action$='/account/password'] .button")
    assert "Your password is changed" in page.text()
    assert users.log_in(workspace, "anna", NEW).name == "anna"


def test_a_session_that_ends_while_somebody_types(page: Page, workspace: Workspace) -> None:
    page.get("/definition/edit")
    set_field(page, "description", "Mats for filters")
    with workspace.database.write("test") as tx:
        tx.sessions.close_all(1)
    # The server looks a session up anew after two seconds.
    page.wait(lambda: _is_out(page), 10)
    page.click("#definition-form > .buttons .button.main")
    assert "Your session has ended" in page.text()
    page.type("#name", "anna")
    page.type("#password", NEW)
    page.click(".button.main")
    assert "Mats for filters" in page.find("#kept").text
    page.click("#kept .button.main")
    assert "Description: " in page.find("#preview").text
    assert page.find("[name='description']").get_attribute("value") == "Mats for filters"
    page.watch()


def _is_out(page: Page) -> bool:
    status = page.driver.execute_async_script(
        "const done = arguments[0]; fetch('/api/v1/campaigns').then(r => done(r.status))"
    )
    return bool(status == 401)
