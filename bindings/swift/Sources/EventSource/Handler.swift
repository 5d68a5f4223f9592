// The events as calls of a closure, for those who want no concurrency.

import Dispatch

extension EventSource {
  /// Calls `handler` with every event, one after the other, on `queue`.
  ///
  /// Nothing is read from the network while the handler runs. The source closes when its last reference goes, so keep it; a
  /// handler that itself holds the source keeps it open until ``close()``, and is dropped after the ``Event/close(_:)`` event.
  ///
  /// - Throws: ``UsageError`` (``UsageError/Reason/busy``) if there is a handler already, or ``events`` has been iterated over.
  public func onEvent(on queue: DispatchQueue, _ handler: @escaping @Sendable (Event) -> Void) throws {
    guard take(as: .handler) else {
      throw UsageError(reason: .busy, message: "the events of this source are being taken already")
    }
    // Serial and in order, whatever kind of queue the caller has.
    let queue = DispatchQueue(label: "eventsource", target: queue)
    let drain: @Sendable () -> Void = { [weak self] in
      queue.async { [weak self] in self?.drain(on: queue, into: handler) }
    }
    waker.onWake(drain)
    drain()
  }

  private func drain(on queue: DispatchQueue, into handler: @escaping @Sendable (Event) -> Void) {
    for _ in 0..<EventSource.burst {
      switch step() {
      case .event(let event):
        handler(event)
        guard case .close = event else { continue }
        waker.onWake(nil)
        return
      case .again:
        return
      case .closed:
        waker.onWake(nil)
        return
      }
    }
    // Others on this queue want a turn, however long the burst.
    queue.async { [weak self] in self?.drain(on: queue, into: handler) }
  }
}
