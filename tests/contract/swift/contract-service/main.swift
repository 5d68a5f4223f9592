// The test service that LaunchDarkly's SSE contract tests drive: POST / begins a stream, whose events go to its callback URL.

import EventSource
import Foundation

#if canImport(FoundationNetworking)
  import FoundationNetworking
#endif

/// The body of `POST /`. What is missing or null has the client's default.
struct Order: Decodable {
  var streamUrl: URL
  var callbackUrl: String
  var initialDelayMs: Int64?
  var readTimeoutMs: Int64?
  var lastEventId: String?
  var headers: [String: String]?
  var method: String?
  var body: String?

  func source() throws -> EventSource {
    var configuration = EventSource.Configuration()
    if let initialDelayMs { configuration.retryDelay = .milliseconds(initialDelayMs) }
    if let readTimeoutMs { configuration.idleTimeout = .milliseconds(readTimeoutMs) }
    configuration.lastEventID = lastEventId ?? ""
    configuration.headers = headers ?? [:]
    configuration.method = method
    configuration.body = body.map { Data($0.utf8) }
    // The tests expect of every method what they expect of GET.
    configuration.reconnectMode = .always
    return try EventSource(url: streamUrl, configuration: configuration)
  }
}

struct Command: Decodable {
  var command: String
}

/// The bodies of callbacks.
enum Callback: Encodable {
  case event(EventSource.Message), comment(String), error(String)

  enum Key: CodingKey { case kind, event, comment, error, type, data, id }

  func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: Key.self)
    switch self {
    case .event(let message):
      try fields.encode("event", forKey: .kind)
      var event = fields.nestedContainer(keyedBy: Key.self, forKey: .event)
      try event.encode(message.type, forKey: .type)
      try event.encode(message.data, forKey: .data)
      try event.encode(message.lastEventID, forKey: .id)
    case .comment(let text):
      try fields.encode("comment", forKey: .kind)
      try fields.encode(text, forKey: .comment)
    case .error(let text):
      try fields.encode("error", forKey: .kind)
      try fields.encode(text, forKey: .error)
    }
  }
}

/// The streams by their number.
final class Streams: @unchecked Sendable {
  private let lock = NSLock()
  private var streams: [Int: EventSource] = [:]
  private var made = 0

  func add(_ source: EventSource) -> Int {
    lock.withLock {
      made += 1
      streams[made] = source
      return made
    }
  }

  func find(_ number: Int) -> EventSource? { lock.withLock { streams[number] } }
  func remove(_ number: Int) -> EventSource? { lock.withLock { streams.removeValue(forKey: number) } }
}

let streams = Streams()

/// Tells of each event in its turn, and takes no other one before that has been heard.
@Sendable func tell(_ callbackURL: String, of source: EventSource) async {
  var count = 0
  for await event in source.events {
    let callback: Callback
    switch event {
    case .message(let message): callback = .event(message)
    case .comment(let text): callback = .comment(text)
    case .error(let error): callback = .error(error.message)
    case .open, .close: continue
    }
    count += 1
    guard let url = URL(string: "\(callbackURL)/\(count)"), let body = try? JSONEncoder().encode(callback) else {
      return
    }
    var request = URLRequest(url: url)
    request.httpMethod = "POST"
    request.setValue("application/json", forHTTPHeaderField: "Content-Type")
    // Or curl waits a second for leave to send a large one.
    request.setValue("", forHTTPHeaderField: "Expect")
    _ = try? await URLSession.shared.upload(for: request, from: body)
  }
}

@Sendable func answer(_ request: Request) -> Response {
  let number = request.path.hasPrefix("/streams/") ? Int(request.path.dropFirst("/streams/".count)) : nil
  switch (request.method, request.path) {
  case ("GET", "/"):
    let capabilities = [
      "bom", "comments", "headers", "last-event-id", "post", "read-timeout", "report", "restart",
      "server-directed-shutdown-request",
    ]
    let body: [String: Any] = ["name": "libeventsource (Swift)", "capabilities": capabilities]
    return Response(
      status: 200, headers: ["Content-Type": "application/json"],
      body: (try? JSONSerialization.data(withJSONObject: body)) ?? Data())
  case ("DELETE", "/"):
    return Response(status: 200, after: { exit(0) })
  case ("POST", "/"):
    do {
      let order = try JSONDecoder().decode(Order.self, from: request.body)
      let source = try order.source()
      let number = streams.add(source)
      Task { await tell(order.callbackUrl, of: source) }
      return Response(status: 201, headers: ["Location": "/streams/\(number)"])
    } catch {
      return Response(status: 400, body: Data("\(error)\n".utf8))
    }
  case ("POST", _):
    guard let source = number.flatMap(streams.find) else { return Response(status: 404) }
    switch (try? JSONDecoder().decode(Command.self, from: request.body))?.command {
    case "restart": source.reconnect()
    // Every type is heard anyway.
    case "listen": break
    default: return Response(status: 400)
    }
    return Response(status: 200)
  case ("DELETE", _):
    guard let source = number.flatMap(streams.remove) else { return Response(status: 404) }
    source.close()
    return Response(status: 200)
  default:
    return Response(status: 405)
  }
}

guard CommandLine.arguments.count == 2, let port = UInt16(CommandLine.arguments[1]) else {
  fatalError("usage: ContractService PORT")
}
let listener = try Listener(port: port)
FileHandle.standardOutput.write(Data("listening on 127.0.0.1:\(listener.port)\n".utf8))
listener.serve(answer)
