"""SHA256SUMS of everything that is given away, as `sha256sum --check` reads it."""

import hashlib

import archive
from platforms import DIST

NAME = "SHA256SUMS"


def assemble() -> list[str]:
    """One line a file: archives, packages, the repository; what is in an archive is not listed again."""
    lines = []
    for path in archive.files(DIST):
        name = path.relative_to(DIST).as_posix()
        unpacked = name.split("/")[0] in ("sdk", "swift", "EventSource.xcframework", NAME)
        checksum = path.suffix in (".md5", ".sha1", ".sha256", ".sha512")
        if not unpacked and not checksum and not path.is_symlink():
            lines.append(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {name}\n")
    archive.write(DIST / NAME, "".join(lines))
    return []
