// Drives the scripted server of tests/server over its control port, whose address is in EVENTSOURCE_TEST_CONTROL.

import Foundation
import XCTest

@testable import EventSource

#if canImport(Darwin)
  private let streamSocket = SOCK_STREAM
#else
  private let streamSocket = Int32(SOCK_STREAM.rawValue)
#endif

struct TestServerError: Error, CustomStringConvertible {
  var description: String
}

/// One server of its own for each test.
struct TestServer: Sendable {
  /// A request, as the server has recorded it.
  struct Request: Decodable, Sendable {
    var number: Int
    var connection: Int
    var method: String
    var target: String
    var headers: [[String]]
    var body: String

    func header(_ name: String) -> String? {
      headers.first { $0[0].lowercased() == name.lowercased() }?[1]
    }
  }

  struct Description: Decodable, Sendable {
    var server: Int
    var url: String
    var url_by_name: String
    var ca_pem: String?
    var leaf_pin: String?
  }

  let at: Description
  private let control: UInt16

  /// `tls` is the JSON object that `start` takes; none is plain HTTP.
  init(tls: String? = nil) throws {
    let address = ProcessInfo.processInfo.environment["EVENTSOURCE_TEST_CONTROL"] ?? ""
    guard let port = address.split(separator: ":").last.flatMap({ UInt16($0) }) else {
      throw TestServerError(description: "no test server: run bindings/swift/test.sh")
    }
    control = port
    let answer = try Self.post(port, "/start", tls.map { #"{"tls": \#($0)}"# } ?? "{}")
    at = try JSONDecoder().decode(Description.self, from: answer)
  }

  func url(_ path: String) -> URL {
    guard let url = URL(string: at.url + path) else { fatalError("no URL: \(path)") }
    return url
  }

  /// Blocks. Throws what the server says.
  @discardableResult
  func now(_ call: String, _ arguments: String = "{}") throws -> Data {
    try Self.post(control, "/\(at.server)/\(call)", arguments)
  }

  /// Blocks a thread of its own: those of Swift concurrency are few.
  @discardableResult
  func call(_ name: String, _ arguments: String = "{}") async throws -> Data {
    try await withCheckedThrowingContinuation { continuation in
      Thread.detachNewThread { continuation.resume(with: Result { try now(name, arguments) }) }
    }
  }

  /// `replies` is a JSON array of scripts.
  func on(_ path: String, _ replies: String) throws { try now("on", #"{"path": "\#(path)", "replies": \#(replies)}"#) }
  func go(_ name: String) throws { try now("go", #"{"name": "\#(name)"}"#) }
  func requests() throws -> [Request] { try JSONDecoder().decode([Request].self, from: now("requests")) }
  func requests(_ count: Int) async throws -> [Request] {
    try await JSONDecoder().decode([Request].self, from: call("wait_for_requests", #"{"n": \#(count)}"#))
  }
  func peerEnd(_ connection: Int = 0) async throws {
    try await call("wait_for_peer_end", #"{"number": \#(connection)}"#)
  }
  func noneOpen() async throws { try await call("wait_for_open", #"{"n": 0}"#) }

  /// Ends it, and tells of mistakes in the test's own scripts.
  func stop() throws -> String { String(decoding: try now("stop"), as: UTF8.self) }

  private static func post(_ port: UInt16, _ path: String, _ body: String) throws -> Data {
    let socket = Foundation.socket(AF_INET, streamSocket, 0)
    defer { close(socket) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    let connected = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard connected == 0 else { throw TestServerError(description: "cannot connect to the test server: \(errno)") }
    let length = body.utf8.count
    let request =
      "POST \(path) HTTP/1.1\r\nHost: localhost\r\nContent-Length: \(length)\r\nConnection: close\r\n\r\n\(body)"
    var rest = Data(request.utf8)
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { send(socket, $0.baseAddress, $0.count, 0) }
      guard count > 0 else { throw TestServerError(description: "cannot write to the test server: \(errno)") }
      rest.removeFirst(count)
    }
    var answer = Data()
    var chunk = [UInt8](repeating: 0, count: 64 * 1024)
    while case let count = recv(socket, &chunk, chunk.count, 0), count > 0 {
      answer.append(contentsOf: chunk[..<count])
    }
    guard let end = answer.range(of: Data("\r\n\r\n".utf8)) else {
      throw TestServerError(description: "the test server's answer to \(path) is no HTTP")
    }
    let result = Data(answer[end.upperBound...])
    guard answer.starts(with: Data("HTTP/1.1 200".utf8)) else {
      throw TestServerError(description: "\(path): \(String(decoding: result, as: UTF8.self))")
    }
    return result
  }
}

/// A test with a server, that cannot hang for ever, and after which nothing of ours is left in C's hands.
class ServerTestCase: XCTestCase {
  private nonisolated(unsafe) var started: TestServer?
  private var deadline: DispatchSourceTimer?

  var server: TestServer {
    get throws {
      if let started { return started }
      let server = try TestServer()
      started = server
      return server
    }
  }

  override func setUp() {
    let name = name
    // A queue of its own has a thread even where the global ones hang, too.
    let timer = DispatchSource.makeTimerSource(queue: DispatchQueue(label: "deadline"))
    timer.schedule(deadline: .now() + .seconds(120))
    timer.setEventHandler { fatalError("\(name) hangs") }
    timer.resume()
    deadline = timer
  }

  override func tearDown() async throws {
    if let started {
      let problems = try started.stop()
      XCTAssertEqual(problems, "[]", "the test's own scripts")
      self.started = nil
    }
    deadline?.cancel()
    deadline = nil
    // Destroy is the worker's last act, so it may come a little after the source has gone.
    try await eventually { Loan.counts { $0.lent == $0.returned } }
  }
}

/// For what another thread does of its own accord. The limit is only there to notice a hang.
func eventually(
  file: StaticString = #filePath, line: UInt = #line, _ condition: () throws -> Bool
) async throws {
  let clock = ContinuousClock()
  let limit = clock.now + .seconds(30)
  while try !condition() {
    if clock.now > limit { return XCTFail("never came true", file: file, line: line) }
    try await Task.sleep(for: .milliseconds(2))
  }
}

extension EventSource {
  /// The next events up to the first that `last` accepts.
  func take(until last: @Sendable (Event) -> Bool) async -> [Event] {
    var taken: [Event] = []
    for await event in events {
      taken.append(event)
      if last(event) { break }
    }
    return taken
  }

  func takeMessages(_ count: Int) async -> [Message] {
    var taken: [Message] = []
    for await event in events {
      if let message = event.message { taken.append(message) }
      if taken.count == count { break }
    }
    return taken
  }

  /// Everything that still comes.
  func takeAll() async -> [Event] { await take { _ in false } }
}

extension EventSource.Event {
  var message: EventSource.Message? { if case .message(let message) = self { message } else { nil } }
  var error: EventSource.StreamError? { if case .error(let error) = self { error } else { nil } }
  var close: EventSource.Close? { if case .close(let close) = self { close } else { nil } }
  var isOpen: Bool { if case .open = self { true } else { false } }

  /// What happened, in one word.
  var name: String {
    switch self {
    case .open: "open"
    case .message: "message"
    case .comment: "comment"
    case .error: "error"
    case .close: "close"
    }
  }
}

extension EventSource.Configuration {
  /// With waits that a test can afford.
  static var quick: EventSource.Configuration {
    var configuration = EventSource.Configuration()
    configuration.retryDelay = .milliseconds(1)
    return configuration
  }
}
