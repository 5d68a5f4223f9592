// The streams of tests/vectors and the events they mean, through both surfaces. Rows 51 to 79 and 82.

import Foundation
import XCTest

@testable import EventSource

final class VectorTests: ServerTestCase {
  struct Vector: Decodable, Sendable {
    struct Item: Decodable, Sendable {
      var kind: String
      var type: String?
      var data: String?
      var id: String?
    }
    var name: String
    var items: [Item]
    var last_event_id: String
    var max_event_size: Int?
  }

  private func vectors() throws -> [Vector] {
    let folder = URL(fileURLWithPath: #filePath + "/../../../../../tests/vectors").standardized.path
    let files = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(".json") }
    return try files.sorted().flatMap { file in
      let json = try XCTUnwrap(FileManager.default.contents(atPath: "\(folder)/\(file)"))
      return try JSONDecoder().decode([Vector].self, from: json)
    }
  }

  /// An item or an event, in one line, so that a difference shows what it is.
  private static func line(_ item: Vector.Item) -> String? {
    switch item.kind {
    case "message": "message \([item.type, item.data, item.id].map { ($0 ?? "").debugDescription })"
    case "comment": "comment \((item.data ?? "").debugDescription)"
    case "error-too-large": "error eventTooLarge"
    default: nil
    }
  }

  private static func line(_ event: EventSource.Event) -> String? {
    switch event {
    case .message(let message):
      "message \([message.type, message.data, message.lastEventID].map(\.debugDescription))"
    case .comment(let text): "comment \(text.debugDescription)"
    case .error(let error): "error \(error.cause)"
    case .open, .close: nil
    }
  }

  private func check(split: String, _ events: (EventSource) async throws -> [EventSource.Event]) async throws {
    let server = try server
    let vectors = try vectors()
    XCTAssertGreaterThan(vectors.count, 200)
    for vector in vectors {
      let name = try XCTUnwrap(vector.name.addingPercentEncoding(withAllowedCharacters: .alphanumerics))
      var configuration = EventSource.Configuration()
      // One connection is one vector: its end is final.
      configuration.maxRetries = 0
      if let size = vector.max_event_size { configuration.maxEventSize = size }
      let source = try EventSource(
        url: server.url("/vectors/\(name)?split=\(split)"), configuration: configuration)
      let events = try await events(source)
      XCTAssertEqual(
        events.compactMap(Self.line), vector.items.compactMap(Self.line) + ["error ended"], "\(vector.name), \(split)")
      XCTAssertEqual(events.last?.close?.lastEventID, vector.last_event_id, "\(vector.name), \(split)")
    }
  }

  private func iterate(_ source: EventSource) async -> [EventSource.Event] { await source.takeAll() }

  private func handle(_ source: EventSource) async throws -> [EventSource.Event] {
    await withCheckedContinuation { continuation in
      let heard = Heard()
      try? source.onEvent(on: .global()) { event in
        heard.add(event)
        if event.close != nil { continuation.resume(returning: heard.events) }
      }
    }
  }

  func testWholeAsASequence() async throws { try await check(split: "whole", iterate) }
  func testByteByByteAsASequence() async throws { try await check(split: "byte", iterate) }
  func testAtRandomAsASequence() async throws {
    try await check(split: "random&seed=\(UInt32.random(in: 1 ... .max))", iterate)
  }
  func testWholeThroughAHandler() async throws { try await check(split: "whole", handle) }
  func testByteByByteThroughAHandler() async throws { try await check(split: "byte", handle) }
  func testAtRandomThroughAHandler() async throws {
    try await check(split: "random&seed=\(UInt32.random(in: 1 ... .max))", handle)
  }
}
