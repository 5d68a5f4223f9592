// The class: one source of the library, polled. Who polls is in Events.swift and Handler.swift.

import CEventSource
import Foundation

/// A stream of Server-Sent Events that reconnects until it is closed.
///
/// ```swift
/// let source = try EventSource(url: url)
/// for await event in source.events {
///   if case .message(let message) = event { print(message.data) }
/// }
/// ```
///
/// Every method may be called from any thread, at any time, and none of them blocks. The source is closed when its last
/// reference goes.
public final class EventSource: Sendable {
  /// Where a source stands.
  public enum State: UInt32, Sendable {
    /// An attempt, or the wait before one.
    case connecting = 0
    /// Events are coming.
    case open = 1
    /// All is over.
    case closed = 2
    /// ``EventSource/pause()`` has been called.
    case paused = 3

    init(_ state: eventsource_state) { self = State(rawValue: UInt32(state.rawValue)) ?? .connecting }
  }

  /// The version of the library, such as `1.2.3`.
  public static var libraryVersion: String { String(cString: eventsource_version()) }

  private nonisolated(unsafe) let library: OpaquePointer
  let waker: Waker
  private let polling: Locked<Polling>
  private let network = Locked<NetworkFollower?>(nil)
  /// The names that the header provider has given and the app has not set since, in lower case. Locked while a header is set,
  /// so that the last to set one is known; after `polling`, where both are.
  private let given = Locked<Set<String>>([])

  /// Belongs to whoever polls. The library is polled by one thread at a time.
  private struct Polling {
    var reader: EventReader
    var consumer = Consumer.none
    /// The app's, so it may hold this source: dropped once all is over.
    var provider: Provider?
    /// While it is set the library is not polled: it waits, and takes the headers for this very attempt.
    var answer: Answer?
  }

  /// Who takes the events.
  enum Consumer { case none, iteration, handler }

  /// What a poll gives.
  enum Step { case event(Event), again, closed }

  /// Checks everything that `configuration` asks for. The first attempt begins when somebody takes the events.
  ///
  /// - Throws: ``UsageError``.
  public convenience init(url: URL, configuration: Configuration = Configuration()) throws {
    try self.init(url: url, configuration: configuration, paths: configuration.followsNetwork ? systemPaths() : nil)
  }

  init(url: URL, configuration: Configuration, paths: (any PathSource)?) throws {
    let waker = Waker()
    var source: OpaquePointer?
    try configuration.withLibrary(url) { config in
      if let error = UsageError(
        eventsource_new(config, &source), String(cString: eventsource_config_error(config, nil)))
      {
        throw error
      }
    }
    guard let source else { throw UsageError(reason: .internal, message: "") }
    // From here on the library holds the waker, even where it does not start.
    let started = eventsource_start_polled(
      source, { Loan.borrow($0, as: Waker.self)?.wake() }, Loan.lend(waker), Loan.giveBack)
    if let error = UsageError(started) {
      eventsource_release(source)
      throw error
    }
    self.library = source
    self.waker = waker
    // More than a year counts as a year, as with the library; a clock cannot take every duration.
    let timeout = min(configuration.connectTimeout, .seconds(365 * 86_400))
    let provider = configuration.headerProvider.map { Provider(ask: $0, timeout: timeout) }
    self.polling = Locked(Polling(reader: EventReader(url: url), provider: provider))
    if let paths, configuration.mayRepeat {
      let follower = NetworkFollower(paths) { [weak self] in self?.reconnect() }
      network { $0 = follower }
    }
  }

  deinit {
    polling { $0.answer }?.settle(.abandoned)
    letGo()
    waker.onWake(nil)
    eventsource_release(library)
  }

  // MARK: State and verbs

  /// Where the source stands now.
  public var state: State { State(call { eventsource_get_state($0) }) }

  /// Ends the source for good. Nothing but ``Event/close(_:)`` follows.
  ///
  /// - Returns: `false` if it was closed already. The other methods answer in the same way.
  @discardableResult
  public func close() -> Bool {
    // Before the lock, so that it is closed at once, whatever is being read at this moment.
    let done = call { eventsource_close($0) == EVENTSOURCE_STATUS_OK }
    if done {
      abandonAnswer { true }
      letGo()
    }
    return done
  }

  /// Disconnects and keeps the place in the stream, until ``resume()``.
  @discardableResult
  public func pause() -> Bool {
    abandonAnswer { call { eventsource_pause($0) == EVENTSOURCE_STATUS_OK } }
  }

  /// Ends a pause and connects at once.
  @discardableResult
  public func resume() -> Bool {
    call { eventsource_resume($0) == EVENTSOURCE_STATUS_OK }
  }

  /// Drops the connection and makes another at once, after a change of network.
  @discardableResult
  public func reconnect() -> Bool {
    abandonAnswer { call { eventsource_reconnect($0) == EVENTSOURCE_STATUS_OK } }
  }

  /// Answers an ``Event/error(_:)``, before the next event is taken: tries again after that time, even where the error was
  /// final. `nil` is the library's own delay.
  ///
  /// - Returns: `false` where there is no error to answer.
  @discardableResult
  public func retry(after delay: Duration? = nil) -> Bool {
    call { eventsource_retry($0, delay?.wholeMilliseconds ?? -1) == EVENTSOURCE_STATUS_OK }
  }

  /// Sets a header field from the next attempt on; `nil` removes it. A secret one goes to the origin of the source's URL
  /// and nowhere else.
  ///
  /// - Returns: `false` if the source is closed.
  /// - Throws: ``UsageError``.
  @discardableResult
  public func setHeader(_ name: String, _ value: String?, secret: Bool = false) throws -> Bool {
    try given { given in
      let done = try set(name, value, secret: secret)
      given.remove(name.lowercased())
      return done
    }
  }

  @discardableResult
  private func set(_ name: String, _ value: String?, secret: Bool) throws -> Bool {
    let setter = secret ? eventsource_set_secret_header : eventsource_set_header
    let status = try withText(name, "a header's name", else: .invalidHeader) { name in
      guard let value else { return call { setter($0, name, nil) } }
      return try withText(value, "a header's value", else: .invalidHeader) { value in call { setter($0, name, value) } }
    }
    if let error = UsageError(status) { throw error }
    return status == EVENTSOURCE_STATUS_OK
  }

  /// Sets where to connect, from the next attempt on. The last event ID stays. A header provider that has been asked for that
  /// attempt already is cancelled and asked anew, with this URL; unless it is the provider that calls this.
  ///
  /// - Returns: `false` if the source is closed.
  /// - Throws: ``UsageError``.
  @discardableResult
  public func setURL(_ url: URL) throws -> Bool {
    let (status, old): (eventsource_status, Answer?) = try polling { polling in
      let status = try withText(url.absoluteString, "the URL", else: .invalidURL) { url in
        call { eventsource_set_url($0, url) }
      }
      // The attempt goes to the new URL, and what the answer gives would be bound to that: it must be an answer for it.
      guard status == EVENTSOURCE_STATUS_OK, let answer = polling.answer, let provider = polling.provider else {
        return (status, nil)
      }
      // A provider that sets the URL itself answers for that one.
      guard Answer.own !== answer else { return (status, nil) }
      var attempt = answer.attempt
      attempt.url = EventReader.shown(url)
      guard attempt != answer.attempt else { return (status, nil) }
      polling.answer = provider.answer(to: attempt) { [waker] in waker.wake() }
      return (status, answer)
    }
    old?.settle(.abandoned)
    if let error = UsageError(status) { throw error }
    return status == EVENTSOURCE_STATUS_OK
  }

  /// `deinit` releases the pointer, so it must not run before the call is over.
  private func call<Result>(_ body: (OpaquePointer) throws -> Result) rethrows -> Result {
    try withExtendedLifetime(self) { try body(library) }
  }

  // MARK: Polling

  /// Whether `consumer` may take the events: one handler, or any number of iterations.
  func take(as consumer: Consumer) -> Bool {
    polling { polling in
      guard polling.consumer == .none else { return polling.consumer == .iteration && consumer == .iteration }
      polling.consumer = consumer
      return true
    }
  }

  /// The next event, if there is one without waiting. After `again` there will be a wake.
  func step() -> Step {
    let step: Step = polling { polling in
      if let answer = polling.answer {
        guard let outcome = answer.outcome else { return .again }
        polling.answer = nil
        apply(outcome)
      }
      while true {
        var event: OpaquePointer?
        let status = call { eventsource_poll($0, &event) }
        guard status == EVENTSOURCE_STATUS_OK, let event else {
          return status == EVENTSOURCE_STATUS_AGAIN ? .again : .closed
        }
        if eventsource_event_kind(event) == EVENTSOURCE_KIND_CONNECT {
          if let provider = polling.provider {
            polling.answer = provider.answer(to: polling.reader.attempt(event)) { [waker] in waker.wake() }
            return .again
          }
        } else if let event = polling.reader.read(event) {
          return .event(event)
        }
      }
    }
    if case .event(.close) = step { letGo() }
    return step
  }

  /// What a source that is over needs no more: it follows no network, and asks nobody for headers.
  private func letGo() {
    network { $0.take() }?.stop()
    // Dropped outside the lock: it is the caller's, and its last reference may do anything.
    withExtendedLifetime(polling { $0.provider.take() }) {}
  }

  private func apply(_ outcome: Answer.Outcome) {
    do {
      switch outcome {
      case .headers(let headers):
        try given { given in
          for name in given.subtracting(headers.keys.map { $0.lowercased() }) {
            try set(name, nil, secret: true)
            given.remove(name)
          }
          for (name, value) in headers {
            try set(name, value, secret: true)
            given.insert(name.lowercased())
          }
          // That one is the stream's to go on with.
          given.remove("last-event-id")
        }
      case .failed(let reason):
        throw UsageError(reason: .invalidArgument, message: reason)
      case .abandoned:
        break
      }
    } catch {
      let reason = (error as? UsageError)?.message ?? "\(error)"
      reason.replacing("\0", with: "").withCString { reason in
        _ = call { eventsource_fail($0, reason) }
      }
    }
  }

  /// Does something to the connection that makes a pending answer pointless, and polls at once. Under the lock, so that it
  /// is always the answer to the attempt before, never one that the change itself has asked for.
  @discardableResult
  private func abandonAnswer(_ change: () -> Bool) -> Bool {
    let (done, answer) = polling { polling in
      let done = change()
      return (done, done ? polling.answer.take() : nil)
    }
    guard done else { return false }
    answer?.settle(.abandoned)
    waker.wake()
    return true
  }
}
