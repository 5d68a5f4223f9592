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
    let delivery = Delivery(queue: queue, serial: DispatchQueue(label: "eventsource", target: queue), handler: handler)
    let drain: @Sendable () -> Void = { [weak self] in
      delivery.serial.async { [weak self] in self?.drain(into: delivery) }
    }
    waker.onWake(drain)
    drain()
  }

  private struct Delivery: Sendable {
    let queue: DispatchQueue
    /// On top of the other: one call at a time and in order, whatever kind of queue the caller has.
    let serial: DispatchQueue
    let handler: @Sendable (Event) -> Void
  }

  private func drain(into delivery: Delivery) {
    for _ in 0..<EventSource.burst {
      switch step() {
      case .event(let event):
        delivery.handler(event)
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
    // Others on the caller's queue want a turn, however long the burst: once round by that queue, since a queue on top of it
    // keeps it for as long as it has something to do.
    delivery.queue.async { [weak self] in
      delivery.serial.async { [weak self] in self?.drain(into: delivery) }
    }
  }
}
