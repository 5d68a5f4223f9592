// The header provider: asked before each attempt, waited for, and not waited for any longer than that makes sense.

import Foundation
import XCTest

@testable import EventSource

final class ProviderTests: ServerTestCase {
  /// An answer that a test gives when it likes; cancellation changes nothing about it.
  private final class Stubborn: Sendable {
    private let state = Locked<(asked: [EventSource.Attempt], waiting: [CheckedContinuation<[String: String], Never>])>(
      ([], []))

    var asked: [EventSource.Attempt] { state { $0.asked } }

    @Sendable func ask(_ attempt: EventSource.Attempt) async -> [String: String] {
      await withCheckedContinuation { continuation in
        state {
          $0.asked.append(attempt)
          $0.waiting.append(continuation)
        }
      }
    }

    func answer(_ headers: [String: String]) {
      let waiting = state { state in
        defer { state.waiting = [] }
        return state.waiting
      }
      for continuation in waiting { continuation.resume(returning: headers) }
    }
  }

  func testEachAttemptHasItsOwnHeaders() async throws {
    let server = try server
    let asked = Locked<[EventSource.Attempt]>([])
    var configuration = EventSource.Configuration.quick
    configuration.lastEventID = "0"
    configuration.headerProvider = { attempt in
      let count = asked {
        $0.append(attempt)
        return $0.count
      }
      // In its own time.
      await Task.yield()
      return ["X-Attempt": "\(count)"]
    }
    let url = server.url("/resume?every=2&total=6&retry=1")
    let source = try EventSource(url: url, configuration: configuration)
    let events = await source.takeAll()
    XCTAssertEqual(events.compactMap { $0.message?.data }, ["1", "2", "3", "4", "5", "6"])
    XCTAssertEqual(try server.requests().map { $0.header("x-attempt") }, ["1", "2", "3", "4"])
    XCTAssertEqual(asked { $0 }.map(\.lastEventID), ["0", "2", "4", "6"])
    XCTAssertEqual(asked { $0 }.map(\.url), [url, url, url, url])
  }

  func testTheSameForHandlers() async throws {
    let server = try server
    let stubborn = Stubborn()
    var configuration = EventSource.Configuration.quick
    configuration.headerProvider = stubborn.ask
    try server.on("/s", #"[["sse", {"body": "data: 1\n\n"}, "stall"]]"#)
    let source = try EventSource(url: server.url("/s"), configuration: configuration)
    let heard = Heard()
    try source.onEvent(on: .global()) { heard.add($0) }
    try await eventually { stubborn.asked.count == 1 }
    XCTAssertEqual(try server.requests().count, 0)
    stubborn.answer(["Authorization": "token"])
    try await eventually { heard.data == ["1"] }
    XCTAssertEqual(try server.requests().map { $0.header("authorization") }, ["token"])
  }

  func testWhatItGivesStaysWithTheOrigin() async throws {
    let server = try server
    let other = try TestServer()
    try server.on("/s", #"[[{"redirect": [302, "\#(other.at.url)/t"]}]]"#)
    try other.on("/t", #"[["sse", {"body": "data: 1\n\n"}, "stall"]]"#)
    var configuration = EventSource.Configuration()
    configuration.headerProvider = { _ in ["X-Token": "secret"] }
    let source = try EventSource(url: server.url("/s"), configuration: configuration)
    let messages = await source.takeMessages(1)
    XCTAssertEqual(messages.map(\.url), [other.url("/t")])
    XCTAssertEqual(try server.requests().map { $0.header("x-token") }, ["secret"])
    XCTAssertEqual(try other.requests().map { $0.header("x-token") }, [nil])
    XCTAssertEqual(try other.stop(), "[]")
  }

  func testWhatItLeavesOutIsNotSent() async throws {
    let server = try server
    let answers = Locked<[[String: String]]>([
      ["X-Token": "1", "X-Left-Out": "1", "X-Ours": "1", "Last-Event-ID": "0"], ["x-token": "2"], ["X-Left-Out": "3"],
      [:],
    ])
    var configuration = EventSource.Configuration.quick
    configuration.headers = ["X-Always": "1"]
    configuration.headerProvider = { _ in answers { $0.removeFirst() } }
    let source = try EventSource(url: server.url("/resume?every=2&total=6&retry=1"), configuration: configuration)
    var data: [String] = []
    for await event in source.events {
      guard let message = event.message else { continue }
      if data.isEmpty { try source.setHeader("x-ours", "app") }
      data.append(message.data)
    }
    XCTAssertEqual(data, ["1", "2", "3", "4", "5", "6"])
    let requests = try server.requests()
    XCTAssertEqual(requests.map { $0.header("x-token") }, ["1", "2", nil, nil])
    XCTAssertEqual(requests.map { $0.header("x-left-out") }, ["1", nil, "3", nil])
    XCTAssertEqual(requests.map { $0.header("x-ours") }, ["1", "app", "app", "app"])
    XCTAssertEqual(requests.map { $0.header("x-always") }, ["1", "1", "1", "1"])
    XCTAssertEqual(requests.map { $0.header("last-event-id") }, ["0", "2", "4", "6"])
  }

  /// The answer for the old URL is no answer, be it pending or given but not yet taken.
  func testANewURLIsAskedForAnew() async throws {
    let server = try server
    for given in [false, true] {
      let other = try TestServer()
      try other.on("/t", #"[["sse", {"body": "data: 1\n\n"}, "stall"]]"#)
      let stubborn = Stubborn()
      var configuration = EventSource.Configuration.quick
      configuration.connectTimeout = .zero
      configuration.headerProvider = stubborn.ask
      configuration.lastEventID = "0"
      let source = try EventSource(url: server.url("/s"), configuration: configuration)
      let heard = Heard()
      let queue = DispatchQueue(label: "test")
      try source.onEvent(on: queue) { heard.add($0) }
      try await eventually { stubborn.asked.count == 1 }
      // From within, so that it is not half-way through anything.
      queue.sync { queue.suspend() }
      if given {
        stubborn.answer(["X-Token": "old"])
        // For it to be taken note of; the test holds for any time.
        try await Task.sleep(for: .milliseconds(50))
      }
      let withCredentials = other.url("/t#there").absoluteString.replacingOccurrences(of: "://", with: "://a:b@")
      XCTAssertTrue(try source.setURL(try XCTUnwrap(URL(string: withCredentials))))
      queue.resume()
      try await eventually { stubborn.asked.count == 2 }
      XCTAssertEqual(stubborn.asked.last, EventSource.Attempt(url: other.url("/t"), lastEventID: "0"))
      XCTAssertEqual(try other.requests().count, 0)
      // The one it is being asked for.
      try source.setURL(other.url("/t"))
      stubborn.answer(["X-Token": "new"])
      try await eventually { heard.data == ["1"] }
      XCTAssertEqual(try other.requests().map { $0.header("x-token") }, ["new"])
      XCTAssertEqual(stubborn.asked.count, 2)
      source.close()
      XCTAssertEqual(try other.stop(), "[]")
    }
    XCTAssertEqual(try server.requests().count, 0)
  }

  func testItMaySetTheURLItself() async throws {
    let server = try server
    try server.on("/rest", #"[["sse", {"body": "data: 1\n\n"}, "stall"]]"#)
    let asked = Locked(0)
    let made = Locked<EventSource?>(nil)
    var configuration = EventSource.Configuration.quick
    configuration.headerProvider = { _ in
      let count = asked {
        $0 += 1
        return $0
      }
      // Another one each time, and from a task of its own, too.
      try made { $0 }?.setURL(server.url("/other?\(count)"))
      try await Task { _ = try made { $0 }?.setURL(server.url("/rest")) }.value
      return ["X-Token": "\(count)"]
    }
    let source = try EventSource(url: server.url("/s"), configuration: configuration)
    made { $0 = source }
    let data = await source.takeMessages(1).map(\.data)
    XCTAssertEqual(data, ["1"])
    XCTAssertEqual(asked { $0 }, 1)
    XCTAssertEqual(try server.requests().map { $0.header("x-token") }, ["1"])
    made { $0 = nil }
    source.close()
  }

  func testANewURLCancelsIt() async throws {
    let server = try server
    try server.on("/t", #"[["sse", {"body": "data: 1\n\n"}, "stall"]]"#)
    let (asked, cancelled) = (Locked(0), Locked(0))
    var configuration = EventSource.Configuration.quick
    configuration.connectTimeout = .zero
    configuration.headerProvider = { attempt in
      asked { $0 += 1 }
      guard attempt.url.path == "/s" else { return ["X-For": attempt.url.path] }
      do { try await Task.sleep(for: .seconds(3600)) } catch { cancelled { $0 += 1 } }
      return ["X-For": attempt.url.path]
    }
    let source = try EventSource(url: server.url("/s"), configuration: configuration)
    let messages = Task { await source.takeMessages(1) }
    try await eventually { asked { $0 } == 1 }
    // What is refused changes nothing.
    XCTAssertThrowsError(try source.setURL(try XCTUnwrap(URL(string: "ftp://127.0.0.1/"))))
    try source.setURL(server.url("/t"))
    let data = await messages.value.map(\.data)
    XCTAssertEqual(data, ["1"])
    try await eventually { cancelled { $0 } == 1 }
    XCTAssertEqual(asked { $0 }, 2)
    XCTAssertEqual(try server.requests().map { $0.header("x-for") }, ["/t"])
  }

  func testItMayTakeItsTime() async throws {
    let server = try server
    for timeout in [Duration.seconds(Int64.max), .seconds(Int64.max) * 2] {
      try server.on("/s", #"[["sse", {"body": "data: 1\n\n"}, "stall"]]"#)
      let stubborn = Stubborn()
      var configuration = EventSource.Configuration.quick
      configuration.connectTimeout = timeout
      configuration.headerProvider = stubborn.ask
      let source = try EventSource(url: server.url("/s"), configuration: configuration)
      let messages = Task { await source.takeMessages(1) }
      try await eventually { stubborn.asked.count == 1 }
      // For the clock to be set.
      try await Task.sleep(for: .milliseconds(50))
      stubborn.answer([:])
      let data = await messages.value.map(\.data)
      XCTAssertEqual(data, ["1"])
    }
  }

  func testAThrowFailsTheAttempt() async throws {
    struct NoToken: Error {}
    let server = try server
    try server.on("/s", #"[["sse", {"body": "data: 1\n\n"}, "stall"]]"#)
    let first = Locked(true)
    var configuration = EventSource.Configuration.quick
    configuration.headerProvider = { _ in
      let fail = first {
        $0.toggle()
        return !$0
      }
      if fail { throw NoToken() }
      return [:]
    }
    let source = try EventSource(url: server.url("/s"), configuration: configuration)
    let events = await source.take { $0.message != nil }
    XCTAssertEqual(events.map(\.name), ["error", "open", "message"])
    let error = try XCTUnwrap(events[0].error)
    XCTAssertEqual(error.cause, .application)
    XCTAssertNotNil(error.retryAfter)
    XCTAssertTrue(error.message.contains("NoToken"), error.message)
    XCTAssertEqual(try server.requests().count, 1)
  }

  func testAHeaderThatCannotBeSentFailsTheAttempt() async throws {
    let server = try server
    for bad in [["X-Bad": "a\r\nb"], ["X-Bad": "a\0b"], ["Bad Name": "a"]] {
      var configuration = EventSource.Configuration.quick
      configuration.headerProvider = { _ in bad }
      configuration.maxRetries = 0
      let source = try EventSource(url: server.url("/echo"), configuration: configuration)
      let events = await source.takeAll()
      XCTAssertEqual(events.map(\.name), ["error", "close"])
      XCTAssertEqual(events[0].error?.cause, .application)
    }
    XCTAssertEqual(try server.requests().count, 0)
  }

  func testOneThatNeverAnswersFailsTheAttempt() async throws {
    let server = try server
    let stubborn = Stubborn()
    var configuration = EventSource.Configuration.quick
    configuration.connectTimeout = .milliseconds(50)
    configuration.maxRetries = 0
    configuration.headerProvider = stubborn.ask
    let source = try EventSource(url: server.url("/echo"), configuration: configuration)
    let events = await source.takeAll()
    XCTAssertEqual(events.map(\.name), ["error", "close"])
    XCTAssertEqual(events[0].error?.cause, .application)
    XCTAssertEqual(try server.requests().count, 0)
    // It may be asked after its time is up.
    try await eventually { stubborn.asked.count == 1 }
    stubborn.answer([:])
  }

  func testCloseDoesNotWaitForIt() async throws {
    let server = try server
    for handler in [false, true] {
      let stubborn = Stubborn()
      var configuration = EventSource.Configuration.quick
      configuration.connectTimeout = .zero
      configuration.headerProvider = stubborn.ask
      let source = try EventSource(url: server.url("/echo"), configuration: configuration)
      let heard = Heard()
      let iteration = handler ? nil : Task { for await event in source.events { heard.add(event) } }
      if handler { try source.onEvent(on: .global()) { heard.add($0) } }
      try await eventually { stubborn.asked.count == 1 }
      source.close()
      try await eventually { heard.names == ["close"] }
      await iteration?.value
      stubborn.answer(["X": "late"])
    }
    XCTAssertEqual(try server.requests().count, 0)
  }

  func testCancellationReachesIt() async throws {
    let cancelled = expectation(description: "cancelled")
    let asked = expectation(description: "asked")
    var configuration = EventSource.Configuration.quick
    configuration.connectTimeout = .zero
    configuration.headerProvider = { _ in
      asked.fulfill()
      do { try await Task.sleep(for: .seconds(3600)) } catch { cancelled.fulfill() }
      return [:]
    }
    let source = try EventSource(url: server.url("/echo"), configuration: configuration)
    let iteration = Task { await source.takeAll() }
    await fulfillment(of: [asked], timeout: 60)
    iteration.cancel()
    await fulfillment(of: [cancelled], timeout: 60)
    let events = await iteration.value
    XCTAssertEqual(events.map(\.name), ["close"])
  }

  func testTheLastReferenceDoesNotWaitForIt() async throws {
    let stubborn = Stubborn()
    weak var weakly: EventSource?
    do {
      var configuration = EventSource.Configuration.quick
      configuration.connectTimeout = .zero
      configuration.headerProvider = stubborn.ask
      let source = try EventSource(url: server.url("/echo"), configuration: configuration)
      weakly = source
      try source.onEvent(on: .global()) { _ in XCTFail("nothing happens") }
      try await eventually { stubborn.asked.count == 1 }
    }
    try await eventually { weakly == nil }
    stubborn.answer([:])
  }

  func testTheLastReferenceCancelsIt() async throws {
    let cancelled = expectation(description: "cancelled")
    do {
      let asked = Locked(false)
      var configuration = EventSource.Configuration.quick
      configuration.connectTimeout = .zero
      configuration.headerProvider = { _ in
        asked { $0 = true }
        do { try await Task.sleep(for: .seconds(3600)) } catch { cancelled.fulfill() }
        return [:]
      }
      let source = try EventSource(url: server.url("/echo"), configuration: configuration)
      try source.onEvent(on: .global()) { _ in XCTFail("nothing happens") }
      try await eventually { asked { $0 } }
    }
    await fulfillment(of: [cancelled], timeout: 60)
  }

  func testPauseAndReconnectAbandonItsAnswer() async throws {
    let server = try server
    try server.on("/s", #"[["sse", {"body": "data: 1\n\n"}, "stall"]]"#)
    let stubborn = Stubborn()
    var configuration = EventSource.Configuration.quick
    configuration.connectTimeout = .zero
    configuration.headerProvider = stubborn.ask
    let source = try EventSource(url: server.url("/s"), configuration: configuration)
    let messages = Task { await source.takeMessages(1) }
    try await eventually { stubborn.asked.count == 1 }
    source.pause()
    XCTAssertEqual(source.state, .paused)
    source.resume()
    try await eventually { stubborn.asked.count == 2 }
    source.reconnect()
    try await eventually { stubborn.asked.count == 3 }
    XCTAssertEqual(try server.requests().count, 0)
    stubborn.answer(["X-Token": "1"])
    let data = await messages.value.map(\.data)
    XCTAssertEqual(data, ["1"])
    XCTAssertEqual(try server.requests().count, 1)
  }

  func testEachOfThemCancelsIt() async throws {
    let (asked, cancelled) = (Locked(0), Locked(0))
    var configuration = EventSource.Configuration.quick
    configuration.connectTimeout = .zero
    configuration.headerProvider = { _ in
      asked { $0 += 1 }
      do { try await Task.sleep(for: .seconds(3600)) } catch { cancelled { $0 += 1 } }
      return [:]
    }
    let source = try EventSource(url: server.url("/echo"), configuration: configuration)
    let iteration = Task { await source.takeAll() }
    try await eventually { asked { $0 } == 1 }
    source.reconnect()
    try await eventually { asked { $0 } == 2 && cancelled { $0 } == 1 }
    source.pause()
    try await eventually { cancelled { $0 } == 2 }
    source.resume()
    try await eventually { asked { $0 } == 3 }
    source.close()
    try await eventually { cancelled { $0 } == 3 }
    let events = await iteration.value
    XCTAssertEqual(events.map(\.name), ["close"])
    XCTAssertEqual(try server.requests().count, 0)
  }

  /// As in an app whose object has both the source and the token.
  func testOneThatHoldsTheSourceIsDroppedAtTheEnd() async throws {
    final class Owner: Sendable {
      let source = Locked<EventSource?>(nil)
    }
    let server = try server
    try server.on("/ours", #"[["sse", {"body": "data: 1\n\n"}, "stall"]]"#)
    try server.on("/theirs", #"[[{"head": {"status": 204}}]]"#)
    for path in ["/ours", "/theirs", "/never"] {
      weak var weakly: Owner?
      do {
        let owner = Owner()
        weakly = owner
        var configuration = EventSource.Configuration.quick
        configuration.headerProvider = { _ in withExtendedLifetime(owner) { [:] } }
        let source = try EventSource(url: server.url(path), configuration: configuration)
        owner.source { $0 = source }
        switch path {
        case "/ours": _ = await source.takeMessages(1)
        case "/theirs": _ = await source.takeAll()
        default: break
        }
        if path != "/theirs" { source.close() }
      }
      try await eventually { weakly == nil }
    }
  }

  /// Whenever a reconnect or a new URL falls, the attempt after it has asked, and for where it goes.
  func testNoAttemptGoesWithoutAsking() async throws {
    let server = try server
    for path in ["/s", "/t"] { try server.on(path, #"[["sse", "stall"]]"#) }
    var configuration = EventSource.Configuration.quick
    configuration.headerProvider = { attempt in
      // Time for a new URL to come in between.
      try await Task.sleep(for: .milliseconds(20))
      return ["X-Asked": UUID().uuidString, "X-For": attempt.url.path]
    }
    let source = try EventSource(url: server.url("/s"), configuration: configuration)
    let iteration = Task { await source.takeAll() }
    for round in 0..<20 {
      for _ in 0..<50 {
        source.reconnect()
        await Task.yield()
      }
      try await Task.sleep(for: .milliseconds(Int.random(in: 0..<120)))
      try source.setURL(server.url(Bool.random() ? "/s" : "/t"))
      try await Task.sleep(for: .milliseconds(Int.random(in: 0..<120)))
      // Some attempts come to something for certain.
      if round % 5 == 4 { try await eventually { source.state == .open } }
    }
    try await eventually { source.state == .open }
    source.close()
    let events = await iteration.value
    XCTAssertEqual(events.count { $0.error != nil }, 0)
    let requests = try server.requests()
    XCTAssertEqual(requests.map { $0.header("x-for") }, requests.map(\.target))
    let headers = requests.map { $0.header("x-asked") }
    XCTAssertGreaterThan(headers.count, 2)
    XCTAssertFalse(headers.contains(nil))
    XCTAssertEqual(Set(headers).count, headers.count, "each attempt its own")
  }
}
