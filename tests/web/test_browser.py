"""The visitor without JavaScript can do what a person can, and nothing else."""

import httpx2
import pytest

from infra.local.visitor import Form, Screen, screen

PAGE = """<!doctype html><html><head><title>Choose &amp; pay</title><script>let a = "<h1>no</h1>"</script></head><body>
<h1>Choose <em>one</em></h1><h1>Second</h1><template><p>hidden</p></template>
<a href="/one">First <b>link</b></a>
<form method="get" action="/search"><input type="search" name="q" value="tea"><button>Search</button></form>
<form method="dialog"><button>Close</button></form>
<form id="buy" method="post" action="/buy">
  <input type="hidden" name="_token" value="t&quot;1">
  <input name="name" value=""><input name="off" value="x" disabled>
  <textarea name="notes">
two
lines</textarea>
  <select name="colour"><option value="red">Red</option><option value="blue" selected>Blue</option></select>
  <select name="size"><option value="s">Small</option><option value="l">Large</option></select>
  <input type="radio" name="pay" value="card" checked><input type="radio" name="pay" value="bank">
  <input type="checkbox" name="news" value="yes" checked><input type="checkbox" name="terms" value="yes">
  <button name="then" value="pay">Pay <span>now</span></button>
  <button type="button">Nothing</button>
</form>
<button form="buy" name="then" value="save">Save</button>
</body></html>"""


@pytest.fixture
def shown() -> Screen:
    request = httpx2.Request("GET", "https://galley.test/choose")
    return screen(httpx2.Response(200, html=PAGE, request=request))


def test_a_page_is_read_as_a_person_reads_it(shown: Screen):
    assert (shown.title, shown.heading) == ("Choose & pay", "Choose one")
    assert shown.link("First link") == "/one"
    assert "hidden" not in shown.text
    assert [one.action for one in shown.forms] == ["/search", "/buy"]


def test_a_form_sends_what_a_browser_would_send(shown: Screen):
    form = shown.form("buy")

    assert form.filled({}) == {
        "_token": 't"1',
        "name": "",
        "notes": "two\nlines",
        "colour": "blue",
        "size": "s",
        "pay": "card",
        "news": "yes",
    }
    changed = form.filled({"name": "ada", "pay": "bank", "news": False, "terms": True}, press="Pay now")
    assert changed["name"] == "ada"
    assert changed["pay"] == "bank"
    assert "news" not in changed
    assert changed["terms"] == "yes"
    assert changed["then"] == "pay"
    assert form.filled({}, press="Save")["then"] == "save"


@pytest.mark.parametrize("values", [{"missing": "x"}, {"off": "x"}, {"colour": "green"}, {"pay": "cash"}])
def test_what_a_person_cannot_do_is_refused(shown: Screen, values: dict[str, str]):
    with pytest.raises(KeyError):
        shown.form("buy").filled(values)


def test_forms_are_found_by_what_is_unmistakable(shown: Screen):
    assert shown.form("/buy") is shown.form("Pay now")
    with pytest.raises(KeyError, match="0 forms"):
        shown.form("/sell")
    with pytest.raises(KeyError, match="no button"):
        Form("/buy", "post", "buy").filled({}, press="Nothing")
