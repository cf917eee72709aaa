"""What is printed once the product is ready: where to go, and how to sign in."""

from collections.abc import Mapping
from pathlib import Path

from infra.local.people import ADMIN, EDITOR


def welcome(env: Mapping[str, str], seconds: float, folder: Path, *, is_sandbox: bool) -> str:
    """The words, for this copy of the product."""
    url = env["PUBLIC_URL"].rstrip("/")
    is_outbox = not any(env.get(name) for name in ("MAIL_BACKEND", "MAIL_SES_REGION", "MAIL_SMTP_HOST"))
    letters = f"at {url}/dev/mail" if is_outbox else "in the mailbox of that address"
    pay = (
        "4242 4242 4242 4242, any later date, any code"
        if is_sandbox
        else "with a test card of your Stripe account"
    )
    return f"""
  Galley is ready, {seconds:.1f} s after you asked:  {url}

    Buy something     {url}/
    Sign in           {url}/sign-in   any address; the letter is {letters}
    as an editor      {EDITOR}   and look at {url}/admin/review
    as an admin       {ADMIN}
    Pay               {pay}
    Letters           {url}/dev/mail
    The jobs          {url}/admin/queues
    The design        {url}/dev/gallery

  The whole purchase, by itself: make demo        Ctrl-C ends everything; it is kept in {folder}

"""
