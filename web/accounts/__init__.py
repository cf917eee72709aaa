"""Signing in and out, and one's own account."""

from typing import Any

from web.accounts.account import Account, sign_out
from web.accounts.data import OwnData
from web.accounts.passkey_step import PasskeyStep
from web.accounts.passkeys import Passkeys
from web.accounts.shutting_out import sign_out_somebody
from web.accounts.sign_in import SignIn, SignInLink
from web.accounts.tokens import Tokens

handlers: list[Any] = [
    SignIn,
    SignInLink,
    PasskeyStep,
    Account,
    Passkeys,
    Tokens,
    OwnData,
    sign_out,
    sign_out_somebody,
]
