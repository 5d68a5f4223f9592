// Closures on a queue: in order, on that queue, with the same promises as the sequence.

import Dispatch
import Foundation
import XCTest

@testable import EventSource

/// What a handler has been called with.
final class Heard: Sendable {
  private let state = Locked([EventSource.Event]())

  func add(_ event: EventSource.Event) { state { $0.append(event) } }
  var events: [EventSource.Event] { state { $0 } }
  var data: [String] { events.compactMap { $0.message?.data } }
  var names: [String] { events.map(\.name) }
}

final class HandlerTests: ServerTestCase {
  func testEventsComeInOrderOnTheQueue() async throws {
    let server = try server
    let source = try EventSource(url: server.url("/resume?every=100&total=300&retry=1"))
    let queue = DispatchQueue(label: "ours")
    let heard = Heard()
    try source.onEvent(on: queue) { event in
      dispatchPrecondition(condition: .onQueue(queue))
      heard.add(event)
    }
    try await eventually { heard.names.last == "close" }
    XCTAssertEqual(heard.data, (1...300).map(String.init))
    XCTAssertEqual(heard.names.prefix(2), ["open", "message"])
    XCTAssertEqual(heard.names.count { $0 == "close" }, 1)
    XCTAssertEqual(heard.names.count { $0 == "open" }, 3)
    XCTAssertEqual(source.state, .closed)
  }

  func testAConcurrentQueueCallsOneAtATime() async throws {
    let server = try server
    let source = try EventSource(url: server.url("/resume?every=2000&total=4000&retry=1"))
    let heard = Heard()
    let inside = Locked(0)
    try source.onEvent(on: .global()) { event in
      XCTAssertEqual(
        inside {
          $0 += 1
          return $0
        }, 1)
      heard.add(event)
      inside { $0 -= 1 }
    }
    // Whoever calls a verb wakes, too.
    try await eventually {
      source.waker.wake()
      return heard.names.last == "close"
    }
    XCTAssertEqual(heard.data, (1...4000).map(String.init))
  }

  func testTheMainQueue() async throws {
    let server = try server
    try server.on("/s", #"[["sse", {"body": "data: 1\n\n"}, "stall"]]"#)
    let source = try EventSource(url: server.url("/s"))
    let heard = Heard()
    try source.onEvent(on: .main) { event in
      dispatchPrecondition(condition: .onQueue(.main))
      heard.add(event)
    }
    try await eventually { heard.data == ["1"] }
    source.close()
    try await eventually { heard.names.last == "close" }
  }

  func testABurstLeavesTheQueueToOthers() async throws {
    let source = try EventSource(url: server.url("/flood?size=10"))
    let queue = DispatchQueue(label: "ours")
    // All on the queue; the lock is for the test's own looks.
    let state = Locked((turns: 0, seen: 0, run: 0, longest: 0, count: 0))
    @Sendable func turn() {
      let over = state { state in
        state.turns += 1
        return state.count == 100_000
      }
      if !over { queue.async { turn() } }
    }
    queue.async { turn() }
    try source.onEvent(on: queue) { _ in
      state { state in
        guard state.count < 100_000 else { return }
        state.run = state.turns == state.seen ? state.run + 1 : 1
        (state.seen, state.longest) = (state.turns, max(state.longest, state.run))
        state.count += 1
      }
    }
    try await eventually { state { $0.count } == 100_000 }
    source.close()
    // (A wake at the very end of a burst adds another.)
    XCTAssertLessThanOrEqual(state { $0.longest }, 4 * EventSource.burst)
  }

  func testNothingButCloseFollowsCloseInAHandler() async throws {
    let server = try server
    let source = try EventSource(url: server.url("/flood?size=100"))
    let heard = Heard()
    try source.onEvent(on: .global()) { [weak source] event in
      heard.add(event)
      if heard.events.count == 300 { source?.close() }
    }
    try await eventually { heard.names.contains("close") }
    try await server.peerEnd()
    XCTAssertEqual(heard.events.count, 301)
    XCTAssertEqual(heard.names.last, "close")
  }

  func testCloseFromOutsideWhileNothingHappens() async throws {
    let server = try server
    try server.on("/s", #"[["sse", "stall"]]"#)
    let source = try EventSource(url: server.url("/s"))
    let heard = Heard()
    try source.onEvent(on: DispatchQueue(label: "ours")) { heard.add($0) }
    try await eventually { heard.names == ["open"] }
    source.close()
    try await eventually { heard.names == ["open", "close"] }
  }

  func testASourceThatIsClosedAlreadySaysSoOnce() async throws {
    let server = try server
    let source = try EventSource(url: server.url("/flood"))
    source.close()
    let heard = Heard()
    try source.onEvent(on: .global()) { heard.add($0) }
    try await eventually { heard.names == ["close"] }
    XCTAssertEqual(try server.requests().count, 0)
    XCTAssertThrowsError(try source.onEvent(on: .global()) { _ in })
  }

  func testOneConsumerAtATime() async throws {
    let server = try server
    try server.on("/s", #"[["sse", {"body": "data: 1\n\n"}, "stall"]]"#)
    let source = try EventSource(url: server.url("/s"))
    let heard = Heard()
    try source.onEvent(on: .global()) { heard.add($0) }
    XCTAssertThrowsError(try source.onEvent(on: .global()) { _ in }) {
      XCTAssertEqual(($0 as? EventSource.UsageError)?.reason, .busy)
    }
    let taken = await source.takeAll()
    XCTAssertEqual(taken, [])
    try await eventually { heard.data == ["1"] }

    let iterated = try EventSource(url: server.url("/s"))
    _ = await iterated.takeMessages(1)
    XCTAssertThrowsError(try iterated.onEvent(on: .global()) { _ in })
  }

  func testTheLastReferenceCloses() async throws {
    let server = try server
    try server.on("/s", #"[["sse", {"body": "data: 1\n\n"}, "stall"]]"#)
    let heard = Heard()
    weak var captured: Heard?
    do {
      let source = try EventSource(url: server.url("/s"))
      let object = Heard()
      captured = object
      try source.onEvent(on: .global()) { event in
        withExtendedLifetime(object) { heard.add(event) }
      }
      try await eventually { heard.data == ["1"] }
    }
    try await server.peerEnd()
    try await eventually { captured == nil }
    XCTAssertFalse(heard.names.contains("close"))
  }

  func testAHandlerThatHoldsTheSourceIsDroppedAfterClose() async throws {
    let server = try server
    try server.on("/ours", #"[["sse", {"body": "data: 1\n\n"}, "stall"]]"#)
    try server.on("/theirs", #"[[{"head": {"status": 204}}]]"#)
    for path in ["/ours", "/theirs"] {
      weak var weakly: EventSource?
      let heard = Heard()
      do {
        let source = try EventSource(url: server.url(path))
        weakly = source
        try source.onEvent(on: .global()) { event in
          heard.add(event)
          if event.message != nil { source.close() }
        }
      }
      try await eventually { heard.names.last == "close" }
      try await eventually { weakly == nil }
    }
  }

  func testARefusedTokenIsAnsweredByANewOne() async throws {
    let server = try server
    try server.on("/s", #"[[{"head": {"status": 401}}], ["sse", {"body": "data: in\n\n"}, "stall"]]"#)
    let source = try EventSource(url: server.url("/s"))
    let heard = Heard()
    try source.onEvent(on: .global()) { [weak source] event in
      if event.error != nil {
        _ = try? source?.setHeader("Authorization", "new", secret: true)
        XCTAssertEqual(source?.retry(after: .zero), true)
      }
      heard.add(event)
    }
    try await eventually { heard.data == ["in"] }
    XCTAssertEqual(heard.names, ["error", "open", "message"])
    XCTAssertEqual(try server.requests().map { $0.header("authorization") }, [nil, "new"])
  }
}
