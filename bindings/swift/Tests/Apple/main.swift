// Darwin.swift, run against the stubs beside this file: what the system reports becomes what a source does.

import Foundation
import Network

func check(_ condition: Bool, _ line: UInt = #line) {
  guard condition else { fatalError("main.swift:\(line)") }
}

guard let url = URL(string: "http://127.0.0.1:1/") else { fatalError("no URL") }
let foreground = Notification.Name("UIApplicationWillEnterForegroundNotification")

// The changes arrive, as what they are.
let heard = Locked<[PathChange]>([])
let paths = SystemPaths()
paths.start { change in heard { $0.append(change) } }
NWPathMonitor.report(.satisfied)
NWPathMonitor.report(.unsatisfied)
NotificationCenter.default.post(name: foreground, object: nil)
check(heard { $0 } == [.network(usable: true), .network(usable: false), .foreground])
paths.stop()
NotificationCenter.default.post(name: foreground, object: nil)
NWPathMonitor.report(.satisfied)
check(heard { $0.count } == 3)
check(NWPathMonitor.count == 0)

// A source has them unless told otherwise, from its making to its close or its end.
var source: EventSource? = try EventSource(url: url)
check(NWPathMonitor.count == 1)
source?.close()
check(NWPathMonitor.count == 0)
source = try EventSource(url: url)
check(NWPathMonitor.count == 1)
source = nil
check(NWPathMonitor.count == 0)
var configuration = EventSource.Configuration()
configuration.followsNetwork = false
source = try EventSource(url: url, configuration: configuration)
check(NWPathMonitor.count == 0)
configuration.followsNetwork = true
configuration.body = Data()
source = try EventSource(url: url, configuration: configuration)
check(NWPathMonitor.count == 0)
print("ok")
