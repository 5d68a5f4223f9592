"""The C SDK of each platform: build-system files beside the header and the libraries, and an archive of them all."""

import os

import archive
from platforms import DESCRIPTION, DIST, HEADER, HOME, LICENCES, PLATFORMS, SOVERSION, VERSION, Platform

PC = """\
prefix=${{pcfiledir}}/../..
includedir=${{prefix}}/include
libdir=${{prefix}}/lib

Name: eventsource
Description: {description}
URL: {home}
Version: {version}
Cflags: -I${{includedir}}
Libs: -L${{libdir}} -leventsource{public}
Libs.private: {private}
"""

# Swift and Objective-C find it below any folder of headers by the module's name. In a folder of its own it is in nobody's way.
MODULE_MAP = """\
module CEventSource [system] {
  header "../eventsource.h"
  export *
}
"""

CMAKE = """\
# find_package(eventsource) gives the targets
#   eventsource::static, eventsource::shared   as far as this platform has them
#   eventsource::eventsource                   one of them: the shared one if BUILD_SHARED_LIBS is on, else the static one
get_filename_component(_eventsource_prefix "${{CMAKE_CURRENT_LIST_DIR}}/../../.." ABSOLUTE)
if(NOT TARGET eventsource::static)
  add_library(eventsource::static STATIC IMPORTED)
  set_target_properties(eventsource::static PROPERTIES
    IMPORTED_LOCATION "${{_eventsource_prefix}}/lib/libeventsource.a"
    INTERFACE_INCLUDE_DIRECTORIES "${{_eventsource_prefix}}/include"
    INTERFACE_LINK_LIBRARIES "{libs}")
{shared}  add_library(eventsource::eventsource INTERFACE IMPORTED)
  if(BUILD_SHARED_LIBS AND TARGET eventsource::shared)
    set_target_properties(eventsource::eventsource PROPERTIES INTERFACE_LINK_LIBRARIES eventsource::shared)
  else()
    set_target_properties(eventsource::eventsource PROPERTIES INTERFACE_LINK_LIBRARIES eventsource::static)
  endif()
endif()
unset(_eventsource_prefix)
"""

CMAKE_SHARED = """\
  add_library(eventsource::shared SHARED IMPORTED)
  set_target_properties(eventsource::shared PROPERTIES
    IMPORTED_LOCATION "${{_eventsource_prefix}}/{file}"{more}
    INTERFACE_INCLUDE_DIRECTORIES "${{_eventsource_prefix}}/include")
"""

# The API grows by additions, so a newer minor version serves; another major version does not.
CMAKE_VERSION = """\
set(PACKAGE_VERSION "{version}")
if(PACKAGE_FIND_VERSION_MAJOR STREQUAL "{major}" AND NOT PACKAGE_VERSION VERSION_LESS PACKAGE_FIND_VERSION)
  set(PACKAGE_VERSION_COMPATIBLE TRUE)
  if(PACKAGE_VERSION VERSION_EQUAL PACKAGE_FIND_VERSION)
    set(PACKAGE_VERSION_EXACT TRUE)
  endif()
else()
  set(PACKAGE_VERSION_COMPATIBLE FALSE)
endif()
if(CMAKE_SIZEOF_VOID_P AND NOT CMAKE_SIZEOF_VOID_P EQUAL {pointer})
  set(PACKAGE_VERSION "${{PACKAGE_VERSION}} ({bits} bits)")
  set(PACKAGE_VERSION_UNSUITABLE TRUE)
endif()
"""


def cmake_libs(libs: str) -> str:
    """The same libraries for CMake: a list, in which a framework is one word."""
    return libs.replace("-framework ", "-framework#").replace(" ", ";").replace("#", " ")


def version_shared(platform: Platform) -> tuple[str, str] | None:
    """Gives a shared library the names that loaders and linkers look for; returns its file and more properties for CMake."""
    lib = platform.sdk / "lib"
    plain = lib / "libeventsource.so"
    if platform.abi:  # an app carries lib*.so, and no links
        return (f"lib/{plain.name}", "") if plain.is_file() else None
    if plain.is_file():
        real, soname = lib / f"libeventsource.so.{VERSION}", lib / f"libeventsource.so.{SOVERSION}"
        if not plain.is_symlink():
            os.replace(plain, real)
        for link, to in ((soname, real), (plain, soname)):
            link.unlink(missing_ok=True)
            link.symlink_to(to.name)
        return f"lib/{real.name}", f"\n    IMPORTED_SONAME {soname.name}"
    dylib = lib / "libeventsource.dylib"
    if dylib.is_file():
        return f"lib/{dylib.name}", "\n    IMPORTED_SONAME @rpath/libeventsource.dylib"
    for dll in sorted(lib.glob("*.dll")) + sorted((platform.sdk / "bin").glob("*.dll")):
        import_library = next(iter(sorted(lib.glob("*.dll.a"))), None)
        if import_library is None:
            raise SystemExit(f"{dll}: where is its import library?")
        file = dll.relative_to(platform.sdk).as_posix()
        return file, f'\n    IMPORTED_IMPLIB "${{_eventsource_prefix}}/lib/{import_library.name}"'
    return None


def complete(platform: Platform) -> None:
    """Puts into an SDK what is not the compiler's to make."""
    lib = platform.sdk / "lib"
    archive.copy(HEADER, platform.sdk / "include" / HEADER.name)
    archive.write(platform.sdk / "include" / "CEventSource" / "module.modulemap", MODULE_MAP)
    for licence in LICENCES:
        archive.copy(licence, platform.sdk / licence.name)
    shared = version_shared(platform)
    # Where there is no shared library, what the static one needs is not private.
    public, private = ("", platform.libs) if shared else (f" {platform.libs}", "")
    archive.write(
        lib / "pkgconfig" / "eventsource.pc",
        PC.format(description=DESCRIPTION, home=HOME, version=VERSION, public=public, private=private).replace("Libs.private: \n", ""),
    )
    pointer = 4 if platform.target.startswith(("armv7", "i686")) else 8
    block = CMAKE_SHARED.format(file=shared[0], more=shared[1]) if shared else ""
    folder = lib / "cmake" / "eventsource"
    archive.write(folder / "eventsource-config.cmake", CMAKE.format(libs=cmake_libs(platform.libs), shared=block))
    archive.write(
        folder / "eventsource-config-version.cmake",
        CMAKE_VERSION.format(version=VERSION, major=SOVERSION, pointer=pointer, bits=pointer * 8),
    )


def assemble() -> list[str]:
    """Completes the SDKs there are; returns the targets there are not."""
    for old in DIST.glob("eventsource-*.tar.gz"):
        old.unlink()
    for platform in PLATFORMS:
        if platform.here:
            complete(platform)
            name = f"eventsource-{VERSION}-{platform.target}"
            archive.tar_gz(DIST / f"{name}.tar.gz", platform.sdk, name)
    return [platform.target for platform in PLATFORMS if not platform.here]
