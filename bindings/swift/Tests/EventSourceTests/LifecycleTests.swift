// Nothing is left behind: boxes, threads, descriptors, memory; whoever lets go, whenever.

import CEventSource
import Foundation
import XCTest

@testable import EventSource

final class LifecycleTests: ServerTestCase {
  private struct Process: Equatable {
    var threads: Int
    var descriptors: Int

    init() throws {
      threads = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").count
      descriptors = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count
    }
  }

  /// Runs `round` once to fill caches, then many times, and looks at what has grown.
  private func assertFlat(
    _ rounds: Int, _ round: (Int) async throws -> Void
  ) async throws {
    for warm in 0..<(rounds / 10) { try await round(warm) }
    try await eventually { Loan.counts { $0.lent == $0.returned } }
    let lent = Loan.counts { $0.lent }
    let (process, memoryBefore) = (try Process(), try residentMemory())
    for number in 0..<rounds { try await round(number) }
    try await eventually { Loan.counts { $0.lent == $0.returned } }
    XCTAssertEqual(Loan.counts { $0.lent } - lent, rounds, "a box for each source")
    try await eventually { try Process().descriptors <= process.descriptors }
    // The pools of Dispatch and Swift come and go by themselves; 10,000 leaked workers would not.
    try await eventually { try Process().threads <= process.threads + 8 }
    // 100 bytes a round would show.
    try EventSourceTests.assertFlat(since: memoryBefore, 100 * rounds)
  }

  func testTenThousandSourcesThatAreOnlyMade() async throws {
    let url = try server.url("/s")
    try await assertFlat(10_000) { _ in _ = try EventSource(url: url) }
  }

  func testTenThousandSourcesClosedWhereverTheyAre() async throws {
    let server = try server
    try server.on("/s", #"[["sse", {"body": "data: 1\n\ndata: 2\n\n"}, "stall"]]"#)
    try await assertFlat(10_000) { number in
      let source = try EventSource(url: server.url("/s"))
      switch number % 4 {
      case 0:
        _ = await source.takeMessages(1)
        source.close()
        _ = await source.takeAll()
      case 1:
        let iteration = Task { await source.takeAll() }
        if number % 8 == 1 { await Task.yield() }
        iteration.cancel()
        let events = await iteration.value
        XCTAssertEqual(events.last?.name, "close")
      case 2:
        let heard = Heard()
        try source.onEvent(on: .global()) { heard.add($0) }
        if number % 8 == 2 { try await eventually { !heard.data.isEmpty } }
      default:
        source.close()
        let events = await source.takeAll()
        XCTAssertEqual(events.map(\.name), ["close"])
      }
    }
    try await server.noneOpen()
  }

  func testARefusedSourceLeavesNothing() async throws {
    let url = try server.url("/s")
    let before = Loan.counts { $0.lent }
    for _ in 0..<100 {
      var configuration = EventSource.Configuration()
      configuration.method = "TRACE"
      XCTAssertThrowsError(try EventSource(url: url, configuration: configuration))
    }
    XCTAssertEqual(Loan.counts { $0.lent }, before)
  }

  /// Any order of anything, from several threads at once.
  func testStorm() async throws {
    let server = try server
    try server.on("/s", #"[["sse", {"body": "data: 1\n\n"}, "fin"], ["sse", {"body": "data: 2\n\n"}, "stall"]]"#)
    let url = server.url("/s")
    await withTaskGroup(of: Void.self) { group in
      for number in 0..<300 {
        group.addTask {
          var configuration = EventSource.Configuration.quick
          if number % 3 == 0 { configuration.headerProvider = { _ in ["X-Number": "\(number)"] } }
          guard let source = try? EventSource(url: url, configuration: configuration) else {
            return XCTFail("no source")
          }
          // Each event goes to one of them, and only what the same one has heard is in order.
          let heard = number % 2 == 0 ? [Heard(), Heard()] : [Heard()]
          let iterations = (number % 2 == 0 ? heard : []).map { heard in
            Task { for await event in source.events { heard.add(event) } }
          }
          if number % 2 == 1 { try? source.onEvent(on: .global()) { heard[0].add($0) } }
          await withTaskGroup(of: Void.self) { verbs in
            for _ in 0..<3 {
              verbs.addTask {
                for _ in 0..<20 {
                  switch Int.random(in: 0..<7) {
                  case 0: source.pause()
                  case 1: source.resume()
                  case 2: source.reconnect()
                  case 3: source.retry(after: .milliseconds(1))
                  case 4: _ = try? source.setHeader("X-Any", "1")
                  case 5: _ = source.state
                  default: await Task.yield()
                  }
                }
              }
            }
          }
          source.resume()
          if number % 4 < 2 { try? await eventually { heard.contains { $0.names.contains("message") } } }
          source.close()
          for iteration in iterations { await iteration.value }
          try? await eventually { heard.contains { $0.names.last == "close" } }
          XCTAssertEqual(heard.flatMap(\.names).count { $0 == "close" }, 1)
          XCTAssertTrue(heard.contains { $0.names.last == "close" })
        }
      }
    }
    try await server.noneOpen()
  }

  /// The library's thread is held fast, in its log; no call waits for it, and neither does the end of the last reference.
  func testNothingWaitsForTheLibrarysThread() async throws {
    let server = try server
    try server.on("/s", #"[["sse", "stall"]]"#)
    let go = DispatchSemaphore(value: 0)
    let held = Locked(0)
    try EventSource.setLog(upTo: .debug) { _, _, message in
      guard message.hasPrefix("connecting to") else { return }
      held { $0 += 1 }
      go.wait()
    }
    weak var weakly: EventSource?
    do {
      let source = try EventSource(url: server.url("/s"))
      weakly = source
      try source.onEvent(on: .global()) { _ in }
      try await eventually { held { $0 } == 1 }
      source.pause()
      source.resume()
      source.reconnect()
      source.retry()
      try source.setHeader("A", "b")
      try source.setURL(server.url("/t"))
      XCTAssertEqual(source.state, .connecting)
    }
    try await eventually { weakly == nil }
    do {
      let source = try EventSource(url: server.url("/s"))
      try source.onEvent(on: .global()) { _ in }
      try await eventually { held { $0 } == 2 }
      XCTAssertTrue(source.close())
    }
    XCTAssertEqual(try server.requests().count, 0)
    XCTAssertEqual(Loan.counts { $0.lent - $0.returned }, 3, "two sources and the log")
    for _ in 0..<2 { go.signal() }
    try await eventually { Loan.counts { $0.lent - $0.returned } == 1 }
    try EventSource.setLog(nil)
  }

  func testALiveSourceAtExitOfAllScopesIsOnlyHeldByItsIteration() async throws {
    let server = try server
    try server.on("/s", #"[["sse", "stall"]]"#)
    weak var weakly: EventSource?
    let iteration: Task<[EventSource.Event], Never>
    do {
      let source = try EventSource(url: server.url("/s"))
      weakly = source
      iteration = Task { await source.takeAll() }
    }
    try await eventually { weakly?.state == .open }
    iteration.cancel()
    _ = await iteration.value
    try await eventually { weakly == nil }
    try await server.peerEnd()
  }
}
