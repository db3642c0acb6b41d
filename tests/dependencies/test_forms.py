"""Forms as parameters: fields, files and models. Expected is FastAPI 0.165's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

import pydantic
import pytest

from fastweb import BackgroundTasks, Body, Depends, FastWeb, Limits, Request
from fastweb.datastructures import UploadFile
from fastweb.models import BaseModel, Field
from fastweb.params import File, Form
from fastweb.testclient import TestClient


class Profile(BaseModel):
    name: str
    age: int = 0
    tags: list[str] = []


class PydanticProfile(pydantic.BaseModel):
    name: str
    age: int = 0
    tags: list[str] = []


class Strict(Profile):
    model_config = {"extra": "forbid"}


class Upload(BaseModel):
    title: str
    image: UploadFile


class PydanticUpload(pydantic.BaseModel):
    title: str
    image: UploadFile


class Cat(pydantic.BaseModel):
    kind: Literal["cat"]
    names: list[str]


class Dog(pydantic.BaseModel):
    kind: Literal["dog"]
    names: str


def answer_of(endpoint: Callable[..., Any], app: FastWeb | None = None, **sent: Any) -> Any:
    """What was answered, or (type, loc) of each error."""
    app = FastWeb() if app is None else app
    app.post("/", response_model=None)(endpoint)
    answer = TestClient(app).post("/", **sent).json()
    if isinstance(answer, dict) and isinstance(answer.get("detail"), list):
        return [(error["type"], ".".join(map(str, error["loc"]))) for error in answer["detail"]]
    return answer


def fields(
    text: Annotated[str, Form(min_length=2)],
    number: Annotated[int | None, Form()] = None,
    several: Annotated[list[int] | None, Form()] = None,
    renamed: str = Form("default", alias="other-name"),
) -> Any:
    return [text, number, several, renamed]


@pytest.mark.parametrize("how", ["data", "files"])
@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({"text": "ab"}, ["ab", None, None, "default"]),
        ({"text": "ab", "number": "1", "other-name": "x"}, ["ab", 1, None, "x"]),
        ({"text": "ab", "number": "", "other-name": ""}, ["ab", None, None, "default"]),
        ({"text": "", "number": "x"}, [("missing", "body.text"), ("int_parsing", "body.number")]),
        ({"text": "a"}, [("string_too_short", "body.text")]),
        ({}, [("missing", "body.text")]),
    ],
)
def test_fields(sent: dict[str, str], expected: Any, how: str) -> None:
    if how == "files":  # multipart, whose parts without a file name are text
        assert answer_of(fields, files={name: (None, value) for name, value in sent.items()}) == expected
    else:
        assert answer_of(fields, data=sent) == expected


def test_several_values() -> None:
    assert answer_of(fields, data={"text": "ab", "several": ["1", "2"]}) == ["ab", None, [1, 2], "default"]
    assert answer_of(fields, data={"text": "ab", "several": ["x"]}) == [("int_parsing", "body.several.0")]


def test_what_is_no_form_is_an_empty_one() -> None:
    assert answer_of(fields, json={"text": "ab"}) == [("missing", "body.text")]
    assert answer_of(fields) == [("missing", "body.text")]


@pytest.mark.parametrize("model", [Profile, PydanticProfile])
@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({"name": "a", "age": "3", "tags": ["x", "y"], "more": "z"}, ["a", 3, ["x", "y"]]),
        ({"name": "a", "age": "", "tags": "x"}, ["a", 0, ["x"]]),
        ({"age": "x"}, [("missing", "body.name"), ("int_parsing", "body.age")]),
    ],
)
def test_models(model: Any, sent: Any, expected: Any) -> None:
    def endpoint(profile: Any) -> Any:
        return [profile.name, profile.age, profile.tags]

    endpoint.__annotations__["profile"] = Annotated[model, Form()]
    assert answer_of(endpoint, data=sent) == expected


def with_token(profile: Annotated[Strict, Form()], token: Annotated[str, Form()]) -> Any: ...


def beside(profile: Annotated[Profile, Form()], token: Annotated[str, Form()]) -> Any:
    return [profile.name, token]


def embedded(profile: Annotated[Profile, Form(embed=True)]) -> Any: ...


def maybe(profile: Annotated[Profile | None, Form()] = None) -> Any:
    return None if profile is None else profile.name


def test_models_beside_others() -> None:
    assert answer_of(beside, data={"name": "a", "token": "t"}) == ["a", "t"]
    assert answer_of(with_token, data={"name": "a", "token": "t"}) == [("extra_forbidden", "body.token")]
    assert answer_of(maybe) is None
    assert answer_of(maybe, data={"name": "a"}) == "a"
    assert answer_of(maybe, data={"age": "1"}) == [("missing", "body.name")]
    assert answer_of(embedded, data={"name": "a"}) == [("missing", "body.profile")]


def pets(pet: Annotated[Cat | Dog, Form(discriminator="kind")]) -> Any:
    return pet.names


def test_each_model_of_a_union_sees_the_form_as_its_own() -> None:
    assert answer_of(pets, data={"kind": "cat", "names": "a"}) == ["a"]
    assert answer_of(pets, data={"kind": "dog", "names": "a"}) == "a"
    assert answer_of(pets, data={"kind": "dog", "names": ""}) == [("missing", "body.dog.names")]
    assert answer_of(pets, data={"kind": "bird"}) == [("union_tag_invalid", "body")]


# Files


async def one_file(file: UploadFile) -> Any:
    return [file.filename, file.content_type, file.size, (await file.read()).decode()]


def as_bytes(
    content: Annotated[bytes, File()],
    same: Annotated[UploadFile, File(alias="content")],
    more: bytes = File(b"none"),
) -> Any:
    return [content.decode(), same.file.read().decode(), more.decode()]


def many(files: list[UploadFile], contents: Annotated[list[bytes], File()]) -> Any:
    return [[file.filename for file in files], [content.decode() for content in contents]]


def maybe_file(file: UploadFile | None = None, files: list[UploadFile] | None = None) -> Any:
    return [file and file.filename, files and len(files)]


TEXT = ("a.txt", b"hello", "text/plain")


def test_files() -> None:
    assert answer_of(one_file, files={"file": TEXT}) == ["a.txt", "text/plain", 5, "hello"]
    assert answer_of(one_file, data={"file": "text"}) == [("value_error", "body.file")]
    assert answer_of(one_file) == [("missing", "body.file")]
    assert answer_of(as_bytes, files={"content": TEXT}) == ["hello", "hello", "none"]
    sent = [("files", TEXT), ("files", TEXT), ("contents", TEXT)]
    assert answer_of(many, files=sent) == [["a.txt", "a.txt"], ["hello"]]
    assert answer_of(maybe_file, data={}) == [None, None]
    nothing = "".join(
        f'--B\r\nContent-Disposition: form-data; name="{name}"; filename=""\r\n\r\n\r\n'
        for name in ("file", "files")
    )
    headers = {"content-type": "multipart/form-data; boundary=B"}
    assert answer_of(maybe_file, content=nothing + "--B--\r\n", headers=headers) == [None, None]
    assert answer_of(maybe_file, files={"file": TEXT, "files": TEXT}) == ["a.txt", 1]


@pytest.mark.parametrize("model", [Upload, PydanticUpload])
def test_files_in_models(model: Any) -> None:
    def endpoint(upload: Any) -> Any:
        return [upload.title, upload.image.filename]

    endpoint.__annotations__["upload"] = Annotated[model, Form()]
    assert answer_of(endpoint, data={"title": "t"}, files={"image": TEXT}) == ["t", "a.txt"]
    assert answer_of(endpoint, data={"title": "t", "image": "x"}) == [("value_error", "body.image")]


def test_files_are_closed_when_all_is_done() -> None:
    kept: list[UploadFile] = []
    read: list[bytes] = []
    app = FastWeb()

    @app.post("/")
    def endpoint(file: UploadFile, tasks: BackgroundTasks) -> None:
        kept.append(file)
        tasks.add_task(lambda: read.append(file.file.read()))

    @app.post("/fails")
    def fails(file: UploadFile) -> None:
        kept.append(file)
        raise ValueError("no")

    client = TestClient(app, raise_server_exceptions=False)
    assert client.post("/", files={"file": ("a", b"x" * 2_000_000)}).status_code == 200
    assert client.post("/fails", files={"file": TEXT}).status_code == 500
    assert [len(content) for content in read] == [2_000_000]
    assert [file.file.closed for file in kept] == [True, True]


# In dependencies


def token(token: Annotated[str, Form()]) -> str:
    return token


def by_dependency(got: Annotated[str, Depends(token)], file: UploadFile) -> Any:
    return [got, file.filename]


async def by_hand(got: Annotated[str, Depends(token)], request: Request) -> Any:
    form = await request.form(max_fields=0)  # it was read before
    return [got, form["token"]]


def with_body(got: Annotated[str, Form()], other: Annotated[int, Body()]) -> Any:
    return [got, other]


def test_dependencies_share_the_form() -> None:
    assert answer_of(by_dependency, data={"token": "t"}, files={"file": TEXT}) == ["t", "a.txt"]
    assert answer_of(by_dependency) == [("missing", "body.token"), ("missing", "body.file")]
    assert answer_of(by_hand, data={"token": "t"}) == ["t", "t"]


def test_a_body_beside_a_form_is_a_field_of_it() -> None:
    assert answer_of(with_body, data={"got": "a", "other": "1"}) == ["a", 1]


# Bounds


def test_what_cannot_be_read_is_refused() -> None:
    app = FastWeb(limits=Limits(form_fields=2, form_part_size=1024))
    many_fields = {"text": "ab", "number": "1", "several": "1"}
    too_many = {"detail": "Too many fields. Maximum number of fields is 2."}
    assert answer_of(fields, app, data=many_fields) == too_many
    assert (
        answer_of(fields, app, files={name: (None, value) for name, value in many_fields.items()}) == too_many
    )
    long = {"text": "a" * 1100}
    assert answer_of(fields, app, data=long) == {"detail": "Field exceeded maximum size of 1KB."}
    headers = {"content-type": "multipart/form-data"}
    assert answer_of(fields, app, content=b"x", headers=headers) == {
        "detail": "Missing boundary in multipart."
    }
    assert answer_of(fields, app, data={"text": "ab", "number": "1"}) == ["ab", 1, None, "default"]


def test_the_errors_show_the_form() -> None:
    from fastweb.datastructures import FormData
    from fastweb.exceptions import RequestValidationError
    from fastweb.responses import JSONResponse

    app = FastWeb()

    @app.exception_handler(RequestValidationError)
    async def show(request: Request, error: RequestValidationError) -> JSONResponse:
        assert isinstance(error.body, FormData)
        return JSONResponse(dict(error.body))

    assert answer_of(fields, app, data={"text": "a"}) == {"text": "a"}


class Named(BaseModel):
    name: str = Field(alias="full-name")


def aliased(named: Annotated[Named, Form()]) -> Any:
    return named.name


def test_aliases_of_fields() -> None:
    assert answer_of(aliased, data={"full-name": "a"}) == "a"
    assert answer_of(aliased, data={"name": "a"}) == [("missing", "body.full-name")]
