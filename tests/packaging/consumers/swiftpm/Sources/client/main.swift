// Prints the data of each message until the server ends the stream.
import EventSource
import Foundation

let source = try EventSource(url: URL(string: CommandLine.arguments[1])!)
for await event in source.events {
  if case .message(let message) = event { print(message.data) }
}
