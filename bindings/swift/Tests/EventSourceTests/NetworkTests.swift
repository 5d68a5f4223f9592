// What changes of network do, with a path source of ours instead of the platform's.

import Foundation
import XCTest

@testable import EventSource

final class NetworkTests: ServerTestCase {
  private final class Paths: PathSource {
    private let state = Locked<(changed: (@Sendable (PathChange) -> Void)?, stopped: Int)>((nil, 0))

    func start(_ changed: @escaping @Sendable (PathChange) -> Void) { state { $0.changed = changed } }
    func stop() { state { $0.stopped += 1 } }
    func report(_ change: PathChange) { state { $0.changed }?(change) }
    var stopped: Int { state { $0.stopped } }
  }

  private func make(_ configuration: EventSource.Configuration = .quick) throws -> (EventSource, Paths) {
    let server = try server
    try server.on("/s", #"[["sse", "stall"]]"#)
    let paths = Paths()
    return (try EventSource(url: server.url("/s"), configuration: configuration, paths: paths), paths)
  }

  func testAChangeReconnectsButTheFirstReportDoesNot() async throws {
    let server = try server
    let (source, paths) = try make()
    let iteration = Task { await source.takeAll() }
    _ = try await server.requests(1)
    try await eventually { source.state == .open }
    paths.report(.network(usable: true))
    XCTAssertEqual(source.state, .open, "the first report")
    paths.report(.network(usable: false))
    XCTAssertEqual(source.state, .open, "no network: nothing to connect over")
    paths.report(.network(usable: true))
    _ = try await server.requests(2)
    try await server.peerEnd(0)
    try await eventually { source.state == .open }
    paths.report(.foreground)
    _ = try await server.requests(3)
    try await server.peerEnd(1)
    try await eventually { source.state == .open }
    source.close()
    let events = await iteration.value
    XCTAssertEqual(events.map(\.name), ["open", "open", "open", "close"])
  }

  func testNothingIsRestartedAfterCloseOrPause() async throws {
    let server = try server
    let (source, paths) = try make()
    paths.report(.network(usable: true))
    let iteration = Task { await source.takeAll() }
    try await eventually { source.state == .open }
    source.pause()
    paths.report(.network(usable: true))
    paths.report(.foreground)
    XCTAssertEqual(source.state, .paused)
    XCTAssertEqual(paths.stopped, 0)
    source.close()
    XCTAssertEqual(paths.stopped, 1)
    paths.report(.network(usable: true))
    paths.report(.foreground)
    XCTAssertEqual(source.state, .closed)
    let events = await iteration.value
    XCTAssertEqual(events.map(\.name), ["open", "close"])
    XCTAssertEqual(try server.requests().count, 1)
  }

  func testTheServersEndStopsTheReports() async throws {
    let server = try server
    let (source, paths) = try make()
    try server.on("/s", #"[[{"head": {"status": 204}}]]"#)
    let events = await source.takeAll()
    XCTAssertEqual(events.map(\.name), ["close"])
    XCTAssertEqual(paths.stopped, 1)
  }

  func testTheLastReferenceStopsTheReports() async throws {
    let paths: Paths
    do {
      let source: EventSource
      (source, paths) = try make()
      XCTAssertEqual(source.state, .connecting)
      XCTAssertEqual(paths.stopped, 0)
    }
    XCTAssertEqual(paths.stopped, 1)
    paths.report(.foreground)
  }

  func testARequestThatMustNotBeRepeatedIsLeftAlone() async throws {
    func mayRepeat(_ change: (inout EventSource.Configuration) -> Void) -> Bool {
      var configuration = EventSource.Configuration()
      change(&configuration)
      return configuration.mayRepeat
    }
    XCTAssertTrue(mayRepeat { _ in })
    XCTAssertTrue(mayRepeat { $0.method = "GET" })
    XCTAssertFalse(mayRepeat { $0.method = "POST" })
    XCTAssertFalse(mayRepeat { $0.body = Data() })
    XCTAssertFalse(mayRepeat { $0.reconnectMode = .never })
    XCTAssertTrue(
      mayRepeat {
        $0.method = "POST"
        $0.reconnectMode = .always
      })
    var configuration = EventSource.Configuration()
    configuration.body = Data("x".utf8)
    let server = try server
    let (source, paths) = try make(configuration)
    let iteration = Task { await source.takeAll() }
    try await eventually { source.state == .open }
    paths.report(.network(usable: true))
    paths.report(.network(usable: true))
    paths.report(.foreground)
    XCTAssertEqual(source.state, .open)
    source.close()
    _ = await iteration.value
    XCTAssertEqual(try server.requests().count, 1)
  }
}
