// tail: follows an event stream and prints what it says, until the server ends it or you press Ctrl-C.
//
//   cargo build --release
//   cd bindings/swift && swift run tail [-v] [-H 'Name: value']... [-X METHOD] [-d BODY] URL
//
// Each event is a line 'type: data' on stdout. With -v, what happens around the events is told on stderr: connections,
// comments, errors. Exit status: 0 the server ended the stream or Ctrl-C was pressed, 1 the stream failed for good, 2 wrong
// usage.

import Dispatch
import EventSource
import Foundation

func tell(_ line: String) { FileHandle.standardError.write(Data((line + "\n").utf8)) }

func refuse(_ reason: String) -> Never {
  tell("tail: \(reason)")
  exit(2)
}

var configuration = EventSource.Configuration()
var address: URL?
var verbose = false
var arguments = CommandLine.arguments.dropFirst()
let usage = "usage: tail [-v] [-H 'Name: value']... [-X METHOD] [-d BODY] URL"

while let argument = arguments.popFirst() {
  func value() -> String {
    guard let value = arguments.popFirst() else { refuse(usage) }
    return value
  }
  switch argument {
  case "-v":
    verbose = true
  case "-H":
    let header = value()
    guard let colon = header.firstIndex(of: ":") else { refuse("a header is 'Name: value', not \(header)") }
    configuration.headers[String(header[..<colon])] =
      header[header.index(after: colon)...].trimmingCharacters(in: .whitespaces)
  case "-X":
    configuration.method = value()
  case "-d":
    configuration.body = Data(value().utf8)
  default:
    guard !argument.hasPrefix("-"), address == nil else { refuse(usage) }
    guard let url = URL(string: argument) else { refuse("\(argument): not a URL") }
    address = url
  }
}
guard let address else { refuse(usage) }

let source: EventSource
do {
  source = try EventSource(url: address, configuration: configuration)
} catch {
  refuse(error.localizedDescription)
}

// close() is not for signal handlers; Dispatch hears of the signals in an ordinary thread, once it is ready to.
let endings = [SIGINT, SIGTERM].map { number in
  signal(number, SIG_IGN)
  return DispatchSource.makeSignalSource(signal: number, queue: .global())
}
for ending in endings {
  ending.setEventHandler { source.close() }
  await withCheckedContinuation { ready in
    ending.setRegistrationHandler { ready.resume() }
    ending.resume()
  }
}

for await event in source.events {
  switch event {
  case .message(let message):
    FileHandle.standardOutput.write(Data("\(message.type): \(message.data)\n".utf8))
  case .open(let open):
    if verbose { tell("* open \(open.url)") }
  case .comment(let text):
    if verbose { tell(":\(text)") }
  case .error(let error):
    guard verbose else { break }
    tell("* error: \(error.message)" + (error.retryAfter.map { "; trying again in \($0)" } ?? ""))
  case .close(let close):
    if verbose { tell("* close: \(close.message)") }
    // nil: we asked for it. Ended: the server did.
    if let cause = close.cause, cause != .ended {
      tell("tail: \(close.message)")
      exit(1)
    }
  }
}
