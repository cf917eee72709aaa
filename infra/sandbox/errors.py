"""What the API answers when it does not do what was asked, in Stripe's own shape.

Source: https://docs.stripe.com/api/errors and https://docs.stripe.com/error-codes
"""

from typing import Any


class ApiError(Exception):
    """A refusal of the API.

    `is_result` tells whether the call had begun to execute: such an answer is kept for its idempotency key
    and replayed. Refusals of parameters and of conflicts are not kept (docs.stripe.com/api/idempotent_requests).
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        is_result: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.kind = kind
        self.code = code
        self.param = param
        self.is_result = is_result

    def body(self) -> dict[str, Any]:
        error: dict[str, Any] = {"message": self.message, "type": self.kind}
        if self.code is not None:
            error["code"] = self.code
            error["doc_url"] = f"https://stripe.com/docs/error-codes/{self.code.replace('_', '-')}"
        if self.param is not None:
            error["param"] = self.param
        return {"error": error}


def invalid(message: str, *, param: str | None = None, code: str | None = None) -> ApiError:
    """The parameters cannot be read or are out of range: nothing was executed."""
    return ApiError(400, message, param=param, code=code)


def refused(message: str, *, param: str | None = None, code: str | None = None) -> ApiError:
    """The call was understood and executed, and the state of things does not allow it."""
    return ApiError(400, message, param=param, code=code, is_result=True)


def missing(noun: str, object_id: str, *, param: str = "id") -> ApiError:
    return ApiError(404, f"No such {noun}: '{object_id}'", code="resource_missing", param=param)
