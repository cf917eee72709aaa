"""What every group of settings is made of, and the groups that speak of money."""

from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict


def words(value: object) -> object:
    """The parts of a comma-separated variable."""
    return (
        tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value
    )


def _bare(url: str) -> str:
    return url.rstrip("/")


def _lines(value: str) -> str:
    return value.replace("\\n", "\n")


Url = Annotated[str, Field(pattern=r"^https?://[^\s/]+"), AfterValidator(_bare)]
#: Several lines in one variable, told apart by a written \n.
Lines = Annotated[str, AfterValidator(_lines)]


class Group(BaseSettings):
    """A group of variables with a common prefix. An empty variable counts as not set."""

    model_config = SettingsConfigDict(env_ignore_empty=True, frozen=True, extra="ignore")


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
        0, ge=0, description="a refund of more that an editor asks for waits for a second admin; 0 is never"
    )

    def wants_second_person(self, amount_cents: int) -> bool:
        """Whether one person is not enough for a refund of this amount, in cents of the payment's currency."""
        return 0 < self.second_person_above_cents < amount_cents
