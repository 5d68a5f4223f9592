// swift-tools-version: 6.0
import PackageDescription

let package = Package(
  name: "client",
  platforms: [.macOS(.v13)],
  dependencies: [.package(name: "EventSource", path: "@PACKAGE@")],
  targets: [.executableTarget(name: "client", dependencies: [.product(name: "EventSource", package: "EventSource")])]
)
