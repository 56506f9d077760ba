"""Problems as RFC 9457 answers: a stable `type`, English text, and the parameters from which a
client makes the sentence in its reader's language."""

from __future__ import annotations

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from leitstand.control.leases import Fenced
from leitstand.core.machine import NotAllowed
from leitstand.core.problem import Exit, Problem
from leitstand.messages import Texts
from leitstand.store.rows import Stale

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"
URN = "urn:leitstand:problem:"
_STATUS = {
    Exit.USAGE: 400,
    Exit.REFUSED: 403,
    Exit.FAILED: 409,
    Exit.NO_CAPACITY: 503,
    Exit.UNREACHABLE: 503,
}


def answer(problem: Problem) -> JSONResponse:
    """The answer for a problem; what does not exist is 404."""
    unknown = problem.code.startswith("unknown-") and problem.code != "unknown-profile"
    status = 404 if unknown else _STATUS.get(problem.exit, 500)
    what, why, do = Texts("en").problem(problem.code, problem.params)
    return JSONResponse(
        {
            "type": URN + problem.code,
            "title": what,
            "detail": " ".join(part for part in (why, do) if part) or None,
            "status": status,
            "params": dict(problem.params),
            "exit": int(problem.exit),
        },
        status,
        media_type=MEDIA_TYPE,
    )


def install(app: FastAPI) -> None:
    """Every error of an app becomes a problem; what we did not expect is logged without content."""

    @app.exception_handler(Problem)
    def _problem(request: Request, error: Problem) -> JSONResponse:
        return answer(error)

    @app.exception_handler(Fenced)
    def _fenced(request: Request, error: Fenced) -> JSONResponse:
        return JSONResponse(
            {"type": URN + "fenced", "title": "fenced", "status": 409, "params": {}, "exit": 1},
            409,
            media_type=MEDIA_TYPE,
        )

    @app.exception_handler(Stale)
    @app.exception_handler(NotAllowed)
    def _stale(request: Request, error: Exception) -> JSONResponse:
        return answer(Problem("changed-meanwhile", Exit.FAILED))

    @app.exception_handler(RequestValidationError)
    def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        return answer(Problem("bad-request", Exit.USAGE, place=place, detail=first["msg"]))

    @app.exception_handler(HTTPException)
    def _http(request: Request, error: HTTPException) -> JSONResponse:
        code = "unknown-path" if error.status_code == 404 else "bad-request"
        return answer(Problem(code, Exit.USAGE, place=request.url.path, detail=error.detail))

    @app.exception_handler(Exception)
    def _unexpected(request: Request, error: Exception) -> JSONResponse:
        log.error("request.failed", path=request.url.path, error=type(error).__name__)
        return answer(Problem("internal", Exit.FAILED, error=type(error).__name__))
