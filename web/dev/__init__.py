"""Pages for those who build the product. They exist only where ENVIRONMENT is not production."""

from litestar.types import ControllerRouterHandler

from web.dev.gallery import gallery
from web.dev.mail import Outbox
from web.dev.samples import Samples

handlers: list[ControllerRouterHandler] = [gallery, Outbox, Samples]
