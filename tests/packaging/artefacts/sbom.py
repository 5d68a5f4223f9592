"""sbom.json: what is in the binaries, as CycloneDX 1.6."""

import json
import re
import time
import uuid
from pathlib import Path

import archive
from platforms import DESCRIPTION, DIST, HOME, LICENCE, PLATFORMS, ROOT, VERSION, run
from tools import rust_version, toolchain


def checksums() -> dict[tuple[str, str], str]:
    """SHA-256 of each crate's archive, by Cargo.lock."""
    lock = (ROOT / "Cargo.lock").read_text()
    found = re.findall(r'\[\[package\]\]\nname = "(.*)"\nversion = "(.*)"\nsource = ".*"\nchecksum = "(.*)"', lock)
    return {(name, version): checksum for name, version, checksum in found}


def shipped(target: str) -> tuple[dict[str, dict], dict[str, set[str]]]:
    """The packages that get into a target's library, and who needs whom: no build scripts' dependencies, no macros, no tests."""
    metadata = json.loads(run("cargo", "metadata", "--format-version=1", "--locked", "--filter-platform", target, cwd=ROOT))
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    edges: dict[str, set[str]] = {}
    waiting = [metadata["resolve"]["root"]]
    while waiting:
        package = waiting.pop()
        if package in edges:
            continue
        edges[package] = {
            dependency["pkg"]
            for dependency in nodes[package]["deps"]
            if any(kind["kind"] is None for kind in dependency["dep_kinds"])
            and not any("proc-macro" in kinds["kind"] for kinds in packages[dependency["pkg"]]["targets"])
        }
        waiting += edges[package]
    return {package: packages[package] for package in edges}, edges


def purl(package: dict) -> str:
    return f"pkg:cargo/{package['name']}@{package['version']}"


def component(package: dict, targets: list[str], hashes: dict[tuple[str, str], str]) -> dict:
    """One crate."""
    described = {
        "type": "library",
        "bom-ref": purl(package),
        "name": package["name"],
        "version": package["version"],
        "purl": purl(package),
        "scope": "required",
        # Some crates write the old `MIT/Apache-2.0`.
        "licenses": [{"expression": package["license"].replace("/", " OR ")}],
        "properties": [{"name": "eventsource:target", "value": target} for target in targets],
    }
    checksum = hashes.get((package["name"], package["version"]))
    if checksum:
        described["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    return described


def other(kind: str, name: str, version: str, expression: str, note: str) -> dict:
    """What is in the binaries and is no crate."""
    reference = f"pkg:generic/{name}@{version}"
    return {
        "type": kind, "bom-ref": reference, "name": name, "version": version, "purl": reference, "scope": "required",
        "licenses": [{"expression": expression}], "properties": [{"name": "eventsource:note", "value": note}],
    }  # fmt: skip


def assemble() -> list[str]:
    """Writes sbom.json for the targets there are."""
    packages: dict[str, dict] = {}
    edges: dict[str, set[str]] = {}
    targets: dict[str, list[str]] = {}
    for platform in PLATFORMS:
        if not platform.here:
            continue
        found, needs = shipped(platform.target)
        packages |= found
        for package, needed in needs.items():
            edges.setdefault(package, set()).update(needed)
            targets.setdefault(package, []).append(platform.target)
    root = next(package for package in packages.values() if package["name"] == "libeventsource")
    hashes = checksums()
    components = [component(package, targets[name], hashes) for name, package in packages.items() if package is not root]
    std = other("library", "rust-std", rust_version(), "MIT OR Apache-2.0", "the Rust standard library, built for each target")
    unwinder = other("library", "llvm-libunwind", f"zig-{toolchain()[2]}", "Apache-2.0 WITH LLVM-exception", "in the JNI libraries and addons only")
    components = sorted([*components, std, unwinder], key=lambda item: item["bom-ref"])
    dependencies = [{"ref": purl(packages[name]), "dependsOn": sorted(purl(packages[one]) for one in needed)} for name, needed in edges.items()]
    for dependency in dependencies:
        if dependency["ref"] == purl(root):
            dependency["dependsOn"] = sorted([*dependency["dependsOn"], std["bom-ref"], unwinder["bom-ref"]])
    dependencies += [{"ref": one["bom-ref"], "dependsOn": []} for one in (std, unwinder)]
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(archive.EPOCH)),
            "component": {
                "type": "library", "bom-ref": purl(root), "name": "libeventsource", "version": VERSION, "description": DESCRIPTION, "purl": purl(root),
                "licenses": [{"expression": LICENCE}], "externalReferences": [{"type": "vcs", "url": HOME}],
            },
        },
        "components": components,
        "dependencies": sorted(dependencies, key=lambda item: item["ref"]),
    }  # fmt: skip
    # The same contents have the same number.
    document["serialNumber"] = f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(document, sort_keys=True))}"
    archive.write(DIST / "sbom.json", json.dumps(document, indent=2) + "\n")
    return []
