// What a change of network or a return to the foreground means for a source. Where they come from is the platform's.

/// Tells of changes. The first call says how things are, later ones how they have become.
protocol PathSource: Sendable {
  func start(_ changed: @escaping @Sendable (PathChange) -> Void)
  func stop()
}

enum PathChange: Sendable, Equatable {
  case network(usable: Bool)
  case foreground
}

/// Reconnects, but not for the first report of a network, which is the one that the source connects over anyway.
final class NetworkFollower: Sendable {
  private let paths: any PathSource
  private let first = Locked(true)

  init(_ paths: any PathSource, reconnect: @escaping @Sendable () -> Void) {
    self.paths = paths
    paths.start { [first] change in
      switch change {
      case .foreground:
        reconnect()
      case .network(let usable):
        let initial = first { first in
          defer { first = false }
          return first
        }
        if usable && !initial { reconnect() }
      }
    }
  }

  func stop() { paths.stop() }
}
