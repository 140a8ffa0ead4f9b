"""Package, names and numbers of the Open Inference Protocol, against the messages that NVIDIA's client ships."""

from __future__ import annotations

from typing import Any

import pytest
from tritonclient.grpc import model_config_pb2, service_pb2

from tundish_proto import model_config_pb2 as our_config
from tundish_proto import open_inference_pb2 as our_service

# Both packages register inference.* in this one process: that they do so in different pools is part of the test.
OURS = {
    message.full_name: message
    for module in (our_service, our_config)
    for message in module.DESCRIPTOR.message_types_by_name.values()
}
THEIRS = {
    message.full_name: message
    for module in (service_pb2, model_config_pb2)
    for message in module.DESCRIPTOR.message_types_by_name.values()
}


def compare(ours: Any, theirs: Any) -> None:
    for field in ours.fields:
        other = theirs.fields_by_name[field.name]
        assert (field.number, field.type, field.is_repeated) == (other.number, other.type, other.is_repeated), (
            field.name
        )
        assert (field.containing_oneof and field.containing_oneof.name) == (
            other.containing_oneof and other.containing_oneof.name
        )
    for nested in ours.nested_types:
        compare(nested, theirs.nested_types_by_name[nested.name])


@pytest.mark.parametrize("name", sorted(OURS))
def test_every_field_has_the_name_number_and_type_of_the_wire(name: str) -> None:
    compare(OURS[name], THEIRS[name])


def test_every_method_has_the_name_and_messages_of_the_wire() -> None:
    ours = our_service.DESCRIPTOR.services_by_name["GRPCInferenceService"]
    theirs = service_pb2.DESCRIPTOR.services_by_name["GRPCInferenceService"]
    assert ours.full_name == theirs.full_name == "inference.GRPCInferenceService"
    for method in ours.methods:
        other = theirs.methods_by_name[method.name]
        assert method.input_type.full_name == other.input_type.full_name
        assert method.output_type.full_name == other.output_type.full_name
        assert (method.client_streaming, method.server_streaming) == (other.client_streaming, other.server_streaming)


def test_every_datatype_has_the_number_of_the_wire() -> None:
    for name, number in our_config.DataType.items():
        assert model_config_pb2.DataType.Value(name) == number
