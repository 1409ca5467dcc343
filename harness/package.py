"""Package: the content of the integration's folder as a zip, the same bytes for the same content."""

import argparse
from collections.abc import Iterator
from hashlib import sha256
import json
from pathlib import Path, PurePosixPath
import re
import sys
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from .paths import INTEGRATION, ROOT

HACS = ROOT / "hacs.json"
ALLOWED_SUFFIXES = {".js", ".json", ".png", ".py", ".typed", ".yaml"}
FIXED_DATE = (1980, 1, 1, 0, 0, 0)
"""The date of each file, which a zip needs."""


class PackageFailed(Exception):
    """The package cannot be made, or is not what it should be; the message is for a person."""


def pack(integration: Path, package: Path) -> None:
    """Write the package; raises `PackageFailed` where the folder has a file that does not belong there."""
    package.parent.mkdir(parents=True, exist_ok=True)
    with ZipFile(package, "w", ZIP_DEFLATED, compresslevel=9) as archive:
        for name, path in _content(integration):
            entry = ZipInfo(name, FIXED_DATE)
            entry.compress_type = ZIP_DEFLATED
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, path.read_bytes())


def check(integration: Path, package: Path) -> str:
    """Read the package back and return its version; raises `PackageFailed` where the folder differs."""
    expected = {name: path.read_bytes() for name, path in _content(integration)}
    with ZipFile(package) as archive:
        packed = {entry.filename: archive.read(entry) for entry in archive.infolist()}
        repeated = len(archive.infolist()) - len(packed)
    if repeated or packed != expected:
        raise PackageFailed(f"{package.name} does not hold what {integration} holds")
    manifest = json.loads(packed["manifest.json"])  # At the top, where the Marketplace looks.
    if manifest["domain"] != integration.name:
        raise PackageFailed(f"the manifest is that of {manifest['domain']}")
    return str(manifest["version"])


def set_version(integration: Path, version: str) -> None:
    """Write a version into the manifest, and nothing else."""
    manifest = integration / "manifest.json"
    text, count = re.subn(
        r'(?m)^(  "version": )".*"$', rf'\g<1>"{version}"', manifest.read_text(encoding="utf-8")
    )
    if count != 1:
        raise PackageFailed(f"{manifest} has no line of its own for the version")
    manifest.write_text(text, encoding="utf-8")


def _content(integration: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(integration.rglob("*")):
        name = PurePosixPath(path.relative_to(integration))
        if path.is_dir() or "__pycache__" in name.parts:
            continue
        if name.suffix not in ALLOWED_SUFFIXES or any(part.startswith(".") for part in name.parts):
            raise PackageFailed(f"{path} does not belong into the package")
        yield str(name), path


def main() -> int:
    """Make the package, check it, and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="scripts/package",
        description="Makes the package that HACS installs, and reads it back.",
    )
    parser.add_argument("--version", type=version, help="write it into the manifest first")
    given = parser.parse_args()
    package = ROOT / "dist" / json.loads(HACS.read_text(encoding="utf-8"))["filename"]
    try:
        if given.version is not None:
            set_version(INTEGRATION, given.version)
        pack(INTEGRATION, package)
        packed_version = check(INTEGRATION, package)
    except PackageFailed as failure:
        print(f"No package: {failure}.", file=sys.stderr)
        return 1
    content = package.read_bytes()
    print(
        f"{package.relative_to(ROOT)}: version {packed_version}, {len(content) / 1024:.0f} KiB,"
        f" sha256 {sha256(content).hexdigest()}"
    )
    return 0


def version(text: str) -> str:
    """Read a version; argparse's message about a bad one has the name of this function."""
    if not re.fullmatch(r"\d+\.\d+\.\d+(-(alpha|beta|rc)\.\d+)?", text):
        raise argparse.ArgumentTypeError(f"{text} is not like 1.2.3 or 1.2.3-beta.1")
    return text


if __name__ == "__main__":
    sys.exit(main())
