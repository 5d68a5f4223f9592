// A consumer that takes nothing costs nothing: the server is made to wait, and memory stays where it was when all was idle.

import Foundation
import XCTest

@testable import EventSource

final class MemoryTests: ServerTestCase {
  /// What may be added to an idle source by events of up to 4 KiB that nobody takes.
  private let limit = 256 << 10

  private func flood(_ server: TestServer) throws {
    let event = "data: " + String(repeating: "x", count: 4088) + #"\n\n"#
    try server.on(
      "/s",
      #"[["sse", {"body": "data: idle\n\n"}, {"wait_for": "go"}, {"endless": {"unit": "\#(event)", "limit": 8000000000}}]]"#
    )
  }

  private func sent(_ server: TestServer) throws -> Int {
    struct Connection: Decodable { var sent: Int }
    return try JSONDecoder().decode([Connection].self, from: server.now("connections")).reduce(0) { $0 + $1.sent }
  }

  /// The server writes until the kernel's buffers are full, and then cannot.
  private func untilNothingIsSent(_ server: TestServer) async throws -> Int {
    try await eventually { try self.sent(server) > 100 << 10 }  // there was something to take
    var (sent, looks) = (-1, 0)
    while looks < 4 {
      let now = try self.sent(server)
      (sent, looks) = (now, now == sent ? looks + 1 : 0)
      try await Task.sleep(for: .milliseconds(250))
    }
    return sent
  }

  func testAnIterationThatTakesNothing() async throws {
    // The first round fills caches and pools.
    for round in 0...1 {
      let server = try TestServer()
      try flood(server)
      let source = try EventSource(url: server.url("/s"))
      _ = await source.takeMessages(1)
      _ = try sent(server)
      let idle = try residentMemory()
      try server.go("go")
      _ = await source.takeMessages(10)
      let sent = try await untilNothingIsSent(server)
      if round == 1 { try assertFlat(since: idle, limit) }
      // And then all goes on.
      let rest = await source.takeMessages(5000)
      XCTAssertEqual(rest.count, 5000)
      try await eventually { try self.sent(server) > sent }
      source.close()
      _ = try server.stop()
    }
  }

  func testAHandlerThatBlocks() async throws {
    for round in 0...1 {
      let server = try TestServer()
      try flood(server)
      let source = try EventSource(url: server.url("/s"))
      let go = DispatchSemaphore(value: 0)
      let count = Locked(0)
      try source.onEvent(on: DispatchQueue(label: "ours")) { event in
        guard event.message != nil else { return }
        let now = count {
          $0 += 1
          return $0
        }
        if now == 10 { go.wait() }
      }
      try await eventually { count { $0 } == 1 }
      _ = try sent(server)
      let idle = try residentMemory()
      try server.go("go")
      try await eventually { count { $0 } == 10 }
      let sent = try await untilNothingIsSent(server)
      if round == 1 { try assertFlat(since: idle, limit) }
      XCTAssertEqual(count { $0 }, 10)
      go.signal()
      try await eventually { count { $0 } > 5000 }
      try await eventually { try self.sent(server) > sent }
      source.close()
      _ = try server.stop()
    }
  }
}

/// But for the sanitizers, which keep freed memory for a while.
func assertFlat(since before: Int, _ limit: Int, file: StaticString = #filePath, line: UInt = #line) throws {
  guard ProcessInfo.processInfo.environment["EVENTSOURCE_SANITIZED"] == nil else { return }
  XCTAssertLessThan(try residentMemory() - before, limit, file: file, line: line)
}

/// In bytes; counted anew, since what is quicker to read lags behind on some kernels.
func residentMemory() throws -> Int {
  #if os(Linux)
    let rollup = try String(contentsOfFile: "/proc/self/smaps_rollup", encoding: .utf8)
    let line = try XCTUnwrap(rollup.split(separator: "\n").first { $0.hasPrefix("Rss:") })
    return (Int(line.filter(\.isNumber)) ?? 0) * 1024
  #else
    return 0
  #endif
}
