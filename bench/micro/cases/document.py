"""Whole documents: JSON of 10,000 user objects, out and in."""

from __future__ import annotations

from typing import Any

from bench.micro.case import Work, case
from bench.micro.cases.serializer import User
from bench.micro.users import document, users
from fastweb.encoders import dump_untyped
from fastweb.validation.serializer import serializer_of
from fastweb.validation.validators import validator_of


@case("JSON out, 10,000 users, response_model")
def out() -> Work:
    dump = serializer_of(list[User]).dump_json
    many = [User(**each) for each in users()]
    return lambda: dump(many), 1


@case("JSON out, 10,000 users, no response_model")
def out_untyped() -> Work:
    many = [User(**each) for each in users()]
    return lambda: dump_untyped(many), 1


@case("JSON out, 10,000 users as dicts, no response_model")
def out_dicts() -> Work:
    many = users()
    return lambda: dump_untyped(many), 1


@case("JSON in, 10,000 users, validated")
def into() -> Work:
    validate = validator_of(list[User], from_attributes=True).validate_json
    data = document()
    errors: list[Any] = []
    assert len(validate(data, (), errors)) == 10_000
    return lambda: validate(data, (), errors), 1
