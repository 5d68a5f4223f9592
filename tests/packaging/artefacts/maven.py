"""maven/: the Kotlin binding as a repository in a folder, as Maven and Gradle read it and as it is uploaded."""

import hashlib
import re
import time
from pathlib import Path
from xml.sax.saxutils import escape

import aar
import archive
import jni
from platforms import DESCRIPTION, DIST, HOME, PLATFORMS, VERSION

GROUP = "io.github.libeventsource"

POM = """\
<?xml version="1.0" encoding="UTF-8"?>
<project xmlns="http://maven.apache.org/POM/4.0.0" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" \
xsi:schemaLocation="http://maven.apache.org/POM/4.0.0 http://maven.apache.org/xsd/maven-4.0.0.xsd">
  <modelVersion>4.0.0</modelVersion>
  <groupId>{group}</groupId>
  <artifactId>{artifact}</artifactId>
  <version>{version}</version>
  <packaging>{packaging}</packaging>
  <name>{artifact}</name>
  <description>{description}</description>
  <url>{home}</url>
  <licenses>
    <license><name>MIT</name><url>https://opensource.org/license/mit</url></license>
    <license><name>Apache-2.0</name><url>https://www.apache.org/licenses/LICENSE-2.0</url></license>
  </licenses>
  <developers><developer><name>the libeventsource authors</name></developer></developers>
  <scm><url>{home}</url><connection>scm:git:{home}.git</connection></scm>
  <dependencies>
{dependencies}  </dependencies>
</project>
"""

DEPENDENCY = """\
    <dependency>
      <groupId>{}</groupId>
      <artifactId>{}</artifactId>
      <version>{}</version>
      <scope>compile</scope>{}
    </dependency>
"""

METADATA = """\
<?xml version="1.0" encoding="UTF-8"?>
<metadata>
  <groupId>{group}</groupId>
  <artifactId>{artifact}</artifactId>
  <versioning>
    <latest>{version}</latest>
    <release>{version}</release>
    <versions><version>{version}</version></versions>
    <lastUpdated>{updated}</lastUpdated>
  </versioning>
</metadata>
"""


def dependencies(artifact: str) -> str:
    """What users of an artifact get with it. The versions are those that bindings/kotlin compiles against."""
    pom = (jni.KOTLIN / "pom.xml").read_text()
    version = {name: re.search(rf"<{name}\.version>(.*)</", pom).group(1) for name in ("kotlin", "coroutines")}
    stdlib = ("org.jetbrains.kotlin", "kotlin-stdlib", version["kotlin"], "")
    coroutines = ("org.jetbrains.kotlinx", "kotlinx-coroutines-core-jvm", version["coroutines"], "")
    # In the AAR is the Flow too; an app that collects it has coroutines.
    optional = (*coroutines[:3], "\n      <optional>true</optional>")
    own = (GROUP, "eventsource", VERSION, "")
    needed = {"eventsource": [stdlib], "eventsource-coroutines": [own, coroutines], "eventsource-android": [stdlib, optional]}
    return "".join(DEPENDENCY.format(*one) for one in needed[artifact])


def sources(out: Path, artifact: str) -> None:
    """The sources jar."""
    modules = list(jni.MODULES.values()) if artifact == "eventsource-android" else [jni.MODULES[artifact]]
    entries = []
    for module in modules:
        root = jni.KOTLIN / module / "src" / "main" / "kotlin"
        entries += [(path.relative_to(root).as_posix(), path) for path in archive.files(root)]
    archive.zip_files(out, entries)


def assemble() -> list[str]:
    """Lays out the repository; returns the desktops that the jar lacks."""
    repository = archive.empty(DIST / "maven")
    folders = jni.classes()
    for artifact, folder in folders.items():
        packaging = "aar" if artifact == "eventsource-android" else "jar"
        place = repository / GROUP.replace(".", "/") / artifact / VERSION
        built = DIST / aar.NAME if packaging == "aar" else folder / f"{artifact}-{VERSION}.jar"
        if not built.is_file():
            continue
        base = f"{artifact}-{VERSION}"
        if packaging == "aar":
            archive.copy(built, place / f"{base}.aar")
        else:
            archive.repack(place / f"{base}.jar", built)
        sources(place / f"{base}-sources.jar", artifact)
        words = {"group": GROUP, "artifact": artifact, "version": VERSION, "packaging": packaging, "description": escape(DESCRIPTION), "home": HOME}
        archive.write(place / f"{base}.pom", POM.format(**words, dependencies=dependencies(artifact)))
        updated = time.strftime("%Y%m%d%H%M%S", time.gmtime(archive.EPOCH))
        archive.write(place.parent / "maven-metadata.xml", METADATA.format(group=GROUP, artifact=artifact, version=VERSION, updated=updated))
    for path in archive.files(repository):
        for algorithm in ("md5", "sha1", "sha256", "sha512"):
            archive.write(path.with_name(f"{path.name}.{algorithm}"), hashlib.new(algorithm, path.read_bytes()).hexdigest())
    return [platform.jar for platform in PLATFORMS if platform.jar and not platform.here]
