"""What HACS and the Marketplace want of the repository, beside the integration itself."""

from collections.abc import Iterator
from pathlib import Path

from awesomeversion import AwesomeVersion
from PIL import Image
import voluptuous as vol

from .house import complaints, house, read_json


def _version(value: str) -> str:
    if not AwesomeVersion(value).valid:
        raise vol.Invalid("not a version, which the Marketplace would pass over")
    return value


_HACS = vol.Schema(
    {
        vol.Required("name"): str,
        vol.Required("homeassistant"): vol.All(str, _version),
        **dict.fromkeys(("filename", "hacs", "persistent_directory"), str),
        **dict.fromkeys(
            ("content_in_root", "hide_default_branch", "render_readme", "zip_release"), bool
        ),
    }
)
_ICON = 256


def hacs_knows_what_to_install(root: Path) -> Iterator[str]:
    """Want hacs.json with known keys, and the name of the package that a release has."""
    hacs = read_json(root / "hacs.json")
    yield from complaints(_HACS, hacs, "hacs.json")
    if hacs.get("zip_release") and not str(hacs.get("filename")).endswith(".zip"):
        yield "hacs.json: the file of the release has no name"
    if hacs.get("name") != read_json(house(root) / "manifest.json").get("name"):
        yield "hacs.json: another name than the manifest's"


def a_person_finds_a_readme_and_a_licence(root: Path) -> Iterator[str]:
    """Want README.md, and a licence that GitHub can tell."""
    if not (root / "README.md").is_file():
        yield "there is no README.md"
    licence = root / "LICENSE"
    if not licence.is_file() or "Apache License" not in licence.read_text().split("\n\n")[0]:
        yield "the licence is not the one that the README names"


def there_is_one_integration(root: Path) -> Iterator[str]:
    """Want nothing beside it: HACS manages the first folder only."""
    folders = {path.name for path in house(root).parent.iterdir() if path.is_dir()}
    yield from folders - {house(root).name, "__pycache__"}


def pictures_are_whole_and_of_the_right_size(root: Path) -> Iterator[str]:
    """Want icon and logo for both themes and both densities, on a transparent ground."""
    for theme in ("", "dark_"):
        for scale, suffix in ((1, ""), (2, "@2x")):
            for picture in ("icon", "logo"):
                name = f"{theme}{picture}{suffix}.png"
                yield from _wrong_with(house(root) / "brand" / name, _ICON * scale)


def _wrong_with(path: Path, height: int) -> Iterator[str]:
    if not path.is_file():
        yield f"there is no brand/{path.name}"
        return
    with Image.open(path) as picture:
        width = height if "icon" in path.name else picture.width
        if picture.format != "PNG" or picture.size != (width, height):
            yield f"brand/{path.name} is a {picture.format} of {picture.size}"
        corners = [(0, 0), (picture.width - 1, 0), (picture.width - 1, picture.height - 1)]
        alpha = picture.convert("RGBA").getchannel("A")
        if any(alpha.getpixel(corner) for corner in corners):
            yield f"brand/{path.name} has something in its corners"
        edge = alpha.crop((picture.width - 1, 0, picture.width, picture.height))
        if "logo" in path.name and edge.getbbox() is not None:
            yield f"brand/{path.name} is cut off"


RULES = (
    hacs_knows_what_to_install,
    a_person_finds_a_readme_and_a_licence,
    there_is_one_integration,
    pictures_are_whole_and_of_the_right_size,
)
