# What is built: one line a target. Sourced.
#
#   clang's triple holds the oldest system that is supported: Android 5 (API 21), iOS 12 (14 on Apple silicon's simulator, there is
#   none before), macOS 11. glibc's floor, 2.17, lies in permitted/linux-gnu-*.txt.
#   shared: the name of the shared library that the SDK holds, - where the platform links statically.
#   permitted: the file in permitted/ with the names that the library may ask the platform for.
#
# rust target                 clang's triple                        shared                permitted
table='
aarch64-linux-android         aarch64-linux-android21               libeventsource.so     android
armv7-linux-androideabi       armv7a-linux-androideabi21            libeventsource.so     android
x86_64-linux-android          x86_64-linux-android21                libeventsource.so     android
i686-linux-android            i686-linux-android21                  libeventsource.so     android
aarch64-apple-ios             arm64-apple-ios12.0                   -                     apple
aarch64-apple-ios-sim         arm64-apple-ios14.0-simulator         -                     apple
x86_64-apple-ios              x86_64-apple-ios12.0-simulator        -                     apple
aarch64-apple-darwin          arm64-apple-macosx11.0                libeventsource.dylib  apple
x86_64-apple-darwin           x86_64-apple-macosx11.0               libeventsource.dylib  apple
x86_64-unknown-linux-gnu      x86_64-unknown-linux-gnu              libeventsource.so     linux-gnu-x86_64
aarch64-unknown-linux-gnu     aarch64-unknown-linux-gnu             libeventsource.so     linux-gnu-aarch64
x86_64-unknown-linux-musl     x86_64-unknown-linux-musl             libeventsource.so     linux-musl
aarch64-unknown-linux-musl    aarch64-unknown-linux-musl            libeventsource.so     linux-musl
armv7-unknown-linux-musleabihf  armv7-unknown-linux-musleabihf      libeventsource.so     linux-musl
x86_64-pc-windows-gnu         x86_64-pc-windows-gnu                 eventsource.dll       windows
'
all_targets=$(awk 'NF { print $1 }' <<<"$table")

# about TARGET: sets triple, shared, permitted.
about() {
  read -r triple shared permitted < <(awk -v target="$1" '$1 == target { print $2, $3, $4 }' <<<"$table") ||
    { echo "no target $1; targets:" $all_targets >&2; return 1; }
}

# What a Windows program with the library links.
windows_libraries='-lws2_32 -lbcrypt -lcrypt32 -lncrypt -lntdll -luserenv -ladvapi32'
