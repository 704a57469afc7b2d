"""Bodies as this API takes them: bounded, JSON by name, and JSON that every parser reads alike.

RFC 8259 leaves open what a duplicate key means, and parsers differ; what one gate reads, another must not
read otherwise. Numbers that are none, lone surrogates and bottomless nesting would fail later and less clearly.
"""

import json
from collections.abc import Callable, Coroutine
from email.message import Message
from typing import Any, Final, cast

import orjson
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import TypeAdapter, ValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.types import Message as AsgiMessage

from playerscore.errors import PlayerscoreError
from playerscore_api import faults

FORM_BYTES: Final = 2**20
"""More than any form of this API; bodies of uploads are not forms."""

EXACT: Final = 2**53
"""Beyond it a float does not tell one integer from the next."""

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class StrictRoute(APIRoute):
    """A route whose form, if it has one, is read strictly."""

    def get_route_handler(self) -> Handler:
        handler = super().get_route_handler()
        if self.body_field is None:
            return handler
        form: TypeAdapter[Any] = TypeAdapter(cast("Any", self.body_field.field_info.annotation))

        async def strict(request: Request) -> Response:
            body = await request.body()
            if not body:
                return await handler(request)
            if not is_json(request.headers.get("content-type", "")):
                raise PlayerscoreError("UNSUPPORTED_MEDIA_TYPE", "The Content-Type must be application/json")
            document = parse(body)
            try:
                form.validate_python(document, strict=True)  # "7" is no number, 1 is not true
            except ValidationError as error:
                found = error.errors(include_url=False, include_context=False, include_input=False)
                located = [{**item, "loc": ("body", *item["loc"])} for item in found]
                raise RequestValidationError(located) from error
            return await handler(_Parsed(request, document))

        return strict


class _Parsed(Request):
    """A request whose body has been read and parsed."""

    def __init__(self, request: Request, document: Any) -> None:
        super().__init__(request.scope, request.receive)
        self._body = b"parsed"
        self._document = document

    async def json(self) -> Any:
        return self._document


def is_json(content_type: str) -> bool:
    """Whether that Content-Type says JSON, whatever its parameters.

    >>> is_json("application/json; charset=utf-8"), is_json("text/plain"), is_json("")
    (True, False, False)
    """
    message = Message()
    message["content-type"] = content_type
    subtype = message.get_content_subtype()
    return message.get_content_maintype() == "application" and (
        subtype == "json" or subtype.endswith("+json")
    )


def parse(body: bytes) -> Any:
    """The document of a JSON text; 7.0 is the integer 7, as JSON Schema has it.

    Raises INVALID with what is wrong and, where known, at which byte.
    """
    try:
        orjson.loads(body)  # UTF-8, numbers and surrogates as RFC 8259 wants them, which json is lax about
    except orjson.JSONDecodeError as error:
        raise _invalid(f"The body is not JSON: {error}") from error
    try:
        return json.loads(body, object_pairs_hook=_unique, parse_float=_number)
    except (RecursionError, ValueError) as error:
        raise _invalid("The body is nested too deeply or has a number that is too long") from error


def _number(text: str) -> int | float:
    value = float(text)
    return int(value) if value.is_integer() and abs(value) < EXACT else value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise PlayerscoreError("INVALID", f"The key {key[:100]!r} is there twice", field=key[:100])
        found[key] = value
    return found


def _invalid(message: str) -> PlayerscoreError:
    return PlayerscoreError("INVALID", message, field="body")


class BodyLimit:
    """Refuses a body that is larger than any form; PUT and PATCH stream into the store, which has limits of its own."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("PUT", "PATCH"):
            await self.app(scope, receive, send)
            return
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if announced.isdigit() and int(announced[:20]) > FORM_BYTES:
            error = PlayerscoreError("TOO_LARGE", f"A body has at most {FORM_BYTES} bytes here")
            # The rest is not read, so the connection cannot be used again.
            await faults.answer(scope, error, {"Connection": "close"})(scope, receive, send)
            return
        taken = 0

        async def counted() -> AsgiMessage:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > FORM_BYTES:
                text = f"A body has at most {FORM_BYTES} bytes here"
                raise HTTPException(413, text, {"Connection": "close"})
            return message

        await self.app(scope, counted, send)
