from __future__ import annotations

import copy
import pickle

from fastweb.types import Undefined, UndefinedType


def test_there_is_one_undefined() -> None:
    assert not Undefined
    assert repr(Undefined) == "Undefined"
    assert UndefinedType() is Undefined
    assert copy.copy(Undefined) is Undefined
    assert copy.deepcopy({"a": [Undefined]})["a"][0] is Undefined
    assert pickle.loads(pickle.dumps(Undefined)) is Undefined
