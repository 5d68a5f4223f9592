// swift-tools-version: 6.0
// (In a folder of its own: SwiftPM goes by folders' names, and the library's is called swift, too.)
import PackageDescription

let package = Package(
  name: "ConformanceRunner",
  platforms: [.macOS(.v13)],
  dependencies: [.package(path: "../../../../../bindings/swift")],
  targets: [
    .executableTarget(
      name: "ConformanceRunner", dependencies: [.product(name: "EventSource", package: "swift")], path: ".")
  ],
  swiftLanguageModes: [.v6]
)
