// Apple's own: when the network changes and when the app comes back.

#if canImport(Darwin)
  import Foundation
  import Network

  func systemPaths() -> (any PathSource)? { SystemPaths() }

  final class SystemPaths: PathSource {
    private let monitor = Locked(NWPathMonitor())
    private let observer = Locked<(any NSObjectProtocol)?>(nil)

    func start(_ changed: @escaping @Sendable (PathChange) -> Void) {
      monitor { monitor in
        monitor.pathUpdateHandler = { changed(.network(usable: $0.status == .satisfied)) }
        monitor.start(queue: .global(qos: .utility))
      }
      // By name, so that the library works in extensions and needs no UIKit. A suspended app's sockets are dead.
      let foreground = Notification.Name("UIApplicationWillEnterForegroundNotification")
      let token = NotificationCenter.default.addObserver(forName: foreground, object: nil, queue: nil) { _ in
        changed(.foreground)
      }
      observer { $0 = token }
    }

    func stop() {
      monitor { $0.cancel() }
      observer { token in
        if let token { NotificationCenter.default.removeObserver(token) }
        token = nil
      }
    }
  }
#else
  func systemPaths() -> (any PathSource)? { nil }
#endif
