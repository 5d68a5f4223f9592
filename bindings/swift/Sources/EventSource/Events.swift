// The events as an AsyncSequence. It holds none of its own: each `next()` polls the library, so the back-pressure is TCP's.

extension EventSource {
  /// The events, from where the last iteration ended.
  ///
  /// Nothing is read from the network but what is asked for here. A burst is handed out without suspending for each event,
  /// a single event as soon as it is complete.
  ///
  /// One source is one stream: iterating anew goes on after the last event taken, and of several iterations at the same time
  /// each event goes to exactly one. Cancelling the task of any iteration closes the source; it is noticed when the task waits
  /// for or asks for an event. What an iteration does with an event, ``EventSource/retry(after:)`` for instance, is done before
  /// it takes the next one; where another iteration has taken that meanwhile, it is too late, and `retry` answers `false`. A
  /// source with a handler (``onEvent(on:_:)``) has no events for an iteration, which then ends at once.
  public var events: Events { Events(source: self) }

  /// The events of a source, see ``EventSource/events``.
  public struct Events: AsyncSequence, Sendable {
    /// What is iterated over.
    public typealias Element = Event
    /// Errors are events; the iteration itself never fails.
    public typealias Failure = Never

    let source: EventSource

    /// Takes the events one by one, and keeps the source open.
    public func makeAsyncIterator() -> Iterator { Iterator(source: source) }

    /// Takes the events one by one, and keeps the source open.
    public struct Iterator: AsyncIteratorProtocol {
      private let source: EventSource
      private let allowed: Bool
      private var taken = 0

      init(source: EventSource) {
        self.source = source
        self.allowed = source.take(as: .iteration)
      }

      /// The next event; `nil` after the last.
      public mutating func next() async -> Event? {
        await take(isolation: nil)
      }

      /// The next event; `nil` after the last.
      @available(macOS 15, iOS 18, tvOS 18, watchOS 11, visionOS 2, *)
      public mutating func next(isolation actor: isolated (any Actor)?) async -> Event? {
        await take(isolation: actor)
      }

      private mutating func take(isolation actor: isolated (any Actor)?) async -> Event? {
        guard allowed else { return nil }
        taken &+= 1
        // Others on this actor want a turn, however long the burst.
        if taken % EventSource.burst == 0 { await Task.yield() }
        // After it: one of them may have cancelled.
        if Task.isCancelled { source.close() }
        while true {
          let seen = source.waker.wakes
          switch source.step() {
          case .event(let event): return event
          case .closed: return nil
          case .again:
            await withTaskCancellationHandler {
              await source.waker.wait(after: seen)
            } onCancel: { [source] in
              source.close()
            }
          }
        }
      }
    }
  }

  /// How many events are handed out in a row before others get their turn.
  static let burst = 256
}
