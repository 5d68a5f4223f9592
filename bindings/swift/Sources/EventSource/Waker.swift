// Between the library's worker, which says that there is something to poll, and whoever polls. The library holds it, so
// it holds no source: a source nobody wants any more must be able to go.

final class Waker: Sendable {
  private struct State {
    var wakes: UInt = 0
    var waiting: [CheckedContinuation<Void, Never>] = []
    var handler: (@Sendable () -> Void)?
  }

  private let state = Locked(State())

  /// Read it before a poll: a wake that comes after the poll's answer then counts for `wait(after:)`, too.
  var wakes: UInt { state { $0.wakes } }

  /// Called by the library's worker, and by us where polling at once is better than waiting for the worker.
  func wake() {
    let (waiting, handler) = state { state in
      state.wakes &+= 1
      defer { state.waiting.removeAll() }
      return (state.waiting, state.handler)
    }
    for continuation in waiting { continuation.resume() }
    handler?()
  }

  /// Returns after the next wake, or at once if there has been one since `wakes` was `seen`.
  func wait(after seen: UInt, isolation: isolated (any Actor)? = #isolation) async {
    await withCheckedContinuation { continuation in
      let late = state { state in
        if state.wakes == seen { state.waiting.append(continuation) }
        return state.wakes != seen
      }
      if late { continuation.resume() }
    }
  }

  func onWake(_ handler: (@Sendable () -> Void)?) {
    let old = state { state in
      defer { state.handler = handler }
      return state.handler
    }
    // Dropped outside the lock: it is the caller's, and its last reference may do anything.
    withExtendedLifetime(old) {}
  }
}
