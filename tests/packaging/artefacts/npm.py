"""The npm package, with an addon for each platform."""

import json
import re
import shutil
from pathlib import Path

import archive
from native import link
from platforms import DIST, LICENCES, PLATFORMS, ROOT, VERSION, WORK, Platform, run
from tools import node_include, npm_file

NODE = ROOT / "bindings" / "node"
# Every Node of these systems exports these names, so the addon leaves them to the program that loads it.
EXPORTS = ["napi_register_module_v1", "node_api_module_get_api_version_v1"]


def addon(platform: Platform, stage: Path) -> None:
    """The addon of one platform, where bindings/node/lib/native.js looks for it."""
    flags = ["-std=gnu11", f"-I{node_include()}", "-DNODE_GYP_MODULE_NAME=eventsource", "-DUSING_UV_SHARED=1", "-DBUILDING_NODE_EXTENSION"]
    source = NODE / "src" / "addon.c"
    if platform.npm.startswith("win32"):
        source = with_host_symbols(source)
        flags.append(f"-I{NODE / 'src'}")
    link(platform, source, stage / "prebuilds" / platform.npm / "eventsource.node", EXPORTS, flags, host_symbols=True)


def with_host_symbols(source: Path) -> Path:
    """The addon and, behind it, what finds Node's functions in the program that loads it, whatever that is called.

    A Windows library names the file that a function comes from: `node.exe` is wrong in Electron. So the addon imports nothing, but fills the
    pointers that an import library would have made. The names are those that its source uses.
    """
    used = sorted(set(re.findall(r"\b((?:napi|node_api|uv)_\w+)\s*\(", source.read_text())))
    known = (npm_file("node-api-headers", "1.9.0") / "def" / "node_api.def").read_text().split()
    unknown = [name for name in used if not name.startswith("uv_") and name not in known]
    if unknown:
        raise SystemExit(f"{source} uses what Node-API has not: {' '.join(unknown)}")
    made = WORK / "native" / "addon_windows.c"
    names = " ".join(f"X({name})" for name in used)
    archive.write(made, f'#include "addon.c"\n#define HOST_SYMBOLS {names}\n#include "host_symbols.h"\n')
    return made


def assemble() -> list[str]:
    """Packs the package with the addons there can be; returns the folders of those that are missing."""
    stage = archive.empty(WORK / "npm")
    manifest = json.loads((NODE / "package.json").read_text())
    if manifest["version"] != VERSION:
        raise SystemExit(f"bindings/node/package.json is {manifest['version']}, Cargo.toml {VERSION}")
    wanted = [platform for platform in PLATFORMS if platform.npm]
    for platform in wanted:
        if platform.here:
            addon(platform, stage)
    for name in ("index.js", "index.mjs", "index.d.ts", "index.d.mts", "README.md"):
        archive.copy(NODE / name, stage / name)
    for path in sorted((NODE / "lib").glob("*.js")):
        archive.copy(path, stage / "lib" / path.name)
    for licence in LICENCES:
        archive.copy(licence, stage / licence.name)
    # Who installs it builds nothing.
    del manifest["scripts"]
    archive.write(stage / "package.json", json.dumps(manifest, indent=2) + "\n")
    # npm packs files in an order of its own and with a time of its own, but with the modes that they have.
    for path in archive.files(stage):
        path.chmod(0o644)
    shutil.rmtree(DIST / "npm", ignore_errors=True)
    (DIST / "npm").mkdir(parents=True)
    run("npm", "pack", "--ignore-scripts", "--silent", "--pack-destination", DIST / "npm", cwd=stage)
    return [platform.npm for platform in wanted if not platform.here]
