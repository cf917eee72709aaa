"""Rendering of the sandbox's own pages, with the headers that all of them carry."""

from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from litestar import Response

from infra.sandbox.cards import money

_templates = Environment(
    loader=PackageLoader("infra.sandbox"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters["money"] = money


def page(template: str, *, status: int = 200, leads_to: str = "", **context: Any) -> Response[str]:
    """Render a page. `leads_to` is the address that its form may end at after a redirect: browsers hold
    `form-action` against every redirect that follows a form.
    """
    target = urlsplit(leads_to)
    onward = f" {target.scheme}://{target.netloc.rpartition('@')[2]}" if target.netloc else ""
    headers = {
        "Content-Security-Policy": (
            "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; "
            f"form-action 'self'{onward}"
        ),
        "Referrer-Policy": "strict-origin-when-cross-origin",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }
    html = _templates.get_template(template).render(**context)
    return Response(html, status_code=status, media_type="text/html", headers=headers)
