"""Facts to show each letter of this slice with."""

from collections.abc import Mapping

_ABOUT: dict[str, object] = {
    "order_url": "https://galley.example/orders/0197a3c2-5d0e-7b44-9a51-c0ffee104200",
    "order_number": "G-1042",
    "article_title": "How to choose a coffee grinder for a small kitchen",
    "site_name": "Barista Weekly",
}
_PLACEMENT: dict[str, object] = _ABOUT | {
    "anchor_text": "hand grinders that last",
    "target_url": "https://hollow-hill.example/hand-grinders",
}
_PAID: dict[str, object] = _PLACEMENT | {"amount_cents": 4900, "currency": "EUR"}
_ADMIN: dict[str, object] = {
    "admin_url": "https://galley.example/admin/orders/0197a3c2-5d0e-7b44-9a51-c0ffee104200",
    "order_number": "G-1042",
}
_ARTICLE: dict[str, object] = _ABOUT | {"anchor_text": None, "target_url": None}
_RECEIPT: dict[str, object] = {
    "invoice_url": "https://galley.example/invoices?payment=0197a3c2-5d0e-7b44-9a51-c0ffee104201"
}
_DEADLINE = "5 December 2026, 14:20 UTC"
_PUBLIC_URL = "https://barista-weekly.example/choose-a-coffee-grinder"

SAMPLES: Mapping[str, Mapping[str, object]] = {
    "request_received": _PAID | _RECEIPT | {"promise_words": "usually within 10 minutes", "review_days": 14},
    "backlink_ready": _PLACEMENT | _RECEIPT | {"review_deadline": _DEADLINE},
    "regeneration_ready": _PLACEMENT | {"version_number": 2},
    "article_ready": _ARTICLE | _RECEIPT | {"review_deadline": _DEADLINE},
    "no_other_version": _PLACEMENT
    | {
        "reason": "There is no other place in this article that the link would fit.",
        "review_deadline": _DEADLINE,
    },
    "submitted_for_review": _PLACEMENT,
    "sent_back": _PLACEMENT
    | {"reason": "The new sentence repeats what the paragraph above it says.\nPlease try another section."},
    "published": _PLACEMENT | {"public_url": _PUBLIC_URL},
    "order_failed": _PAID
    | {"reason": "No paragraph of the article could take the link without reading like an advertisement."},
    "refunded": _PAID,
    "cancelled": _PAID,
    "review_reminder": _PLACEMENT | {"days_left": 2, "review_deadline": _DEADLINE},
    "link_lost": _PLACEMENT,
    "link_repaired": _PLACEMENT | {"public_url": _PUBLIC_URL},
    "article_missing": _ARTICLE,
    "article_back": _ARTICLE | {"public_url": _PUBLIC_URL},
    "promise_late": _PLACEMENT,
    "new_message": _PLACEMENT | {"count": 2},
    "payment_duplicate_refunded": _PAID,
    "admin_new_review": {
        "review_url": "https://galley.example/admin/reviews/0197a3c2-5d0e-7b44-9a51-c0ffee104200",
        "order_number": "G-1042",
        "article_title": "How to choose a coffee grinder for a small kitchen",
        "site_name": "Barista Weekly",
        "customer_email": "mira@hollow-hill.example",
    },
    "admin_order_failed": _ADMIN
    | {"reason": "We could not place the link in a way that we would stand for."},
    "admin_message": _ADMIN | {"customer_email": "mira@hollow-hill.example", "count": 1},
    "admin_dispute": _ADMIN | {"amount_cents": 4900, "currency": "EUR", "reason": "product_not_received"},
    "admin_alert": {
        "admin_url": "https://galley.example/admin",
        "title": "2 orders are paid and nobody works on them",
        "body": "G-1042, paid 26 minutes ago\nG-1047, paid 11 minutes ago",
    },
}
