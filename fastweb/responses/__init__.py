"""Answers: what an endpoint returns where it wants to say more than its value."""

from fastweb.responses.base import HTMLResponse as HTMLResponse
from fastweb.responses.base import PlainTextResponse as PlainTextResponse
from fastweb.responses.base import RedirectResponse as RedirectResponse
from fastweb.responses.base import Response as Response
from fastweb.responses.base import begin_response as begin_response
from fastweb.responses.base import is_body_allowed as is_body_allowed
from fastweb.responses.base import send_response as send_response
from fastweb.responses.file import FileResponse as FileResponse
from fastweb.responses.file import MalformedRangeHeader as MalformedRangeHeader
from fastweb.responses.file import RangeNotSatisfiable as RangeNotSatisfiable
from fastweb.responses.json import JSONResponse as JSONResponse
from fastweb.responses.json import ORJSONResponse as ORJSONResponse
from fastweb.responses.json import UJSONResponse as UJSONResponse
from fastweb.responses.streaming import AsyncContentStream as AsyncContentStream
from fastweb.responses.streaming import Content as Content
from fastweb.responses.streaming import ContentStream as ContentStream
from fastweb.responses.streaming import EventSourceResponse as EventSourceResponse
from fastweb.responses.streaming import StreamingResponse as StreamingResponse
from fastweb.responses.streaming import SyncContentStream as SyncContentStream
