// What C holds of ours: retained when it is handed over, released by C's destroy, which runs once.

import CEventSource

enum Loan {
  static func lend(_ object: AnyObject) -> UnsafeMutableRawPointer {
    #if DEBUG
      counts { $0.lent += 1 }
    #endif
    return Unmanaged.passRetained(object).toOpaque()
  }

  static func borrow<Object: AnyObject>(_ pointer: UnsafeMutableRawPointer?, as type: Object.Type) -> Object? {
    pointer.map { Unmanaged<Object>.fromOpaque($0).takeUnretainedValue() }
  }

  /// For every destroy argument of the header.
  static let giveBack: eventsource_destroy_fn = { pointer in
    guard let pointer else { return }
    #if DEBUG
      counts { $0.returned += 1 }
    #endif
    Unmanaged<AnyObject>.fromOpaque(pointer).release()
  }

  #if DEBUG
    /// What the tests look at: the two are equal once every source is over.
    static let counts = Locked((lent: 0, returned: 0))
  #endif
}
