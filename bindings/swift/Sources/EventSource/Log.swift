// The library's log, for the whole process.

import CEventSource

extension EventSource {
  /// How much a log says.
  public enum LogLevel: Int32, Sendable, Comparable {
    /// What went wrong in the library itself.
    case error = 1
    /// What an operator should see.
    case warning
    /// Connections made and lost.
    case info
    /// Every step.
    case debug
    /// Every detail.
    case trace

    /// The less a level says, the smaller it is.
    public static func < (one: LogLevel, other: LogLevel) -> Bool { one.rawValue < other.rawValue }
  }

  /// Sends the log of all sources up to `level` to `handler`, with the part of the library that speaks and its message, on
  /// any thread. `nil` removes it, and waits for a call in progress.
  ///
  /// A source may be locked while it speaks: the handler must not call a source's methods, nor wait for a thread that does.
  ///
  /// - Throws: ``UsageError`` (``UsageError/Reason/busy``) where the host program has a logger of its own for Rust.
  public static func setLog(
    upTo level: LogLevel = .info, _ handler: (@Sendable (LogLevel, _ target: String, _ message: String) -> Void)?
  ) throws {
    let status =
      if let handler {
        eventsource_set_log(
          level.rawValue,
          { box, level, target, message in
            guard let target, let message else { return }
            Loan.borrow(box, as: LogBox.self)?.handler(
              LogLevel(rawValue: level) ?? .trace, String(cString: target), String(cString: message))
          }, Loan.lend(LogBox(handler: handler)), Loan.giveBack)
      } else {
        eventsource_set_log(0, nil, nil, nil)
      }
    if let error = UsageError(status) { throw error }
  }

  private final class LogBox: Sendable {
    let handler: @Sendable (LogLevel, String, String) -> Void
    init(handler: @escaping @Sendable (LogLevel, String, String) -> Void) { self.handler = handler }
  }
}
