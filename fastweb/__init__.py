"""fastweb: FastAPI's API, its own server, many times as fast."""

from fastweb import status as status
from fastweb._speedups import is_compiled as is_compiled
from fastweb.applications import FastWeb as FastWeb
from fastweb.background import BackgroundTasks as BackgroundTasks
from fastweb.exceptions import HTTPException as HTTPException
from fastweb.limits import Limits as Limits
from fastweb.params import Body as Body
from fastweb.params import Cookie as Cookie
from fastweb.params import Depends as Depends
from fastweb.params import Header as Header
from fastweb.params import Path as Path
from fastweb.params import Query as Query
from fastweb.requests import Request as Request
from fastweb.responses import Response as Response
from fastweb.routing import APIRouter as APIRouter

__version__ = "0.1.0"
