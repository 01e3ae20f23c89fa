"""Access control of the server: only the browser of this machine, with the token."""

import hmac
import json
from typing import Any

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.requests import Request, cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_BYTES = 16 * 2**10
_DIGITS = 10  # of the number of an item
_HOSTS = ("127.0.0.1", "localhost", "[::1]")
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Guard:
    """Accepts requests of this machine's browser with the token, and refuses all others.

    A page of another site may guess the port, and by DNS rebinding it may even count as the same
    origin: the Host and Origin headers reveal it. The token comes in the first address, and then
    in a cookie that no script can read and no other site can send.
    """

    def __init__(self, app: ASGIApp, token: str, cookie: str):
        self.app, self.token, self.cookie = app, token, cookie

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_HEADERS)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._answer(scope)(scope, receive, guarded)

    def _answer(self, scope: Scope) -> ASGIApp:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        name = host.rpartition(":")[0] if ":" in host.rpartition("]")[2] else host
        if name not in _HOSTS:
            return PlainTextResponse("This page is for 127.0.0.1 alone.", 403)
        if headers.get("origin", f"http://{host}") != f"http://{host}":
            return PlainTextResponse("Another page may not use this one.", 403)
        reading = scope["method"] in ("GET", "HEAD")
        if not reading and headers.get("sec-fetch-site", "same-origin") != "same-origin":
            return PlainTextResponse("Another page may not use this one.", 403)
        given = QueryParams(scope["query_string"]).get("token", "")
        if reading and scope["path"] == "/" and self._is_token(given):
            entered = RedirectResponse("/", 303)
            entered.set_cookie(self.cookie, self.token, httponly=True, samesite="strict")
            return entered
        if not self._is_token(cookie_parser(headers.get("cookie", "")).get(self.cookie, "")):
            text = "Open the address that gentle-clip review has printed: it holds a token."
            return PlainTextResponse(text, 403)
        return self.app

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode("utf-8", "replace"), self.token.encode())


async def json_body(request: Request) -> dict[str, Any]:
    """Return the JSON object of a POST.

    Raises:
      ValueError: it is none, is not said to be JSON, or is larger than 16 KiB.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise ValueError("Send the answer as application/json.")
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > BODY_BYTES:
            raise ValueError("The answer is larger than 16 KiB.")
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ValueError("The answer is no JSON.") from error
    if not isinstance(value, dict):
        raise ValueError("The answer is no JSON object.")
    return value


def number_of(digits: str, otherwise: int) -> int:
    """Return the number that an address names, or another if it is none or too long."""
    return int(digits) if digits.isdecimal() and len(digits) < _DIGITS else otherwise
