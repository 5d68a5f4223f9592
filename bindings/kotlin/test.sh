#!/bin/sh
# test.sh [MAVEN ARGUMENT...]: builds the library, the JNI library and the jars, and runs every check of the Kotlin and Java binding.
# All it makes lies under target/; what a machine lacks of a JDK, Maven and a C compiler is installed with apt-get.
set -eu
cd "$(dirname "$0")/../.."

missing=
command -v javac >/dev/null || missing="$missing openjdk-17-jdk-headless"
command -v mvn >/dev/null || missing="$missing maven"
command -v cc >/dev/null || missing="$missing gcc libc6-dev"
# shellcheck disable=SC2086
[ -z "$missing" ] || { apt-get -qq update && apt-get -qq install -y --no-install-recommends $missing >/dev/null; }

target=${CARGO_TARGET_DIR:-$PWD/target}
cargo build --quiet --release --lib
cargo build --quiet --package eventsource-test-server
export LIBEVENTSOURCE_A="$target/release/libeventsource.a" LIBEVENTSOURCE_TEST_SERVER="$target/debug/eventsource-test-server"
cd bindings/kotlin
log=../../target/kotlin/maven.log
mkdir -p ../../target/kotlin
rm -rf ../../target/kotlin/*/surefire-reports
mvn -B -ntp verify "$@" >"$log" 2>&1 || { grep -v '^\[INFO\]' "$log" | tail -n 120; exit 1; }
grep '^\[INFO\] Tests run:\|^\[WARNING\] Tests run:' "$log" | grep -v 'Time elapsed' || { echo "no tests ran" >&2; exit 1; }
# What -Xcheck:jni finds it only prints: surefire takes it for noise, and the tests pass all the same.
if grep -rE '(WARNING|ERROR) in native method|WARNING: JNI' "$log" ../../target/kotlin/*/surefire-reports; then exit 1; fi
