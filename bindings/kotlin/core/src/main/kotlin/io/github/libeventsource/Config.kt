package io.github.libeventsource

import java.util.concurrent.Executor
import java.util.concurrent.Future
import java.util.logging.Level
import java.util.logging.Logger

/** When a source connects again by itself. */
public enum class ReconnectMode {
    /** Always with GET; with other methods only where the server cannot have begun to do anything. */
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
 * [IllegalArgumentException] at once where the value will not do.
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

    /** A header for every attempt; replaces one of that name. Authorization and Cookie never follow a redirect to another origin. */
    public fun header(
        name: String,
        value: String,
    ): Config = with(HEADER, Native.cString(name, "the name"), Native.cString(value, "the value"))

    /** As [header], and never follows a redirect to another origin. */
    public fun secretHeader(
        name: String,
        value: String,
    ): Config = with(SECRET_HEADER, Native.cString(name, "the name"), Native.cString(value, "the value"))

    /** The method; GET unless there is a body. */
    public fun method(method: String): Config = with(METHOD, Native.cString(method, "the method")).local { copy(method = method) }

    /** A body to send with every attempt; POST unless a method is set. */
    public fun body(body: ByteArray): Config = with(BODY, body.copyOf()).local { copy(hasBody = true) }

    /** As [body], as UTF-8. */
    public fun body(body: String): Config = body(body.toByteArray(Charsets.UTF_8))

    /** The last event ID to begin with. */
    public fun lastEventId(id: String): Config = with(LAST_EVENT_ID, Native.cString(id, "the last event ID"))

    /** For lookup, connection, proxy and TLS together; 10 s unless set, 0 for none. */
    public fun connectTimeout(ms: Long): Config = with(CONNECT_TIMEOUT, ms).local { copy(connectTimeout = ms) }

    /** From the request sent to the response's head; 60 s for GET and none for other methods unless set, 0 for none. */
    public fun responseTimeout(ms: Long): Config = with(RESPONSE_TIMEOUT, ms)

    /** The longest silence of an open stream, comments counted as life; none unless set, 0 for none. */
    public fun idleTimeout(ms: Long): Config = with(IDLE_TIMEOUT, ms)

    /** TCP keep-alive begins after that much silence; 120 s unless set, 0 for none. */
    public fun keepAlive(idleMs: Long): Config = with(KEEPALIVE, idleMs)

    /** The first wait before connecting again, doubled from failure to failure up to the longest; 1 s and 30 s unless set. */
    public fun retry(
        firstMs: Long,
        maxMs: Long,
    ): Config = with(RETRY, firstMs, maxMs)

    /** How many failures in a row to retry; without limit unless set. */
    public fun maxRetries(count: Int): Config = with(MAX_RETRIES, count.toLong())

    /** When to connect again. */
    public fun reconnect(mode: ReconnectMode): Config = with(RECONNECT, mode.ordinal.toLong()).local { copy(reconnect = mode) }

    /** Whether every status but 200 is final, as the WHATWG standard has it; off unless set. */
    public fun standardStatus(on: Boolean): Config = with(STANDARD_STATUS, on)

    /** The largest event; 32 MiB unless set. */
    public fun maxEventSize(bytes: Long): Config = with(MAX_EVENT_SIZE, bytes)

    /** Whether to ask for gzip; off unless set. */
    public fun compression(on: Boolean): Config = with(COMPRESSION, on)

    /** Whether to refuse http, redirects to it included; off unless set. */
    public fun httpsOnly(on: Boolean): Config = with(HTTPS_ONLY, on)

    /** A proxy, `http://` or `socks5://`; null for none, as it is unless set. */
    public fun proxy(url: String?): Config =
        with(PROXY, url?.let { Native.cString(Platform.asciiHost(it), "the proxy's URL") }).local { copy(systemProxy = false) }

    /** The proxy that the environment variables name, as curl reads them. */
    public fun proxyFromEnv(): Config = with(PROXY_FROM_ENV, null).local { copy(systemProxy = false) }

    /** The proxy that [java.net.ProxySelector] names for the URL when the source is made: on Android the one of the system's settings. */
    public fun systemProxy(): Config = proxy(null).local { copy(systemProxy = true) }

    /** Certificates (PEM) to trust beside the platform's. */
    public fun addCaPem(pem: ByteArray): Config = with(ADD_CA_PEM, pem.copyOf())

    /** Certificates (PEM) to trust instead of the platform's. */
    public fun onlyCaPem(pem: ByteArray): Config = with(ONLY_CA_PEM, pem.copyOf())

    /** A client certificate chain and its key (PEM). */
    public fun identityPem(pem: ByteArray): Config = with(IDENTITY_PEM, pem.copyOf())

    /** A public key (SHA-256 of its SPKI, base64) of which the chain must hold one. */
    public fun addPin(sha256Base64: String): Config = with(ADD_PIN, Native.cString(sha256Base64, "the pin"))

    /** The stack of the stream's thread, in bytes; the VM's default unless set. */
    public fun stackSize(bytes: Long): Config = with(STACK_SIZE, bytes).local { copy(stackSize = bytes) }

    /** Where the listener and the provider of headers are called; the stream's own thread unless set. */
    public fun executor(executor: Executor?): Config = local { copy(executor = executor) }

    /** Asked for headers before each attempt. */
    public fun headers(provider: HeaderProvider?): Config = local { copy(headers = provider, asyncHeaders = null) }

    /** Asked for headers before each attempt, with an answer that may come later and from elsewhere. */
    public fun asyncHeaders(provider: AsyncHeaderProvider?): Config = local { copy(headers = null, asyncHeaders = provider) }

    /** Gets what a listener throws. Unless set it is logged as a warning with [java.util.logging], which is logcat on Android. */
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
        require(value >= 0 && more >= 0) { "a negative number" }
        return with(Option(option, null, null, value, more))
    }

    private fun with(
        option: Int,
        on: Boolean,
    ): Config = with(option, if (on) 1 else 0)

    // Tried out on a config of its own, so that a refusal comes from the call that caused it.
    private fun with(option: Option): Config {
        val trial = newNative("http://localhost/")
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
            if (config < 0) throw Native.refusal(config.toInt(), "")
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
