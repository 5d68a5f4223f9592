// Follows a stream twice: by the Swift package, and by Objective-C straight over the C header.

import EventSource
import SwiftUI

private let address = "https://stream.wikimedia.org/v2/stream/recentchange"

@main
struct TailApp: App {
  var body: some Scene {
    WindowGroup { TailView() }
  }
}

struct TailView: View {
  @State private var latest = "connecting"
  @State private var count = 0
  @State private var inObjectiveC = 0

  var body: some View {
    VStack(alignment: .leading) {
      Text("\(count) in Swift, \(inObjectiveC) in Objective-C").font(.headline)
      Text(latest).font(.footnote)
    }
    .padding()
    .task { await follow() }
    .task { await followInObjectiveC() }
  }

  // Ends with the view: the task is cancelled, and the iteration with it.
  private func follow() async {
    guard let url = URL(string: address), let source = try? EventSource(url: url) else { return }
    for await event in source.events {
      switch event {
      case .message(let message):
        count += 1
        latest = message.data
      case .error(let error): latest = error.message
      default: break
      }
    }
  }

  private func followInObjectiveC() async {
    guard let tail = Tail(address: address, onMessage: { _ in inObjectiveC += 1 }) else { return }
    while !Task.isCancelled { try? await Task.sleep(for: .seconds(1)) }
    tail.close()
  }
}
