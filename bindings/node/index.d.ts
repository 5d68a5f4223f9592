/**
 * A stream of Server-Sent Events that reconnects until it is closed: the WHATWG class, with the options, events and
 * methods that programs outside a browser need.
 *
 * Nothing is read from the socket that the program is not ready for, and nothing is dropped.
 */
export declare class EventSource extends EventTarget implements AsyncIterable<ServerSentEvent> {
  static readonly CONNECTING: 0;
  static readonly OPEN: 1;
  static readonly CLOSED: 2;
  readonly CONNECTING: 0;
  readonly OPEN: 1;
  readonly CLOSED: 2;

  /**
   * Connects at once.
   * @throws DOMException named SyntaxError if the URL cannot be parsed, or has a host that no host can have
   * @throws TypeError that names the option which is unknown or wrong
   */
  constructor(url: string | URL, init?: EventSourceInit);

  /** The URL given, without user name and password. Redirects do not change it. */
  readonly url: string;
  /** What was given. There is no cookie jar: nothing else depends on it. */
  readonly withCredentials: boolean;
  /** CONNECTING (also while paused), OPEN or CLOSED. */
  readonly readyState: 0 | 1 | 2;

  // What is read may be called with less than this class and its events, so that it fits where lib.dom's EventSource is asked for.
  get onopen(): Handler<Event> | null;
  set onopen(handler: OwnHandler<Event> | null);
  get onmessage(): Handler<ServerSentEvent> | null;
  set onmessage(handler: OwnHandler<ServerSentEvent> | null);
  get onerror(): Handler<any> | null;
  set onerror(handler: OwnHandler<SourceErrorEvent> | null);
  get onclose(): Handler<SourceCloseEvent> | null;
  set onclose(handler: OwnHandler<SourceCloseEvent> | null);

  /** Ends the stream for good. Of all events only `close` is still dispatched, from a task of its own. */
  close(): void;

  /**
   * Disconnects and keeps the place in the stream. Events that had come with the one being dispatched (255 at most) are still
   * dispatched, as after `reconnect`: the place is that of the last of them.
   */
  pause(): void;
  /** Connects again after a pause, at once. */
  resume(): void;
  /** Drops the connection, or the wait for one, and connects anew at once, with the back-off forgotten. */
  reconnect(): void;
  /**
   * In a listener for `error`: try again after `delay` milliseconds (the library's own delay if there is none given),
   * even if the error was final. False if there is nothing to answer any more: the moment is that of the listener and
   * the promises that settle with it, not later. A second `retry(0)` in a row, with no `open` in between, waits the
   * library's delay.
   */
  retry(delay?: number): boolean;
  /**
   * From the next attempt on. `null` or `undefined` removes the header. A secret header is not sent to other origins.
   * @throws TypeError for a header that cannot be sent: see `headers`
   */
  setHeader(name: string, value: string | null | undefined, options?: { secret?: boolean } | null): void;

  /** An open source keeps the process alive: the default. */
  ref(): this;
  /** Lets the process end while the source is open. */
  unref(): this;

  /**
   * Every message, whatever its type. Nothing is read from the connection while the body of the loop is busy; leaving
   * the loop closes the source; a final error is thrown, by the first loop to begin if there was none when it came.
   *
   * The loop has what is dispatched after it began, so begin it before you await anything but `open`. While there is an
   * iterator, listeners wait for its `next`, too.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<ServerSentEvent>;

  addEventListener<K extends keyof SourceEventMap>(type: K, listener: Listener<SourceEventMap[K]> | null, options?: ListenOptions): void;
  addEventListener(type: string, listener: Listener<ServerSentEvent> | null, options?: ListenOptions): void;
  addEventListener(type: string, listener: Listener<Event> | null, options?: ListenOptions): void;
  removeEventListener<K extends keyof SourceEventMap>(type: K, listener: Listener<SourceEventMap[K]> | null, options?: boolean | { capture?: boolean }): void;
  removeEventListener(type: string, listener: Listener<ServerSentEvent> | null, options?: boolean | { capture?: boolean }): void;
  removeEventListener(type: string, listener: Listener<Event> | null, options?: boolean | { capture?: boolean }): void;
}

/** The events that do not take their names from the server. A server may send `error` or `comment` too: as MessageEvent. */
export interface SourceEventMap {
  open: Event;
  message: ServerSentEvent;
  error: SourceErrorEvent;
  close: SourceCloseEvent;
  comment: CommentEvent;
}

/** An event of the server. */
export interface ServerSentEvent extends MessageEvent {
  readonly data: string;
  readonly lastEventId: string;
  readonly origin: string;
}

/** An attempt failed or the connection ended. */
export interface SourceErrorEvent extends Event {
  readonly type: 'error';
  readonly code: ErrorCode;
  /** The reason in words. */
  readonly message: string;
  /** HTTP status, 0 if there was none. */
  readonly status: number;
  /** Of the response that was refused; empty if there was none. */
  readonly headers: Headers;
  /** The first 4 KiB of the response that was refused. */
  readonly body: string;
  /** Milliseconds until the next attempt, -1 if none will follow. */
  readonly retryIn: number;
}

/** All is over. Dispatched once, last. */
export interface SourceCloseEvent extends Event {
  readonly type: 'close';
  /** NONE: close() was called. ENDED: status 204, or the end of a stream that is not repeated. Else the final error. */
  readonly code: ErrorCode;
  readonly message: string;
  readonly status: number;
}

/** A line that began with a colon. */
export interface CommentEvent extends Event {
  readonly type: 'comment';
  /** What followed the colon. */
  readonly data: string;
}

export type ErrorCode =
  | 'NONE'
  | 'ENDED'
  | 'DNS'
  | 'CONNECT'
  | 'TLS'
  | 'PROXY'
  | 'IO'
  | 'TIMED_OUT'
  | 'HTTP_STATUS'
  | 'CONTENT_TYPE'
  | 'ENCODING'
  | 'REDIRECT'
  | 'EVENT_TOO_LARGE'
  | 'APPLICATION'
  | 'INTERNAL';

export interface EventSourceInit {
  /** Reported by the property of this name, nothing more. */
  withCredentials?: boolean;
  /**
   * Sent with each attempt. A function is called before each attempt, which waits until it has settled. Of two with the same
   * name the last counts. Those of the connection cannot be set: Host, Content-Length, Transfer-Encoding, Connection,
   * Keep-Alive, Expect, Upgrade, TE, Trailer, Accept-Encoding, Proxy-*.
   */
  headers?: HeaderList | HeaderFunction;
  /** Likewise; not sent to any origin but that of the URL. Authorization and Cookie are always secret. */
  secretHeaders?: HeaderList | HeaderFunction;
  /** GET, or POST if there is a body. Other methods are not repeated as GET is: see `reconnect`. */
  method?: string;
  body?: string | ArrayBufferView | ArrayBuffer;
  /** Sent as Last-Event-ID with the first attempt, until the server sends an id. */
  lastEventId?: string;
  /** Waits double from `first` to `max`, and are lengthened by up to a fifth at random. */
  retry?: {
    /** Milliseconds before the first new attempt, until the server says otherwise. 1 000, or `max` if that is less. */
    first?: number;
    /** The longest wait that failures in a row lead to; not less than `first`. 30 000. */
    max?: number;
    /** So many failures in a row are borne. Infinity; with 0 there is no second attempt. */
    retries?: number;
  };
  /** auto: GET always, other methods only where the server has done nothing yet. always, never: whatever the method. */
  reconnect?: 'auto' | 'always' | 'never';
  /** As the standard has it, every status but 200 is final, 204 included. Otherwise 408, 425, 429 and 5xx are retried. */
  standardStatus?: boolean;
  /** Milliseconds for DNS, TCP, proxy and TLS together, and for a header function. 10 000; 0: no limit. */
  connectTimeout?: number;
  /** Milliseconds from the request to the head of the response. 60 000 for GET, else none; 0: no limit. */
  responseTimeout?: number;
  /** Milliseconds without a byte until the connection counts as dead. 0: no limit, the default. */
  idleTimeout?: number;
  /** Milliseconds until TCP asks whether the peer is still there. 120 000; 0: never. */
  keepAlive?: number;
  /** Bytes of one event, above which it is dropped with an error event. 32 MiB. */
  maxEventSize?: number;
  /** Ask for gzip. false. */
  compression?: boolean;
  /** Refuse http URLs, also as the target of a redirect. false. */
  httpsOnly?: boolean;
  /** `http://` or `socks5://` URL, with user name and password if need be; 'env': as the variables say; null: none. */
  proxy?: string | URL | null;
  tls?: {
    /** Certificate authorities beside the system's, in PEM. */
    ca?: Pem | Pem[];
    /** Certificate authorities instead of the system's, in PEM. */
    onlyCa?: Pem | Pem[];
    /** The client's certificate chain, in PEM, and its key. */
    cert?: Pem | Pem[];
    key?: Pem | Pem[];
    /** SHA-256 of a public key (SPKI), in base64. One of them must be in the chain. */
    pins?: string | string[];
  };
}

export type Pem = string | ArrayBufferView | ArrayBuffer;
export type HeaderList = { [name: string]: string | number | undefined } | Headers | Iterable<readonly [string, string | number | undefined]>;

/**
 * Called before each attempt. To throw, to reject, or not to settle within the connect timeout fails the attempt, with
 * an error event APPLICATION and the usual delay. What it leaves out the next time is not sent the next time,
 * unless `setHeader` has set it since.
 */
export type HeaderFunction = (attempt: {
  /** Where to. */
  url: string;
  /** The Last-Event-ID that will be sent, '' if none. */
  lastEventId: string;
  /** Aborted when nobody waits for the answer any more. */
  signal: AbortSignal;
}) => HeaderList | null | undefined | void | PromiseLike<HeaderList | null | undefined | void>;

export type ListenOptions = boolean | { capture?: boolean; once?: boolean; passive?: boolean; signal?: AbortSignal };
export type Listener<E> = ((this: any, event: E) => any) | { handleEvent(event: E): any };
export type Handler<E> = (this: StandardSource, event: E) => any;
export type OwnHandler<E> = (this: EventSource, event: E) => any;

/** The part of the source that is the same in every EventSource. */
export interface StandardSource extends EventTarget {
  readonly url: string;
  readonly withCredentials: boolean;
  readonly readyState: number;
  close(): void;
}
