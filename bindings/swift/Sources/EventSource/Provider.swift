// Asks the app for an attempt's headers, and takes the first answer: the app's, the clock's, or that nobody waits any more.

/// What an attempt is waiting for.
final class Answer: Sendable {
  enum Outcome: Sendable { case headers([String: String]), failed(String), abandoned }

  private struct State {
    var outcome: Outcome?
    var tasks: [Task<Void, Never>] = []
  }

  /// Of the provider that this task is, or works for.
  @TaskLocal static var own: Answer?

  /// What was asked about.
  let attempt: EventSource.Attempt
  private let state = Locked(State())
  private let settled: @Sendable () -> Void

  init(to attempt: EventSource.Attempt, settled: @escaping @Sendable () -> Void) {
    self.attempt = attempt
    self.settled = settled
  }

  /// `nil` while it is pending.
  var outcome: Outcome? { state { $0.outcome } }

  /// The first one counts. A provider that does not care for cancellation is not waited for.
  func settle(_ outcome: Outcome) {
    let tasks: [Task<Void, Never>]? = state { state in
      guard state.outcome == nil else { return nil }
      state.outcome = outcome
      defer { state.tasks = [] }
      return state.tasks
    }
    guard let tasks else { return }
    for task in tasks { task.cancel() }
    settled()
  }

  func run(_ work: @escaping @Sendable (Answer) async -> Void) {
    let task = Task { await work(self) }
    let late = state { state in
      if state.outcome == nil { state.tasks.append(task) }
      return state.outcome != nil
    }
    if late { task.cancel() }
  }
}

struct Provider: Sendable {
  let ask: @Sendable (EventSource.Attempt) async throws -> [String: String]
  let timeout: Duration

  func answer(to attempt: EventSource.Attempt, settled: @escaping @Sendable () -> Void) -> Answer {
    let answer = Answer(to: attempt, settled: settled)
    answer.run { [ask] answer in
      do {
        answer.settle(.headers(try await Answer.$own.withValue(answer) { try await ask(attempt) }))
      } catch {
        answer.settle(.failed("the header provider failed: \(error)"))
      }
    }
    if timeout > .zero {
      answer.run { [timeout] answer in
        guard (try? await Task.sleep(for: timeout)) != nil else { return }
        answer.settle(.failed("the header provider has not answered within \(timeout)"))
      }
    }
    return answer
  }
}
