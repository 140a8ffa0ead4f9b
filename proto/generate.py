"""Generates the Python package tundish_proto from the .proto files of this folder; called by CMake.

    python generate.py DESTINATION

The generated messages live in a descriptor pool of their own. NVIDIA's client registers the same package and
message names in protobuf's default pool, and a process that uses both would otherwise fail at import.
"""

from __future__ import annotations

import shutil
import sys
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

HERE = Path(__file__).parent
PACKAGE = "tundish_proto"
DEFAULT_POOL = "_descriptor_pool.Default()"

INIT = '''"""Messages and stubs of the gRPC services; generated, see proto/generate.py."""

from google.protobuf.descriptor_pool import DescriptorPool

POOL = DescriptorPool()
"""Holds every message of this package, apart from protobuf's default pool."""
'''


def generate(destination: Path) -> None:
    """Writes the package into `destination`; raises RuntimeError if protoc refuses a file."""
    sources = sorted(path.relative_to(HERE) for path in (HERE / PACKAGE).rglob("*.proto"))
    destination.mkdir(parents=True, exist_ok=True)
    arguments = [
        "protoc",
        f"--proto_path={HERE}",
        f"--proto_path={files('grpc_tools') / '_proto'}",
        f"--python_out={destination}",
        f"--pyi_out={destination}",
        f"--grpc_python_out={destination}",
        *map(str, sources),
    ]
    if protoc.main(arguments) != 0:
        raise RuntimeError("protoc refused the .proto files; its message stands above")

    for module in destination.rglob("*_pb2.py"):
        text = module.read_text()
        if DEFAULT_POOL not in text:
            raise RuntimeError(f"{module} does not name the default descriptor pool: has protoc changed?")
        module.write_text(
            text.replace(DEFAULT_POOL, "_POOL").replace(
                "# @@protoc_insertion_point(imports)", f"from {PACKAGE} import POOL as _POOL"
            )
        )

    package = destination / PACKAGE
    (package / "__init__.py").write_text(INIT)
    (package / "v1" / "__init__.py").write_text('"""Version 1 of the typed API; generated."""\n')
    (package / "py.typed").touch()
    for source in sources:
        shutil.copyfile(HERE / source, destination / source)


if __name__ == "__main__":
    generate(Path(sys.argv[1]))
