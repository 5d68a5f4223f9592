"""Archives whose bytes depend on nothing but what is put into them: no clock, no owner, no order of a file system."""

import gzip
import io
import os
import shutil
import stat
import tarfile
import time
import zipfile
from pathlib import Path

# What every file's time is: SOURCE_DATE_EPOCH, else the one that bindings/kotlin/pom.xml gives the jars.
EPOCH = int(os.environ.get("SOURCE_DATE_EPOCH", "1735689600"))


def files(folder: Path) -> list[Path]:
    """All files and links below a folder, in one order everywhere."""
    return sorted((path for path in folder.rglob("*") if path.is_symlink() or path.is_file()), key=lambda path: path.as_posix())


def mode(path: Path) -> int:
    """0755 for what can be run, 0644 for the rest, whatever the umask was."""
    return 0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644


def tar_gz(out: Path, folder: Path, prefix: str) -> None:
    """A tarball of a folder's files, each below `prefix/`."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in files(folder):
            info = tarfile.TarInfo(f"{prefix}/{path.relative_to(folder).as_posix()}")
            info.mtime = EPOCH
            if path.is_symlink():
                info.type, info.linkname, info.mode = tarfile.SYMTYPE, os.readlink(path), 0o777
                tar.addfile(info)
            else:
                info.mode, info.size = mode(path), path.stat().st_size
                with path.open("rb") as file:
                    tar.addfile(info, file)
    with out.open("wb") as file, gzip.GzipFile("", "wb", 9, file, EPOCH) as packed:
        packed.write(raw.getvalue())


def zip_entries(out: Path, entries: list[tuple[str, int, bytes]]) -> None:
    """A zip of (name, mode, contents), in the order of the names. Java reads a jar's manifest as a stream only where it comes first."""
    with zipfile.ZipFile(out, "w") as packed:
        for name, bits, contents in sorted(entries, key=lambda entry: (entry[0] != "META-INF/MANIFEST.MF", entry[0])):
            info = zipfile.ZipInfo(name, time.gmtime(EPOCH)[:6])
            info.create_system = 3  # Unix: the modes count
            info.external_attr = (stat.S_IFREG | bits) << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            packed.writestr(info, contents, compresslevel=9)


def zip_files(out: Path, entries: list[tuple[str, Path]]) -> None:
    """A zip of (name, file)."""
    zip_entries(out, [(name, mode(path), path.read_bytes()) for name, path in entries])


def repack(out: Path, made: Path) -> None:
    """The files of a zip that another tool has made. Maven's have the umask's modes and the time zone's times, whatever it is told."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(made) as packed:
        zip_entries(out, [(info.filename, 0o644, packed.read(info)) for info in packed.infolist() if not info.is_dir()])


def zip_folder(out: Path, folder: Path, prefix: str = "") -> None:
    """A zip of a folder's files, each below `prefix`."""
    zip_files(out, [(prefix + path.relative_to(folder).as_posix(), path) for path in files(folder)])


def copy(source: Path, target: Path) -> None:
    """Copies a file to where its folder may not be yet."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def write(path: Path, text: str) -> None:
    """Writes a text file, its folder too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")


def empty(folder: Path) -> Path:
    """The folder, with nothing in it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder
