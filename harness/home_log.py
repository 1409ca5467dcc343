"""Reads Home Assistant's log, over all starts of one configuration folder."""

from pathlib import Path
import re

from .paths import ROOT

FILE = "home-assistant.log"
_RECORD = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+(?:[+-]\d\d:\d\d)? ([A-Z]+) \(")


def keep_for_later(folder: Path) -> None:
    """Put the last start's log aside; Home Assistant itself keeps only one old one."""
    log = folder / FILE
    if log.exists():
        log.rename(folder / f"{log.stem}.{len(_kept(folder)) + 1:03}.log")


def errors(folder: Path, naming: str = "") -> list[str]:
    """Return the records of level ERROR and above, each with its trace, that contain `naming`.

    `naming` is searched for in the whole record, whatever its case: an error of ours
    is often logged by Home Assistant, and only the trace names us.
    """
    found: list[list[str]] = []
    for log in [*_kept(folder), folder / FILE]:
        if not log.exists():
            continue
        wanted = False
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
            if record := _RECORD.match(line):
                if wanted := record[1] in {"ERROR", "CRITICAL", "FATAL"}:
                    found.append([line])
            elif wanted:
                found[-1].append(line)
    records = ["\n".join(lines) for lines in found]
    # Traces are full of paths, and the checkout itself may be called like the integration.
    return [record for record in records if naming.lower() in record.replace(str(ROOT), "").lower()]


def _kept(folder: Path) -> list[Path]:
    return sorted(folder.glob("home-assistant.[0-9][0-9][0-9].log"))
