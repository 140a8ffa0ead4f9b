"""The JSON that requests bring, as it must be; what is more than a value's kind is checked by who uses it."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field, ValidationError
from starlette.exceptions import HTTPException

from tundish.errors import InvalidInputError

MAX_JSON_BYTES = 4 * 2**20
"""While JSON is parsed, nothing else of the process runs: half a second for the worst of this size. It is one image of
224 x 224 pixels as numbers; larger tensors must come as binary data."""

MAX_JSON_LISTS = 2**16
"""Lists and objects cost far more than the numbers in them: without this limit the worst would be ten times as bad."""

_Int64 = Annotated[int, Field(ge=-(2**63), lt=2**63)]
_UInt64 = Annotated[int, Field(ge=0, lt=2**64)]


class _Json(BaseModel):
    model_config = ConfigDict(strict=True)


class InputTensor(_Json):
    """An input; its content is in `data`, behind the JSON, or in shared memory."""

    name: str
    datatype: str
    shape: list[_Int64]
    parameters: dict[str, Any] = {}
    data: list[Any] | None = None


class OutputTensor(_Json):
    """An output that is asked for."""

    name: str
    parameters: dict[str, Any] = {}


class InferRequest(_Json):
    """An inference."""

    id: str = ""
    parameters: dict[str, Any] = {}
    inputs: list[InputTensor]
    outputs: list[OutputTensor] = []


class IndexRequest(_Json):
    """Which models are listed."""

    ready: bool = False


class ModelParameters(_Json):
    """How a model is loaded or unloaded."""

    parameters: dict[str, Any] = {}


class SystemRegion(_Json):
    """Shared memory to register."""

    key: str
    offset: _UInt64 = 0
    byte_size: _UInt64


class _Handle(_Json):
    b64: Base64Bytes


class CudaRegion(_Json):
    """A GPU's shared memory to register."""

    raw_handle: _Handle
    device_id: _Int64
    byte_size: _UInt64


class Settings(_Json):
    """Settings, each by its name."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, Any]

    @property
    def values(self) -> dict[str, Any]:
        """All of them."""
        return self.__pydantic_extra__


SchemaT = TypeVar("SchemaT", bound=BaseModel)


def parse(schema: type[SchemaT], data: bytes) -> SchemaT:
    """Reads JSON; nothing at all is an empty object.

    Raises:
        HTTPException: it is too large.
        InvalidInputError: it is no JSON, or not of this schema, or has too many lists.
    """
    if len(data) > MAX_JSON_BYTES:
        raise HTTPException(
            413, f"The request's JSON is larger than {MAX_JSON_BYTES} bytes; send tensors as binary data."
        )
    if data.count(b"[") + data.count(b"{") > MAX_JSON_LISTS:
        raise InvalidInputError(
            f"The request's JSON has more than {MAX_JSON_LISTS} lists and objects; send tensors flat or as binary data."
        )
    try:
        return schema.model_validate_json(data or b"{}")
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise InvalidInputError(
            f"The request's JSON cannot be read{f' at {place}' if place else ''}: {first['msg']}."
        ) from None
