// The binding and include/eventsource.h, side by side: what is added there cannot be forgotten here.

import Foundation
import XCTest

@testable import EventSource

final class HeaderTests: XCTestCase {
  private static let checkout = URL(fileURLWithPath: #filePath + "/../../../../..").standardized

  /// What a binding over the event-loop driver has no use for.
  private let notCalled: Set = [
    // The other drivers.
    "eventsource_on", "eventsource_start", "eventsource_run", "eventsource_next",
    // Waits for the worker: deinit must not block.
    "eventsource_free",
    // Each event has been handed out before the next is asked for; what a burst brings would have to be kept.
    "eventsource_poll_each",
    // Dispatch learns of what is readable on a thread of its own: the way that this saves would be gone over all the same.
    "eventsource_start_watched",
    // Events become Swift values at once.
    "eventsource_event_clone", "eventsource_event_free",
    // Every header is read, by eventsource_event_header_at.
    "eventsource_event_header",
    // The same as the reason in words of each event, and as eventsource_version.
    "eventsource_error_text", "eventsource_version_number",
  ]

  private func code(_ path: String) throws -> String {
    try String(contentsOf: Self.checkout.appendingPathComponent(path), encoding: .utf8)
      .replacing(/\/\/.*/, with: "")
  }

  /// The binding's sources, but for comments.
  private func binding() throws -> String {
    let folder = "bindings/swift/Sources/EventSource"
    let files = try FileManager.default.contentsOfDirectory(atPath: Self.checkout.appendingPathComponent(folder).path)
    return try files.filter { $0.hasSuffix(".swift") }.map { try code("\(folder)/\($0)") }.joined()
  }

  private func names(_ pattern: Regex<(Substring, Substring)>, in text: String) -> Set<String> {
    Set(text.matches(of: pattern).map { String($0.output.1) })
  }

  func testEveryFunctionIsCalledOrHasAReasonNotToBe() throws {
    let declared = names(/(?m)^(?!typedef)[a-z].*?\b(eventsource_\w+)\(/, in: try code("include/eventsource.h"))
    XCTAssertGreaterThan(declared.count, 60)
    let called = names(/\b(eventsource_\w+)/, in: try binding()).intersection(declared)
    XCTAssertEqual(declared.subtracting(called), notCalled)
    XCTAssertFalse(notCalled.contains { $0.hasPrefix("eventsource_config_") }, "every option is a caller's to set")
  }

  /// Each has its own case, with the header's number.
  func testEveryNumberHasItsCase() throws {
    let header = try code("include/eventsource.h")
    func numbers(_ prefix: String) -> [Int] {
      header.matches(of: /EVENTSOURCE_([A-Z0-9]+)_[A-Z0-9_]+ = (-?\d+),/)
        .filter { $0.output.1 == prefix }.compactMap { Int($0.output.2) }
    }
    for number in numbers("ERROR") where number != 0 {
      XCTAssertNotNil(EventSource.StreamError.Cause(rawValue: UInt32(number)), "error \(number)")
    }
    for number in numbers("STATE") { XCTAssertNotNil(EventSource.State(rawValue: UInt32(number)), "state \(number)") }
    for number in numbers("RECONNECT") {
      XCTAssertNotNil(EventSource.ReconnectMode(rawValue: Int32(number)), "reconnect mode \(number)")
    }
    for number in numbers("LOG") where number != 0 {
      XCTAssertNotNil(EventSource.LogLevel(rawValue: Int32(number)), "log level \(number)")
    }
    // Swift passes no NULL and no text that is not UTF-8.
    for number in numbers("STATUS") where number < 0 && number != -1 && number != -2 {
      XCTAssertNotNil(EventSource.UsageError.Reason(rawValue: Int32(number)), "status \(number)")
    }
    XCTAssertEqual(
      ["ERROR", "STATE", "RECONNECT", "LOG", "STATUS", "KIND"].map { numbers($0).count > 2 },
      Array(repeating: true, count: 6))
  }

  func testTheDefaultsAreTheHeaders() throws {
    let comments = try String(
      contentsOf: Self.checkout.appendingPathComponent("include/eventsource.h"), encoding: .utf8)
    let configuration = EventSource.Configuration()
    for (option, words) in [
      (configuration.connectTimeout == .milliseconds(10_000), "proxy and TLS together. Default 10 000 ms"),
      (configuration.idleTimeout == .zero, "counts as broken. Default 0"),
      (configuration.keepAlive == .milliseconds(120_000), "Default 120 000 ms; 0: never"),
      (configuration.retryDelay == .milliseconds(1000), "Default 1 000 ms and 30 000 ms"),
      (configuration.maxRetryDelay == .milliseconds(30_000), "Default 1 000 ms and 30 000 ms"),
      (configuration.maxEventSize == 32 << 20, "Default 32 MiB"),
      (configuration.reconnectMode == .automatic, "Default EVENTSOURCE_RECONNECT_AUTO"),
    ] {
      XCTAssertTrue(option && comments.contains(words), words)
    }
  }
}
