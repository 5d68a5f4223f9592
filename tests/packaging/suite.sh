#!/bin/bash
# The Rust test suite for another processor, under qemu's user mode: suite.sh TARGET, or suite.sh TARGET --no-run
#
# Test programs of the same toolchain and standard library as the SDK, static with musl. The server is in the test program, as it is
# in `cargo test`: it, too, is emulated, TLS included. One test program after the other, each with a thread a test.
. "$(dirname "$0")/begin.sh"
case $target in
  aarch64-unknown-linux-musl) triple_of_zig=aarch64-linux-musl emulator=qemu-aarch64-static ;;
  armv7-unknown-linux-musleabihf) triple_of_zig=arm-linux-musleabihf emulator=qemu-arm-static ;;
  *) die "$target has no test suite under qemu" ;;
esac
need_qemu
need_zig

work=$checkout/target/packaging/$target/suite
mkdir -p "$work"
# What rustc and cc say to a compiler, in zig's words: its own name for the target, and its own unwinder for gcc's.
cat >"$work/cc" <<SCRIPT
#!/bin/bash
words=()
for word in "\$@"; do
  case \$word in
    --target=* | -lgcc | -lgcc_s | -lgcc_eh) ;;
    *) words+=("\$word") ;;
  esac
done
exec "$zig" cc -target $triple_of_zig -static "\${words[@]}" -lunwind
SCRIPT
chmod +x "$work/cc"

env_name=${target//-/_}
variable=${env_name^^}
export "CC_$env_name=$work/cc" "AR_$env_name=llvm-ar"
export "CARGO_TARGET_${variable}_LINKER=$work/cc" "CARGO_TARGET_${variable}_RUNNER=$emulator"
export RUSTFLAGS="--sysroot=$("$here/std.sh" "$target") -Ctarget-feature=+crt-static -Clink-self-contained=no"
export CARGO_TARGET_DIR=$checkout/target/packaging

# The layers, the parser's SIMD among them, and what a user sees. Not here: what compiles and starts other programs (c, costs, examples,
# proxies, readme), what takes long for its numbers and has nothing of a processor in it (backpressure, faults, hostile, storm), and
#   idle        looks the kernel's system calls up by their numbers, which are those of this machine under qemu
#   interrupts  loads a library into a second process of itself
suites=(drivers lifecycle reconnect redirect request response stress tls vectors_over_socket)
# These start themselves again, which the kernel refuses for another processor's program.
starts_itself=(the_platforms_trust_is_the_default_and_can_be_added_to without_a_trust_store_the_error_says_what_to_do
  a_start_that_finds_no_thread_has_changed_nothing)
export EVENTSOURCE_STRESS_ROUNDS=${EVENTSOURCE_STRESS_ROUNDS:-200}
cd "$checkout"
build=("$CARGO" test --locked --no-fail-fast --target "$target" --no-default-features --features capi --config profile.dev.opt-level=1
  --config 'profile.dev.package."*".debug=false' --lib "${suites[@]/#/--test=}")
if [ "${2-}" = --no-run ]; then exec "${build[@]}" --no-run; fi
log=$work/said.txt
"${build[@]}" -- "${starts_itself[@]/#/--skip=}" 2>&1 | tee "$log"
read -r passed left < <(awk '/^test result: / { passed += $4; left += $12 } END { print passed, left }' "$log")
# A name above that no test has any more is to be taken out.
[ "$left" = ${#starts_itself[@]} ] || die "$left tests were left out, not ${#starts_itself[@]}"
echo "$passed tests passed under ${emulator%-static}"
