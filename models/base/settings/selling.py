"""What is sold, to whom, by whom, and how it is paid for."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SecretStr
from pydantic_settings import NoDecode, SettingsConfigDict

from models.base.settings.group import Group, Lines, Url, words


class StripeSettings(Group):
    """Payments. Without STRIPE_SECRET_KEY the pay sandbox is used, never in production"""

    model_config = SettingsConfigDict(env_prefix="STRIPE_")
    secret_key: SecretStr | None = Field(None, description="sk_live_… or sk_test_…")
    webhook_secrets: Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(words)] = Field(
        (), description="whsec_…, comma separated while you rotate; without one the webhook answers 404"
    )
    api_base: Url | None = Field(
        None, description="another server that speaks Stripe's protocol; set by the local runner"
    )
    pay_host: Url = Field(
        "https://checkout.stripe.com", description="where the hosted payment page is, for form-action"
    )

    @property
    def is_live(self) -> bool:
        """Whether real money moves."""
        return self.secret_key is not None and self.secret_key.get_secret_value().startswith(
            ("sk_live_", "rk_live_")
        )


class OrderSettings(Group):
    """The rules of the shop"""

    model_config = SettingsConfigDict(env_prefix="ORDER_")
    regeneration_wait_seconds: int = Field(
        60, ge=0, description="between two regenerations of one order; 0 is no limit"
    )
    regenerations_per_day: int = Field(10, ge=0, description="of one order; 0 is no limit")
    review_days: int = Field(
        14, ge=1, le=90, description="until an unreviewed version is submitted by itself"
    )
    undecided: Literal["submit", "refund"] = Field(
        "submit", description="what becomes of a version that nobody decided about in that time"
    )
    promise_minutes: int = Field(10, ge=1, description="how soon a backlink is promised for review")
    denied_domains: Annotated[tuple[str, ...], NoDecode, BeforeValidator(words)] = Field(
        (), description="targets that are never accepted, comma separated"
    )
    check_targets: bool = Field(
        True, description="whether a target URL must answer before it can be paid for"
    )
    allowed_private_targets: Annotated[tuple[str, ...], NoDecode, BeforeValidator(words)] = Field(
        (), description="host:port pairs on private addresses that a target may have, for tests"
    )

    @property
    def regeneration_wait(self) -> timedelta:
        """Between two regenerations of one order."""
        return timedelta(seconds=self.regeneration_wait_seconds)


class SellerSettings(Group):
    """Who sells: what stands on invoices and credit notes"""

    model_config = SettingsConfigDict(env_prefix="SELLER_")
    name: str = Field("", description="the name of the business, as it is registered")
    address: Lines = Field("", description="its postal address; write \\n between the lines")
    tax_id: str = Field("", description="its tax or VAT number, with its name: VAT DE123456789")
    footer: Lines = Field("", description="small print below every invoice, for example why no VAT is shown")


class RefundSettings(Group):
    """Refunds"""

    model_config = SettingsConfigDict(env_prefix="REFUND_")
    second_person_above_cents: int = Field(
        50_000, ge=0, description="a refund of more waits for another admin, if there is one; 0 is never"
    )

    def wants_second_person(self, amount_cents: int) -> bool:
        """Whether one person is not enough for a refund of this amount, in cents of the payment's currency."""
        return 0 < self.second_person_above_cents < amount_cents


class AccountSettings(Group):
    """Signing in"""

    model_config = SettingsConfigDict(env_prefix="ACCOUNTS_")
    staff_need_passkeys: bool | None = Field(
        None,
        description="whether a letter alone lets no analyst, editor or admin in; empty: in production it does not",
    )

    def want_passkeys(self, *, is_local: bool) -> bool:
        """Whether staff are let in by their passkeys only."""
        return not is_local if self.staff_need_passkeys is None else self.staff_need_passkeys
