"""What requests and responses are made of: URLs, query parameters, header fields, forms, and state."""

from fastweb.datastructures.addresses import Address, parse_host
from fastweb.datastructures.defaults import Default, DefaultPlaceholder, value_of
from fastweb.datastructures.forms import FormData, UploadFile
from fastweb.datastructures.headers import Headers, MutableHeaders
from fastweb.datastructures.multidicts import ImmutableMultiDict, MultiDict, QueryParams, parse_query
from fastweb.datastructures.settings import CommaSeparatedStrings, Secret
from fastweb.datastructures.state import State
from fastweb.datastructures.urls import URL, URLPath

__all__ = [
    "URL",
    "Address",
    "CommaSeparatedStrings",
    "Default",
    "DefaultPlaceholder",
    "FormData",
    "Headers",
    "ImmutableMultiDict",
    "MultiDict",
    "MutableHeaders",
    "QueryParams",
    "Secret",
    "State",
    "URLPath",
    "UploadFile",
    "parse_host",
    "parse_query",
    "value_of",
]
