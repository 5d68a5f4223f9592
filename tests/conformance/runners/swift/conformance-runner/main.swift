// The Swift class, through its AsyncSequence, as a conformance runner; ../../../README.md has the protocol.

import EventSource
import Foundation

func decode(_ word: Substring) -> String { word == "%" ? "" : word.removingPercentEncoding ?? String(word) }

@Sendable func say(_ words: [String]) {
  let coded = words.map { $0.isEmpty ? "%" : $0.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? "" }
  FileHandle.standardOutput.write(Data((coded.joined(separator: " ") + "\n").utf8))
}

func set(_ configuration: inout EventSource.Configuration, _ words: [String]) {
  let value = words.count > 1 ? words[1] : ""
  func ms(_ text: String) -> Duration { .milliseconds(Int64(text) ?? 0) }
  switch words[0] {
  case "header": configuration.headers[value] = words[2]
  case "secret_header": configuration.secretHeaders[value] = words[2]
  case "method": configuration.method = value
  case "body": configuration.body = Data(value.utf8)
  case "last_event_id": configuration.lastEventID = value
  case "retry": (configuration.retryDelay, configuration.maxRetryDelay) = (ms(value), ms(words[2]))
  case "max_retries": configuration.maxRetries = Int(value)
  case "reconnect": configuration.reconnectMode = value == "never" ? .never : .always
  case "standard_status": configuration.standardStatus = true
  case "response_timeout": configuration.responseTimeout = ms(value)
  case "idle_timeout": configuration.idleTimeout = ms(value)
  case "max_event_size": configuration.maxEventSize = Int(value) ?? 0
  case "compression": configuration.compression = true
  default: say(["lacks", words[0]])
  }
}

@Sendable func act(_ source: EventSource, _ words: [String]) {
  switch words[0] {
  case "close": source.close()
  case "reconnect": source.reconnect()
  case "pause": source.pause()
  case "resume": source.resume()
  case "retry": source.retry(after: .milliseconds(Int64(words[1]) ?? 0))
  default: fatalError("no action \(words)")
  }
}

func show(_ event: EventSource.Event) -> [String] {
  switch event {
  case .open(let open): return ["open", "id", open.lastEventID, "url", open.url.absoluteString]
  case .message(let message):
    return [
      "message", "type", message.type, "data", message.data, "id", message.lastEventID, "url", message.url.absoluteString,
    ]
  case .comment(let text): return ["comment", "data", text]
  case .error(let error):
    let retry = error.retryAfter.map { $0.components.seconds * 1000 + $0.components.attoseconds / 1_000_000_000_000_000 }
    return [
      "error", "error", "\(error.cause)", "status", "\(error.status)", "state", "\(error.state)", "retry", "\(retry ?? -1)",
      "id", error.lastEventID, "url", error.url.absoluteString,
    ]
  case .close(let close):
    return ["close", "error", close.cause.map { "\($0)" } ?? "none", "status", "\(close.status)", "id", close.lastEventID]
  }
}

@Sendable func follow(_ source: EventSource, _ rules: [[String]]) async {
  var counts: [String: Int] = [:]
  for await event in source.events {
    let words = show(event)
    counts[words[0], default: 0] += 1
    for rule in rules where rule[0] == words[0] && Int(rule[1]) == counts[words[0]] { act(source, Array(rule[2...])) }
    say(words)
  }
}

var url = ""
var sets: [[String]] = []
var rules: [[String]] = []
var source: EventSource?
var following: Task<Void, Never>?
while let line = readLine() {
  let words = line.split(separator: " ").map(decode)
  switch words[0] {
  case "set" where words[1] == "url": url = words[2]
  case "set": sets.append(Array(words[1...]))
  case "on": rules.append(Array(words[1...]))
  case "do": if let source { act(source, Array(words[1...])) }
  case "start":
    var configuration = EventSource.Configuration()
    for words in sets { set(&configuration, words) }
    do {
      guard let url = URL(string: url) else { throw URLError(.badURL) }
      let made = try EventSource(url: url, configuration: configuration)
      let all = rules
      source = made
      // The main thread waits for lines.
      following = Task.detached { await follow(made, all) }
    } catch {
      say(["refused"])
    }
  case "end":
    // Nobody holds the source but the iteration: ending that ends the connection.
    source = nil
    following?.cancel()
    await following?.value
    (sets, rules, following) = ([], [], nil)
    say(["ended"])
  default: break
  }
}
