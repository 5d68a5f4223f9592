// The AsyncSequence: what it gives, when it suspends, who keeps what alive, how it ends.

import Foundation
import XCTest

@testable import EventSource

final class SequenceTests: ServerTestCase {
  func testEventsAreTypedAndInOrder() async throws {
    let server = try server
    try server.on(
      "/s",
      #"""
      [[{"sse": {"headers": [["X-Twice", "1"], ["x-twice", "2"]]}},
        {"body": ": hello\nid: 7\nevent: stock\ndata: a\ndata: b\n\ndata: \u00fc\u0000\n\n"}, "fin"],
       [{"head": {"status": 204}}, "fin"]]
      """#)
    let source = try EventSource(url: server.url("/s?q"), configuration: .quick)
    var events = await source.takeAll()
    XCTAssertEqual(events.map(\.name), ["open", "comment", "message", "message", "error", "close"])
    guard case .open(let open) = events.removeFirst() else { return XCTFail("no open") }
    XCTAssertEqual(open.url, server.url("/s?q"))
    XCTAssertEqual(open.lastEventID, "")
    XCTAssertEqual(open.headers["content-TYPE"], "text/event-stream")
    XCTAssertEqual(open.headers.filter { $0.name.lowercased() == "x-twice" }.map(\.value), ["1", "2"])
    XCTAssertEqual(open.headers["X-Twice"], "1")
    XCTAssertNil(open.headers["absent"])
    XCTAssertEqual(events.removeFirst(), .comment(" hello"))
    let url = server.url("/s?q")
    XCTAssertEqual(
      events.removeFirst(), .message(.init(type: "stock", data: "a\nb", lastEventID: "7", url: url)))
    XCTAssertEqual(
      events.removeFirst(), .message(.init(type: "message", data: "ü\0", lastEventID: "7", url: url)))
    let error = try XCTUnwrap(events.removeFirst().error)
    XCTAssertEqual(error.cause, .ended)
    XCTAssertEqual(error.state, .connecting)
    XCTAssertEqual(error.lastEventID, "7")
    XCTAssertEqual(error.url, url)
    XCTAssertGreaterThan(try XCTUnwrap(error.retryAfter), .zero)
    XCTAssertFalse(error.message.isEmpty)
    XCTAssertEqual(error.errorDescription, error.message)
    let close = try XCTUnwrap(events.removeFirst().close)
    XCTAssertEqual(close.cause, .ended)
    XCTAssertEqual(close.status, 204)
    XCTAssertEqual(close.lastEventID, "7")
    XCTAssertEqual(source.state, .closed)
    let requests = try server.requests()
    XCTAssertEqual(requests.map { $0.header("last-event-id") }, [nil, "7"])
    XCTAssertEqual(requests[0].header("accept"), "text/event-stream")
  }

  /// Row 82: the connection is held open, so what is delivered was delivered at once.
  func testSingleEventsComeAtOnce() async throws {
    let server = try server
    try server.on(
      "/s", #"[["sse", {"body": "data: 1\n\n"}, {"wait_for": "more"}, {"body": "data: 2\n\n"}, "stall"]]"#)
    let source = try EventSource(url: server.url("/s"))
    let first = await source.takeMessages(1)
    XCTAssertEqual(first.map(\.data), ["1"])
    XCTAssertEqual(source.state, .open)
    try server.go("more")
    let second = await source.takeMessages(1)
    XCTAssertEqual(second.map(\.data), ["2"])
  }

  func testABurstIsOneOfFewWakes() async throws {
    let server = try server
    let source = try EventSource(url: server.url("/flood?size=100&count=200000"), configuration: .quick)
    let events = await source.take { $0.error != nil }
    XCTAssertEqual(events.count { $0.message != nil }, 200_000)
    // A wake for each event would be 200,000; a read of 64 KB holds 650 of them.
    XCTAssertLessThan(source.waker.wakes, 20_000)
  }

  func testAWakeThatComesBeforeTheWaitCounts() async throws {
    let waker = Waker()
    let seen = waker.wakes
    waker.wake()
    await waker.wait(after: seen)
    // One wake is for all who wait.
    let waiting = (0..<3).map { _ in Task { [seen = waker.wakes] in await waker.wait(after: seen) } }
    waker.wake()
    for task in waiting { await task.value }
  }

  func testCancellationClosesASuspendedIteration() async throws {
    let server = try server
    try server.on("/s", #"[["sse", {"body": "data: 1\n\n"}, "stall"]]"#)
    let source = try EventSource(url: server.url("/s"))
    let waiting = Task { await source.takeAll() }
    _ = try await server.requests(1)
    try await eventually { source.state == .open }
    waiting.cancel()
    let events = await waiting.value
    XCTAssertNil(try XCTUnwrap(events.last?.close).cause)
    XCTAssertEqual(events.count { $0.close != nil }, 1)
    XCTAssertEqual(source.state, .closed)
    try await server.peerEnd()
  }

  func testCancellationInTheMiddleOfABurst() async throws {
    let server = try server
    let source = try EventSource(url: server.url("/flood?size=100"))
    let task = Task {
      var taken: [EventSource.Event] = []
      for await event in source.events {
        taken.append(event)
        if taken.count == 1000 { withUnsafeCurrentTask { $0?.cancel() } }
      }
      return taken
    }
    let events = await task.value
    XCTAssertEqual(events.count, 1001)
    XCTAssertEqual(events.last?.name, "close")
    try await server.peerEnd()
  }

  func testCancellationInTheTurnOfAnother() async throws {
    // A full buffer holds thousands of these: the next one is there, but nobody wants it any more.
    let source = try EventSource(url: server.url("/flood?size=10"))
    let names = await Task { @MainActor in
      let iteration = Locked<Task<[String], Never>?>(nil)
      // It begins when this one waits.
      let task = Task { @MainActor in
        var names: [String] = []
        for await event in source.events {
          names.append(event.name)
          // It gets its turn within the next call.
          guard names.count == EventSource.burst - 1 else { continue }
          Task { @MainActor in iteration { $0 }?.cancel() }
        }
        return names
      }
      iteration { $0 = task }
      return await task.value
    }.value
    XCTAssertEqual(names.count, EventSource.burst)
    XCTAssertEqual(names.last, "close")
  }

  func testACancelledTaskMakesNoRequest() async throws {
    let server = try server
    let source = try EventSource(url: server.url("/flood"))
    let task = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      return await source.takeAll()
    }
    let events = await task.value
    XCTAssertEqual(events.map(\.name), ["close"])
    XCTAssertEqual(try server.requests().count, 0)
  }

  func testCloseEndsASuspendedIteration() async throws {
    let server = try server
    try server.on("/s", #"[["sse", "stall"]]"#)
    let source = try EventSource(url: server.url("/s"))
    let waiting = Task { await source.takeAll() }
    try await eventually { source.state == .open }
    XCTAssertTrue(source.close())
    XCTAssertFalse(source.close())
    XCTAssertFalse(source.pause())
    XCTAssertFalse(source.resume())
    XCTAssertFalse(source.reconnect())
    XCTAssertFalse(source.retry())
    XCTAssertFalse(try source.setHeader("A", "b"))
    XCTAssertFalse(try source.setURL(server.url("/t")))
    let events = await waiting.value
    XCTAssertEqual(events.map(\.name), ["open", "close"])
    let more = await source.takeAll()
    XCTAssertEqual(more, [])
  }

  func testNothingButCloseFollowsClose() async throws {
    let server = try server
    let source = try EventSource(url: server.url("/flood?size=100"))
    var names: [String] = []
    for await event in source.events {
      names.append(event.name)
      if names.count == 300 { source.close() }
    }
    XCTAssertEqual(names.count, 301)
    XCTAssertEqual(names.last, "close")
  }

  func testTheIteratorKeepsTheSourceOpen() async throws {
    let server = try server
    try server.on("/s", #"[["sse", {"body": "data: 1\n\n"}, {"wait_for": "more"}, {"body": "data: 2\n\n"}, "stall"]]"#)
    weak var weakly: EventSource?
    do {
      var iterator: EventSource.Events.Iterator
      do {
        let source = try EventSource(url: server.url("/s"))
        weakly = source
        iterator = source.events.makeAsyncIterator()
      }
      while let event = await iterator.next(), event.message == nil {}
      try server.go("more")
      let second = await iterator.next()
      XCTAssertEqual(second?.message?.data, "2")
      XCTAssertNotNil(weakly)
    }
    XCTAssertNil(weakly)
    try await server.peerEnd()
  }

  func testTheLastReferenceCloses() async throws {
    let server = try server
    try server.on("/s", #"[["sse", {"body": "data: 1\n\n"}, "stall"]]"#)
    do {
      let source = try EventSource(url: server.url("/s"))
      _ = await source.takeMessages(1)
    }
    try await server.peerEnd()
  }

  func testIteratingAnewGoesOnWithoutLoss() async throws {
    let server = try server
    let source = try EventSource(url: server.url("/resume?every=100&total=300&retry=1"))
    var data: [String] = []
    var closed = false
    while !closed {
      for await event in source.events {
        if let message = event.message {
          data.append(message.data)
          XCTAssertEqual(message.lastEventID, message.data)
        }
        closed = event.close != nil
        break
      }
    }
    XCTAssertEqual(data, (1...300).map(String.init))
  }

  func testOfSeveralIterationsEachEventGoesToOne() async throws {
    let server = try server
    let source = try EventSource(url: server.url("/resume?every=1000&total=5000&retry=1"))
    let all = await withTaskGroup(of: [EventSource.Event].self) { group in
      for _ in 0..<4 { group.addTask { await source.takeAll() } }
      return await group.reduce(into: [[EventSource.Event]]()) { $0.append($1) }
    }
    let numbers = all.map { $0.compactMap { $0.message.flatMap { Int($0.data) } } }
    for part in numbers { XCTAssertEqual(part, part.sorted()) }
    XCTAssertEqual(numbers.joined().sorted(), Array(1...5000))
    XCTAssertEqual(all.joined().count { $0.close != nil }, 1)
  }

  /// One of two leaves after an event of a burst; the other must not be left asleep with the rest.
  func testAnIterationThatLeavesLeavesTheRestToTheOther() async throws {
    let server = try server
    for _ in 0..<50 {
      try server.on("/s", #"[["sse", {"wait_for": "both"}, {"body": "data: 1\n\ndata: 2\n\ndata: 3\n\n"}, "stall"]]"#)
      let source = try EventSource(url: server.url("/s"))
      // Whoever has the last one ends it for both.
      let stays = Task {
        let taken = await source.take { $0.message?.data == "3" }
        source.close()
        return taken
      }
      let leaves = Task {
        let taken = await source.take { $0.message != nil || $0.isOpen }
        if taken.last?.message?.data == "3" { source.close() }
        return taken
      }
      try server.go("both")
      let (one, other) = (await leaves.value, await stays.value)
      XCTAssertEqual((one + other).compactMap { $0.message?.data }.sorted(), ["1", "2", "3"])
    }
  }

  @MainActor private final class Turns {
    var taken = 0
    var over = false

    /// Another of the main queue's, always in line for the next turn.
    func take() {
      taken += 1
      if !over { DispatchQueue.main.async { self.take() } }
    }
  }

  func testABurstLeavesTheMainActorItsTurns() async throws {
    // A full buffer holds thousands of these, so without turns in between a run is far longer than a burst may be.
    let source = try EventSource(url: server.url("/flood?size=10"))
    let longest = await Task { @MainActor in
      let turns = Turns()
      turns.take()
      var (count, run, longest, seen) = (0, 0, 0, 0)
      for await _ in source.events {
        run = turns.taken == seen ? run + 1 : 1
        (seen, longest, count) = (turns.taken, max(longest, run), count + 1)
        if count == 100_000 { break }
      }
      turns.over = true
      return longest
    }.value
    XCTAssertLessThanOrEqual(longest, EventSource.burst + 1)
  }

  func testARefusalTellsWhatTheServerSaid() async throws {
    let server = try server
    try server.on(
      "/s",
      #"[[{"head": {"status": 401, "headers": [["WWW-Authenticate", "Bearer"]], "length": 4}}, {"body": "nope"}]]"#)
    let source = try EventSource(url: server.url("/s"))
    let events = await source.takeAll()
    XCTAssertEqual(events.map(\.name), ["error", "close"])
    let error = try XCTUnwrap(events[0].error)
    XCTAssertEqual(error.cause, .httpStatus)
    XCTAssertEqual(error.status, 401)
    XCTAssertNil(error.retryAfter)
    XCTAssertEqual(error.state, .closed)
    XCTAssertEqual(error.body, "nope")
    XCTAssertEqual(error.headers["www-authenticate"], "Bearer")
    XCTAssertEqual(events[1].close?.cause, .httpStatus)
    XCTAssertEqual(events[1].close?.status, 401)
  }

  func testARefusedTokenIsAnsweredByANewOne() async throws {
    let server = try server
    try server.on("/s", #"[[{"head": {"status": 401}}], ["sse", {"body": "data: in\n\n"}, "stall"]]"#)
    let source = try EventSource(url: server.url("/s"))
    try source.setHeader("Authorization", "old")
    var data: String?
    for await event in source.events {
      if event.error != nil {
        try source.setHeader("Authorization", "new")
        XCTAssertTrue(source.retry(after: .zero))
      }
      data = event.message?.data
      if data != nil { break }
    }
    XCTAssertEqual(data, "in")
    XCTAssertEqual(try server.requests().map { $0.header("authorization") }, ["old", "new"])
    XCTAssertFalse(source.retry())
  }

  func testPauseKeepsThePlace() async throws {
    let server = try server
    try server.on(
      "/s",
      #"[["sse", {"body": "id: 1\ndata: 1\n\n"}, "stall"], ["sse", {"body": "id: 2\ndata: 2\n\n"}, "stall"]]"#)
    let source = try EventSource(url: server.url("/s"))
    _ = await source.takeMessages(1)
    XCTAssertTrue(source.pause())
    XCTAssertEqual(source.state, .paused)
    try await server.peerEnd()
    let next = Task { await source.takeMessages(1) }
    XCTAssertTrue(source.resume())
    let messages = await next.value
    XCTAssertEqual(messages.map(\.data), ["2"])
    XCTAssertEqual(try server.requests().map { $0.header("last-event-id") }, [nil, "1"])
  }

  func testReconnectAndNewAddress() async throws {
    let server = try server
    try server.on("/a", #"[["sse", {"body": "id: 1\ndata: 1\n\n"}, "stall"]]"#)
    try server.on("/b", #"[["sse", {"body": "data: 2\n\n"}, "stall"]]"#)
    let source = try EventSource(url: server.url("/a"))
    try source.setHeader("X-Gone", "1")
    try source.setHeader("X-New", "1")
    _ = await source.takeMessages(1)
    try source.setHeader("x-gone", nil)
    try source.setURL(server.url("/b"))
    XCTAssertTrue(source.reconnect())
    let messages = await source.takeMessages(1)
    XCTAssertEqual(messages, [.init(type: "message", data: "2", lastEventID: "1", url: server.url("/b"))])
    let requests = try server.requests()
    XCTAssertEqual(requests.map(\.target), ["/a", "/b"])
    XCTAssertEqual(requests.map { $0.header("x-gone") }, ["1", nil])
    XCTAssertEqual(requests.map { $0.header("x-new") }, ["1", "1"])
    XCTAssertEqual(requests.map { $0.header("last-event-id") }, [nil, "1"])
  }
}
