package io.github.libeventsource

import java.util.concurrent.Executor
import java.util.concurrent.Future
import java.util.logging.Level
import java.util.logging.Logger

/** When a source connects again by itself. */
public enum class ReconnectMode {
    /**
     * Always with GET. Other methods, which may cost money when repeated, only while the server has done nothing: no byte of the
     * request was written, or it answered 425, 429 or 503.
     */
    AUTO,

    /** With every method. */
    ALWAYS,

    /** Never: the stream is read once. */
    NEVER,
}

/** Gives headers for one attempt, on the thread that the listener is called on. May block. */
public fun interface HeaderProvider {
    /**
     * What to send with the attempt [event] announces, and from then on; a null value takes a header back. Whatever is
     * thrown makes the attempt fail with [ErrorKind.APPLICATION], and the next one asks again.
     */
    @Throws(Exception::class)
    public fun headers(
        source: EventSource,
        event: Event.Connect,
    ): Map<String, String?>
}

/** Gives headers for one attempt without blocking the thread that the listener is called on. */
public fun interface AsyncHeaderProvider {
    /**
     * As [HeaderProvider.headers]. The attempt waits for the answer, but no longer than the connect timeout; a close, pause
     * or reconnect meanwhile cancels it.
     */
    @Throws(Exception::class)
    public fun headers(
        source: EventSource,
        event: Event.Connect,
    ): Future<out Map<String, String?>>
}

/** Gets what a listener threw. */
public fun interface ExceptionHandler {
    /** Called on the thread that the listener was called on. The stream goes on. */
    public fun onException(
        source: EventSource,
        exception: Throwable,
    )
}

/**
 * How to connect, and what to do then. Immutable: each function gives a config that differs in that one thing, and throws
 * [IllegalArgumentException] at once, with the reason in words, where the value will not do. Times are in milliseconds. May
 * be used from any thread, and for any number of sources. Bytes are copied.
 *
 * ```
 * val config = Config().header("Authorization", "Bearer $token").idleTimeout(45_000)
 * ```
 */
public class Config private constructor(
    private val options: List<Option>,
    internal val local: Local,
) {
    /** The library's defaults. */
    public constructor() : this(emptyList(), Local())

    /** What this side of the language border does itself. */
    internal data class Local(
        val executor: Executor? = null,
        val headers: HeaderProvider? = null,
        val asyncHeaders: AsyncHeaderProvider? = null,
        val exceptionHandler: ExceptionHandler = LOGGING,
        val connectTimeout: Long = 10_000,
        val stackSize: Long = 0,
        val systemProxy: Boolean = false,
        val method: String? = null,
        val hasBody: Boolean = false,
        val reconnect: ReconnectMode = ReconnectMode.AUTO,
    )

    /** One setter of the C library and its arguments. */
    private class Option(
        val number: Int,
        val first: ByteArray?,
        val second: ByteArray?,
        val value: Long,
        val more: Long,
    ) {
        fun applyTo(config: Long): Int = Native.configSet(config, number, first, second, value, more)
    }

    /**
     * A header for every attempt; replaces one of that name, in any case of letters. None unless set. Accept, Cache-Control, Pragma
     * and User-Agent replace the library's own; Authorization and Cookie never follow a redirect to another origin. Refused: a name
     * that is no HTTP token or longer than 256 bytes; a value with a control character or longer than 64 KiB; and what is the
     * library's to set, such as Host, Content-Length, Connection, Accept-Encoding and Proxy-*. More than 128 are refused, too, but only by
     * [EventSource]'s constructor.
     */
    public fun header(
        name: String,
        value: String,
    ): Config = with(HEADER, Native.cString(name, "the name"), Native.cString(value, "the value"))

    /** As [header], and never follows a redirect to another origin (scheme, host, port). A name once secret stays secret. */
    public fun secretHeader(
        name: String,
        value: String,
    ): Config = with(SECRET_HEADER, Native.cString(name, "the name"), Native.cString(value, "the value"))

    /**
     * The method: any HTTP token but HEAD, CONNECT and TRACE, sent as it is written. Unless set GET, or POST where there is a body.
     * Others than GET are repeated with care: see [ReconnectMode].
     */
    public fun method(method: String): Config = with(METHOD, Native.cString(method, "the method")).local { copy(method = method) }

    /** A body to send with every attempt, which makes it a POST unless a method is set. None unless set. */
    public fun body(body: ByteArray): Config = with(BODY, body.copyOf()).local { copy(hasBody = true) }

    /** As [body], as UTF-8. Refused: half a surrogate pair. */
    public fun body(body: String): Config = body(Native.utf8(body, "the body"))

    /**
     * The last event ID to begin with: sent until the stream brings another. "", as it is unless set: not sent. Refused: a control
     * character, more than 64 KiB.
     */
    public fun lastEventId(id: String): Config = with(LAST_EVENT_ID, Native.cString(id, "the last event ID"))

    /**
     * For lookup, connection, proxy and TLS together, and for the answer of an [asyncHeaders] provider. 10,000 unless set; 0: no
     * limit. More than a year counts as a year.
     */
    public fun connectTimeout(ms: Long): Config = with(CONNECT_TIMEOUT, ms).local { copy(connectTimeout = ms) }

    /**
     * From the request sent to the response's head, anew for each redirect. Unless set 60,000 for GET and none for other methods,
     * since a model may think for minutes; 0: no limit. More than a year counts as a year.
     */
    public fun responseTimeout(ms: Long): Config = with(RESPONSE_TIMEOUT, ms)

    /**
     * The longest silence of an open stream, comments counted as life; then it counts as broken. 0, as it is unless set: no limit.
     * More than a year counts as a year.
     */
    public fun idleTimeout(ms: Long): Config = with(IDLE_TIMEOUT, ms)

    /**
     * After how much silence TCP begins to probe whether the server is still there. 120,000 unless set; 0: never. In whole seconds,
     * rounded up; more than 32,767 s counts as 32,767 s.
     */
    public fun keepAlive(idleMs: Long): Config = with(KEEPALIVE, idleMs)

    /**
     * The first wait before connecting again, doubled from failure to failure up to the longest; 1,000 and 30,000 unless set. The
     * server's `retry:` replaces [firstMs]. A [maxMs] below [firstMs] counts as [firstMs], more than 24 h counts as 24 h. Waits are
     * lengthened by up to 20 % at random.
     */
    public fun retry(
        firstMs: Long,
        maxMs: Long,
    ): Config = with(RETRY, firstMs, maxMs)

    /** How many failures in a row are retried before one is final; 0: never connect again. Without limit unless set. */
    public fun maxRetries(count: Int): Config = with(MAX_RETRIES, count.toLong())

    /** When to connect again; [ReconnectMode.AUTO] unless set. */
    public fun reconnect(mode: ReconnectMode): Config = with(RECONNECT, mode.ordinal.toLong()).local { copy(reconnect = mode) }

    /**
     * Whether every status but 200 is final, as the WHATWG standard has it. Off unless set: 204 ends the stream without an error, and
     * 408, 425, 429 and 5xx but 501 and 505 are retried.
     */
    public fun standardStatus(on: Boolean): Config = with(STANDARD_STATUS, on)

    /**
     * The largest event or comment, in bytes of data, type and ID together. A larger one is an [ErrorKind.EVENT_TOO_LARGE] that the
     * stream survives. 32 MiB unless set; 0 is refused.
     */
    public fun maxEventSize(bytes: Long): Config = with(MAX_EVENT_SIZE, bytes)

    /** Whether to ask for gzip. Off unless set: many servers hold compressed events back. */
    public fun compression(on: Boolean): Config = with(COMPRESSION, on)

    /** Whether to refuse http: in [EventSource]'s constructor, in [EventSource.setUrl], in redirects. Off unless set. */
    public fun httpsOnly(on: Boolean): Config = with(HTTPS_ONLY, on)

    /**
     * A proxy: `http://user:password@host:port` (asked to CONNECT), or the same with `socks5://`, where the proxy looks names up. Port
     * 1080 unless given. null, as it is unless set: directly. The last of [proxy], [proxyFromEnv] and [systemProxy] counts.
     */
    public fun proxy(url: String?): Config =
        with(PROXY, url?.let { Native.cString(Platform.asciiHost(it), "the proxy's URL") }).local { copy(systemProxy = false) }

    /**
     * The proxy that the environment names when the source is made, by curl's rules: `https_proxy`, `HTTPS_PROXY`, `http_proxy`,
     * `all_proxy`, `ALL_PROXY`, `no_proxy`, `NO_PROXY`. Refused: one of them is no URL of an http or socks5 proxy.
     */
    public fun proxyFromEnv(): Config = with(PROXY_FROM_ENV, null).local { copy(systemProxy = false) }

    /** The proxy that [java.net.ProxySelector] names for the URL when the source is made: on Android the one of the system's settings. */
    public fun systemProxy(): Config = proxy(null).local { copy(systemProxy = true) }

    /**
     * Certificates (a PEM bundle) to trust beside the platform's; call it again for more. Refused: there is none, or one cannot be
     * read.
     */
    public fun addCaPem(pem: ByteArray): Config = with(ADD_CA_PEM, pem.copyOf())

    /** Certificates (a PEM bundle) to trust, with those of [addCaPem], instead of the platform's. Refused as there. */
    public fun onlyCaPem(pem: ByteArray): Config = with(ONLY_CA_PEM, pem.copyOf())

    /**
     * What to show a server that asks for a certificate: a chain in PEM, the client's own first, and its private key (PKCS#8, PKCS#1 or
     * SEC1, not encrypted). Refused: no certificate, not exactly one key, or they do not belong together.
     */
    public fun identityPem(pem: ByteArray): Config = with(IDENTITY_PEM, pem.copyOf())

    /**
     * Accepts only chains with a certificate of this public key: the SHA-256 of its SPKI in base64, with or without `sha256/` in front.
     * On top of the ordinary verification; of several pins one has to match.
     */
    public fun addPin(sha256Base64: String): Config = with(ADD_PIN, Native.cString(sha256Base64, "the pin"))

    /** The stack of the stream's thread: 128 KiB to 256 MiB. Unless set the VM's default, 1 MiB on most systems. */
    public fun stackSize(bytes: Long): Config = with(STACK_SIZE, bytes).local { copy(stackSize = bytes) }

    /**
     * Where the listener and the provider of headers are called; the stream's own thread unless set. One that refuses ends the stream:
     * the exception goes to the [exceptionHandler], and [EventSource.Listener.onClose] is then called on the stream's own thread. One
     * that drops tasks without a word stalls it until it is closed, and may drop [EventSource.Listener.onClose].
     */
    public fun executor(executor: Executor?): Config = local { copy(executor = executor) }

    /** Asked for headers before each attempt; null, as it is unless set, for none. Takes the place of [asyncHeaders]. */
    public fun headers(provider: HeaderProvider?): Config = local { copy(headers = provider, asyncHeaders = null) }

    /** Asked for headers before each attempt, with an answer that may come later and from elsewhere. Takes the place of [headers]. */
    public fun asyncHeaders(provider: AsyncHeaderProvider?): Config = local { copy(headers = null, asyncHeaders = provider) }

    /** Gets what a listener or an executor throws. Unless set it is logged as a warning with [java.util.logging], which is logcat on Android. */
    public fun exceptionHandler(handler: ExceptionHandler): Config = local { copy(exceptionHandler = handler) }

    /** Whether the library may connect again without asking the app. A POST sent twice may cost money: hooks leave such sources alone. */
    public val isRepeatable: Boolean
        get() =
            when (local.reconnect) {
                ReconnectMode.AUTO -> local.method == "GET" || (local.method == null && !local.hasBody)
                ReconnectMode.ALWAYS -> true
                ReconnectMode.NEVER -> false
            }

    /** A native config with all of this in it. The caller frees it. */
    internal fun toNative(url: String): Long {
        val config = newNative(url)
        try {
            for (option in options) check(config, option.applyTo(config))
            if (local.systemProxy) {
                Platform.systemProxy(url)?.let { check(config, optionOf(PROXY, Native.cString(it, "the proxy's URL")).applyTo(config)) }
            }
        } catch (refused: RuntimeException) {
            Native.configFree(config)
            throw refused
        }
        return config
    }

    private fun local(change: Local.() -> Local): Config = Config(options, local.change())

    private fun with(
        option: Int,
        first: ByteArray?,
        second: ByteArray? = null,
    ): Config = with(optionOf(option, first, second))

    private fun with(
        option: Int,
        value: Long,
        more: Long = 0,
    ): Config {
        require(value >= 0 && more >= 0) { "a time or a count cannot be negative" }
        return with(Option(option, null, null, value, more))
    }

    private fun with(
        option: Int,
        on: Boolean,
    ): Config = with(option, if (on) 1 else 0)

    // Tried out on a config of its own, so that a refusal comes from the call that caused it. What depends on the URL, as https only
    // does, is the constructor's to refuse.
    private fun with(option: Option): Config {
        val trial = newNative("https://localhost/")
        try {
            check(trial, option.applyTo(trial))
        } finally {
            Native.configFree(trial)
        }
        return Config(options + option, local)
    }

    internal companion object {
        val LOGGING =
            ExceptionHandler { _, exception ->
                Logger.getLogger("io.github.libeventsource").log(Level.WARNING, "a listener threw", exception)
            }

        // enum option in eventsource_jni.c
        private const val HEADER = 0
        private const val SECRET_HEADER = 1
        private const val METHOD = 2
        private const val BODY = 3
        private const val LAST_EVENT_ID = 4
        private const val CONNECT_TIMEOUT = 5
        private const val RESPONSE_TIMEOUT = 6
        private const val IDLE_TIMEOUT = 7
        private const val KEEPALIVE = 8
        private const val RETRY = 9
        private const val MAX_RETRIES = 10
        private const val RECONNECT = 11
        private const val STANDARD_STATUS = 12
        private const val MAX_EVENT_SIZE = 13
        private const val COMPRESSION = 14
        private const val HTTPS_ONLY = 15
        private const val PROXY = 16
        private const val PROXY_FROM_ENV = 17
        private const val ADD_CA_PEM = 18
        private const val ONLY_CA_PEM = 19
        private const val IDENTITY_PEM = 20
        private const val ADD_PIN = 21
        private const val STACK_SIZE = 22

        private fun optionOf(
            number: Int,
            first: ByteArray?,
            second: ByteArray? = null,
        ): Option = Option(number, first, second, 0, 0)

        private fun newNative(url: String): Long {
            val config = Native.configNew(Native.cString(Platform.asciiHost(url), "the URL"))
            if (Native.isStatus(config)) throw Native.refusal(config.toInt(), "")
            return config
        }

        private fun check(
            config: Long,
            status: Int,
        ) {
            if (status != Native.OK) throw Native.refusal(status, Native.text(Native.configError(config)))
        }
    }
}
