// What a source yields, copied from the library's loan into Swift values.

import CEventSource
import Foundation

extension EventSource {
  /// Something that happened to a stream.
  ///
  /// Each connection is one ``open(_:)``, then its messages and comments; each failure is one ``error(_:)``, after which the
  /// source tries again unless the error says otherwise. ``close(_:)`` comes once and last.
  public enum Event: Sendable, Equatable {
    /// The server has answered with an event stream.
    indirect case open(Open)
    /// An event of the stream.
    case message(Message)
    /// The text after the colon of a comment line; servers send these to keep a connection alive.
    case comment(String)
    /// An attempt failed, the stream broke, or an event was too large.
    indirect case error(StreamError)
    /// All is over: nothing follows.
    case close(Close)
  }

  /// A connection that stands.
  public struct Open: Sendable, Equatable {
    /// Where the stream comes from, after redirects.
    public var url: URL
    /// The ID of the last event of the connections before this one; empty if there was none.
    public var lastEventID: String
    /// The response's header fields.
    public var headers: Headers
  }

  /// An event of the stream.
  public struct Message: Sendable, Equatable {
    /// What the server named the event, `message` unless it said otherwise.
    public var type: String
    /// The data lines, joined by line feeds.
    public var data: String
    /// The last ID that the stream has set, by this event or an earlier one.
    public var lastEventID: String
    /// Where the stream comes from, after redirects.
    public var url: URL
  }

  /// The end of a source.
  public struct Close: Sendable, Equatable {
    /// Why: `nil` where it was asked for, ``StreamError/Cause/ended`` after status 204 or the complete answer to a
    /// one-shot request, else the cause of the error that came before.
    public var cause: StreamError.Cause?
    /// The reason in words.
    public var message: String
    /// The ID with which a later source would go on.
    public var lastEventID: String
    /// The last response's status, 0 if there was none.
    public var status: Int
  }

  /// The fields of a response head, in the server's order.
  public struct Headers: Sendable, Equatable, RandomAccessCollection {
    /// One line of the head.
    public struct Field: Sendable, Equatable {
      /// The name, as the server spells it.
      public var name: String
      /// The value.
      public var value: String
    }

    var fields: [Field]

    /// Always 0.
    public var startIndex: Int { fields.startIndex }
    /// The number of fields.
    public var endIndex: Int { fields.endIndex }
    /// The field at that place.
    public subscript(index: Int) -> Field { fields[index] }
    /// The first value of that name, in any case of letters.
    public subscript(name: String) -> String? {
      fields.first { $0.name.caseInsensitiveCompare(name) == .orderedSame }?.value
    }
  }
}

extension EventSource {
  /// What went wrong with a stream, and what happens next.
  public struct StreamError: Error, Equatable {
    /// What happened, as far as an app does something different about it.
    public enum Cause: UInt32, Sendable {
      /// The server ended the stream.
      case ended = 1
      /// The host's name could not be looked up.
      case dns
      /// No connection could be made.
      case connect
      /// The handshake failed, or the server's certificate is not trusted.
      case tls
      /// The proxy refused, or could not reach the server.
      case proxy
      /// The connection broke, or what came was not HTTP.
      case io
      /// One of the configured timeouts has passed.
      case timedOut
      /// The response's status is not that of a stream.
      case httpStatus
      /// The response is not `text/event-stream`.
      case contentType
      /// The response is compressed in a way that was not asked for.
      case encoding
      /// Too many redirects, or one that may not be followed.
      case redirect
      /// An event exceeded the configured size; the stream goes on with the next.
      case eventTooLarge
      /// The header provider threw, or took too long.
      case application
      /// A defect of the library.
      case `internal`
    }

    /// What happened.
    public var cause: Cause
    /// The reason in words, for a log or a developer.
    public var message: String
    /// How long the source waits before it tries again; `nil` if it does not, be it that this was the last attempt or, after
    /// ``Cause/eventTooLarge``, that the stream still stands.
    public var retryAfter: Duration?
    /// The source's state as the error sees it: ``EventSource/State/closed`` for one that is final.
    public var state: EventSource.State
    /// The response's status, 0 if there was none.
    public var status: Int
    /// The last URL that was tried.
    public var url: URL
    /// The last event ID.
    public var lastEventID: String
    /// The header fields of a refused response.
    public var headers: EventSource.Headers
    /// The first 4 KiB of a refused response's body.
    public var body: String
  }
}

extension EventSource.StreamError: LocalizedError {
  /// The same as ``message``.
  public var errorDescription: String? { message }
}

/// Reads events on loan. What many events in a row have in common is made once.
struct EventReader {
  private var url: URL
  private var type = "message"
  private var id = ""

  /// `url` stands in for what the library says where that is no URL to Foundation, as older ones have it. No event shows
  /// credentials.
  init(url: URL) { self.url = Self.shown(url) }

  /// A URL that the library has not seen, as it would show it.
  static func shown(_ url: URL) -> URL {
    var parts = URLComponents(url: url, resolvingAgainstBaseURL: true)
    parts?.user = nil
    parts?.password = nil
    parts?.fragment = nil
    if parts?.path == "" { parts?.path = "/" }
    return parts?.url ?? URL(fileURLWithPath: "/")
  }

  /// `nil` for a kind this version does not know, which is to be ignored.
  mutating func read(_ event: OpaquePointer) -> EventSource.Event? {
    switch eventsource_event_kind(event) {
    case EVENTSOURCE_KIND_MESSAGE:
      return .message(
        EventSource.Message(
          type: Self.text(eventsource_event_type, event, last: &type),
          data: Self.text(eventsource_event_data, event),
          lastEventID: Self.text(eventsource_event_id, event, last: &id),
          url: url))
    case EVENTSOURCE_KIND_COMMENT:
      return .comment(Self.text(eventsource_event_data, event))
    case EVENTSOURCE_KIND_OPEN:
      url = url(of: event)
      return .open(
        EventSource.Open(
          url: url, lastEventID: Self.text(eventsource_event_id, event), headers: Self.headers(of: event)))
    case EVENTSOURCE_KIND_ERROR:
      let retry = eventsource_event_retry_ms(event)
      return .error(
        EventSource.StreamError(
          cause: Self.cause(of: event) ?? .internal,
          message: Self.text(eventsource_event_data, event),
          retryAfter: retry < 0 ? nil : .milliseconds(retry),
          state: EventSource.State(eventsource_event_state(event)),
          status: Int(eventsource_event_http_status(event)),
          url: url(of: event),
          lastEventID: Self.text(eventsource_event_id, event),
          headers: Self.headers(of: event),
          body: Self.text(eventsource_event_body, event)))
    case EVENTSOURCE_KIND_CLOSE:
      return .close(
        EventSource.Close(
          cause: Self.cause(of: event),
          message: Self.text(eventsource_event_data, event),
          lastEventID: Self.text(eventsource_event_id, event),
          status: Int(eventsource_event_http_status(event))))
    default:
      return nil
    }
  }

  func attempt(_ event: OpaquePointer) -> EventSource.Attempt {
    EventSource.Attempt(url: url(of: event), lastEventID: Self.text(eventsource_event_id, event))
  }

  private typealias Getter = (OpaquePointer?, UnsafeMutablePointer<Int>?) -> UnsafePointer<CChar>?

  private static func bytes(_ getter: Getter, _ event: OpaquePointer) -> UnsafeBufferPointer<UInt8> {
    var length = 0
    let start = getter(event, &length)
    return UnsafeBufferPointer(start: UnsafeRawPointer(start)?.assumingMemoryBound(to: UInt8.self), count: length)
  }

  private static func text(_ getter: Getter, _ event: OpaquePointer) -> String {
    String(decoding: bytes(getter, event), as: UTF8.self)
  }

  /// Shares the last event's string where this one has the same text.
  private static func text(_ getter: Getter, _ event: OpaquePointer, last: inout String) -> String {
    let bytes = bytes(getter, event)
    let same = last.utf8.withContiguousStorageIfAvailable {
      guard $0.count == bytes.count, let one = $0.baseAddress, let other = bytes.baseAddress else { return false }
      return memcmp(one, other, bytes.count) == 0
    }
    if same != true { last = String(decoding: bytes, as: UTF8.self) }
    return last
  }

  private func url(of event: OpaquePointer) -> URL {
    URL(string: Self.text(eventsource_event_url, event)) ?? url
  }

  private static func cause(of event: OpaquePointer) -> EventSource.StreamError.Cause? {
    let error = eventsource_event_error(event)
    return error == EVENTSOURCE_ERROR_NONE ? nil : EventSource.StreamError.Cause(rawValue: error.rawValue) ?? .internal
  }

  private static func headers(of event: OpaquePointer) -> EventSource.Headers {
    var fields: [EventSource.Headers.Field] = []
    var name: UnsafePointer<CChar>?
    var value: UnsafePointer<CChar>?
    while eventsource_event_header_at(event, fields.count, &name, &value), let name, let value {
      fields.append(.init(name: String(cString: name), value: String(cString: value)))
    }
    return EventSource.Headers(fields: fields)
  }
}
