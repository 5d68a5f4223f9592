// Every option reaches the library, and what it refuses is thrown with its reason.

import Foundation
import XCTest

@testable import EventSource

final class ConfigurationTests: ServerTestCase {
  private typealias Configuration = EventSource.Configuration

  /// What comes of a request to a path with that script.
  private func events(
    _ script: String = #"["sse", {"body": "data: 1\n\n"}, "stall"]"#, until last: @Sendable (EventSource.Event) -> Bool,
    _ change: (inout Configuration) -> Void
  ) async throws -> [EventSource.Event] {
    let server = try server
    try server.now("reset")
    try server.on("/s", "[\(script)]")
    var configuration = Configuration.quick
    change(&configuration)
    return await (try EventSource(url: server.url("/s"), configuration: configuration)).take(until: last)
  }

  private func request(_ change: (inout Configuration) -> Void) async throws -> TestServer.Request {
    _ = try await events(until: { $0.message != nil || $0.close != nil }, change)
    return try XCTUnwrap(try server.requests().first)
  }

  private func firstError(
    _ script: String, _ change: (inout Configuration) -> Void
  ) async throws -> EventSource.StreamError {
    let events = try await events(script, until: { $0.error != nil || $0.close != nil }, change)
    return try XCTUnwrap(events.last?.error)
  }

  private func assertThrows(
    _ reason: EventSource.UsageError.Reason, url: String = "http://127.0.0.1:1/", containing words: String = "",
    without secret: String? = nil, line: UInt = #line, _ change: (inout Configuration) -> Void = { _ in }
  ) throws {
    var configuration = Configuration()
    change(&configuration)
    let url = try XCTUnwrap(URL(string: url), line: line)
    XCTAssertThrowsError(try EventSource(url: url, configuration: configuration), line: line) { thrown in
      guard let error = thrown as? EventSource.UsageError else { return XCTFail("\(thrown)", line: line) }
      XCTAssertEqual(error.reason, reason, line: line)
      XCTAssertTrue(words.isEmpty || error.message.contains(words), error.message, line: line)
      XCTAssertFalse(error.message.isEmpty, line: line)
      if let secret { XCTAssertFalse("\(error)".contains(secret), line: line) }
      XCTAssertEqual(error.errorDescription, error.message, line: line)
    }
  }

  func testTheRequest() async throws {
    let plain = try await request { _ in }
    XCTAssertEqual(plain.method, "GET")
    XCTAssertEqual(plain.body, "")
    XCTAssertNil(plain.header("last-event-id"))
    XCTAssertEqual(plain.header("accept-encoding"), "identity")

    let full = try await request {
      $0.headers = ["X-Plain": "1", "User-Agent": "me/1", "X-Ünicode-not": "x"].filter { $0.key.allSatisfy(\.isASCII) }
      $0.secretHeaders = ["X-Secret": "2"]
      $0.lastEventID = "seventeen"
      $0.compression = true
    }
    XCTAssertEqual(full.header("x-plain"), "1")
    XCTAssertEqual(full.header("user-agent"), "me/1")
    XCTAssertEqual(full.header("x-secret"), "2")
    XCTAssertEqual(full.header("last-event-id"), "seventeen")
    XCTAssertEqual(full.header("accept-encoding"), "gzip")

    let report = try await request {
      $0.method = "REPORT"
      $0.body = Data("{\"a\": 1}".utf8)
    }
    XCTAssertEqual(report.method, "REPORT")
    XCTAssertEqual(report.body, "{\"a\": 1}")
    let post = try await request { $0.body = Data("x".utf8) }
    XCTAssertEqual(post.method, "POST")
    let empty = try await request { $0.body = Data() }
    XCTAssertEqual(empty.method, "POST")
    XCTAssertEqual(empty.header("content-length"), "0")
  }

  func testTimeouts() async throws {
    let silent = try await firstError(#"["stall"]"#) { $0.responseTimeout = .milliseconds(50) }
    XCTAssertEqual(silent.cause, .timedOut)
    let idle = try await firstError(#"["sse", "stall"]"#) { $0.idleTimeout = .milliseconds(50) }
    XCTAssertEqual(idle.cause, .timedOut)
    // Less than a millisecond is not "none".
    let short = try await firstError(#"["sse", "stall"]"#) { $0.idleTimeout = .nanoseconds(1) }
    XCTAssertEqual(short.cause, .timedOut)
    // This shows nothing on a connection that works.
    _ = try await request { $0.stackSize = 1 << 20 }
  }

  func testTheConnectTimeout() async throws {
    // A proxy that accepts and never answers: the connect timeout covers it.
    let proxy = try TestServer()
    try proxy.now("stop_accepting")
    let error = try await firstError(#"["sse"]"#) {
      $0.proxy = .url(proxy.url(""))
      $0.connectTimeout = .milliseconds(50)
    }
    XCTAssertEqual(error.cause, .timedOut)
    XCTAssertEqual(try proxy.stop(), "[]")
  }

  func testRetries() async throws {
    let once = try await events(#"[{"head": {"status": 503}}, "fin"]"#, until: { $0.close != nil }) {
      $0.maxRetries = 2
      $0.retryDelay = .milliseconds(1)
      $0.maxRetryDelay = .milliseconds(2)
    }
    XCTAssertEqual(once.map(\.name), ["error", "error", "error", "close"])
    XCTAssertEqual(once.map { $0.error?.retryAfter == nil }, [false, false, true, true])
    // Without the limit, it would be 200 ms and more.
    XCTAssertLessThan(try XCTUnwrap(once[1].error?.retryAfter), .milliseconds(10))
    let slow = try await firstError(#"[{"head": {"status": 503}}, "fin"]"#) {
      $0.retryDelay = .seconds(5000)
      $0.maxRetryDelay = .seconds(5000)
    }
    let wait = try XCTUnwrap(slow.retryAfter)
    XCTAssertGreaterThanOrEqual(wait, .seconds(5000))
    XCTAssertLessThanOrEqual(wait, .seconds(6000))
  }

  func testReconnectModes() async throws {
    let script = #"["sse", {"body": "data: 1\n\n"}, "fin"]"#
    let never = try await events(script, until: { $0.close != nil }) { $0.reconnectMode = .never }
    XCTAssertEqual(never.map(\.name), ["open", "message", "close"])
    let post = try await events(script, until: { $0.close != nil }) { $0.body = Data("x".utf8) }
    XCTAssertEqual(post.map(\.name), ["open", "message", "close"])
    XCTAssertEqual(post.last?.close?.cause, .ended)
    let always = try await events(script, until: { $0.error != nil || $0.close != nil }) {
      $0.body = Data("x".utf8)
      $0.reconnectMode = .always
    }
    XCTAssertEqual(always.map(\.name), ["open", "message", "error"])
    XCTAssertNotNil(always.last?.error?.retryAfter)
  }

  func testStandardStatus() async throws {
    let script = #"[{"head": {"status": 204}}, "fin"]"#
    let ours = try await events(script, until: { $0.close != nil }) { _ in }
    XCTAssertEqual(ours.map(\.name), ["close"])
    let standard = try await events(script, until: { $0.close != nil }) { $0.standardStatus = true }
    XCTAssertEqual(standard.map(\.name), ["error", "close"])
  }

  func testLimits() async throws {
    let events = try await events(
      #"["sse", {"body": "data: 12345678901\n\ndata: 1\n\n"}, "stall"]"#, until: { $0.message != nil }
    ) { $0.maxEventSize = 10 }
    XCTAssertEqual(events.map(\.name), ["open", "error", "message"])
    let error = try XCTUnwrap(events[1].error)
    XCTAssertEqual(error.cause, .eventTooLarge)
    XCTAssertEqual(error.state, .open)
    XCTAssertNil(error.retryAfter)
  }

  func testProxies() async throws {
    let refused = try await firstError(#"["sse"]"#) {
      $0.proxy = .url(URL(string: "http://127.0.0.1:1") ?? URL(fileURLWithPath: "/"))
    }
    XCTAssertEqual(refused.cause, .proxy)
    setenv("http_proxy", "http://127.0.0.1:1", 1)
    defer { unsetenv("http_proxy") }
    let environment = try await firstError(#"["sse"]"#) { $0.proxy = .environment }
    XCTAssertEqual(environment.cause, .proxy)
    let none = try await events(until: { $0.message != nil || $0.error != nil }) { _ in }
    XCTAssertEqual(none.map(\.name), ["open", "message"])
  }

  func testTrust() async throws {
    let secure = try TestServer(tls: "{}")
    let pem = Data(try XCTUnwrap(secure.at.ca_pem).utf8)
    let pin = try XCTUnwrap(secure.at.leaf_pin)
    try secure.on("/s", #"[["sse", {"body": "data: 1\n\n"}, "stall"]]"#)
    func first(_ change: (inout Configuration) -> Void) async throws -> EventSource.StreamError.Cause? {
      var configuration = Configuration.quick
      change(&configuration)
      let source = try EventSource(url: secure.url("/s"), configuration: configuration)
      return await source.take { $0.message != nil || $0.error != nil }.last?.error?.cause
    }
    let outcomes = [
      try await first { _ in },
      try await first { $0.additionalAuthorities = pem },
      try await first { $0.onlyAuthorities = pem },
      try await first {
        $0.onlyAuthorities = pem
        $0.pins = ["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", pin]
        $0.httpsOnly = true
      },
      try await first {
        $0.onlyAuthorities = pem
        $0.pins = ["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]
      },
    ]
    XCTAssertEqual(outcomes, [.tls, nil, nil, nil, .tls])
    XCTAssertEqual(try secure.stop(), "[]")
  }

  func testIdentity() async throws {
    let secure = try TestServer(tls: #"{"client_ca": true}"#)
    let pem = Data(try XCTUnwrap(secure.at.ca_pem).utf8)
    let answer = try secure.now("client_identity", #"{"name": "me"}"#)
    let identity = try JSONDecoder().decode(String.self, from: answer)
    try secure.on("/s", #"[["sse", {"body": "data: 1\n\n"}, "stall"]]"#)
    for known in [true, false] {
      var configuration = Configuration.quick
      configuration.onlyAuthorities = pem
      if known { configuration.identity = Data(identity.utf8) }
      let source = try EventSource(url: secure.url("/s"), configuration: configuration)
      let last = await source.take { $0.message != nil || $0.error != nil }.last
      XCTAssertEqual(last?.name, known ? "message" : "error")
    }
    XCTAssertEqual(try secure.stop(), "[]")
  }

  /// A wrong value is an error of its kind with the library's own words.
  func testWhatIsRefused() throws {
    try assertThrows(.invalidURL, url: "ftp://example.test/", containing: "http")
    try assertThrows(.invalidURL, url: "http://example.test:65536/", containing: "http")
    try assertThrows(.invalidURL, url: "relative", containing: "http")
    try assertThrows(.invalidURL, containing: "http") { $0.httpsOnly = true }
    try assertThrows(.invalidHeader, containing: "Content-Length cannot be set") {
      $0.headers = ["Content-Length": "1"]
    }
    try assertThrows(.invalidHeader, containing: "A") { $0.headers = ["A": "b\r\nC: d"] }
    try assertThrows(.invalidHeader, containing: "header name") { $0.secretHeaders = ["": "b"] }
    try assertThrows(.invalidArgument, containing: "TRACE") { $0.method = "TRACE" }
    try assertThrows(.invalidArgument, containing: "method") { $0.method = "GE T" }
    try assertThrows(.invalidArgument, containing: "method") { $0.method = "" }
    try assertThrows(.invalidHeader) { $0.lastEventID = "a\n" }
    try assertThrows(.invalidArgument, containing: "largest event size") { $0.maxEventSize = 0 }
    try assertThrows(.invalidArgument, containing: "largest event size") { $0.maxEventSize = -1 }
    try assertThrows(.invalidArgument, containing: "stack size") { $0.stackSize = 1 }
    try assertThrows(.invalidArgument, containing: "stack size") { $0.stackSize = -1 }
    try assertThrows(.invalidArgument, containing: "stack size") { $0.stackSize = .max }
    try assertThrows(.invalidCertificate, containing: "certificate") {
      $0.additionalAuthorities = Data("nonsense".utf8)
    }
    try assertThrows(.invalidCertificate, containing: "certificate") { $0.onlyAuthorities = Data() }
    try assertThrows(.invalidCertificate, containing: "private key") { $0.identity = Data() }
    try assertThrows(.invalidCertificate, containing: "pin") { $0.pins = ["short"] }
    try assertThrows(.invalidURL, containing: "the proxy") { $0.proxy = .url(URL(fileURLWithPath: "/")) }
    setenv("all_proxy", "ftp://127.0.0.1", 1)
    defer { unsetenv("all_proxy") }
    try assertThrows(.invalidURL, containing: "proxy") { $0.proxy = .environment }
    // The first that the library refused.
    try assertThrows(.invalidArgument, containing: "TRACE") {
      $0.method = "TRACE"
      $0.maxEventSize = 0
    }
  }

  /// What C could not even be told: numbers below zero, texts that hold a NUL.
  func testWhatCannotBePassedOn() throws {
    try assertThrows(.invalidArgument, containing: "below zero") { $0.idleTimeout = .milliseconds(-1) }
    try assertThrows(.invalidArgument, containing: "below zero") { $0.connectTimeout = .nanoseconds(-1) }
    try assertThrows(.invalidArgument, containing: "below zero") { $0.responseTimeout = .seconds(-1) }
    try assertThrows(.invalidArgument, containing: "below zero") { $0.keepAlive = .seconds(-1) }
    try assertThrows(.invalidArgument, containing: "below zero") { $0.retryDelay = .seconds(-1) }
    try assertThrows(.invalidArgument, containing: "below zero") { $0.maxRetryDelay = .seconds(-1) }
    try assertThrows(.invalidArgument, containing: "below zero") { $0.maxRetries = -1 }
    try assertThrows(.invalidHeader, containing: "a header's name holds a NUL") { $0.headers = ["A\0": "b"] }
    try assertThrows(.invalidArgument, containing: "the method holds a NUL") { $0.method = "GET\0" }
    try assertThrows(.invalidHeader, containing: "the last event ID holds a NUL") { $0.lastEventID = "a\0" }
    try assertThrows(.invalidCertificate, containing: "a pin holds a NUL") { $0.pins = ["a\0"] }
    // A value may be a secret.
    for secret in [false, true] {
      try assertThrows(.invalidHeader, containing: "a header's value holds a NUL", without: "hunter2") {
        if secret { $0.secretHeaders = ["A": "hunter2\0"] } else { $0.headers = ["A": "hunter2\0"] }
      }
    }
  }

  func testWhatASourceRefuses() throws {
    let source = try EventSource(url: server.url("/s"))
    func assertThrows(_ reason: EventSource.UsageError.Reason, _ call: () throws -> Bool, line: UInt = #line) {
      XCTAssertThrowsError(try call(), line: line) {
        XCTAssertEqual(($0 as? EventSource.UsageError)?.reason, reason, line: line)
        XCTAssertEqual(($0 as? EventSource.UsageError)?.message.isEmpty, false, line: line)
      }
    }
    assertThrows(.invalidHeader) { try source.setHeader("Host", "x") }
    assertThrows(.invalidHeader) { try source.setHeader("A", "b\n", secret: true) }
    assertThrows(.invalidHeader) { try source.setHeader("A\0", nil) }
    assertThrows(.invalidHeader) { try source.setHeader("A", "\0") }
    assertThrows(.invalidURL) { try source.setURL(URL(fileURLWithPath: "/")) }
  }

  /// As the kernel has it, of the one connection there is to that server.
  func testKeepAlive() async throws {
    let server = try server
    try server.on("/s", #"[["sse", {"body": "data: 1\n\n"}, "stall"]]"#)
    for (keepAlive, expected) in [(Duration.seconds(77), [1, 77]), (.zero, [0]), (.milliseconds(1), [1, 1])] {
      var configuration = Configuration.quick
      configuration.keepAlive = keepAlive
      let source = try EventSource(url: server.url("/s"), configuration: configuration)
      _ = await source.takeMessages(1)
      let port = try XCTUnwrap(server.url("/").port)
      #if os(Linux)
        let sockets = (3..<1024).filter { peerPort(of: $0) == port }
        XCTAssertEqual(sockets.count, 1)
        let found = [
          option(sockets[0], SOL_SOCKET, SO_KEEPALIVE), option(sockets[0], Int32(IPPROTO_TCP), TCP_KEEPIDLE),
        ]
        XCTAssertEqual(Array(found.prefix(expected.count)), expected)
      #endif
      source.close()
      _ = await source.takeAll()
      try await eventually { !(3..<1024).contains { peerPort(of: $0) == port } }
    }
  }

  private func peerPort(of socket: Int32) -> Int? {
    var address = sockaddr_in()
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let known = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getpeername(socket, $0, &length) == 0 }
    }
    return known && address.sin_family == sa_family_t(AF_INET) ? Int(UInt16(bigEndian: address.sin_port)) : nil
  }

  private func option(_ socket: Int32, _ level: Int32, _ name: Int32) -> Int {
    var value: Int32 = -1
    var length = socklen_t(MemoryLayout.size(ofValue: value))
    getsockopt(socket, level, name, &value, &length)
    return Int(value)
  }

  func testSecretHeadersStayWithTheOrigin() async throws {
    let server = try server
    let other = try TestServer()
    try server.on("/s", #"[[{"redirect": [307, "\#(other.at.url)/t"]}]]"#)
    try other.on("/t", #"[["sse", {"body": "data: 1\n\n"}, "stall"]]"#)
    var configuration = Configuration()
    configuration.headers = ["X-Plain": "1", "Authorization": "2"]
    configuration.secretHeaders = ["X-Secret": "3"]
    let source = try EventSource(url: server.url("/s"), configuration: configuration)
    try source.setHeader("X-Late", "4", secret: true)
    _ = await source.takeMessages(1)
    func sent(_ server: TestServer) throws -> [[String?]] {
      try server.requests().map { request in
        ["x-plain", "authorization", "x-secret", "x-late"].map { request.header($0) }
      }
    }
    XCTAssertEqual(try sent(server), [["1", "2", "3", "4"]])
    XCTAssertEqual(try sent(other), [["1", nil, nil, nil]])
    XCTAssertEqual(try other.stop(), "[]")
  }

  func testCredentialsInTheURLDoNotShow() async throws {
    let server = try server
    try server.on("/s", #"[["sse", {"body": "data: 1\n\n"}, "fin"], [{"head": {"status": 404}}]]"#)
    let url = try XCTUnwrap(URL(string: server.at.url.replacing("http://", with: "http://user:hunter2@") + "/s?q"))
    let asked = Locked<[EventSource.Attempt]>([])
    var configuration = Configuration.quick
    configuration.headerProvider = { attempt in
      asked { $0.append(attempt) }
      return [:]
    }
    let source = try EventSource(url: url, configuration: configuration)
    let events = await source.takeAll()
    XCTAssertEqual(events.map(\.name), ["open", "message", "error", "error", "close"])
    XCTAssertEqual(events[1].message?.url, server.url("/s?q"))
    XCTAssertEqual(asked { $0 }.map(\.url), [server.url("/s?q"), server.url("/s?q")])
    var dumped = ""
    dump((events, asked { $0 }, source, EventReader(url: url)), to: &dumped)
    XCTAssertTrue(dumped.contains("/s?q"))
    XCTAssertFalse(dumped.contains("hunter2"))
    XCTAssertEqual(try server.requests().map { $0.header("authorization") }.first, "Basic dXNlcjpodW50ZXIy")
  }

  func testInternationalNames() async throws {
    let asked = Locked<URL?>(nil)
    var configuration = Configuration()
    configuration.headerProvider = { attempt in
      asked { $0 = attempt.url }
      throw CancellationError()
    }
    let url = try XCTUnwrap(URL(string: "http://user:pass@bücher.invalid/ä?ö"))
    let source = try EventSource(url: url, configuration: configuration)
    let error = await source.take { $0.error != nil }.last?.error
    XCTAssertEqual(asked { $0 }?.absoluteString, "http://xn--bcher-kva.invalid/%C3%A4?%C3%B6")
    XCTAssertEqual(error?.url, asked { $0 })
    try source.setURL(try XCTUnwrap(URL(string: "http://日本語。例え.invalid/")))
    source.retry(after: .zero)
    _ = await source.take { $0.error != nil }
    XCTAssertEqual(asked { $0 }?.absoluteString, "http://xn--wgv71a119e.xn--r8jz45g.invalid/")
  }

  func testSecretsDoNotShow() {
    var configuration = Configuration()
    configuration.headers = ["Authorization": "hunter2"]
    configuration.secretHeaders = ["X-Key": "hunter2"]
    configuration.identity = Data("hunter2".utf8)
    var dumped = "\(configuration)" + String(reflecting: configuration)
    dump(configuration, to: &dumped)
    XCTAssertTrue(dumped.contains("X-Key"))
    XCTAssertFalse(dumped.contains("hunter2"))
  }

  func testDurations() {
    XCTAssertEqual(Duration.zero.wholeMilliseconds, 0)
    XCTAssertEqual(Duration.seconds(-3).wholeMilliseconds, 0)
    XCTAssertEqual(Duration.nanoseconds(1).wholeMilliseconds, 1)
    XCTAssertEqual(Duration.milliseconds(1500).wholeMilliseconds, 1500)
    XCTAssertEqual(Duration.microseconds(1_500_001).wholeMilliseconds, 1501)
    XCTAssertEqual(Duration.seconds(Int64.max).wholeMilliseconds, .max)
    XCTAssertEqual(Duration.seconds(Int64.max / 1000).wholeMilliseconds, Int64.max / 1000 * 1000)
    XCTAssertEqual(
      (Duration.seconds(Int64.max / 1000) - .nanoseconds(1)).wholeMilliseconds, Int64.max / 1000 * 1000)
    // More seconds than an Int64 holds.
    XCTAssertEqual((Duration.seconds(Int64.max) * 2).wholeMilliseconds, .max)
    XCTAssertEqual((Duration.seconds(Int64.max) * -2).wholeMilliseconds, 0)
  }

  func testForEver() async throws {
    let forEver = Duration.seconds(Int64.max) * 2
    let server = try server
    try server.on("/s", #"[["sse", {"body": "data: 1\n\n"}, "fin"]]"#)
    var configuration = Configuration()
    configuration.connectTimeout = forEver
    configuration.responseTimeout = forEver
    configuration.idleTimeout = forEver
    configuration.keepAlive = forEver
    configuration.retryDelay = forEver
    configuration.maxRetryDelay = forEver
    let source = try EventSource(url: server.url("/s"), configuration: configuration)
    var names: [String] = []
    for await event in source.events {
      names.append(event.name)
      guard event.error != nil else { continue }
      XCTAssertTrue(source.retry(after: forEver))
      source.close()
    }
    XCTAssertEqual(names, ["open", "message", "error", "close"])
    XCTAssertEqual(try server.requests().count, 1)
  }

  func testTheVersion() {
    XCTAssertNotNil(EventSource.libraryVersion.wholeMatch(of: /\d+\.\d+\.\d+.*/))
  }

  func testTheLog() async throws {
    let server = try server
    let heard = Locked<[String]>([])
    weak var captured: Heard?
    do {
      let object = Heard()
      captured = object
      try EventSource.setLog(upTo: .trace) { level, target, message in
        withExtendedLifetime(object) { heard { $0.append("\(level) \(target) \(message)") } }
      }
    }
    try server.on("/s", #"[["sse", {"body": "data: 1\n\n"}, "stall"]]"#)
    let source = try EventSource(url: server.url("/s"))
    _ = await source.takeMessages(1)
    XCTAssertNotNil(captured)
    try EventSource.setLog(nil)
    XCTAssertNil(captured)
    let lines = heard { $0 }
    XCTAssertFalse(lines.isEmpty)
    source.reconnect()
    _ = await source.takeMessages(1)
    XCTAssertEqual(heard { $0 }, lines)
    XCTAssertTrue(EventSource.LogLevel.error < .trace)
  }
}
