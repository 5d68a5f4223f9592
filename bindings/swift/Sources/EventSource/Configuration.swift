// Everything a caller can choose, and how it becomes the library's own configuration.

import CEventSource
import Foundation

extension EventSource {
  /// How to connect. Every option has the library's default.
  public struct Configuration: Sendable {
    /// Header fields for each request.
    public var headers: [String: String] = [:]
    /// Header fields that go to the origin of the source's URL and nowhere else, redirects included. `Authorization` and
    /// `Cookie` are always of that kind.
    public var secretHeaders: [String: String] = [:]
    /// Asked before each attempt for its header fields, which are treated as ``secretHeaders``. If it throws, or has not
    /// answered within ``connectTimeout``, that attempt fails with ``StreamError/Cause/application`` and the usual wait follows.
    /// What its last answer had and this one leaves out is not sent any more, unless ``setHeader(_:_:secret:)`` has set it since.
    public var headerProvider: (@Sendable (Attempt) async throws -> [String: String])?
    /// The request's method; `nil` is GET, or POST where there is a ``body``.
    public var method: String?
    /// The request's body.
    public var body: Data?
    /// Where in the stream to begin, by an ID remembered from an earlier source.
    public var lastEventID = ""
    /// For lookup, TCP, proxy and TLS together; zero is none.
    public var connectTimeout = Duration.seconds(10)
    /// From the request to the response's head; zero is none, `nil` 60 seconds for GET and none for other methods.
    public var responseTimeout: Duration?
    /// For how long a connection may be silent, comments included; zero is for ever.
    public var idleTimeout = Duration.zero
    /// After which silence TCP asks whether the server is still there; zero is never.
    public var keepAlive = Duration.seconds(120)
    /// The first wait before another attempt. The server's `retry:` replaces it.
    public var retryDelay = Duration.seconds(1)
    /// What the waits grow to.
    public var maxRetryDelay = Duration.seconds(30)
    /// How many failures in a row are tried again; `nil` is all.
    public var maxRetries: Int?
    /// Whether an ended or broken stream is asked for again.
    public var reconnectMode = ReconnectMode.automatic
    /// Every status but 200 is final, as the WHATWG standard has it.
    public var standardStatus = false
    /// The largest event, in bytes.
    public var maxEventSize = 32 * 1024 * 1024
    /// Ask for gzip.
    public var compression = false
    /// Refuse `http`, in redirects too.
    public var httpsOnly = false
    /// The proxy to go through.
    public var proxy = Proxy.none
    /// Certificate authorities to trust beside the platform's, as PEM.
    public var additionalAuthorities: Data?
    /// Certificate authorities to trust instead of the platform's, as PEM.
    public var onlyAuthorities: Data?
    /// The client's certificate chain and private key, as PEM.
    public var identity: Data?
    /// SHA-256 hashes, in base 64, of the public keys of which the server's chain must have one.
    public var pins: [String] = []
    /// The stack of the source's thread, in bytes; `nil` is the library's choice.
    public var stackSize: Int?
    /// On Apple's platforms: connect anew when the network changes and when the app comes back to the foreground. Sources
    /// for which another request needs the app's consent, such as a POST, are left alone.
    public var followsNetwork = true

    /// A configuration of defaults.
    public init() {}
  }

  /// An attempt that is about to begin, as ``Configuration/headerProvider`` sees it.
  public struct Attempt: Sendable, Equatable {
    /// Where to.
    public var url: URL
    /// The `Last-Event-ID` that will be sent; empty for none.
    public var lastEventID: String
  }

  /// Whether a stream is asked for again.
  public enum ReconnectMode: Int32, Sendable {
    /// GET always, other methods only where the server cannot have acted on the request.
    case automatic = 0
    /// Any method always.
    case always = 1
    /// The request is made once.
    case never = 2
  }

  /// The proxy to go through.
  public enum Proxy: Sendable, Equatable {
    /// None.
    case none
    /// An `http` or `socks5` URL, credentials included.
    case url(URL)
    /// What `https_proxy`, `http_proxy`, `all_proxy` and `no_proxy` say, as curl reads them.
    case environment
  }
}

extension EventSource.Configuration: CustomStringConvertible, CustomReflectable {
  /// Names, but no value that could be a secret.
  public var description: String {
    "EventSource.Configuration(headers: \(headers.keys.sorted()), secretHeaders: \(secretHeaders.keys.sorted()))"
  }
  /// Empty: what reflection shows ends up in logs.
  public var customMirror: Mirror { Mirror(self, children: EmptyCollection()) }
}

extension EventSource {
  /// A value that the library refused.
  public struct UsageError: Error, Equatable {
    /// What kind of value, or what else stood in the way.
    public enum Reason: Int32, Sendable {
      /// Not an `http` or `https` URL.
      case invalidURL = -3
      /// A name or value that a header cannot carry, or that is not the caller's to set.
      case invalidHeader = -4
      /// A value out of its range.
      case invalidArgument = -5
      /// A certificate or key that cannot be read, or that does not match.
      case invalidCertificate = -6
      /// The source's events are being taken another way, or the host program has a logger of its own.
      case busy = -7
      /// The system has no thread or memory left.
      case outOfResources = -8
      /// The library was built without it.
      case unsupported = -10
      /// A defect of the library.
      case `internal` = -9
    }

    /// What kind of value.
    public var reason: Reason
    /// What was wrong with it, in words.
    public var message: String
  }
}

extension EventSource.UsageError: LocalizedError {
  /// The same as ``message``.
  public var errorDescription: String? { message }
}

extension EventSource.UsageError {
  /// The error that a status stands for; `nil` unless it is one.
  init?(_ status: eventsource_status, _ message: String = "") {
    guard status.rawValue < 0 else { return nil }
    let reason = Reason(rawValue: Int32(status.rawValue)) ?? .internal
    let text = message.isEmpty ? eventsource_status_text(Int32(status.rawValue)).map { String(cString: $0) } : message
    self.init(reason: reason, message: text ?? "")
  }
}

/// C would see such a text end at the NUL, and quietly take what comes before it. The error says what it was, but not how it
/// went: it may be a secret.
func withText<Result>(
  _ text: String, _ what: String, else reason: EventSource.UsageError.Reason,
  _ body: (UnsafePointer<CChar>) throws -> Result
) throws -> Result {
  guard !text.utf8.contains(0) else {
    throw EventSource.UsageError(reason: reason, message: "\(what) holds a NUL")
  }
  return try text.withCString(body)
}

extension Duration {
  /// Rounded up, since 0 means "none" to the library; nothing below 0 and nothing above what it can take.
  var wholeMilliseconds: Int64 {
    guard self > .zero else { return 0 }
    // `components` traps where the seconds are more than an Int64; up to here, their product with 1000 fits too.
    guard self <= .seconds(Int64.max / 1000) else { return .max }
    let (seconds, attoseconds) = components
    return seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
  }
}

extension EventSource.Configuration {
  /// Gives `body` the library's form of this configuration, for the time of the call.
  func withLibrary<Result>(_ url: URL, _ body: (OpaquePointer) throws -> Result) throws -> Result {
    var config: OpaquePointer?
    let made = try withText(url.absoluteString, "the URL", else: .invalidURL) { eventsource_config_new($0, &config) }
    if let error = EventSource.UsageError(made) { throw error }
    guard let config else { throw EventSource.UsageError(reason: .internal, message: "") }
    defer { eventsource_config_free(config) }
    try apply(to: config)
    return try body(config)
  }

  /// What the library refuses it remembers: `eventsource_new` says so, and `eventsource_config_error` why. Only what could
  /// not be passed on at all is thrown here.
  private func apply(to config: OpaquePointer) throws {
    func number(_ duration: Duration) throws -> UInt64 {
      guard duration >= .zero else {
        throw EventSource.UsageError(reason: .invalidArgument, message: "a duration below zero")
      }
      return UInt64(duration.wholeMilliseconds)
    }
    func pass(
      _ pem: Data?, _ setter: (OpaquePointer, UnsafePointer<UInt8>?, Int) -> eventsource_status
    ) {
      pem?.withUnsafeBytes { bytes in
        // An empty text is refused as such, not as a missing argument.
        let nothing: [UInt8] = [0]
        _ = nothing.withUnsafeBufferPointer { none in
          setter(config, bytes.assumingMemoryBound(to: UInt8.self).baseAddress ?? none.baseAddress, bytes.count)
        }
      }
    }
    for (fields, setter) in [
      (headers, eventsource_config_set_header), (secretHeaders, eventsource_config_set_secret_header),
    ] {
      for (name, value) in fields.sorted(by: { $0.key < $1.key }) {
        try withText(name, "a header's name", else: .invalidHeader) { name in
          try withText(value, "a header's value", else: .invalidHeader) { _ = setter(config, name, $0) }
        }
      }
    }
    if let method {
      try withText(method, "the method", else: .invalidArgument) { _ = eventsource_config_set_method(config, $0) }
    }
    pass(body, eventsource_config_set_body)
    if !lastEventID.isEmpty {
      try withText(lastEventID, "the last event ID", else: .invalidHeader) {
        _ = eventsource_config_set_last_event_id(config, $0)
      }
    }
    eventsource_config_set_connect_timeout(config, try number(connectTimeout))
    if let responseTimeout { eventsource_config_set_response_timeout(config, try number(responseTimeout)) }
    eventsource_config_set_idle_timeout(config, try number(idleTimeout))
    eventsource_config_set_keepalive(config, try number(keepAlive))
    eventsource_config_set_retry(config, try number(retryDelay), try number(maxRetryDelay))
    if let maxRetries {
      guard maxRetries >= 0 else {
        throw EventSource.UsageError(reason: .invalidArgument, message: "retries below zero")
      }
      eventsource_config_set_max_retries(config, UInt32(clamping: maxRetries))
    }
    eventsource_config_set_reconnect(config, reconnectMode.rawValue)
    eventsource_config_set_standard_status(config, standardStatus)
    eventsource_config_set_max_event_size(config, max(0, maxEventSize))
    eventsource_config_set_compression(config, compression)
    eventsource_config_set_https_only(config, httpsOnly)
    switch proxy {
    case .none: break
    case .url(let url):
      try withText(url.absoluteString, "the proxy", else: .invalidURL) { _ = eventsource_config_set_proxy(config, $0) }
    case .environment: eventsource_config_set_proxy_from_env(config)
    }
    pass(additionalAuthorities, eventsource_config_add_ca_pem)
    pass(onlyAuthorities, eventsource_config_set_only_ca_pem)
    pass(identity, eventsource_config_set_identity_pem)
    for pin in pins {
      try withText(pin, "a pin", else: .invalidCertificate) { _ = eventsource_config_add_pin(config, $0) }
    }
    if let stackSize { eventsource_config_set_stack_size(config, max(0, stackSize)) }
  }

  /// Whether a request may be made again without asking the app, which is when a change of network may cause one.
  var mayRepeat: Bool {
    switch reconnectMode {
    case .always: true
    case .never: false
    case .automatic: (method ?? (body == nil ? "GET" : "POST")) == "GET"
    }
  }
}
