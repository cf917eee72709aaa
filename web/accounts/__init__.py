"""Signing in and out, and the account page."""

from typing import Any

from web.accounts.account import Account, sign_out
from web.accounts.sign_in import SignIn, SignInLink

handlers: list[Any] = [SignIn, SignInLink, Account, sign_out]
