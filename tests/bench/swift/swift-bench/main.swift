// Events a second and CPU time an event: a plain C callback, a closure on a queue, the AsyncSequence; in one run, in turn.

import CEventSource
import EventSource
import Foundation

/// What a consumer does with each event: it looks at the data.
final class Tally: @unchecked Sendable {
  var events = 0
  var bytes = 0
  let wanted: Int
  let done = DispatchSemaphore(value: 0)
  var latencies: [Double] = []

  init(_ wanted: Int) { self.wanted = wanted }

  func add(_ data: String) {
    if data.utf8.count < 24, let sent = UInt64(data) { latencies.append(Double(monotonic() - sent) / 1000) }
    add(data.utf8.count)
  }

  func add(_ count: Int) {
    bytes += count
    events += 1
    if events == wanted { done.signal() }
  }
}

func plainC(_ url: URL, _ tally: Tally) {
  var config: OpaquePointer?
  var source: OpaquePointer?
  precondition(eventsource_config_new(url.absoluteString, &config) == EVENTSOURCE_STATUS_OK)
  precondition(eventsource_new(config, &source) == EVENTSOURCE_STATUS_OK)
  eventsource_on(
    source, EVENTSOURCE_KIND_MESSAGE, nil,
    { tally, event in
      guard let tally else { return }
      let counter = Unmanaged<Tally>.fromOpaque(tally).takeUnretainedValue()
      var length = 0
      let data = eventsource_event_data(event, &length)
      if length < 24, let data, let sent = UInt64(String(cString: data)) {
        counter.latencies.append(Double(monotonic() - sent) / 1000)
      }
      counter.add(length)
    }, Unmanaged.passUnretained(tally).toOpaque(), nil)
  precondition(eventsource_start(source) == EVENTSOURCE_STATUS_OK)
  tally.done.wait()
  eventsource_free(source)
  eventsource_config_free(config)
}

func closure(_ url: URL, _ tally: Tally) {
  guard let source = try? EventSource(url: url) else { fatalError("no source") }
  try? source.onEvent(on: .global()) { event in
    if case .message(let message) = event { tally.add(message.data) }
  }
  tally.done.wait()
  source.close()
}

func sequence(_ url: URL, _ tally: Tally) {
  guard let source = try? EventSource(url: url) else { fatalError("no source") }
  Task.detached {
    for await event in source.events {
      if case .message(let message) = event { tally.add(message.data) }
    }
  }
  tally.done.wait()
  source.close()
}

func stream(_ url: URL, _ tally: Tally) {
  guard let source = try? EventSource(url: url) else { fatalError("no source") }
  Task.detached {
    let (stream, continuation) = AsyncStream.makeStream(of: String.self)
    try? source.onEvent(on: .global()) { event in
      if case .message(let message) = event { continuation.yield(message.data) }
    }
    for await data in stream { tally.add(data) }
  }
  tally.done.wait()
  source.close()
}

let all: [(name: String, run: (URL, Tally) -> Void)] = [
  ("C callback", plainC), ("closure", closure), ("AsyncSequence", sequence),
  ("AsyncStream fed by a closure", stream),
]

/// Those named on the command line, or all.
let ways = all.filter { CommandLine.arguments.count == 1 || CommandLine.arguments.contains($0.name) }

func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }
func percentile(_ values: [Double], _ part: Double) -> Double {
  values.sorted()[min(values.count - 1, Int(Double(values.count) * part))]
}
func column(_ text: String, _ width: Int) -> String { String(repeating: " ", count: max(0, width - text.count)) + text }
func name(_ text: String) -> String { text + String(repeating: " ", count: max(0, 32 - text.count)) }

for size in [100, 1000] {
  let count = size == 100 ? 2_000_000 : 400_000
  var rates = [[Double]](repeating: [], count: ways.count)
  var costs = rates
  for _ in 0..<5 {
    for (index, way) in ways.enumerated() {
      let sender = Sender(count: count, size: size)
      let tally = Tally(count)
      let (began, cpu) = (monotonic(), cpuTime(CLOCK_PROCESS_CPUTIME_ID))
      way.run(sender.url, tally)
      let seconds = Double(monotonic() - began) / 1e9
      let spent = cpuTime(CLOCK_PROCESS_CPUTIME_ID) - cpu - sender.cpuSpent()
      precondition(tally.bytes == count * size)
      rates[index].append(Double(count) / seconds / 1e6)
      costs[index].append(spent / Double(count) * 1e9)
    }
  }
  print(
    name("\(size) bytes of data an event"), column("M events/s", 12), column("CPU ns/event", 14),
    column("of C's rate", 12))
  for (index, way) in ways.enumerated() {
    let rate = median(rates[index])
    print(
      name(way.name), column(String(format: "%.2f", rate), 12),
      column(String(format: "%.0f", median(costs[index])), 14),
      column(String(format: "%.2f", rate / median(rates[0])), 12))
  }
  print()
}

print(name("an event each ms, write to listener"), column("p50 µs", 12), column("p99 µs", 14), column("CPU s/10 s", 12))
for way in ways where way.name != all[3].name {
  let count = 2000
  let sender = Sender(count: count, size: 0, pause: .milliseconds(1))
  let tally = Tally(count)
  let (began, cpu) = (monotonic(), cpuTime(CLOCK_PROCESS_CPUTIME_ID))
  way.run(sender.url, tally)
  let seconds = Double(monotonic() - began) / 1e9
  let spent = cpuTime(CLOCK_PROCESS_CPUTIME_ID) - cpu - sender.cpuSpent()
  print(
    name(way.name), column(String(format: "%.0f", percentile(tally.latencies, 0.5)), 12),
    column(String(format: "%.0f", percentile(tally.latencies, 0.99)), 14),
    column(String(format: "%.2f", spent / seconds * 10), 12))
}
