// swift-tools-version: 6.0
// For a checkout: links the static library that `cargo build --release` leaves in target/. Apps take the manifest that
// `binary-manifest.sh` writes, which needs neither Rust nor a checkout.
import Foundation
import PackageDescription

let library = Context.packageDirectory + "/../../target/release/libeventsource.a"
guard FileManager.default.fileExists(atPath: library) else {
  fatalError("\(library) is not there yet: run `cargo build --release` in the checkout first")
}

let package = Package(
  name: "EventSource",
  platforms: [.iOS(.v16), .macOS(.v13)],
  products: [.library(name: "EventSource", targets: ["EventSource"])],
  targets: [
    .systemLibrary(name: "CEventSource"),
    .target(
      name: "EventSource",
      dependencies: ["CEventSource"],
      linkerSettings: [
        // The file itself, not -L and -l: beside it lies the shared library, which a linker would rather take. Past the
        // compiler, which would look for Swift in it and stumble over the objects of a newer LLVM.
        .unsafeFlags(["-Xlinker", library]),
        .linkedFramework("Security", .when(platforms: [.iOS, .macOS, .tvOS, .watchOS, .visionOS])),
        .linkedFramework("CoreFoundation", .when(platforms: [.iOS, .macOS, .tvOS, .watchOS, .visionOS])),
      ]
    ),
    .testTarget(
      name: "EventSourceTests",
      dependencies: ["EventSource", .target(name: "tail", condition: .when(platforms: [.linux]))]
    ),
    // Its one file is a link to examples/tail.swift.
    .executableTarget(name: "tail", dependencies: ["EventSource"]),
  ],
  swiftLanguageModes: [.v6]
)
