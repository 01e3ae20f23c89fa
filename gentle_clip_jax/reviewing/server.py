"""Web server of a review: starlette routes over a session."""

import pathlib
import secrets
import socket
import threading
from collections.abc import Callable
from typing import Any, get_args

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from gentle_clip_jax import pages
from gentle_clip_jax.reviewing.finding import MOST
from gentle_clip_jax.reviewing.first_pairs import FirstPairs
from gentle_clip_jax.reviewing.guard import Guard, json_body, number_of
from gentle_clip_jax.reviewing.log import KINDS
from gentle_clip_jax.reviewing.plane import maps
from gentle_clip_jax.reviewing.progress import Progress, figures
from gentle_clip_jax.reviewing.queue import Mode
from gentle_clip_jax.reviewing.session import Session
from gentle_clip_jax.reviewing.show import Show

ASSETS = pathlib.Path(__file__).parent / "assets"
Advance = Callable[[], Show | None]


def application(
    show: Show,
    progress: Progress | None = None,
    *,
    token: str,
    cookie: str = "gentle_clip_review",
    advance: Advance = lambda: None,
) -> ASGIApp:
    """Return the guarded application.

    Args:
      show: the items and questions as JSON.
      progress: the recall curve; None for a review without refits.
      token: secret that the first address must have.
      cookie: name of the cookie that stores the token in the browser.
      advance: called after each answer; returns what takes the place of `show`, or None.
    """
    handlers = _Handlers(show, progress, advance)
    routes = [
        Route("/", handlers.page),
        Route("/progress", handlers.progress_page),
        Route("/search", handlers.search_page),
        Route("/map", handlers.map_page),
        Route("/state", handlers.state),
        Route("/find", handlers.find),
        Route("/thumb/{side}/{number}", handlers.thumb),
        Route("/answer", handlers.changing(handlers.answer), methods=["POST"]),
        Route("/undo", handlers.changing(handlers.undo), methods=["POST"]),
        Route("/mode", handlers.changing(handlers.mode), methods=["POST"]),
        Mount("/assets", StaticFiles(directory=ASSETS)),
        Mount("/pages", StaticFiles(directory=pages.ASSETS)),
    ]
    return Guard(Starlette(routes=routes), token, cookie)


class _Handlers:
    """Handlers of the requests of the page."""

    def __init__(self, show: Show, progress: Progress | None, advance: Advance):
        self._show, self._progress, self._advance = show, progress, advance

    @property
    def _session(self) -> Session | FirstPairs:
        return self._show.session

    def page(self, request: Request) -> Response:
        return self._rendered("review")

    def progress_page(self, request: Request) -> Response:
        points = self._progress.points() if self._progress else []
        values = figures(self._session, points)
        return self._rendered("progress", **values, refits=self._progress is not None)

    def search_page(self, request: Request) -> Response:
        words, like = (request.query_params.get(name, "") for name in ("words", "like"))
        show, finder = self._show, self._show.finder
        values = {
            "words": words[:MOST],
            "asked": None,
            "hits": {},
            "before": {},
            "error": "",
            "named": show.items,
        }
        side, _, digits = like.partition("-")
        number = number_of(digits, -1)
        if finder is None or not (words or like):
            return self._rendered("search", **values)
        try:
            for first in (False, True) if finder.is_refitted else (False,):
                if like:
                    found = finder.like(side, number, first=first)
                    values["asked"] = show.item(side, number)
                else:
                    found = finder.words(words, first=first)
                values["before" if first else "hits"] = {
                    name: show.hits(name, scores, number if name == side else None)
                    for name, scores in found.items()
                }
        except ValueError as error:
            return self._rendered("search", 400, **(values | {"error": str(error)}))
        return self._rendered("search", **values)

    def map_page(self, request: Request) -> Response:
        session = self._session
        found = [] if isinstance(session, FirstPairs) else maps(session)
        return self._rendered("map", maps=found, show=self._show)

    def find(self, request: Request) -> Response:
        words, start = (request.query_params.get(name, "") for name in ("words", "start"))
        try:
            return JSONResponse({"choices": self._show.found(words, number_of(start, 0))})
        except ValueError as error:
            return JSONResponse({"error": str(error)}, 400)

    def state(self, request: Request) -> Response:
        return JSONResponse(self._show.state())

    def thumb(self, request: Request) -> Response:
        side, number = request.path_params["side"], number_of(request.path_params["number"], -1)
        try:
            picture = self._show.picture(side, number)
        except (KeyError, ValueError):
            return PlainTextResponse("There is no such picture.", 404)
        headers = {"Cache-Control": "private, max-age=3600"}
        return Response(picture, media_type="image/jpeg", headers=headers)

    def answer(self, body: dict[str, Any]) -> None:
        screen: Any = body.get("screen")
        kind: Any = body.get("kind")
        x: Any = body.get("x")
        if not _is_number(screen) or kind not in KINDS or not (x is None or _is_number(x)):
            raise ValueError("An answer has a screen, a kind, and a number x if it is a match.")
        self._session.answer(screen, kind, x)
        self._show = self._advance() or self._show

    def undo(self, body: dict[str, Any]) -> None:
        number = body.get("number")
        if not (number is None or _is_number(number)):
            raise ValueError("Give the number of the answer to undo.")
        self._session.undo(number)

    def mode(self, body: dict[str, Any]) -> None:
        mode: Any = body.get("mode")
        if mode not in get_args(Mode):
            raise ValueError(f"A mode is one of {', '.join(get_args(Mode))}.")
        self._session.switch(mode)

    def _rendered(self, name: str, status: int = 200, **values: Any) -> Response:
        values |= {"here": name, "now": self._show.next_steps()}
        page = pages.render(f"reviewing/templates/{name}.html", **values)
        return HTMLResponse(page, status)

    def changing(self, change: Callable[[dict[str, Any]], None]) -> Callable:
        """Return a handler that makes a change and answers with the new state."""

        async def respond(request: Request) -> Response:
            try:
                body = await json_body(request)
            except ValueError as error:
                return JSONResponse({"error": str(error)}, 400)
            try:
                await run_in_threadpool(change, body)
            except ValueError as error:
                return JSONResponse({"error": str(error)}, 409)
            except OSError as error:
                reason = f"Your answer was not kept: {error.strerror}. Fix this and answer again."
                return JSONResponse({"error": reason}, 507)
            return JSONResponse(await run_in_threadpool(self._show.state))

        return respond


def serve(
    show: Show,
    progress: Progress | None,
    port: int,
    tell: Callable[[str], object],
    advance: Advance = lambda: None,
) -> None:
    """Serve the page on 127.0.0.1 until Ctrl-C.

    Args:
      show, progress, advance: see `application`.
      port: 0 for any that is free.
      tell: function that is called with a sentence that has the address.

    Raises:
      ValueError: the port is in use.
    """
    import uvicorn

    token, listener = secrets.token_urlsafe(24), socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except (OSError, OverflowError) as error:
        listener.close()
        raise ValueError(f"Port {port} cannot be used ({error}): give another --port.") from error
    port = listener.getsockname()[1]
    cookie = f"gentle_clip_review_{port}"
    app = application(show, progress, token=token, cookie=cookie, advance=advance)
    from gentle_clip_jax.reviewing.timed import Timed

    config = uvicorn.Config(
        app,
        http=Timed,
        loop="asyncio",  # uvloop, where it is installed, fails if Ctrl-C comes while it starts
        log_level="warning",
        access_log=False,
        server_header=False,
        limit_concurrency=256,
    )
    server, address = uvicorn.Server(config), f"http://127.0.0.1:{port}/?token={token}"
    # In a thread of its own, as a notebook already runs a loop of events.
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    try:
        thread.start()
        tell(f"Open {address} in your browser. Ctrl-C ends the review.")
        _wait(thread)
    except KeyboardInterrupt:
        server.should_exit = True
        _wait(thread)


def _wait(thread: threading.Thread) -> None:
    """Wait until a thread ends, in steps, as Ctrl-C does not interrupt a longer wait on Windows."""
    while thread.is_alive():
        thread.join(0.5)


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
