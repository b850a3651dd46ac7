"""Who gets to the page: its token, its first browser, and nobody else."""

from __future__ import annotations

import http.client
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest

TOKEN = "correct horse"


@pytest.fixture(scope="module")
def guarded(start_server):
    """A page with a token, and without scans."""
    return start_server("--token", TOKEN)


@pytest.fixture(scope="module")
def open_page(start_server, files):
    """A page for whoever comes first."""
    return start_server("--template", files["april"], "--landmarks", files["landmarks"])


def _get(server, path: str, headers: dict[str, str] | None = None) -> tuple[int, str, str]:
    """Status, text, and the cookie that was set."""
    address = urlsplit(server.address)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=180)
    connection.request("GET", path, headers=headers or {})
    answer = connection.getresponse()
    cookie = (answer.getheader("Set-Cookie") or "").split(";")[0]
    text = answer.read().decode("utf-8", "replace")
    connection.close()
    return answer.status, text, cookie


def _websocket(server, **headers: str) -> int:
    """The status of the answer to a request for a websocket; 101 lets one in."""
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    address = urlsplit(server.address)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=180)
    connection.request("GET", "/ws", headers=upgrade | headers)
    status = connection.getresponse().status
    connection.close()
    return status


@pytest.mark.parametrize(
    "path",
    ["/", "/index.html", "/?token=", "/?token=correct", "/?token=Correct%20horse", "/index.html?token=wrong"],
)
def test_without_the_right_token_there_is_no_page(guarded, path):
    status, text, cookie = _get(guarded, path)
    assert status == 403
    assert "A token is needed" in text
    assert not cookie


@pytest.mark.parametrize(
    "path", ["/ws", "/ws?token=wrong", "/ws?token=correct%20horse", "/download", "/vue.global.js"]
)
def test_without_the_cookie_of_the_page_nothing_is_given(guarded, path):
    assert _get(guarded, path)[0] == 403


def test_a_websocket_needs_the_cookie_of_the_page(guarded):
    assert _websocket(guarded) == 403
    assert _websocket(guarded, Cookie="samlandmark=1; token=correct horse") == 403


def test_another_web_site_can_not_open_the_websocket_with_the_browser_s_cookie(guarded):
    status, _, cookie = _get(guarded, "/?token=correct%20horse")
    assert (status, bool(cookie)) == (302, True)
    assert _websocket(guarded, Cookie=cookie, Origin="http://evil.example") == 403


@pytest.mark.parametrize("origin", ["http://[", "http://[evil", "null", "\xff"])
def test_an_origin_that_is_damaged_is_refused(guarded, origin):
    status, _, cookie = _get(guarded, "/?token=correct%20horse")
    assert status == 302
    assert _websocket(guarded, Cookie=cookie, Origin=origin) == 403


def test_who_only_asks_for_the_websocket_does_not_take_the_page(guarded):
    _, _, cookie = _get(guarded, "/?token=correct%20horse")
    assert _get(guarded, "/ws", {"Cookie": cookie})[0] == 400
    assert _get(guarded, "/?token=correct%20horse")[0] == 302


def test_many_guesses_at_once_are_looked_at_one_after_the_other(guarded):
    begun = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: _get(guarded, f"/?token={number}")[0], range(8)))
    assert set(answers) == {403}
    assert time.monotonic() - begun >= 8 * 0.5


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8765", "[evil", "127.0.0.1.evil.example"])
def test_a_name_that_only_points_here_is_refused(open_page, host):
    assert _get(open_page, "/", {"Host": host})[0] == 421


def test_a_web_server_in_front_passes_its_own_name_and_needs_the_token(guarded):
    front = {"Host": "ct.example"}
    assert _get(guarded, "/", front)[0] == 403
    status, _, cookie = _get(guarded, "/?token=correct%20horse", front)
    assert (status, bool(cookie)) == (302, True)
    assert _websocket(guarded, Cookie=cookie, Host="ct.example", Origin="https://evil.example") == 403


def test_the_right_token_opens_the_page_and_leaves_the_address_line(guarded, visit):
    visitor = visit(f"{guarded.address}?token=correct%20horse")
    visitor.page.wait_for_selector("#place")
    assert "correct" not in visitor.page.url
    assert "Open a template scan" in visitor.page.inner_text(".sl-views")


def test_a_second_browser_is_told_that_the_session_is_taken(open_page, visit):
    first = visit(open_page.address)
    first.wait_until_ready()
    second = visit(open_page.address)
    assert second.answer.status == 409
    text = second.page.inner_text("body")
    assert "This session is taken" in text
    assert "april" not in second.page.content()
    (cookie,) = first.page.context.cookies()
    for wrong in ("", cookie["value"][:-1], "\xff\xfe"):
        assert _get(open_page, "/index.html", {"Cookie": f"{cookie['name']}={wrong}"})[0] == 409
    # the first one goes on, also after the page is loaded again
    first.page.reload()
    first.wait_until_ready()
    assert "april" in first.page.inner_text(".sl-views")


def test_the_token_does_not_let_a_second_browser_in(guarded, visit):
    assert visit(f"{guarded.address}?token=correct%20horse").answer.status == 409
    assert visit(f"{guarded.address}?token=wrong").answer.status == 403
